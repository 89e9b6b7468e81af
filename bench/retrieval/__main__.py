"""``python -m bench.retrieval [--locomo PATH]``: is what answers a question found again?

With OPENAI_API_KEY set, by real embeddings; else by the stand-in's, which know shared words only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.ground import open_ground
from bench.retrieval.measure import ask
from bench.retrieval.questions import Someone, locomo_people, our_people
from bot.runtime.database import progress


def real_settings() -> dict[str, str] | None:
    """Return what leads to a real model's embeddings, where a key is set."""
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    given = {name: value for name in names if (value := os.environ.get(name))}
    return given if "OPENAI_API_KEY" in given else None


async def run(people: Sequence[Someone]) -> dict[str, float]:
    """Return the metrics of these people."""
    with tempfile.TemporaryDirectory(prefix="kb-") as folder:
        async with open_ground(Path(folder)) as ground:
            settings = real_settings() or ground.model_settings()
            found = await ask(ground, people, progress("people"), settings=settings)
    return found


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--locomo", type=Path, help="LoCoMo's locomo10.json, which is not shipped")
    given = parser.parse_args()
    people = locomo_people(given.locomo) if given.locomo else our_people()
    for name, value in asyncio.run(run(people)).items():
        print(f"{name:44} {value:8.3f}")


if __name__ == "__main__":
    main()
