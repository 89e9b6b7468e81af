"""App Home as a whole: most important first, within Slack's hundred blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.locale import Language, say
from bot.types import (
    Incognito,
    MemoryOffReason,
    PersonSettings,
    Policy,
    Refusal,
)
from bot.views.blocks import (
    Block,
    actions,
    bulleted,
    button,
    escaped,
    header,
    note,
    option,
    plain_text,
    section,
)
from bot.views.changes import change_block, question_blocks
from bot.views.dates import minute
from bot.views.history import ALL_CHANGES, entry_line
from bot.views.home_list import Listing, listing_blocks
from bot.views.memory_state import AGREE_ACTION, consent_buttons, memory_off_text, resume_button
from bot.views.modal_triggers import ADD_ACTION, HOME_MORE_ACTION, VIEW_ACTION
from bot.views.settings import pause_options, retention_text
from bot.views.views import SlackView, with_banner
from memory import MAX_MEMORIES, Change, Question

HOME = "home"
HOME_PAUSE_ACTION = "home_pause"
CHANGES_SHOWN = 5
_CHANNELS = 20
_FLOWS = {
    "replies": "home_flow_replies",
    "fallback": "home_flow_fallback",
    "memories": "home_flow_memories",
    "search": "home_flow_search",
}
_DIVIDER: Block = {"type": "divider"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFlow:
    """A receiver of a person's words for one purpose: a model, and its host."""

    purpose: str
    model: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataHandling:
    """The receivers and retention of a person's data, and what the operator allows.

    `days` is how long memories are kept, None: until they are deleted; `history_days` is how long
    the texts of conversations are. `stand_in`: there is no language model, and nothing leaves the
    machine. `policy` is the installation's.
    """

    flows: Sequence[DataFlow] = ()
    days: int | None = None
    history_days: int = 30
    policy: Policy | None = None
    stand_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """Everything that one person's Home shows.

    `links` lead to the messages that memories and changes came from, by the reference of the memory
    and the id of the entry.
    """

    settings: PersonSettings = field(default_factory=PersonSettings)
    off: MemoryOffReason | None = None
    incognito: Incognito = field(default_factory=Incognito)
    refusal: Refusal | None = None
    listing: Listing = field(default_factory=Listing)
    changes: Sequence[Change] = ()
    questions: Sequence[Question] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    handling: DataHandling = field(default_factory=DataHandling)


def home_view(
    language: Language,
    page: HomePage,
    banner: Sequence[Block] = (),
    below: Sequence[str] = (),
) -> SlackView:
    """Return the view; `banner` is the answer to the click that led to it, see `with_banner`.

    Above the first memory are at most eight buttons, menus and fields. So no question is shown
    while the list is searched or filtered.
    """
    zone = page.settings.zone
    blocks: list[Block] = [
        {**header(say(language, "memories_title")), "block_id": "home.title"},
        *memory_state_blocks(language, page),
        {**note(*_small_print(language, page)), "block_id": "home.summary"},
        _DIVIDER,
    ]
    where = page.listing.position
    filtered = bool(where.words or where.kind)
    if page.questions and not filtered:
        first, *more = page.questions
        blocks.append(header(say(language, "home_questions")))
        blocks += question_blocks(language, first, HOME, zone)
        if more:
            blocks.append(note(say(language, "home_questions_more", count=len(more))))
        blocks.append(_DIVIDER)
    blocks += [*listing_blocks(language, page.listing, page.links, zone), _DIVIDER]
    if page.changes or page.listing.total:
        blocks += [*_changes(language, page), _DIVIDER]
    blocks += [
        *data_handling_blocks(language, page.handling),
        note(say(language, "home_end")),
    ]
    return {
        "type": "home",
        "private_metadata": where.metadata(language),
        "blocks": with_banner(blocks, banner, below),
    }


def _small_print(language: Language, page: HomePage) -> list[str]:
    lines = [say(language, "only_you")]
    if total := page.listing.total:
        lines.insert(0, say(language, "home_count", count=total))
    if total >= MAX_MEMORIES:
        lines.append(say(language, "memories_full", limit=MAX_MEMORIES))
    return lines


def _changes(language: Language, page: HomePage) -> list[Block]:
    zone = page.settings.zone
    blocks: list[Block] = []
    if page.changes:
        blocks.append(header(say(language, "home_changes")))
    for entry in page.changes[:CHANGES_SHOWN]:
        line = entry_line(language, entry, page.links, zone)
        block = change_block(language, entry, line, HOME)
        blocks.append({**block, "block_id": f"home.change.{entry.id}"})
    every = button(VIEW_ACTION, say(language, "home_all_changes"), ALL_CHANGES)
    return [*blocks, actions(every)]


