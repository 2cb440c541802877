"""Mutants of C and C++ source text: every comparison, connective, arithmetic sign, constant, index, branch and statement, changed one at a time.

`mutants(path, text)` is the main function: a list of Mutant, in the order of the text. Nothing is written. Only the Python standard library.

What is changed, by token (comments, strings and preprocessor lines that are not #define of a number are left alone):
  comparison   <  to <= and >=;  <= to < and >;  >  to >= and <=;  >= to > and <;  == to !=;  != to ==
  connective   && to ||;  || to &&;  ! is dropped
  arithmetic   + to -;  - to + (a sign is dropped);  / and % to *;  << to >>;  >> to <<;  & to |;  | to &;  ^ to |;  ~ is dropped;  binary * to +
  assignment   += to -=;  -= to +=;  |= to &=;  &= to |=;  *= to +=;  ++ to --;  -- to ++
  constant     an integer one more, and one less
  index        a subscript one more
  branch       the condition of if and ?: true and false; of while and for false
  statement    an assignment or a call that is a statement by itself is dropped;  return X is left alone (its parts are changed)
"""

import collections
import re

Mutant = collections.namedtuple("Mutant", "file line column old new text key")

TOKEN = re.compile(r"""
    (?P<space>\s+|\\\n) | (?P<comment>/\*.*?\*/|//[^\n]*) | (?P<string>R"\w*\(.*?\)\w*"|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])+')
  | (?P<number>\b(?:0[xX][0-9a-fA-F']+|\d[\d']*)(?:[uUlLzZ]*)\b(?!\.)) | (?P<word>[A-Za-z_]\w*)
  | (?P<operator><<=|>>=|<=>|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|%=|&=|\|=|\^=|::|[-+*/%&|^~!<>=?:;,.(){}\[\]\#])
""", re.X | re.S)

SWAPS = {
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "&&": ["||"], "||": ["&&"], "+": ["-"], "-": ["+"], "/": ["*"], "%": ["*"], "<<": [">>"], ">>": ["<<"],
    "&": ["|"], "|": ["&"], "^": ["|"], "+=": ["-="], "-=": ["+="], "|=": ["&="], "&=": ["|="], "*=": ["+="], "++": ["--"], "--": ["++"],
    "*": ["+"],
}
ENDS_OPERAND = {"number", "string"}
TYPES = {"int", "int64_t", "uint64_t", "size_t", "char", "unsigned", "signed", "void", "const", "int32_t", "uint32_t", "int16_t", "uint8_t",
         "axc_cursor", "axc_layer", "axc_stage", "axc_range", "axc_report", "axc_array", "axc_finding", "axc_certificate", "axc_span", "auto",
         "restrict", "worst_register", "ranges", "axc_sha256", "job", "bool", "float", "double", "int8_t", "T"}
KEYWORDS = {"return", "case", "sizeof", "else", "do", "goto", "throw", "co_return"}

Token = collections.namedtuple("Token", "kind text start")


def tokens(text):
    """Tokens without space and comments; preprocessor lines are one token of kind `directive`."""
    found, at = [], 0
    while at < len(text):
        line_start = text.rfind("\n", 0, at) + 1
        if text[at] == "#" and not text[line_start:at].strip():
            end = at
            while True:
                newline = text.find("\n", end)
                end = len(text) if newline < 0 else newline
                if newline < 0 or text[end - 1] != "\\":
                    break
                end += 1
            found.append(Token("directive", text[at:end], at))
            at = end
            continue
        match = TOKEN.match(text, at)
        if not match:
            raise ValueError(f"cannot read {text[at:at + 20]!r}")
        if match.lastgroup not in ("space", "comment"):
            found.append(Token(match.lastgroup, match.group(0), at))
        at = match.end()
    return found


def is_binary(found, i):
    """Whether the operator at i has an operand before it."""
    if i == 0:
        return False
    before = found[i - 1]
    return before.kind in ENDS_OPERAND or before.text in (")", "]") or (before.kind == "word" and before.text not in KEYWORDS and before.text not in TYPES)


