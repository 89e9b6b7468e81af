"""A page of a person's memories in App Home: searched, filtered by kind, grouped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from html import unescape
from itertools import groupby

from bot.locale import Language, say
from bot.views.blocks import Block, button, escaped, note, plain_text, section
from bot.views.home.position import SEARCH_ACTION, WORDS_LIMIT, ListPosition
from bot.views.used import memory_blocks
from bot.views.wording import kind_title
from memory import Memory

HOME_PAGE = 20
KIND_ACTION = "home_kind"
PAGE_ACTION = "home_page"
ALL_ACTION = "home_all"
ALL_KINDS = "-"
_EXAMPLES = ("home_example_fact", "home_example_food", "home_example_answer")
_OPTION_TEXT, _OPTION_VALUE, _OPTIONS = 75, 150, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The memories on a page of the list.

    `kinds` counts all of them by kind, `found` those that the kind and the words leave. `similar`:
    none has the words, these are the nearest. `links` lead to where each was said, by its
    reference.
    """

    position: ListPosition = field(default_factory=ListPosition)
    memories: Sequence[Memory] = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    found: int = 0
    similar: bool = False
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of the person's memories."""
        return sum(self.kinds.values())


def listing_blocks(language: Language, listing: Listing, zone: tzinfo = UTC) -> list[Block]:
    """Return the memories with what searches and filters them; an example where there are none."""
    if not listing.total:
        return _empty_list(language)
    where = listing.position
    blocks: list[Block] = [_search(language, where), _filters(language, listing)]
    if where.words:
        blocks.append(section(_title(language, listing)))
    if listing.similar:
        blocks += memory_blocks(language, listing.memories, listing.links, {}, zone)
    else:
        for kind, members in groupby(listing.memories, key=lambda memory: memory.kind):
            blocks.append(section(f"*{kind_title(language, kind)}*"))
            blocks += memory_blocks(language, list(members), listing.links, {}, zone)
    if listing.memories and not listing.similar:
        first = (where.page - 1) * HOME_PAGE + 1
        last = first + len(listing.memories) - 1
        key = "home_shown_found" if where.kind or where.words else "home_shown"
        blocks.append(note(say(language, key, first=first, last=last, count=listing.found)))
    if turns := _page_buttons(language, listing):
        blocks.append({"type": "actions", "elements": turns})
    return blocks


def _empty_list(language: Language) -> list[Block]:
    examples = [f"• {say(language, key)}" for key in _EXAMPLES]
    return [
        section(f"*{say(language, 'home_none')}*\n{say(language, 'home_none_how')}"),
        section("\n".join(examples)),
        note(say(language, "home_none_then")),
    ]


def _title(language: Language, listing: Listing) -> str:
    words = escaped(listing.position.words)
    if not listing.memories:
        return say(language, "home_no_match", words=words)
    return say(language, "search_similar" if listing.similar else "search_title", words=words)


def _search(language: Language, where: ListPosition) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": SEARCH_ACTION,
        "max_length": WORDS_LIMIT,
        "placeholder": plain_text(say(language, "home_search_example")),
        "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
    }
    if where.words:
        element["initial_value"] = where.words
    return {
        "type": "input",
        "block_id": where.search_block,
        "dispatch_action": True,
        "label": plain_text(say(language, "home_search")),
        "element": element,
    }


def _filters(language: Language, listing: Listing) -> Block:
    where = listing.position
    every = say(language, "home_every_kind", count=listing.total)
    options = [_option(every, ALL_KINDS)]
    options += [
        _option(
            say(language, "home_kind", kind=unescape(kind_title(language, kind)), count=n), kind
        )
        for kind, n in list(listing.kinds.items())[: _OPTIONS - 1]
        if len(kind) <= _OPTION_VALUE
    ]
    now = [option for option in options if option["value"] == where.kind] or options[:1]
    select: Block = {
        "type": "static_select",
        "action_id": KIND_ACTION,
        "placeholder": plain_text(say(language, "home_kind_choose")),
        "options": options,
        "initial_option": now[0],
    }
    elements = [select]
    if where.kind or where.words:
        elements.append(button(ALL_ACTION, say(language, "home_show_all"), "all"))
    # Slack keeps a choice for as long as the id of its block stays the same.
    return {
        "type": "actions",
        "block_id": f"home.filters.{where.kind}.{bool(where.words)}"[:255],
        "elements": elements,
    }


def _option(text: str, value: str) -> Block:
    return {"text": plain_text(text[:_OPTION_TEXT]), "value": value}


def _page_buttons(language: Language, listing: Listing) -> list[Block]:
    if listing.similar:
        return []
    page, pages = listing.position.page, -(-listing.found // HOME_PAGE)
    turns = [("memories_previous", page - 1), ("memories_next", page + 1)]
    return [
        button(f"{PAGE_ACTION}_{target}", say(language, key), str(target))
        for key, target in turns
        if 1 <= target <= pages
    ]
