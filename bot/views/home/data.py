"""The end of App Home: where a person's data goes, and the controls for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.locale import LANGUAGE_NAMES, Language, say
from bot.types import Policy
from bot.views.blocks import Block, button, escaped, note, plain_text, section
from bot.views.erasing import erase_button
from bot.views.forgetting import forget_everything_button
from bot.views.modal_triggers import IMPORT_ACTION
from bot.views.settings import retention_text
from bot.views.transfer import EXPORT_ACTION

LANGUAGE_ACTION = "home_language"
AS_SLACK = "slack"
_CHANNELS = 20
_FLOWS = {
    "replies": "home_flow_replies",
    "memories": "home_flow_memories",
    "verdicts": "home_flow_verdicts",
    "search": "home_flow_search",
}


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


def control_blocks(language: Language, count: int) -> list[Block]:
    """Return what a person can do with all that is kept: take it along, bring in, remove."""
    export = button(EXPORT_ACTION, say(language, "export_button"), "export")
    import_ = button(IMPORT_ACTION, say(language, "import_title"), "import")
    forget = forget_everything_button(language, count)
    return [
        _header(language, "home_yours"),
        section(say(language, "home_yours_means")),
        {"type": "actions", "elements": [export, import_]},
        {"type": "actions", "elements": [forget, erase_button(language)]},
        note(say(language, "home_forget_means"), say(language, "erase_note")),
    ]


def language_block(language: Language, chosen: Language | None) -> Block:
    """Return the choice of the language the app speaks with this person."""
    options: list[Block] = [
        {"text": plain_text(say(language, "home_language_slack")), "value": AS_SLACK},
        *({"text": plain_text(name), "value": code} for code, name in LANGUAGE_NAMES.items()),
    ]
    now = next(option for option in options if option["value"] == (chosen or AS_SLACK))
    select = {
        "type": "static_select",
        "action_id": LANGUAGE_ACTION,
        "placeholder": plain_text(say(language, "settings_language_label")),
        "options": options,
        "initial_option": now,
    }
    text = f"*{say(language, 'settings_language_label')}*\n{say(language, 'home_language_means')}"
    block_id = f"home.language.{chosen or AS_SLACK}"
    return {**section(text), "block_id": block_id, "accessory": select}


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
    blocks = [_header(language, "home_where"), _listed(lines)]
    if handling.policy is not None:
        blocks += [_header(language, "home_policy"), _listed(_allowed(language, handling.policy))]
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


def _header(language: Language, key: str) -> Block:
    return {"type": "header", "text": plain_text(say(language, key))}