def memory_state_blocks(language: Language, page: HomePage) -> list[Block]:
    """Return whether memory is on, what that means, what switches it, and the menu of the rest."""
    more, off = _more(language, page), page.off
    if page.refusal is not None:
        return [section(say(language, page.refusal)), actions(more)]
    if off == "not_agreed":
        answers = actions(*consent_buttons(language), more)
        return [section(say(language, "consent_ask")), answers]
    if off is None:
        add = button(ADD_ACTION, say(language, "form_add_title"), "add", style="primary")
        text = f"*{say(language, 'settings_on')}* {say(language, 'home_on_means')}"
        blocks = [section(text), actions(add, _pause(language), more)]
    elif off == "paused":
        text = f"*{_paused(language, page.settings)}* {say(language, 'paused_means')}"
        blocks = [section(text), actions(resume_button(language, style="primary"), more)]
    elif off == "refused":
        text = f"*{say(language, 'home_off')}* {say(language, 'home_off_means')}"
        agree = button(AGREE_ACTION, say(language, "settings_turn_on"), "agree", style="primary")
        return [section(text), actions(agree, more)]
    else:
        return [section(f"*{memory_off_text(language, off, page.settings)}*"), actions(more)]
    if page.incognito:
        blocks.insert(1, section(_incognito(language, page.incognito)))
    return blocks


def _incognito(language: Language, incognito: Incognito) -> str:
    places = [say(language, "home_incognito_dm")] if incognito.direct else []
    if incognito.threads:
        places.append(say(language, "home_incognito_threads", count=incognito.threads))
    where = say(language, "listed").join(places)
    return say(language, "home_incognito_on", where=where)


def _more(language: Language, page: HomePage) -> Block:
    """Return the menu of what is rarely used; Slack takes five options."""
    keys = {"export": "export_title", "forget": "forget_everything_button"}
    if page.refusal is None and page.off in (None, "paused"):
        off, on = {"off": "incognito_off_button"}, {"on": "incognito_on_button"}
        keys = {**(off if page.incognito else on), **keys}
    if page.refusal is None and page.off in (None, "paused", "refused"):
        keys = {"settings": "settings_change", **keys}
    return {
        "type": "overflow",
        "action_id": HOME_MORE_ACTION,
        "options": [option(say(language, key), value) for value, key in keys.items()],
    }


def _paused(language: Language, settings: PersonSettings) -> str:
    if settings.paused_until is None:
        return say(language, "home_paused")
    until = minute(settings.paused_until, settings.zone, language)
    return say(language, "home_paused_until", until=until)


def _pause(language: Language) -> Block:
    return {
        "type": "static_select",
        "action_id": HOME_PAUSE_ACTION,
        "placeholder": plain_text(say(language, "home_pause")),
        "options": pause_options(language),
    }


def data_handling_blocks(language: Language, handling: DataHandling) -> list[Block]:
    """Return where the person's data goes, who receives it and how long it is kept."""
    lines = [say(language, "home_kept_where")]
    if handling.stand_in:
        lines.append(say(language, "home_flow_stand_in"))
    else:
        lines += [
            say(language, _FLOWS[one.purpose], model=escaped(one.model), host=one.host)
            for one in handling.flows
        ]
    lines.append(say(language, "settings_kept", period=retention_text(language, handling.days)))
    texts = min(handling.history_days, handling.days or handling.history_days)
    lines.append(say(language, "home_texts_kept", period=retention_text(language, texts)))
    blocks = [header(say(language, "home_where")), section(bulleted(lines))]
    if handling.policy is not None:
        blocks += [
            header(say(language, "home_policy")),
            section(bulleted(_allowed(language, handling.policy, stand_in=handling.stand_in))),
        ]
    return blocks


def _allowed(language: Language, policy: Policy, *, stand_in: bool) -> list[str]:
    if policy.channels:
        named = [f"<#{channel}>" for channel in sorted(policy.channels)[:_CHANNELS]]
        more = len(policy.channels) - len(named)
        where = say(language, "listed").join(named) + (f" (+{more})" if more else "")
        channels = say(language, "home_policy_channels", channels=where)
    else:
        channels = say(language, "home_policy_everywhere")
    web = "home_policy_web" if policy.web_search else "home_policy_no_web"
    return [
        channels,
        *([] if stand_in else [say(language, web)]),  # the stand-in does not search
    ]
