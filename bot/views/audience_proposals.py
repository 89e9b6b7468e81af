"""The question whether memories be used somewhere else, with a button for each."""

from __future__ import annotations

from bot.locale import Language, say
from bot.views.blocks import Block, Payload, button, ephemeral_payload, note, section
from bot.views.forgetting import MAX_SHOWN
from bot.views.memories import Numbered
from bot.views.wording import audience_name, describe, memory_line
from memory import DM, PUBLIC

MOVE_ACTION = "move_memory"
_LABEL_LIMIT = 75


def move_question(language: Language, found: Numbered, audience: str) -> Payload:
    """Return which memories would be used in `audience`, each with its button."""
    keys = {DM: "move_dm_button", PUBLIC: "move_public_button"}
    text = say(language, keys.get(audience, "move_here_button"))
    title = say(language, "move_ask", where=audience_name(language, audience))
    blocks: list[Block] = [section(title)]
    for number, memory in found[:MAX_SHOWN]:
        what = describe(language, memory.kind, memory.content)
        move = button(
            MOVE_ACTION,
            text,
            f"{audience} {memory.reference}",
            accessibility_label=f"{text}: {what}"[:_LABEL_LIMIT],
        )
        blocks.append({**section(memory_line(language, number, memory)), "accessory": move})
    if more := len(found[MAX_SHOWN:]):
        blocks.append(note(say(language, "forget_more", count=more)))
    lines = [memory_line(language, number, memory) for number, memory in found[:MAX_SHOWN]]
    return ephemeral_payload("\n".join([title, *lines]), blocks)