def closing(found, i):
    """Index of the bracket that closes the one at i."""
    depth = 0
    for k in range(i, len(found)):
        depth += found[k].text in ("(", "[", "{")
        depth -= found[k].text in (")", "]", "}")
        if depth == 0:
            return k
    raise ValueError("a bracket is not closed")


def is_cast(found, i):
    """Whether the ")" at i closes a type: what follows is then no second operand."""
    depth, k = 0, i
    while k >= 0:
        depth += found[k].text == ")"
        depth -= found[k].text == "("
        if depth == 0:
            break
        k -= 1
    inside = found[k + 1:i]
    return bool(inside) and all(t.text in TYPES or t.text == "*" or t.text.startswith("axc_") for t in inside)


def in_declaration_of_pointer(found, i):
    """Whether the * at i declares or dereferences a pointer instead of multiplying."""
    before = found[i - 1] if i else None
    if before is None or not is_binary(found, i):
        return True
    if before.text == ")" and is_cast(found, i - 1):
        return True
    return False


def number_mutants(text):
    digits = re.match(r"(0[xX][0-9a-fA-F']+|\d[\d']*)(\w*)", text)
    value = int(digits.group(1).replace("'", ""), 0) if not re.fullmatch(r"0\d+", digits.group(1)) else int(digits.group(1), 8)
    hexadecimal = digits.group(1)[:2].lower() == "0x"
    write = (lambda v: hex(v) + digits.group(2)) if hexadecimal else (lambda v: str(v) + digits.group(2))
    return [write(value + 1)] + ([write(value - 1)] if value > 0 else [])


def changes(text):
    """(start, end, replacement, name of the change) of every mutant."""
    found = tokens(text)
    for i, token in enumerate(found):
        start, end = token.start, token.start + len(token.text)
        if token.kind == "directive":
            match = re.match(r"#\s*define\s+\w+\s+(.*)$", token.text, re.S)
            if match and "\n" not in token.text and "__" not in match.group(1):
                for number in re.finditer(r"(?<![\w.])\d+\b", match.group(1).split("/*")[0]):
                    at = start + match.start(1) + number.start()
                    for new in number_mutants(number.group(0)):
                        yield at, at + len(number.group(0)), new, f"{number.group(0)} → {new}"
            continue
        if token.kind == "number":
            for new in number_mutants(token.text):
                yield start, end, new, f"{token.text} → {new}"
            continue
        if token.kind == "word" and token.text in ("if", "while") and i + 1 < len(found) and found[i + 1].text == "(":
            close = closing(found, i + 1)
            begin, stop = found[i + 1].start + 1, found[close].start
            whole = " ".join(text[begin:stop].split())
            if token.text == "if":
                yield begin, stop, "1", f"if ({whole}) → if (1)"
            yield begin, stop, "0", f"{token.text} ({whole}) → {token.text} (0)"
            continue
        if token.kind == "word" and token.text == "for" and found[i + 1].text == "(":
            close = closing(found, i + 1)
            semicolons = [k for k in range(i + 2, close) if found[k].text == ";"]
            if len(semicolons) == 2 and semicolons[1] > semicolons[0] + 1:
                begin, stop = found[semicolons[0] + 1].start, found[semicolons[1]].start
                yield begin, stop, "0", f"for (; {text[begin:stop].strip()};) → for (; 0;)"
            continue
        if token.kind != "operator":
            continue
        if token.text in ("!", "~"):
            yield start, end, "", f"{token.text} dropped"
            continue
        if token.text == "[" and i and (found[i - 1].kind == "word" and found[i - 1].text not in TYPES or found[i - 1].text in (")", "]")):
            close = closing(found, i)
            inside = found[i + 1:close]
            declared = i >= 2 and (found[i - 2].kind == "word" and found[i - 2].text not in KEYWORDS or found[i - 2].text in ("*", "&", ">"))
            if inside and not declared:
                yield found[close].start, found[close].start, " + 1", f"[{text[end:found[close].start]}] one more"
            continue
        if token.text == "?":
            # The condition begins after the nearest opening bracket, comma, assignment, return or semicolon of this level.
            k, depth = i - 1, 0
            while k >= 0:
                if found[k].text in (")", "]", "}"):
                    depth += 1
                if found[k].text in ("(", "[", "{"):
                    if depth == 0:
                        break
                    depth -= 1
                if depth == 0 and found[k].text in (",", ";", "=", "return", ":", "?", "+=", "-=", "|=", "&="):
                    break
                k -= 1
            begin = found[k + 1].start
            condition = " ".join(text[begin:start].split())
            yield begin, start, "1 ", f"{condition} ? → 1 ?"
            yield begin, start, "0 ", f"{condition} ? → 0 ?"
            continue
        if token.text not in SWAPS:
            continue
        if token.text in ("*", "&") and in_declaration_of_pointer(found, i):
            continue
        if token.text in ("<", ">") and i and found[i - 1].text in ("include", "template", "static_cast", "vector", "span", "min", "max", "clamp"):
            continue
        if token.text in ("+", "-") and not is_binary(found, i):
            if token.text == "-":
                yield start, end, "", "sign - dropped"
            continue
        for new in SWAPS[token.text]:
            yield start, end, new, f"{token.text} → {new}"
    yield from dropped_statements(text, found)


