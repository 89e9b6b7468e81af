"""Messages that explain a refusal, with a button that stores the sentence anyway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from bot.locale import Language, say
from bot.views.blocks import Payload, button, ephemeral_payload, escaped, question_payload
from memory import MAX_MEMORIES, Reason, Refusal

STORE_ACTION = "store_anyway"
_SENTENCE_LIMIT = 1_500  # characters of a sentence in the value of a button
_VALUE_LIMIT = 2_000  # Slack's limit for the value of a button
_SENTENCES: Mapping[Reason, str] = {
    "no_evidence": "refused_not_found",
    "unsupported": "refused_not_said",
    "not_asserted": "refused_not_asserted",
    "other_person": "refused_other_person",
    "sensitive": "refused_sensitive",
    "secret": "refused_secret",
    "full": "memories_full",
    "unusable": "refused_unchecked",
}
# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_WITHOUT_BUTTON = frozenset[Reason]({"secret", "sensitive", "full"})


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedSentence:
    """A sentence of the person and its message; `ts` is empty for a command."""

    text: str
    channel: str
    ts: str = ""

    @property
    def value(self) -> str:
        """The value of a button; text beyond Slack's limit is cut off."""
        text = self.text[:_SENTENCE_LIMIT]
        while len(value := json.dumps({**asdict(self), "text": text}, ensure_ascii=False)) > (
            _VALUE_LIMIT
        ):
            text = text[: len(text) * 9 // 10]
        return value


def parse_quoted_sentence(value: str) -> QuotedSentence | None:
    """Return the sentence in the value of a button; None for any other value."""
    try:
        given = json.loads(value)
    except ValueError:
        return None
    if not isinstance(given, dict) or set(given) != {"text", "channel", "ts"}:
        return None
    return QuotedSentence(**{name: str(part) for name, part in given.items()})


def quoted_sentence_of(refused: Refusal) -> QuotedSentence | None:
    """Return the sentence that a refused proposal quotes, or None."""
    if refused.evidence is None:
        return None
    said = refused.evidence.original
    return QuotedSentence(text=refused.evidence.text, channel=said.channel, ts=said.ts)


def reason_text(language: Language, reason: Reason, sentence: str) -> str:
    """Return the sentence that says why a sentence of the person was not stored."""
    what = escaped(" ".join(sentence.split()))
    return say(language, _SENTENCES[reason], what=what, limit=MAX_MEMORIES)


def refusal_payload(
    language: Language, reason: Reason, quoted: QuotedSentence | None, *, can_store: bool
) -> Payload:
    """Return the reason, visible only to the person, with a button that stores the sentence.

    `can_store`: whether there is a kind of memory to store it as.
    """
    text = reason_text(language, reason, quoted.text if quoted else "")
    if quoted is None or not can_store or reason in _WITHOUT_BUTTON:
        return ephemeral_payload(text)
    store = button(STORE_ACTION, say(language, "refused_store"), quoted.value)
    return question_payload(text, store)
