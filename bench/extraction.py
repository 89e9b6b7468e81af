"""``python -m bench.extraction``: the processor time of one extraction by the memory model.

LangMem, trustcall, the OpenAI client and Kioku's own code run in this process, the stand-in model
in another one. Each run extracts a memory from one message, given some known memories.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.testbed import MODEL, running
from memory import DM, SCHEMAS, Memory, Person, PersonMessage, memory_model
from memory.formation import FormationModel, TypedMessage, extract_writes

KNOWN = (0, 8, 40)
"""Numbers of known memories that the memory model is shown."""
_RUNS = 60
_WARMING_RUNS = 5
_TOLD = "ラーメンが大好きです。"


def known_memories(number: int) -> list[Memory]:
    """Return `number` memories of one person, of the built-in kind for food."""
    own = Person("T1", "U1").namespace(DM)
    now = datetime.now(UTC)
    return [
        Memory(
            namespace=own,
            key=f"{place:032x}",
            value={
                "kind": "UserFoodPreference",
                "content": {"food_name": f"food {place}"},
            },
            created_at=now,
            updated_at=now,
        )
        for place in range(number)
    ]


async def measure(model: FormationModel, known: list[Memory]) -> list[float]:
    """Return the milliseconds of processor time that each run of this process takes."""
    said = [TypedMessage(PersonMessage(text=_TOLD, channel="D1", ts="1.0"))]
    used = []
    for _ in range(_WARMING_RUNS + _RUNS):
        began = time.process_time()
        written = await extract_writes(model, SCHEMAS, known, said)
        used.append((time.process_time() - began) * 1000)
        if not written:
            raise RuntimeError("The stand-in model wrote no memory.")
    return used[_WARMING_RUNS:]


async def main() -> None:
    """Print the times for each number of known memories."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "model.log"
        async with running("-m", "kioku_stand_in", settings={}, log=log) as model:
            address = json.loads(await model.line())["url"]
            chat = memory_model(
                model=MODEL, api_key="stand-in", base_url=f"{address}/v1"
            )
            for number in KNOWN:
                used = await measure(FormationModel(chat), known_memories(number))
                median = statistics.median(used)
                print(
                    f"{number:3} memories: median {median:.1f} ms, least {min(used):.1f} ms"
                )


if __name__ == "__main__":
    asyncio.run(main())
