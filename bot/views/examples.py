"""The form that keeps a request as an example, with what was good about its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import Block, button, escaped, input_block, section, text_input
from bot.views.forms import field_error
from bot.views.modal_triggers import EXAMPLE_ACTION
from bot.views.views import SlackView, entered, form_view, language_of_view
from memory import EPISODE_KIND, InvalidContent, validated

EXAMPLE_FORM = "example_form"
_LIKED, _LIKED_LIMIT = "liked", 200


def example_button(language: Language, turn: str) -> Block:
    """Return the button below the thanks for a good rating that opens `example_form`."""
    return button(EXAMPLE_ACTION, say(language, "example_button"), turn)


def example_form(language: Language, turn: str, request: str) -> SlackView:
    """Return the question what was good about the answer to a request."""
    label, hint = say(language, "field_liked"), say(language, "example_hint")
    return form_view(
        language,
        "example_title",
        [
            section(say(language, "example_about")),
            section(f"*{say(language, 'field_request')}*\n{escaped(' '.join(request.split()))}"),
            input_block(_LIKED, label, text_input(_LIKED_LIMIT), hint=hint),
        ],
        callback=EXAMPLE_FORM,
        submit="form_save",
        metadata={"turn": turn},
    )


def liked_in(view: Mapping[str, Any]) -> str:
    """Return what a submitted form says was good."""
    return str(entered(view, _LIKED).get("value") or "").strip()


def example_errors(view: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a submitted form, by block; the form itself says all there is."""
    language, liked = language_of_view(view), liked_in(view)
    try:
        validated(EPISODE_KIND, {"observation": liked, "result": liked})
    except InvalidContent as problem:
        return {_LIKED: field_error(language, problem.codes["observation"], text=liked)}
    return {}
