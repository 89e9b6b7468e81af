"""Views for the audience of a memory: the form that changes it, and the question before that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import (
    Block,
    Payload,
    button,
    ephemeral_payload,
    input_block,
    note,
    option,
    plain_text,
    section,
)
from bot.views.labels import audience_name, describe, describe_escaped, memory_line
from bot.views.memories import Numbered
from bot.views.views import SlackView, entered, form_view, language_of_view
from memory import DM, PUBLIC, Memory

AUDIENCE_FORM = "memory_place"
MOVE_ACTION = "move_memory"
ONE_CHANNEL = "channel"
_WHERE, _CHANNEL = "place.where", "place.channel"
_CHOICES: Mapping[str, tuple[str, str]] = {
    DM: ("place_choose_dm", "place_choose_dm_more"),
    PUBLIC: ("place_choose_public", "place_choose_public_more"),
    ONE_CHANNEL: ("place_choose_own", "place_choose_own_more"),
}
_MOVE_BUTTONS = {DM: "move_dm_button", PUBLIC: "move_public_button"}
# A message has fifty blocks.
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAudience:
    """The audience that the person chose for a memory, or a conversation to look up.

    `errors` are sentences by block; then nothing was chosen.
    """

    audience: str = ""
    channel: str = ""
    errors: dict[str, str] | None = None


def audience_form(language: Language, memory: Memory, zone: tzinfo) -> SlackView:
    """Return the question where one memory may be used."""
    audience = memory.namespace.audience
    current = audience if audience in (DM, PUBLIC) else ONE_CHANNEL
    options = {
        value: {
            **option(say(language, text), value),
            "description": plain_text(say(language, more)),
        }
        for value, (text, more) in _CHOICES.items()
    }
    choice: Block = {
        "type": "radio_buttons",
        "options": list(options.values()),
        "initial_option": options[current],
    }
    picker: Block = {
        "type": "conversations_select",
        "placeholder": plain_text(say(language, "place_channel_choose")),
        "filter": {"include": ["private", "mpim", "public"], "exclude_bot_users": True},
        **({"initial_conversation": audience} if current == ONE_CHANNEL else {}),
    }
    where = say(language, "place_now", where=audience_name(language, audience))
    blocks: list[Block] = [
        section(f"{describe_escaped(language, memory, zone)}\n{where}"),
        input_block(_WHERE, say(language, "place_where"), choice),
        input_block(
            _CHANNEL,
            say(language, "place_channel"),
            picker,
            optional=True,
            hint=say(language, "place_channel_hint"),
        ),
    ]
    return form_view(
        language,
        "place_title",
        blocks,
        callback=AUDIENCE_FORM,
        submit="form_save",
        metadata={"memory": memory.key},
    )


def read_audience_form(view: Mapping[str, Any]) -> ChosenAudience:
    """Read a submitted form; looks nothing up."""
    chosen = (entered(view, _WHERE).get("selected_option") or {}).get("value")
    channel = entered(view, _CHANNEL).get("selected_conversation")
    if chosen in (DM, PUBLIC):
        return ChosenAudience(audience=str(chosen))
    if chosen == ONE_CHANNEL and channel:
        return ChosenAudience(channel=str(channel))
    missing = say(language_of_view(view), "place_channel_missing")
    return ChosenAudience(errors={_CHANNEL: missing})


def move_question(
    language: Language, found: Numbered, audience: str, zone: tzinfo, *, asked_here: bool = False
) -> Payload:
    """Return which memories would be used in `audience`, each with its button.

    `asked_here`: it is that of the channel the person asked in, and they did not name it.
    """
    text = say(language, _MOVE_BUTTONS.get(audience, "move_here_button"))
    title = say(language, "move_ask", where=audience_name(language, audience))
    lines = [memory_line(language, number, memory, zone) for number, memory in found[:_MOST_SHOWN]]
    blocks: list[Block] = [section(title)]
    if asked_here and audience == PUBLIC:
        blocks.append(note(say(language, "move_here_public")))
    for line, (_, memory) in zip(lines, found, strict=False):
        label = f"{text}: {describe(language, memory.kind, memory.content)}"
        move = button(
            MOVE_ACTION,
            text,
            f"{audience} {memory.key}",
            accessibility_label=label,
        )
        blocks.append(section(line, move))
    if more := len(found[_MOST_SHOWN:]):
        blocks.append(note(say(language, "place_more", count=more)))
    return ephemeral_payload("\n".join([title, *lines]), blocks)
