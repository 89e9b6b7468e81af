"""Whether the words of a message may be kept for its conversation, which is no memory."""

from __future__ import annotations

from datetime import UTC, datetime

from memory.formation.evidence import Evidence, TypedMessage, whole_message
from memory.formation.former import Former, model_calls
from memory.formation.proposal import Proposal, Refusal, holds_credentials
from memory.formation.verdict import judge, refusal
from memory.model.errors import WordsUnreadable
from memory.model.namespace import Person
from memory.model.person_message import PersonMessage

_KIND = "KeptLine"  # of the proposal that is judged
_INSTRUCTIONS = """
Kind KeptLine is what the speaker keeps for everybody of their channel. There `values` are their own
words. about: "other" only where they tell of a person's life, health, character, conduct or
whereabouts; that somebody is responsible, or is to be asked, for a piece of work is "speaker".
modality: with `decision` true "asserted" only where it says that something has been decided, agreed
or settled; a proposal, wish, option or plan to decide is "hypothetical", an open question
"question". Advice to colleagues ("ask Ana before a reset") is "asserted"; what tells an assistant
or a model how to answer or what to do is "request"."""


async def judge_kept(
    former: Former, person: Person, message: PersonMessage, *, decision: bool
) -> Evidence | Refusal:
    """Return the words of a message that may be kept for its conversation, or why they may not.

    A verdict decides whether they are asserted, as a decision if `decision` is set, and neither
    about somebody else nor sensitive. Tokens are counted as by `Former.form`. Raises
    `FormationUnavailable`.
    """
    said = TypedMessage(message)
    words = whole_message(said)
    if not said.says_something:
        return Refusal(reason="no_evidence", kind=_KIND)
    if holds_credentials(words.text):
        return Refusal(reason="secret", kind=_KIND, evidence=words)
    content = {"text": words.text, "decision": decision}
    proposal = Proposal(kind=_KIND, content=content, said=content, evidence=words)
    try:
        async with model_calls(person, None):
            [judged] = await judge(
                former.memory_model,
                [proposal],
                [words.message],
                about_kind=_INSTRUCTIONS,
            )
    except WordsUnreadable:
        return proposal.refused("unusable")
    if judged.verdict is None:
        return judged.refused("unusable")
    reason = refusal(judged, judged.verdict, datetime.now(UTC), "never")
    if reason is not None:
        return judged.refused(reason)
    return words
