"""The result of a study as Markdown: protocol, the main table, what was chosen, the sweep, and what is not certified.

Main function: `markdown`, a pure function of the JSON document (summary.py). No side effects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return [*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)]


def number(value: float | None) -> str:
    """A perplexity: two decimals, fewer for large ones."""
    if value is None:
        return "not finite"
    return f"{value:.2f}" if value < 1000 else f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"


def percent(compared: dict[str, Any] | None) -> str:
    """A ratio as "+1.3 % ± 0.4", its standard error in the same unit; empty when there is nothing to compare with."""
    if compared is None or compared["ratio"] is None:
        return ""
    change = 100 * (compared["ratio"] - 1)
    if abs(change) >= 1000:
        return f"× {number(compared['ratio'])}"
    spread = compared["standard_error"]
    return f"{change:+.1f} %" + ("" if spread is None else f" ± {100 * spread:.1f}")


def accumulator(row: dict[str, Any]) -> str:
    """ "14, 32": width and products; "32" for the wide one."""
    place = row["accumulator"]
    return "" if place is None else f"{place['bits']}, {place['tile'] or 'row'}"


def operands(row: dict[str, Any]) -> str:
    """ "W4A8"; several weight widths as W3–4A8."""
    if "settings" not in row:
        return ""
    widths = row["weight_bits"]
    text = str(widths[0]) if len(widths) == 1 else f"{widths[0]}–{widths[-1]}"
    return f"W{text}A{row['settings']['activation_bits']}"


def verdict(row: dict[str, Any]) -> str:
    """The voters' verdict and what they looked at: "safe, 1,700,000 registers: checker, z3 ground"."""
    found = row.get("certificate")
    if found is None:
        return ""
    voters = ", ".join(
        vote["name"] + ("" if vote["checked"] == vote["total"] else f" ({vote['checked']:,} of {vote['total']:,})")
        for vote in found["votes"]
    )
    return f"{found['verdict']}, {found['nodes']:,} registers: {voters}"


def seconds(row: dict[str, Any]) -> str:
    """CPU seconds of the whole quantization, forward passes included; "≥" when it was interrupted and continued."""
    found = row.get("quantizing_cpu_seconds")
    return "" if found is None else ("≥ " if row["quantizing_resumed"] else "") + f"{found['whole']:,.0f}"


def megabytes(value: int | None) -> str:
    """Bytes as MiB."""
    return "" if value is None else f"{value / 2**20:,.0f}"


def _main_table(rows: list[dict[str, Any]], lengths: list[str]) -> list[str]:
    perplexities = [f"perplexity, {length}" for length in lengths]
    header = ["recipe", "P, T", "operands", *perplexities, "to float", "to unconstrained"]
    header += ["layer error, median", "certificate", "quantizing, CPU s", "peak, MiB"]
    lines: list[str] = []
    for group in dict.fromkeys(row["group"] for row in rows):
        chosen = [row for row in rows if row["group"] == group]
        lines += ["", f"**{group}**" if group else "", "", *grid(header, [_cells(row, lengths) for row in chosen])]
    return lines[1:] if lines and not lines[0] else lines


def _cells(row: dict[str, Any], lengths: list[str]) -> list[str]:
    title = f"{row['title']} (`{row['recipe']}`)"
    if row["status"] != "done":
        return [title, accumulator(row), "", *("no result" for _ in lengths), "", "", "", row["reason"], "", ""]
    found = row["perplexity"]
    measured = [number(found[length]["perplexity"]) if length in found else "" for length in lengths]
    last: dict[str, Any] = next((found[length] for length in lengths if length in found), {})
    own = row["reference"] is not None
    error = row.get("relative_error", {}).get("median")
    return [
        title,
        accumulator(row),
        operands(row),
        *measured,
        "" if row["recipe"] == "float" else percent(last.get("to_float")),
        percent(last.get("to_reference")) if own else "",
        "" if error is None else f"{error:.4f}",
        verdict(row),
        seconds(row),
        megabytes(row.get("quantizing_peak_memory_bytes")),
    ]


