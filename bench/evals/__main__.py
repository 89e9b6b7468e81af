"""``python -m bench.evals``: run the cases, print the figures and write the report."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.evals.report import STAND_IN, Prices, Report
from bench.evals.run import CASES, Options, measured
from bot.config import Settings, load_settings
from bot.logs import set_up_logging
from bot.runtime.problems import Problem, explained
from bot.telemetry import disable_telemetry


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="evals",
        description="Measure how well the configured model forms memories, with written cases.",
    )
    parser.add_argument("--cases", type=Path, default=CASES, metavar="FOLDER")
    parser.add_argument(
        "--language",
        dest="languages",
        action="append",
        default=[],
        metavar="LANGUAGE",
        help="such as en; repeatable",
    )
    parser.add_argument(
        "--held-out",
        nargs="?",
        const="only",
        choices=("only", "without"),
        help="only the held-out cases, or all without them",
    )
    parser.add_argument("--concurrency", type=_at_once, default=4, help="cases at a time")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="else FOLDER/results/DATE-MODEL.md"
    )
    for way in ("input", "output"):
        parser.add_argument(
            f"--{way}-price", type=float, metavar="PRICE", help=f"of a million {way} tokens"
        )
    given = vars(parser.parse_args(arguments))
    prices = Prices(tokens_in=given.pop("input_price"), tokens_out=given.pop("output_price"))
    return Options(prices=prices, **given)


def _at_once(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"write a number from 1 to 100, not {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases; return the exit code. A problem is one sentence on standard error."""
    options = _options(arguments)
    disable_telemetry()
    try:
        settings = load_settings()
        set_up_logging("WARNING")
        _evaluate(settings, options)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        if (sentence := explained(error)) is None:
            raise
        sys.stderr.write(f"evals: {sentence}\n")
        return 1
    return 0


def _evaluate(settings: Settings, options: Options) -> None:
    async def go() -> Report:
        # On SIGTERM each case still erases its person.
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await measured(settings, options)

    try:
        report = asyncio.run(go())
    except asyncio.CancelledError:
        raise Problem("Stopped before the end: the invented people were erased.") from None
    print(report.table())
    for line in report.failed():
        print(f"  {line.partition(':')[0]}")
    if unanswered := report.unanswered():
        print(f"The model did not answer for: {', '.join(unanswered)}.")
    if report.stand_in:
        print(STAND_IN)
    if options.output is not None or not report.stand_in:
        print(f"Wrote {_write(report, settings, options)}.")


def _write(report: Report, settings: Settings, options: Options) -> Path:
    name = "".join(one if one.isalnum() or one in "-." else "-" for one in settings.memory_model)
    file = options.output or options.cases / "results" / f"{report.at:%Y-%m-%dT%H%M}-{name}.md"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(report.document(), "utf-8")
    except OSError as fault:
        raise Problem(f"{file} cannot be written ({fault.strerror}).") from None
    return file


if __name__ == "__main__":
    sys.exit(main())
