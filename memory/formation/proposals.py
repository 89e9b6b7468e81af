"""Check LangMem's writes against what the person typed. Pure: no database, no model.

A proposal passes if it quotes the person (`memory.formation.evidence`), has a known kind with valid
fields, contains no credentials and no link that the person did not type, and stays within the
namespace. `memory.formation.verdicts` judges its meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from langgraph.store.base import PutOp
from pydantic import BaseModel, ValidationError

from memory.credentials.detection import holds_secret
from memory.credentials.redaction import is_redacted
from memory.formation.evidence import (
    Evidence,
    PersonMessage,
    TypedMessage,
    find_evidence,
    links_not_typed,
    whole_message,
)
from memory.model.namespace import Namespace
from memory.model.schemas import LEVEL_FIELDS, SUBJECT_FIELDS, level, thing
from memory.model.text import clean_content, texts
from memory.store.memories import Memory, RowKey

MAX_REMOVALS = 3  # in one run; the person is asked about any further ones
MAX_NEW = 8  # new memories from one message
MAX_PROPOSALS = 40  # of a run

Reason: TypeAlias = Literal[
    # by the evidence rule
    "no_evidence",
    "link",
    "invalid",
    "unknown_kind",
    "too_many",
    "secret",
    "wider_audience",
    "nothing_to_remove",
    "asked_already",
    # by the verdict
    "unsupported",
    "other_person",
    "past",
    "hypothetical",
    "question",
    "joke",
    "request",
    "ended",
    "sensitive",
    # by the rows at the time of the commit
    "deleted_meanwhile",
    "full",
    # for all proposals of a run
    "unusable_answer",
    "unusable_verdict",
    "refused_verdict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedProposal:
    """A proposal that was not stored: the reason, and the evidence, if it quoted any."""

    reason: Reason
    kind: str = ""
    evidence: Evidence | None = None

    @property
    def sentence(self) -> str:
        """The person's sentence that the proposal quoted; "" if it quoted none."""
        return self.evidence.text if self.evidence else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedWrite:
    """A write or removal that passed the evidence rule.

    `content` is the proposed content, `target` the row that it changes or removes (None: the memory
    is new). `by_name`: the model proposed a new memory, and the row about the same thing was found
    by its name. `in_excess`: the removal exceeds `MAX_REMOVALS`, and the person is asked.
    """

    kind: str
    content: dict[str, Any]
    evidence: Evidence
    target: Memory | None
    removes: bool
    by_name: bool = False
    in_excess: bool = False
    schema: type[BaseModel] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The new or changed fields; only a patch of the row can set one to None or its default."""
        patches = self.target is not None and not self.by_name
        old = self.target.content if self.target else {}
        unsaid = _defaults(self.schema) if self.by_name else {}
        return {
            name: value
            for name, value in self.content.items()
            if value != old.get(name) and (value is not None or patches)
            if name not in unsaid or value != unsaid[name]
        }

    def over(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a stored content with `values`, without fields that its kind no longer has."""
        any_field = self.schema is None or self.schema.model_config.get("extra") == "allow"
        kept = {k: v for k, v in content.items() if any_field or k in self.content}
        return {**kept, **self.values}

    def refused(self, reason: Reason) -> RefusedProposal:
        """Return this proposal as refused."""
        return RefusedProposal(reason=reason, kind=self.kind, evidence=self.evidence)


def read_writes(
    writes: Iterable[PutOp],
    rows: Mapping[RowKey, Memory],
    messages: Sequence[TypedMessage],
    *,
    own: Namespace,
    schemas: Mapping[str, type[BaseModel]],
) -> tuple[list[ProposedWrite], list[RefusedProposal]]:
    """Return buffered writes as proposals, and those that the evidence rule refused."""
    proposals: list[ProposedWrite] = []
    refused: list[RefusedProposal] = []
    removals = 0
    for write in writes:
        target = rows.get((".".join(write.namespace), write.key))
        found = _read(write, target, messages, own=own, schemas=schemas)
        if isinstance(found, RefusedProposal):
            refused.append(found)
            continue
        if found.removes:
            removals += 1
            found = replace(found, in_excess=removals > MAX_REMOVALS)
        proposals.append(found)
    return proposals, refused