def _peers(document: dict[str, Any], lengths: list[str]) -> list[str]:
    """The reference implementation's rows: its own measurements, on the same texts."""
    found = document["peers"]
    if not found:
        return []
    versions = sorted({f"Brevitas {row['versions']['brevitas']}, torch {row['versions']['torch']}" for row in found})
    header = ["method", "P, T", "operands", *(f"perplexity, {length}" for length in lengths), "calibration"]
    header += ["quantizing, CPU s", "peak, MiB"]
    body = []
    for row in found:
        measured = [row["perplexity"].get(length) for length in lengths]
        blocks = "" if row["blocks"] is None else f", first {row['blocks']} blocks"
        windows = [number(one["perplexity"]) + f" ({one['windows']} windows)" if one else "" for one in measured]
        drawn = row["calibration"]
        spent = row["quantizing_cpu_seconds"]
        body.append(
            [
                f"{row['method']}, {row['weight_scales']} scales{blocks}",
                accumulator(row),
                f"W{row['weight_bits']}A{row['activation_bits']}, {row['activations']}",
                *windows,
                f"{drawn['sequences']} × {drawn['length']}, seed {drawn['seed']}",
                "" if spent is None else f"{spent:,.0f}",
                megabytes(row["quantizing_peak_memory_bytes"]),
            ]
        )
    return ["", "## Brevitas", "", f"{'; '.join(versions)}; tests/peers/brevitas_model.py.", "", *grid(header, body)]


