"""``kioku purge``: deletes the rows of a workspace whose uninstall was not delivered."""

from __future__ import annotations

import asyncio
import re

from bot.config import Settings
from bot.runtime.person_commands import Ask, operators_pool, tell
from bot.runtime.startup import StartError
from bot.users.offboarding import purge_now


def purge(settings: Settings, team: str, *, agreed: bool, ask: Ask = input) -> None:
    """Delete every row of a workspace, once the operator has typed its id again; print counts.

    The workspace is not served until a process starts with a token that works. Raises `StartError`.
    """
    if not re.fullmatch(r"[TE][A-Z0-9]{2,}", team):
        raise StartError("--team is a workspace's id, such as T0123ABCD.")
    if not agreed and _typed(ask, team) != team:
        raise StartError("Nothing was deleted: the id was not typed again. (--yes does without.)")

    async def go() -> None:
        async with operators_pool(settings) as pool:
            counts = await purge_now(pool, team)
        tell(f"Deleted {counts.total()} rows of workspace {team}.")
        for table, count in sorted(counts.items()):
            if count:
                tell(f"  {table:20}{count:8}")

    asyncio.run(go())


def _typed(ask: Ask, team: str) -> str:
    try:
        return ask(f"Type {team} to delete everything of this workspace: ").strip()
    except EOFError:  # standard input is closed
        return ""
