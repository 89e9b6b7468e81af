"""App Home as a whole: most important first, within Slack's hundred blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.locale import LANGUAGE_NAMES, Language, say
from bot.types import Incognito, MemoryOffReason, PersonSettings, Policy, Refusal
from bot.views.blocks import (
    Block,
    actions,
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
from bot.views.erasing import erase_button
from bot.views.forgetting import forget_everything_button
from bot.views.history import ALL_CHANGES, entry_line
from bot.views.home_list import Listing, listing_blocks
from bot.views.import_export import EXPORT_ACTION
from bot.views.memory_state import AGREE_ACTION, consent_buttons, memory_off_text, resume_button
from bot.views.modal_triggers import ADD_ACTION, IMPORT_ACTION, SETTINGS_ACTION, VIEW_ACTION
from bot.views.settings import pause_options, retention_text
from bot.views.views import SlackView, banner_blocks
from memory import Entry, Question

HOME = "home"
HOME_PAUSE_ACTION = "home_pause"
HOME_INCOGNITO_ACTION = "home_incognito"
HOME_LANGUAGE_ACTION = "home_language"
AS_SLACK = "slack"
CHANGES_SHOWN = 5
QUESTIONS_SHOWN = 3
_CHANNELS = 20
_FLOWS = {
    "replies": "home_flow_replies",
    "memories": "home_flow_memories",
    "verdicts": "home_flow_verdicts",
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
    machine. `policy` is the workspace's, where it is known.
    """

    flows: Sequence[DataFlow] = ()
    days: int | None = None
    history_days: int = 30
    policy: Policy | None = None
    stand_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """Everything that one person's Home shows.

    `links` lead to the messages that changes came from, by the id of the entry.
    """

    settings: PersonSettings = field(default_factory=PersonSettings)
    off: MemoryOffReason | None = None
    incognito: Incognito = field(default_factory=Incognito)
    refusal: Refusal | None = None
    listing: Listing = field(default_factory=Listing)
    changes: Sequence[Entry] = ()
    questions: Sequence[Question] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    handling: DataHandling = field(default_factory=DataHandling)


def home_view(language: Language, page: HomePage, banner: Sequence[Block] = ()) -> SlackView:
    """Return the view; `banner`, at its top, is the answer to the click that led to it."""
    zone = page.settings.zone
    blocks: list[Block] = [
        *banner_blocks(banner),
        header(say(language, "memories_title")),
        *memory_state_blocks(language, page.settings, page.off, page.refusal),
        *incognito_blocks(language, page.incognito, page.off, page.refusal),
        note(*_small_print(language, page)),
        _DIVIDER,
    ]
    if page.questions:
        blocks.append(header(say(language, "home_questions")))
        for question in page.questions[:QUESTIONS_SHOWN]:
            blocks += question_blocks(language, question, HOME, zone)
        blocks.append(_DIVIDER)
    blocks += [*listing_blocks(language, page.listing, zone), _DIVIDER]
    if page.changes:
        blocks += [*_changes(language, page), _DIVIDER]
    blocks += [
        *control_blocks(language, page.listing.total),
        _DIVIDER,
        language_block(language, page.settings.language),
        _DIVIDER,
        *data_handling_blocks(language, page.handling),
        note(say(language, "home_end")),
    ]
    return {
        "type": "home",
        "private_metadata": page.listing.position.metadata(language),
        "blocks": blocks,
    }


def _small_print(language: Language, page: HomePage) -> list[str]:
    lines = [say(language, "only_you")]
    if total := page.listing.total:
        lines.insert(0, say(language, "home_count", count=total))
    return lines


def _changes(language: Language, page: HomePage) -> list[Block]:
    zone = page.settings.zone
    blocks: list[Block] = [header(say(language, "home_changes"))]
    for entry in page.changes[:CHANGES_SHOWN]:
        line = entry_line(language, entry, page.links.get(str(entry.id)), zone)
        blocks.append(change_block(language, entry, line, HOME))
    every = button(VIEW_ACTION, say(language, "home_all_changes"), ALL_CHANGES)
    return [*blocks, actions(every)]


