"""Modals for the audience of a memory, and the preview for a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import Block, plain_text, section
from bot.views.views import View, form_view, information_view
from bot.views.wording import audience_name, describe_escaped
from memory import DM, PUBLIC, Memory

AUDIENCE_FORM = "memory_place"
ONE_CHANNEL = "channel"
_WHERE, _CHANNEL = "place.where", "place.channel"
_CHOICES: Mapping[str, tuple[str, str]] = {
    DM: ("place_choose_dm", "place_choose_dm_more"),
    PUBLIC: ("place_choose_public", "place_choose_public_more"),
    ONE_CHANNEL: ("place_choose_own", "place_choose_own_more"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAudience:
    """The audience that the person chose for a memory, or a conversation to look up.

    `errors` are sentences by block; then nothing was chosen.
    """

    audience: str = ""
    channel: str = ""
    errors: Mapping[str, str] | None = None


def audience_form(language: Language, memory: Memory) -> View:
    """Return the question where one memory may be used."""
    audience = memory.namespace.audience
    now = audience if audience in (DM, PUBLIC) else ONE_CHANNEL
    options = {
        value: {
            "text": plain_text(say(language, text)),
            "description": plain_text(say(language, more)),
            "value": value,
        }
        for value, (text, more) in _CHOICES.items()
    }
    picker: Block = {
        "type": "conversations_select",
        "action_id": "value",
        "placeholder": plain_text(say(language, "place_channel_choose")),
        "filter": {"include": ["private", "mpim", "public"], "exclude_bot_users": True},
        **({"initial_conversation": audience} if now == ONE_CHANNEL else {}),
    }
    blocks: list[Block] = [
        section(f"{describe_escaped(language, memory)}\n{_now(language, audience)}"),
        {
            "type": "input",
            "block_id": _WHERE,
            "label": plain_text(say(language, "place_where")),
            "element": {
                "type": "radio_buttons",
                "action_id": "value",
                "options": list(options.values()),
                "initial_option": options[now],
            },
        },
        {
            "type": "input",
            "block_id": _CHANNEL,
            "optional": True,
            "label": plain_text(say(language, "place_channel")),
            "hint": plain_text(say(language, "place_channel_hint")),
            "element": picker,
        },
    ]
    return form_view(
        language,
        "place_title",
        blocks,
        callback=AUDIENCE_FORM,
        submit="form_save",
        metadata={"memory": memory.reference},
    )


def _now(language: Language, audience: str) -> str:
    return say(language, "place_now", where=audience_name(language, audience))


def read_audience_form(
    language: Language, state: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> ChosenAudience:
    """Read ``view.state.values``; looks nothing up."""
    where = (state.get(_WHERE, {}).get("value") or {}).get("selected_option") or {}
    channel = (state.get(_CHANNEL, {}).get("value") or {}).get("selected_conversation")
    match where.get("value"):
        case "dm" | "public" as audience:
            return ChosenAudience(audience=audience)
        case "channel" if channel:
            return ChosenAudience(channel=str(channel))
    return ChosenAudience(errors={_CHANNEL: say(language, "place_channel_missing")})


def sentence_view(language: Language, title: str, text: str) -> View:
    """Return one sentence in a modal, where something could not be done or is done."""
    return information_view(language, title, [section(text)])
