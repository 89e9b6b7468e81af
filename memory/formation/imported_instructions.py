"""Verdicts on imported instructions that the person has ticked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from memory.formation.chat_model import TokenUse
from memory.formation.evidence import PersonMessage, TypedMessage, whole_message
from memory.formation.proposals import MAX_PROPOSALS, ProposedWrite
from memory.formation.verdict_rules import refusal
from memory.formation.verdicts import Verifier
from memory.model.schemas import subject
from memory.store.documents import Imported


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedInstructions:
    """`references` of the accepted instructions, the number refused, and the tokens used."""

    references: frozenset[str]
    refused: int
    tokens: TokenUse = field(default_factory=Counter)


async def judge_instructions(
    verifier: Verifier | None, instructions: Sequence[Imported]
) -> JudgedInstructions:
    """Return which of the instructions that a person ticked may be stored.

    Each is judged as if the person had typed it as a sentence: it must be a lasting request about
    the form, length, language or tone of answers. A tick answers any question that the verdict
    would ask. Without `verifier` every ticked one is accepted. Takes at most `MAX_PROPOSALS`.
    Holds no connection. Raises `FormationUnavailable` if the model does not answer.
    """
    if verifier is None or not instructions:
        return JudgedInstructions(
            references=frozenset(one.reference for one in instructions), refused=0
        )
    chosen = list(instructions)[:MAX_PROPOSALS]  # they are judged in one call
    messages = [_message(one) for one in chosen]
    proposals = [
        ProposedWrite(
            kind=str(one.value["kind"]),
            content=dict(one.value["content"]),
            evidence=whole_message(message),
            target=None,
            removes=False,
        )
        for one, message in zip(chosen, messages, strict=True)
    ]
    judged = await verifier.judge(proposals, messages)
    now = datetime.now(UTC)
    allowed = frozenset(
        one.reference
        for number, (one, proposal) in enumerate(zip(chosen, proposals, strict=True))
        if judged.problem is None
        and refusal(proposal, judged.verdicts.get(number), now, verifier.sensitive) is None
    )
    return JudgedInstructions(
        references=allowed, refused=len(instructions) - len(allowed), tokens=judged.tokens
    )


def _message(one: Imported) -> TypedMessage:
    text = subject(str(one.value["kind"]), one.value["content"])
    return TypedMessage(PersonMessage(text=text, channel="", ts="", origin="import"))
