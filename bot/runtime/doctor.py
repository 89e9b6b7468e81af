"""`kioku doctor`: every check, one line each."""

from __future__ import annotations

import logging

from bot.config import SettingsError, load_settings
from bot.logs import fault
from bot.runtime.checks import CHECKS
from bot.runtime.output import tell
from bot.runtime.problem import Problem
from memory import KiokuMemoryError


async def doctor(*, live: bool, user: str | None, channel: str | None, yes: bool) -> int:
    """Print what each check found; return 1 if one found a problem, else 0.

    With `live`, what Slack's documentation leaves open is tried instead.
    """
    # A check says what the library would log of a refused call.
    logging.getLogger("memory.formation.chat_model").setLevel(logging.CRITICAL)
    try:
        settings = load_settings()
        if live:
            from bot.runtime.live import try_live

            return await try_live(settings, user, channel, yes)
    except (SettingsError, Problem) as problem:
        tell(f"✗ {problem}")
        return 1
    problems = 0
    for name, check in CHECKS.items():
        try:
            tell(f"✓ {name}: {await check(settings)}")
        except Exception as error:  # noqa: BLE001 - the next check is made all the same
            known = isinstance(error, (Problem, KiokuMemoryError))
            tell(f"✗ {name}: {error if known else f'it cannot be looked at ({fault(error)}).'}")
            problems += 1
    tell("\nNothing is wrong." if not problems else "\nBegin with the first ✗.")
    return 1 if problems else 0
