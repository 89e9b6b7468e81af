"""Buttons that several messages and lists have."""

from __future__ import annotations

from collections.abc import Mapping

from bot.acts.blocks import Block, Payload, button, payload
from bot.acts.kinds import Answer, AnswerTo, Forget, Open, Position, Switch
from bot.locale import Localizer
from memory import Question

# The text of the button of each answer to a question.
_ANSWERS: Mapping[str, Mapping[AnswerTo, str]] = {
    "replace": {"yes": "ask_replace", "both": "ask_keep_both", "no": "ask_keep_old"},
    "older": {"yes": "ask_older", "both": "ask_keep_both", "no": "ask_keep_newer"},
    "remove": {"yes": "menu_forget", "no": "ask_keep"},
    "store": {"yes": "remember_button", "no": "ask_not_store"},
}


def consent_buttons(localizer: Localizer) -> list[Block]:
    """Return the two answers to the question whether a person agrees to memory."""
    return [
        button(localizer.say("consent_agree"), Switch(to="on"), style="primary"),
        button(localizer.say("consent_refuse"), Switch(to="off")),
    ]


def answer_buttons(localizer: Localizer, question: Question) -> list[Block]:
    """Return a button for each answer to a question, without *both* if it is about one thing."""
    buttons: list[Block] = []
    for answer, key in _ANSWERS[question.asks].items():
        if answer == "both" and question.is_about_one_thing:
            continue
        act = Answer(question=question.id, answer=answer)
        buttons.append(button(localizer.say(key), act))
    return buttons


def forget_all_button(localizer: Localizer, forget: Forget) -> Block:
    """Return the button that forgets several memories and messages."""
    count = len(forget.keys) + len(forget.messages)
    text = localizer.say("forget_all", count=count)
    return button(text, forget, style="danger")


def on_button(localizer: Localizer, scope: str = "") -> Block:
    """Return the button that switches memory on: everywhere, or in the scope of `Off`."""
    return button(localizer.say("on_button"), Switch(to="on", scope=scope))


def forget_button(localizer: Localizer, forget: Forget) -> Block:
    """Return the button that forgets a selection."""
    return button(localizer.say("menu_forget"), forget, style="danger")


def search_button(localizer: Localizer) -> Block:
    """Return the button that opens the panel, where words can be searched for."""
    return button(localizer.say("search_submit"), Position())


def open_done(localizer: Localizer, opens: Position | Open) -> Payload:
    """Return a button that opens the panel or a form, for somebody who asked for it in words."""
    show = button(localizer.say("show_button"), opens)
    return payload(localizer.say("open_line"), show)


def consent_question(localizer: Localizer) -> Payload:
    """Return the question whether the person wants to be remembered."""
    return payload(localizer.say("consent_ask"), *consent_buttons(localizer))
