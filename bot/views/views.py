"""Modals: the frame around what they show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.locale import LANGUAGES, Language, say
from bot.views.blocks import Block, Payload, plain_text, section

SlackView = dict[str, Any]

_MAX_BLOCKS = 100
_MAX_BANNER_BLOCKS = 12
_BANNER_BLOCK = "home.said."
_COPIED = ("type", "title", "close")


def loading_view() -> SlackView:
    """Return the view of a modal until its content is loaded, in both languages.

    In every language, because a trigger is too short-lived to ask which one the person reads.
    """
    lines = [say(language, "modal_loading") for language in LANGUAGES]
    return {"type": "modal", "title": plain_text("Kioku"), "blocks": [section("\n".join(lines))]}


def information_view(language: Language, title: str, blocks: Sequence[Block]) -> SlackView:
    """Return a modal that asks for nothing; `title` is a key of the catalogues."""
    return {
        "type": "modal",
        "title": plain_text(say(language, title)),
        "close": plain_text(say(language, "modal_close")),
        "blocks": list(blocks)[:_MAX_BLOCKS],
    }


def payload_view(language: Language, title: str, payload: Payload) -> SlackView:
    """Return in a modal what would be a message to the person alone."""
    return information_view(language, title, payload["blocks"])


def sentence_view(language: Language, title: str, text: str) -> SlackView:
    """Return one sentence in a modal, where something could not be done or is done."""
    return information_view(language, title, [section(text)])


def form_view(
    language: Language,
    title: str,
    blocks: Sequence[Block],
    *,
    callback: str,
    submit: str,
    metadata: Mapping[str, str] | None = None,
) -> SlackView:
    """Return a modal with something to submit; `title` and `submit` are keys of the catalogues.

    The language goes with it, so that a submission can be answered without looking anything up.
    """
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain_text(say(language, title)),
        "submit": plain_text(say(language, submit)),
        "close": plain_text(say(language, "modal_cancel")),
        "private_metadata": json.dumps({**(metadata or {}), "language": language}),
        "blocks": list(blocks),
    }


def metadata_of(view: Mapping[str, Any]) -> dict[str, str]:
    """Return the decoded private_metadata of a view."""
    metadata = json.loads(view.get("private_metadata") or "{}")
    return {str(name): str(value) for name, value in metadata.items()}


def language_of_view(view: Mapping[str, Any]) -> Language:
    """Return the language a view was made in."""
    return "ja" if metadata_of(view).get("language") == "ja" else "en"


def entered(view: Mapping[str, Any], block_id: str) -> Mapping[str, Any]:
    """Return the state of an input of a submitted view; empty where the view has no such input."""
    elements = view["state"]["values"].get(block_id) or {}
    return next(iter(elements.values()), None) or {}


def view_with_sentence(view: Mapping[str, Any], text: str) -> SlackView:
    """Return a modal that asks for nothing, as it is, below a sentence."""
    return {
        **{name: view[name] for name in _COPIED if view.get(name) is not None},
        "blocks": [section(f":warning: {text}"), *view["blocks"]][:_MAX_BLOCKS],
    }


def blocks_up_to_click(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the clicked block of a view and of those above it, the nearest first."""
    ids = [str(block.get("block_id")) for block in body["view"].get("blocks") or ()]
    clicked = [str(action.get("block_id")) for action in body.get("actions") or ()]
    return ids[ids.index(clicked[0]) :: -1] if clicked and clicked[0] in ids else []


def with_banner(
    blocks: Sequence[Block], banner: Sequence[Block], below: Sequence[str]
) -> list[Block]:
    """Return the blocks of App Home with `banner` after the first of the ids `below` that it has.

    Where it has none, `banner` is at the top. Its blocks have ids of their own, by which
    `is_banner` finds them.
    """
    if not banner:
        return list(blocks)
    added: list[Block] = [*banner[:_MAX_BANNER_BLOCKS], {"type": "divider"}]
    said = [{**block, "block_id": f"{_BANNER_BLOCK}{n}"} for n, block in enumerate(added)]
    ids = [block.get("block_id") for block in blocks]
    place = next((ids.index(one) + 1 for one in below if one in ids), 0)
    return [*blocks[:place], *said, *blocks[place:]]


def is_banner(block: Block) -> bool:
    """Say whether a block of a published Home is of the answer to a click."""
    return str(block.get("block_id", "")).startswith(_BANNER_BLOCK)


def home_with_banner(
    view: Mapping[str, Any], banner: Sequence[Block], below: Sequence[str] = ()
) -> SlackView:
    """Return a published Home with `banner`: for when nothing can be looked up."""
    blocks = [block for block in view.get("blocks") or () if not is_banner(block)]
    return {
        "type": "home",
        "private_metadata": view.get("private_metadata") or "",
        "blocks": with_banner(blocks, banner, below)[:_MAX_BLOCKS],
    }
