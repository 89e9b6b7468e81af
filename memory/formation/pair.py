"""Pair new proposals with the rows about the same thing, and limit their number. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from memory.formation.evidence import PersonMessage
from memory.formation.proposal import Proposal, Refusal
from memory.model.schemas import thing
from memory.store.memories import Memory

MAX_NEW = 8  # new memories from one message
MAX_PROPOSALS = 40  # of a run


def pair(proposals: Sequence[Proposal], rows: Iterable[Memory]) -> list[Proposal]:
    """Give each new proposal the row about the same thing, if there is one.

    Of several rows about it the first of `rows` counts: those of the own namespace come first.
    """
    known: dict[tuple[str, str], Memory] = {}
    for row in rows:
        known.setdefault((row.kind, thing(row.kind, row.content)), row)

    def paired(one: Proposal) -> Proposal:
        if one.target is not None:
            return one
        target = known.get((one.kind, thing(one.kind, one.content)))
        return replace(one, target=target, by_name=target is not None)

    return [paired(one) for one in proposals]


def cap(proposals: Sequence[Proposal]) -> tuple[list[Proposal], list[Refusal]]:
    """Return the proposals, without those of more than `MAX_NEW` new memories from one message.

    A run has `MAX_PROPOSALS` at most: the request for their verdicts must fit a model's context.
    """
    kept: list[Proposal] = []
    refused: list[Refusal] = []
    new = Counter[PersonMessage]()
    for one in proposals:
        message = one.evidence.original
        new[message] += one.target is None and not one.removes
        if (new[message] > MAX_NEW and one.target is None) or len(kept) >= MAX_PROPOSALS:
            refused.append(one.refused("unusable"))
        else:
            kept.append(one)
    return kept, refused
