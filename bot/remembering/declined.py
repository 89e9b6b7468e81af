"""The job that looks for a memory which the provider declines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from bot.app import App
from bot.queue.queue import BACKGROUND
from memory import Memory, Person

Asked: TypeAlias = Literal["reply", "formation"]
"""For what the model was asked, which is asked again."""


FIND_DECLINED = "find_declined"


async def find_declined_later(
    app: App, person: Person, memories: Sequence[Memory], *, asked: Asked
) -> None:
    """Look for the memory for which a request with these memories was declined, in a job."""
    keys = " ".join(memory.key for memory in memories)
    lock = f"{FIND_DECLINED}:{person.prefix}"
    jobs = {lock: {**person.ids, "keys": keys, "asked": asked}}
    await app.queue.defer(app.pool, FIND_DECLINED, jobs, queue=BACKGROUND)
