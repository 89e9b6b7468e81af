"""Modals: the frame around what they show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.locale import LANGUAGES, Language, say
from bot.views.blocks import Block, plain_text, section

View = dict[str, Any]

_MAX_BLOCKS = 100
_MAX_BANNER_BLOCKS = 12
_BANNER_BLOCK = "home.said."


def loading_view() -> View:
    """Return the view of a modal until its content is loaded, in both languages.

    In every language, because a trigger is too short-lived to ask which one the person reads.
    """
    lines = [say(language, "modal_loading") for language in LANGUAGES]
    return {"type": "modal", "title": plain_text("Kioku"), "blocks": [section("\n".join(lines))]}


def information_view(
    language: Language,
    title: str,
    blocks: Sequence[Block],
    *,
    metadata: Mapping[str, str] | None = None,
) -> View:
    """Return a modal that asks for nothing; `title` is a key of the catalogues."""
    return {
        "type": "modal",
        "title": plain_text(say(language, title)),
        "close": plain_text(say(language, "modal_close")),
        "private_metadata": json.dumps(dict(metadata or {})),
        "blocks": list(blocks)[:_MAX_BLOCKS],
    }


def form_view(
    language: Language,
    title: str,
    blocks: Sequence[Block],
    *,
    callback: str,
    submit: str,
    metadata: Mapping[str, str],
) -> View:
    """Return a modal with something to submit; `title` and `submit` are keys of the catalogues.

    The language goes with it, so that a submission can be answered without looking anything up.
    """
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain_text(say(language, title)),
        "submit": plain_text(say(language, submit)),
        "close": plain_text(say(language, "modal_cancel")),
        "private_metadata": json.dumps({**metadata, "language": language}),
        "blocks": list(blocks),
    }


def metadata_of(view: Mapping[str, Any]) -> dict[str, str]:
    """Return what a view was given to remember."""
    kept = json.loads(view.get("private_metadata") or "{}")
    return {str(name): str(value) for name, value in kept.items()}


def language_of_view(view: Mapping[str, Any]) -> Language:
    """Return the language a view was made in."""
    return "ja" if metadata_of(view).get("language") == "ja" else "en"


def banner_blocks(banner: Sequence[Block]) -> list[Block]:
    """Return what is said at the top of App Home, so that it is known for that later."""
    if not banner:
        return []
    above: list[Block] = [*banner[:_MAX_BANNER_BLOCKS], {"type": "divider"}]
    return [{**block, "block_id": f"{_BANNER_BLOCK}{number}"} for number, block in enumerate(above)]


def is_banner(block: Block) -> bool:
    """Say whether a block of a published Home is of what was said at its top."""
    return str(block.get("block_id", "")).startswith(_BANNER_BLOCK)


def home_with_banner(view: Mapping[str, Any], banner: Sequence[Block]) -> View:
    """Return a published Home with `banner` at its top: for when nothing can be looked up."""
    blocks = [block for block in view.get("blocks") or () if not is_banner(block)]
    return {
        "type": "home",
        "private_metadata": view.get("private_metadata") or "",
        "blocks": [*banner_blocks(banner), *blocks][:_MAX_BLOCKS],
    }
