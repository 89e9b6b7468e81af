"""The titles of agent sessions."""

from __future__ import annotations

import re

from bot.conversation.inbox import THREAD_SETTING
from bot.slack.text import plain
from memory import Pool, transaction

TITLE_CHARACTERS = 80
"""The longest title the app gives a session. Slack takes 200; its list of sessions shows fewer."""

_WAIT_SECONDS = 2.0
_MARKS = re.compile(r"[*_~`>#\s]+")


class SessionTitles:
    """Which sessions a person has renamed: `retitled` of the turns in the session's thread."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def note_renamed(self, thread: str) -> None:
        """Record that a person has renamed the session of `thread`.

        Raises `psycopg.OperationalError` when the database cannot be reached within two seconds.
        """
        async with transaction(
            self._pool, {THREAD_SETTING: thread}, wait=_WAIT_SECONDS
        ) as connection:
            await connection.execute(
                "UPDATE turns SET retitled = true WHERE thread = %s AND NOT retitled", (thread,)
            )

    async def was_renamed(self, thread: str) -> bool:
        """Return whether a person has renamed the session of `thread`."""
        async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
            found = await connection.execute(
                "SELECT FROM turns WHERE thread = %s AND retitled LIMIT 1", (thread,)
            )
            return await found.fetchone() is not None


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    At most `TITLE_CHARACTERS`, cut between words if possible; ``""`` if there is no text.
    """
    lines = (" ".join(_MARKS.sub(" ", line).split()) for line in plain(text).splitlines())
    line = next((line for line in lines if line), "")
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[: TITLE_CHARACTERS - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > TITLE_CHARACTERS // 2 else cut).rstrip() + "…"
