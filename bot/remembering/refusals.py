"""Why a sentence was not stored."""

from __future__ import annotations

from bot.acts.blocks import VALUE_LIMIT, button
from bot.acts.kinds import Remember
from bot.acts.lines import refusal_line
from bot.acts.receipt import Receipt
from bot.locale import Localizer
from memory import Reason, Refusal

# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_FINAL: frozenset[Reason] = frozenset({"secret", "sensitive", "full"})


def refusal_done(localizer: Localizer, refusal: Refusal, *, facts: bool) -> Receipt:
    """Return why a sentence was not stored, with the button that stores it as it was typed.

    `facts`: whether there is a kind of memory for it. A sentence that is too long for a button's
    value, about 1,900 characters, gets no button.
    """
    line = refusal_line(localizer, refusal.reason, refusal.sentence)
    if refusal.evidence is None or not facts or refusal.reason in _FINAL:
        return Receipt(line=line)
    said = refusal.evidence.original
    remember = Remember(
        text=refusal.evidence.text, channel=said.channel or "", ts=said.ts or ""
    )
    if len(remember.value) > VALUE_LIMIT:
        return Receipt(line=line)
    return Receipt(line=line, button=button(localizer.say("remember_button"), remember))