def memory_state_blocks(
    language: Language,
    settings: PersonSettings,
    off: MemoryOffReason | None,
    refusal: Refusal | None = None,
) -> list[Block]:
    """Return whether memory is on, what that means, and what switches it.

    `refusal`: the operator has not opened the app to this person.
    """
    if refusal is not None:
        return [section(say(language, refusal))]
    if off == "not_agreed":
        return [section(say(language, "consent_ask")), consent_buttons(language)]
    more = [button(SETTINGS_ACTION, say(language, "settings_change"), "settings")]
    if off is None:
        add = button(ADD_ACTION, say(language, "home_add"), "add", style="primary")
        text = f"*{say(language, 'settings_on')}* {say(language, 'home_on_means')}"
        return [section(text), actions(add, _pause(language), *more)]
    if off == "paused":
        text = f"*{_paused(language, settings)}*"
        resume = resume_button(language, style="primary")
        return [section(f"{text} {say(language, 'paused_means')}"), actions(resume, *more)]
    if off == "refused":
        text = f"*{say(language, 'home_off')}*"
        agree = button(AGREE_ACTION, say(language, "settings_turn_on"), "agree", style="primary")
        return [section(f"{text} {say(language, 'home_off_means')}"), actions(agree, *more)]
    return [section(f"*{memory_off_text(language, off, settings)}*")]


def incognito_blocks(
    language: Language,
    incognito: Incognito,
    off: MemoryOffReason | None,
    refusal: Refusal | None = None,
) -> list[Block]:
    """Return where incognito is on, with its switch; nothing if memory is not available anyway."""
    if refusal is not None or off not in (None, "paused"):
        return []
    if not incognito:
        text, key, value = say(language, "home_incognito_off"), "incognito_on_button", "on"
    else:
        places = [say(language, "home_incognito_dm")] if incognito.direct else []
        if incognito.threads:
            places.append(say(language, "home_incognito_threads", count=incognito.threads))
        where = say(language, "listed").join(places)
        text = say(language, "home_incognito_on", where=where)
        key, value = "incognito_off_button", "off"
    switch = button(HOME_INCOGNITO_ACTION, say(language, key), value)
    return [section(text, switch)]


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


def control_blocks(language: Language, count: int) -> list[Block]:
    """Return what a person can do with all that is kept: take it along, bring in, remove."""
    export = button(EXPORT_ACTION, say(language, "export_button"), "export")
    import_ = button(IMPORT_ACTION, say(language, "import_title"), "import")
    forget = forget_everything_button(language, count)
    return [
        header(say(language, "home_yours")),
        section(say(language, "home_yours_means")),
        actions(export, import_),
        actions(forget, erase_button(language)),
        note(say(language, "home_forget_means"), say(language, "erase_note")),
    ]


def language_block(language: Language, chosen: Language | None) -> Block:
    """Return the choice of the language the app speaks with this person."""
    options: list[Block] = [
        option(say(language, "home_language_slack"), AS_SLACK),
        *(option(name, code) for code, name in LANGUAGE_NAMES.items()),
    ]
    current = next(one for one in options if one["value"] == (chosen or AS_SLACK))
    select = {
        "type": "static_select",
        "action_id": HOME_LANGUAGE_ACTION,
        "placeholder": plain_text(say(language, "settings_language_label")),
        "options": options,
        "initial_option": current,
    }
    text = f"*{say(language, 'settings_language_label')}*\n{say(language, 'home_language_means')}"
    block_id = f"home.language.{chosen or AS_SLACK}"
    return {**section(text, select), "block_id": block_id}


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
    blocks = [header(say(language, "home_where")), _listed(lines)]
    if handling.policy is not None:
        blocks += [
            header(say(language, "home_policy")),
            _listed(_allowed(language, handling.policy)),
        ]
    return blocks


def _allowed(language: Language, policy: Policy) -> list[str]:
    if policy.channels:
        named = [f"<#{channel}>" for channel in sorted(policy.channels)[:_CHANNELS]]
        more = len(policy.channels) - len(named)
        where = say(language, "listed").join(named) + (f" (+{more})" if more else "")
        channels = say(language, "home_policy_channels", channels=where)
    else:
        channels = say(language, "home_policy_everywhere")
    return [
        channels,
        say(language, "home_policy_web" if policy.web_search else "home_policy_no_web"),
        say(language, "home_policy_guests" if policy.guests else "home_policy_no_guests"),
    ]


def _listed(lines: Sequence[str]) -> Block:
    return section("\n".join(f"• {line}" for line in lines))
