"""``python -m bench.evals``: run the cases, print the figures and write the report."""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.evals.report import STAND_IN
from bench.evals.run import CASES, Options, measured
from bot.config import Settings, load_settings
from bot.logs import set_up_logging
from bot.runtime.problems import explained
from bot.telemetry import disable_telemetry


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="evals",
        description="Measure how well the configured model forms memories, with written cases.",
    )
    add = parser.add_argument
    add("--cases", type=Path, default=CASES, metavar="FOLDER")
    add(
        "--language",
        dest="languages",
        action="append",
        default=[],
        help="such as en; repeatable",
    )
    choices = ("only", "without")
    add(
        "--held-out",
        nargs="?",
        const="only",
        choices=choices,
        help="only these, or none of them",
    )
    add("--concurrency", type=int, default=4, help="cases at a time")
    return Options(**vars(parser.parse_args(arguments)))


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
        sentence = explained(error)
        if sentence is None:
            raise
        sys.stderr.write(f"evals: {sentence}\n")
        return 1
    return 0


def _evaluate(settings: Settings, options: Options) -> None:
    report = asyncio.run(measured(settings, options))
    print("\n".join([report.table(), report.citations(), *report.failed()]))
    unanswered = report.unanswered()
    if unanswered:
        print(f"The model did not answer for: {', '.join(unanswered)}.")
    if report.stand_in:
        print(STAND_IN)
        return
    name = re.sub(r"[^\w.-]|_", "-", report.model)
    file = options.cases / "results" / f"{report.at:%Y-%m-%dT%H%M}-{name}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report.document(), "utf-8")
    print(f"Wrote {file}.")


if __name__ == "__main__":
    sys.exit(main())
