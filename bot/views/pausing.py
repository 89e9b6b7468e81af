"""The form for the end of a pause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import note, plain_text
from bot.views.time_forms import may_end_pause, tomorrow_morning
from bot.views.views import View, form_view, language_of_view

PAUSE_FORM = "pause_memory"
_UNTIL = "pause.until"


def pause_form(language: Language, zone: tzinfo) -> View:
    """Return the form; the initial value is tomorrow morning in `zone`.

    Source: https://docs.slack.dev/reference/block-kit/block-elements/datetime-picker-element
    """
    until = tomorrow_morning(datetime.now(UTC), zone)
    blocks = [
        {
            "type": "input",
            "block_id": _UNTIL,
            "label": plain_text(say(language, "pause_until")),
            "element": {
                "type": "datetimepicker",
                "action_id": "value",
                "initial_date_time": int(until.timestamp()),
            },
        },
        note(say(language, "pause_shorter")),
    ]
    return form_view(
        language,
        "pause_title",
        blocks,
        callback=PAUSE_FORM,
        submit="pause_submit",
        metadata={},
    )


def read_pause_form(view: Mapping[str, Any]) -> datetime:
    """Return the chosen time."""
    seconds = view["state"]["values"][_UNTIL]["value"]["selected_date_time"]
    return datetime.fromtimestamp(int(seconds), UTC)


def pause_form_errors(view: Mapping[str, Any]) -> dict[str, str]:
    """Return errors for the chosen time, by block; empty if it is valid."""
    if may_end_pause(read_pause_form(view), datetime.now(UTC)):
        return {}
    return {_UNTIL: say(language_of_view(view), "pause_past")}
