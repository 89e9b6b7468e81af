"""The state of the installation: the lines of `kioku status` and of an admin's Home."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bot import VERSION
from bot.locale import Language, say
from bot.types import OperatingState


def operation_lines(
    language: Language, state: OperatingState, models: str, written: Callable[[datetime], str]
) -> list[str]:
    """Return versions, model names, and counts and times of messages and jobs; no texts.

    `written` writes a moment for where the lines are shown.
    """

    def at(moment: datetime | None) -> str:
        return say(language, "operations_never") if moment is None else written(moment)

    oldest = written(state.now - timedelta(seconds=state.oldest_seconds or 0.0))
    server = state.server.split()[0]
    return [
        say(language, "operations_version", version=VERSION, server=server),
        say(language, "operations_models", models=models),
        say(language, "operations_processes", number=state.processes),
        say(language, "operations_waiting", number=state.waiting, oldest=oldest)
        if state.waiting
        else say(language, "operations_none_waiting"),
        say(language, "operations_last", at=at(state.received_at), answered=at(state.answered_at)),
        say(language, "operations_jobs", due=state.due, later=state.later),
        say(language, "operations_failed", messages=state.failed_messages, jobs=state.failed_jobs),
    ]
