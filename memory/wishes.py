"""What LangMem wants to write, and what the guard lets pass of it. Pure: no database, no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from langgraph.store.base import PutOp

from memory.clauses import Clause, Said, normalise
from memory.expiry import until
from memory.guard import (
    MAX_REMOVALS,
    Quote,
    Refusal,
    check_content,
    check_grounds,
    check_instruction,
    check_sense,
    clean_content,
    find_quote,
    retraction,
    texts,
)
from memory.namespace import Namespace
from memory.reading import nearby
from memory.rows import Place, Row
from memory.schemas import INSTRUCTION_KIND, LEVEL_FIELDS, level, subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A write or removal that the guard let pass; without `target` it is new.

    `clauses` are those of the sentences that say so, `until` is how long they say it holds.
    `asks`: it is one removal too many for a run, and the person's to decide.
    """

    kind: str
    content: dict[str, Any]
    source: dict[str, Any]
    target: Row | None
    removes: bool
    clauses: tuple[Clause, ...] = ()
    until: datetime | None = None
    asks: bool = False


def source_of(quote: Quote) -> dict[str, Any]:
    """Return an entry of a memory's `sources`."""
    words = quote.words
    return {
        "kind": words.kind,
        "permalink": words.permalink,
        "channel": words.channel,
        "ts": words.ts,
        "evidence": quote.text,
    }


def to_wishes(
    writes: Iterable[PutOp], rows: Mapping[Place, Row], said: Sequence[Said], *, own: Namespace
) -> tuple[list[Wish], list[Refusal]]:
    """Turn buffered writes into what the guard agrees to, and the codes of what it refused."""
    wishes: list[Wish] = []
    refused: list[Refusal] = []
    removals = 0
    for write in writes:
        target = rows.get((".".join(write.namespace), write.key))
        wish = _judge(write, target, said, own=own)
        if isinstance(wish, Wish) and wish.removes:
            removals += 1
            if removals > MAX_REMOVALS:
                wish = replace(wish, asks=True)
        if isinstance(wish, Wish):
            wishes.append(wish)
        else:
            refused.append(wish)
    return wishes, refused


def _judge(
    write: PutOp, target: Row | None, said: Sequence[Said], *, own: Namespace
) -> Wish | Refusal:
    if target is None and tuple(write.namespace) != own.parts:
        return "wider_audience"
    if write.value is None:
        return _judge_removal(target, said)
    kind = str(write.value["kind"])
    content = dict(write.value["content"])
    quote = find_quote(str(content.pop("evidence", "")), said, kind=kind)
    if not isinstance(quote, Quote):
        return quote
    content = clean_content(content)
    if refusal := check_content(content, quote, kind=kind):
        return refusal
    removes = level(kind, content) == 0
    if removes:
        names = [subject(kind, content)] + ([subject(kind, target.content)] if target else [])
        if not any(retraction(name, said) for name in names):
            return "no_retraction"
    elif refusal := _refusal(kind, content, quote, target, said):
        return refusal
    return Wish(
        kind=kind,
        content=content,
        source=source_of(quote),
        target=target,
        removes=removes,
        clauses=_sentences(quote),
        until=until(quote.text, quote.words.said_at, quote.words.zone),
    )


def _refusal(
    kind: str, content: Mapping[str, Any], quote: Quote, target: Row | None, said: Sequence[Said]
) -> Refusal | None:
    if kind == INSTRUCTION_KIND:
        return check_instruction(content, quote)
    known = [*nearby(said, quote.index), *(texts(target.content) if target else [])]
    return check_grounds(_claims(kind, content, target), quote, said) or check_sense(
        kind, content, quote, known
    )


def _sentences(quote: Quote) -> tuple[Clause, ...]:
    inside = {clause.sentence for clause in quote.clauses}
    return tuple(clause for clause in quote.said.clauses if clause.sentence in inside)


def _judge_removal(target: Row | None, said: Sequence[Said]) -> Wish | Refusal:
    if target is None:
        return "nothing_to_remove"
    quote = retraction(subject(target.kind, target.content), said)
    if quote is None:
        return "no_retraction"
    content = target.content
    if target.kind in LEVEL_FIELDS:
        content[LEVEL_FIELDS[target.kind]] = 0
    return Wish(
        kind=target.kind, content=content, source=source_of(quote), target=target, removes=True
    )


def _claims(kind: str, content: Mapping[str, Any], target: Row | None) -> list[str]:
    """Return the texts of which one must be in the person's words."""
    claims = [subject(kind, content)]
    if target is not None:
        before = target.content
        claims += texts([v for k, v in content.items() if v != before.get(k)])
        if normalise(claims[0]) != normalise(subject(target.kind, before)):
            claims.append(subject(target.kind, before))
    return claims