def dropped_statements(text, found):
    """Assignments and calls that are statements by themselves."""
    begin = 0
    depth = 0
    for i, token in enumerate(found):
        if token.kind == "directive":
            begin = i + 1
            continue
        if token.text in ("(", "["):
            depth += 1
        if token.text in (")", "]"):
            depth -= 1
        if depth:
            continue
        if token.text in ("{", "}", ":") or (token.kind == "word" and token.text in ("else", "do")):
            begin = i + 1
        elif token.text == ")" and found[begin].text in ("if", "while", "for", "switch"):
            opening = next(k for k in range(begin, i) if found[k].text == "(")
            if closing(found, opening) == i:
                begin = i + 1
        elif token.text == ";":
            statement = found[begin:i]
            if statement and statement[0].kind == "word" and statement[0].text not in KEYWORDS | TYPES | {"static", "typedef", "enum", "struct",
                                                                                                         "break", "continue", "using", "extern"}:
                texts = [t.text for t in statement]
                second = statement[1] if len(statement) > 1 else None
                declares = second is not None and second.kind == "word"
                acts = any(t in ("=", "+=", "-=", "|=", "&=", "*=", "++", "--") for t in texts) or texts[-1] == ")"
                if acts and not declares and not any(t.text in TYPES and k == 0 for k, t in enumerate(statement)):
                    start, end = statement[0].start, token.start
                    whole = " ".join(text[start:end].split())
                    yield start, end, "", f"dropped: {whole}"
            elif statement and statement[0].text in ("++", "--", "*"):
                start, end = statement[0].start, token.start
                yield start, end, "", "dropped: " + " ".join(text[start:end].split())
            begin = i + 1


def mutants(path, text):
    """Every mutant of one file; `key` names it whatever its line number is: file, the line's own text, what was changed, and which of
    several equal changes in equal lines it is."""
    result, seen = [], collections.Counter()
    for start, end, new, name in sorted(changes(text), key=lambda change: change[:3]):
        line = text.count("\n", 0, start) + 1
        line_begin = text.rfind("\n", 0, start) + 1
        line_text = " ".join(text[line_begin:text.find("\n", start)].split())
        plain = f"{path} | {line_text} | {name}"
        seen[plain] += 1
        key = plain + (f" | {seen[plain]}" if seen[plain] > 1 else "")
        result.append(Mutant(path, line, start - line_begin + 1, text[start:end], new, text[:start] + new + text[end:], key))
    return result
