"""Fails when the source tree breaks a rule of the house that a compiler does not see.

    python3 check_architecture.py REPOSITORY

Rules, each with the place in its message:
  1. a room includes only rooms that stand below it in lib/README.md;
  2. ... and that its axecert_room(... USES ...) names, directly or through the rooms it uses;
  3. a quoted include without "axecert/" stays inside its own room;
  4. verify/checker includes the C standard library and itself, nothing else; check_main.c, which is no part of the library,
     also what it takes to map files;
  5. every C or C++ file under lib, verify and cli opens with a comment of at least eight words that says what it does;
  6. every Python file is one: peers and examples that no test runs, too.

`violations` is the main function. Reads files, writes nothing; only the Python standard library.
"""

import ast
import pathlib
import re
import sys

SOURCE_ENDINGS = {".c", ".h", ".cpp", ".hpp"}
OPENING_WORDS = 8
SCRIPT_FOLDERS = ("tests", "examples", "proofs", "python")
C_STANDARD_HEADERS = {
    f"{name}.h" for name in
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic "
    "stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype".split()}
CHECKER_PROGRAM, MAPPING_HEADERS = "check_main.c", {"fcntl.h", "sys/mman.h", "sys/stat.h", "unistd.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_levels(readme):
    """{room: level} from the fenced list of lib/README.md; 0 is the top line. `verify/{a,b}` puts a and b on one line."""
    block = re.search(r"^```\n(.*?)^```", readme, re.S | re.M)
    if not block:
        raise SystemExit("lib/README.md: no fenced list of rooms")
    levels = {}
    for level, line in enumerate(block.group(1).splitlines()):
        path = line.split()[0]
        names = re.search(r"\{(.*)\}", path)
        for name in names.group(1).split(",") if names else [path.rstrip("/").split("/")[-1]]:
            levels[name] = level
    return levels


def declared_uses(cmake):
    """{room: set of rooms} from the axecert_room(...) calls of one CMakeLists.txt."""
    uses = {}
    for call in re.findall(r"^axecert_room\(([^)]*)\)", cmake, re.M):
        words = call.split()
        rooms, inside = set(), False
        for word in words[1:]:
            if word in {"VERIFY", "USES", "LINKS", "PRIVATE_LINKS"}:
                inside = word == "USES"
            elif inside:
                rooms.add(word)
        uses[words[0]] = rooms
    return uses


def reachable(uses):
    """The transitive closure of `uses`."""
    closed = {}

    def below(room, trail):
        if room in trail:
            raise SystemExit("axecert_room: a circle: " + " -> ".join([*trail, room]))
        if room not in closed:
            closed[room] = set().union(*[{used} | below(used, [*trail, room]) for used in uses.get(room, ())])
        return closed[room]

    for room in uses:
        below(room, [])
    return closed


def includes(text):
    """(line number, is_quoted, name) of every #include."""
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def opening_comment(text):
    """The words of the comment that the file starts with, or none."""
    if text.startswith("/*"):
        return re.sub(r"^\s*\*", " ", text[2:].split("*/", 1)[0], flags=re.M).split()
    words = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        words += line.lstrip("/").split()
    return words


def violations(root):
    """One line per broken rule, sorted by file."""
    root = pathlib.Path(root)
    levels = room_levels((root / "lib/README.md").read_text())
    uses = {}
    for folder in ("lib", "verify"):
        uses |= declared_uses((root / folder / "CMakeLists.txt").read_text())
    below = reachable(uses)
    found = []

    rooms = [(name, path) for name in sorted(uses)
             for path in (root / "lib" / name, root / "verify" / name) if path.is_dir()]
    rooms.append(("cli", root / "cli"))
    for room, folder in rooms:
        if room not in levels:
            found.append(f"{folder.relative_to(root)}: the room is not in lib/README.md")
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix not in SOURCE_ENDINGS:
                continue
            place = path.relative_to(root)
            text = path.read_text()
            if len(opening_comment(text)) < OPENING_WORDS:
                found.append(f"{place}:1: no opening paragraph (what the file does, its main function, side effects)")
            for number, quoted, name in includes(text):
                where = f"{place}:{number}: {name}"
                if room == "checker":
                    own = name.startswith("axecert/checker/") or (quoted and (folder / name).is_file())
                    mapping = path.name == CHECKER_PROGRAM and name in MAPPING_HEADERS
                    if not own and not mapping and name not in C_STANDARD_HEADERS:
                        found.append(f"{where}: the checker includes only the C standard library and itself")
                    continue
                if name.startswith("axecert/"):
                    other = name.split("/")[1]
                    if other == room:
                        continue
                    if other not in levels:
                        found.append(f"{where}: no such room in lib/README.md")
                    elif levels[other] <= levels[room]:
                        found.append(f"{where}: {other} is not below {room} in lib/README.md")
                    elif room != "cli" and other not in below[room]:
                        found.append(f"{where}: {room} does not name {other} in its USES")
                elif quoted and not (path.parent / name).resolve().is_relative_to(folder.resolve()):
                    found.append(f"{where}: leaves the room; write axecert/ROOM/FILE")
    for folder in SCRIPT_FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            try:
                ast.parse(path.read_text())
            except SyntaxError as error:
                found.append(f"{path.relative_to(root)}:{error.lineno}: {error.msg}")
    return found


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    found = violations(sys.argv[1])
    for line in found:
        print(line)
    print(f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