def _choices(rows: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        choice = row.get("choice")
        if choice is None:
            continue
        tried = "; ".join(f"{_chosen(one['chosen'])}: {_outcome(one)}" for one in choice["tried"])
        best = "nothing works" if choice["chosen"] is None else _chosen(choice["chosen"])
        lines.append(
            f"* {row['name']}: {best}. Tried: {tried}."
            + (f" Not tried: {', '.join(_chosen(one) for one in choice['not_tried'])}." if choice["not_tried"] else "")
        )
    if not lines:
        return []
    first = next(row["choice"] for row in rows if "choice" in row)
    rule = (
        f"Chosen by perplexity on {first['windows']} (windows x tokens) from the last tenth of the calibration text, "
        f"calibrated on {first['calibration']} of the rest; the test text was not looked at."
    )
    return ["", "## Choices", "", rule, f"Candidates: {first['rule']}.", "", *lines]


def _outcome(tried: dict[str, Any]) -> str:
    return f"none ({tried['reason']})" if tried["reason"] else number(tried["perplexity"])


def _chosen(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _sweep(document: dict[str, Any]) -> list[str]:
    rows = document["rows"]
    lines: list[str] = []
    for length, limit in document["sweep_windows"].items():
        points = [
            row
            for row in rows
            if row["accumulator"] is not None and (length in row.get("sweep", {}) or row["status"] != "done")
        ]
        if not points:
            continue
        widths = sorted({row["accumulator"]["bits"] for row in points})
        lines += ["", "## Accumulator width", ""]
        windows = "all windows" if limit is None else f"the first {limit} windows"
        lines += [
            f"Perplexity over {windows} of {length} tokens; in brackets, the change from the unconstrained reference.",
            "",
        ]
        body = []
        for recipe, tile in dict.fromkeys((row["recipe"], row["accumulator"]["tile"]) for row in points):
            by_width = {
                row["accumulator"]["bits"]: row
                for row in points
                if (row["recipe"], row["accumulator"]["tile"]) == (recipe, tile)
            }
            body.append([f"`{recipe}`", str(tile or "row"), *(_point(by_width.get(bits), length) for bits in widths)])
        lines += grid(["recipe", "T", *(f"P = {bits}" for bits in widths)], body)
    if document["smallest_widths"]:
        within = 100 * (document["smallest_widths"][0]["within"] - 1)
        lines += [
            "",
            f"Smallest width with perplexity within {within:.0f} % of the unconstrained one, as at every larger width:",
            "",
        ]
        cells = [
            [f"`{one['recipe']}`", str(one["tile"] or "row"), "none tried" if one["bits"] is None else str(one["bits"])]
            for one in document["smallest_widths"]
        ]
        lines += grid(["recipe", "T", "P"], cells)
    return lines


def _point(row: dict[str, Any] | None, length: str) -> str:
    if row is None:
        return ""
    if row["status"] != "done":
        return "no result"
    found = row["sweep"][length]
    change = percent(found["to_reference"])
    return number(found["perplexity"]) + (f" ({change})" if change else "")


def _not_certified(rows: list[dict[str, Any]]) -> list[str]:
    """What no certificate speaks about, once for all rows that list the same."""
    lists: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        found = row.get("certificate")
        if found is not None:
            items = [
                f"{one['what']}: {one['why']}"
                + ("" if one["bits"] is None else f" ({one['bits']} bits by operand types)")
                for one in found["not_certified"]
            ]
            lists.setdefault(tuple(items + [f"stays float: {line}" for line in found["unsupported"]]), []).append(
                row["name"]
            )
    lines: list[str] = []
    for listed, names in lists.items():
        lines += [
            "",
            ("All models" if len(lists) == 1 else ", ".join(names)) + ":",
            "",
            *(f"* {item}" for item in listed),
        ]
    return ["", "## Not certified", *lines] if lines else []


def _facts(document: dict[str, Any]) -> list[str]:
    model, texts, how = document["model"], document["texts"], document["protocol"]
    settings = {
        (row["calibration"]["sequences"], row["calibration"]["length"], row["calibration"]["seed"])
        for row in document["rows"]
        if "calibration" in row
    }
    calibrated = "; ".join(
        f"{sequences} × {length} tokens, seed {seed}" for sequences, length, seed in sorted(settings)
    )

    def text(role: str) -> str:
        one = texts[role]
        return f"* {role} text: {one['file']}, {one['tokens']:,} tokens, SHA-256 {one['sha256'][:16]}…"

    lines = [
        f"* model: {model['name']}, {model['class']}, {model['parameters']:,} parameters, "
        f"SHA-256 {model['sha256'][:16]}…",
        text("test"),
        text("calibration") + (f"; {calibrated}" if calibrated else ""),
        *(f"* {key.replace('_', ' ')}: {text}" for key, text in how.items()),
    ]
    for row in document["rows"]:
        if row["status"] == "done" and row["recipe"] == "float":
            lines += [
                f"* windows of {length}: {found['windows']} of {found['windows_in_text']}, "
                f"{found['predicted_tokens']:,} predicted tokens, "
                f"float perplexity {number(found['perplexity'])}"
                + ("" if found["standard_error"] is None else f" ± {found['standard_error']:.2f}")
                for length, found in row["perplexity"].items()
            ]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    lines.append(f"* {versions}; {document['machine']['processors']} processors")
    if len(document["builds"]) > 1:
        builds = len(document["builds"])
        lines.append(f"* **made by {builds} different builds of axecert**; by which: `core_sha256` in result.json")
    return lines


def markdown(document: dict[str, Any]) -> str:
    """The whole page."""
    rows = document["rows"]
    main = [row for row in rows if row["main"]]
    lengths = sorted({length for row in main for length in row.get("perplexity", {})}, key=int)
    state = [] if document["complete"] else ["", "**Incomplete: the study is still running, or was interrupted.**"]
    lines = [
        "# Perplexity under narrow accumulators",
        "",
        "    " + " ".join(document["command"]),
        *state,
        "",
        *_facts(document),
        "",
    ]
    lines += [
        "P, T: bits of the inner register and how many products it adds. To float, to unconstrained: change of",
        "perplexity at the shorter windows, ± one standard error of the difference between paired windows.",
    ]
    return "\n".join(
        [
            *lines,
            "",
            *_main_table(main, lengths),
            *_peers(document, lengths),
            *_choices(rows),
            *_sweep(document),
            *_not_certified(rows),
            "",
        ]
    )
