"""`kioku doctor`: is everything there that Kioku needs, and what to do where it is not."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable

from bot.config import Settings
from bot.runtime.doctor.database import examine_database
from bot.runtime.doctor.direct_message import Trial
from bot.runtime.doctor.live import try_live
from bot.runtime.doctor.machine import data_folder, kinds_of_memory, read_settings
from bot.runtime.doctor.models import examine_models
from bot.runtime.doctor.slack import examine_slack
from bot.runtime.finding import Finding

__all__ = ["Trial", "examine", "run_doctor"]


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Check each part in the order in which a newcomer would fix it; continue after a failure."""
    yield data_folder(settings)
    for finding in kinds_of_memory(settings):
        yield finding
    async for finding in examine_slack(settings):
        yield finding
    async for finding in examine_database(settings):
        yield finding
    async for finding in examine_models(settings):
        yield finding


async def run_doctor(trial: Trial | None, tell: Callable[[str], None]) -> int:
    """Tell each finding as it comes; return 1 if something has to be mended, else 0.

    With a `trial`, what Slack's documentation leaves open is tried in a direct message instead.
    """
    # A finding says what the library would log of a refused call.
    logging.getLogger("memory.formation.chat_model").setLevel(logging.CRITICAL)
    settings, found = read_settings()
    found_now = examine(settings) if trial is None else try_live(settings, trial)
    for finding in found:
        tell(str(finding))
    async for finding in found_now:
        tell(str(finding))
        found.append(finding)
    to_mend = sum(finding.level == "FIX" for finding in found)
    tell("")
    if not to_mend:
        tell("Nothing has to be mended.")
        return 0
    things = "One thing has" if to_mend == 1 else f"{to_mend} things have"
    tell(f"{things} to be mended; begin with the first FIX.")
    return 1