def pair(proposals: Sequence[ProposedWrite], rows: Iterable[Memory]) -> list[ProposedWrite]:
    """Give each new proposal the row about the same thing, if there is one.

    Of several rows about it the first of `rows` counts: those of the own namespace come first.
    """
    known: dict[tuple[str, str], Memory] = {}
    for row in rows:
        known.setdefault((row.kind, thing(row.kind, row.content)), row)

    def paired(one: ProposedWrite) -> ProposedWrite:
        if one.target is not None:
            return one
        target = known.get((one.kind, thing(one.kind, one.content)))
        return replace(one, target=target, by_name=target is not None)

    return [paired(one) for one in proposals]


def cap(proposals: Sequence[ProposedWrite]) -> tuple[list[ProposedWrite], list[RefusedProposal]]:
    """Return the proposals, without those of more than `MAX_NEW` new memories from one message.

    A run has `MAX_PROPOSALS` at most: the request for their verdicts must fit a model's context.
    """
    kept: list[ProposedWrite] = []
    refused: list[RefusedProposal] = []
    new = Counter[PersonMessage]()
    for one in proposals:
        message = one.evidence.original
        new[message] += one.target is None and not one.removes
        if (new[message] > MAX_NEW and one.target is None) or len(kept) >= MAX_PROPOSALS:
            refused.append(one.refused("too_many"))
        else:
            kept.append(one)
    return kept, refused


def _read(
    write: PutOp,
    target: Memory | None,
    messages: Sequence[TypedMessage],
    *,
    own: Namespace,
    schemas: Mapping[str, type[BaseModel]],
) -> ProposedWrite | RefusedProposal:
    if target is None and tuple(write.namespace) != own.parts:
        return RefusedProposal(reason="wider_audience")
    if write.value is None:
        return _removal(target, messages)
    kind, content = str(write.value.get("kind")), dict(write.value.get("content") or {})
    evidence = find_evidence(str(content.pop("evidence", "") or ""), messages)
    if evidence is None:
        return RefusedProposal(reason="no_evidence", kind=kind)
    schema = schemas.get(kind)
    if schema is None or (target is not None and target.kind != kind):
        return RefusedProposal(reason="unknown_kind", kind=kind, evidence=evidence)
    try:
        content = schema.model_validate(clean_content(content)).model_dump(mode="json")
    except ValidationError:
        return RefusedProposal(reason="invalid", kind=kind, evidence=evidence)
    if content.get(SUBJECT_FIELDS.get(kind, "")) == "":
        return RefusedProposal(reason="invalid", kind=kind, evidence=evidence)
    proposal = ProposedWrite(
        kind=kind,
        content=content,
        evidence=evidence,
        target=target,
        removes=level(kind, content) == 0,
        schema=schema,
    )
    quoted = [evidence.text, *texts(content)]
    if any(holds_secret(text) or is_redacted(text) for text in quoted):
        return proposal.refused("secret")
    if links_not_typed(content, messages):
        return proposal.refused("link")
    if proposal.removes and evidence.original.removal_proposed:
        return proposal.refused("asked_already")
    return proposal


def _defaults(schema: type[BaseModel] | None) -> dict[str, Any]:
    """Return the fields of a kind that have a default, with it."""
    if schema is None:
        return {}
    return schema.model_construct().model_dump(mode="json", include=set(schema.model_fields))


def _removal(
    target: Memory | None, messages: Sequence[TypedMessage]
) -> ProposedWrite | RefusedProposal:
    """Return a removal, which has no quote: its source is the newest message that may remove."""
    if target is None:
        return RefusedProposal(reason="nothing_to_remove")
    newest = next((one for one in reversed(messages) if not one.original.removal_proposed), None)
    if newest is None:
        return RefusedProposal(reason="asked_already", kind=target.kind)
    content = target.content
    if target.kind in LEVEL_FIELDS:
        content[LEVEL_FIELDS[target.kind]] = 0
    return ProposedWrite(
        kind=target.kind,
        content=content,
        evidence=whole_message(newest),
        target=target,
        removes=True,
    )
