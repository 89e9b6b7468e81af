"""Answering a command or a click so that only the person sees it, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from psycopg import OperationalError
from slack_bolt.async_app import AsyncRespond

from bot.locale import Language, say
from bot.people import People
from bot.surfaces.blocks import Payload, private
from memory import Person

log = logging.getLogger(__name__)

Work: TypeAlias = Callable[[Person, Language], Awaitable[Payload]]


def person_of(body: Mapping[str, Any]) -> Person:
    """Return who typed a command or clicked, from Slack's own ids.

    Raises `memory.InvalidNamespace` where one is missing.
    """
    user = body.get("user_id") or (body.get("user") or {}).get("id")
    team = body.get("team_id") or (body.get("team") or {}).get("id")
    if str(body.get("is_enterprise_install")).lower() == "true":
        team = body.get("enterprise_id") or (body.get("enterprise") or {}).get("id")
    return Person(str(team or ""), str(user or ""))


async def answer_privately(
    body: Mapping[str, Any],
    respond: AsyncRespond,
    people: People,
    work: Work,
    *,
    replace: bool = False,
) -> None:
    """Send what `work` returns to the person alone; `replace` the message that was clicked."""
    person = person_of(body)
    language = await people.language(person.user_id)
    try:
        payload = await work(person, language)
    except OperationalError:
        log.exception("the database could not be reached for a command")
        payload = private(say(language, "command_failed"))
    if replace:
        # In a direct message the clicked message may be an ordinary one: it keeps its kind.
        payload = {name: value for name, value in payload.items() if name != "response_type"}
    await respond(**payload, replace_original=replace)
