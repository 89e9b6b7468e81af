"""Check LangMem's writes against what the person typed. Pure: no database, no model.

A proposal passes if it quotes the person (`memory.formation.evidence`), has a known kind with valid
fields, contains no credentials and no link that the person did not type, and stays within the
namespace. `memory.formation.verdict` judges its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from langgraph.store.base import PutOp
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from memory.credentials.redaction import find_credentials, is_redacted
from memory.formation.evidence import (
    Evidence,
    TypedMessage,
    find_evidence,
    links_not_typed,
    whole_message,
)
from memory.model.dates import clock_time
from memory.model.namespace import Namespace
from memory.model.references import References
from memory.model.schemas import DUE_FIELDS, PROMISE_KIND, SUBJECT_FIELDS, level
from memory.model.text import clean_content, texts
from memory.store.memories import Memory

Reason: TypeAlias = Literal[
    "no_evidence",  # the quote is not in the person's words
    "secret",  # it contains a credential
    "unsupported",  # by the verdict: the sentence does not say it
    "not_asserted",  # by the verdict: past, hypothetical, a question, joke or request, or ended
    "other_person",  # by the verdict
    "sensitive",  # by the verdict and the installation's policy
    "unreadable",  # the memory model cannot read the message, and can read others
    "full",  # the person has as many memories as are kept
    "unusable",  # an invalid field, a link that was not typed, a row that is gone, a bad answer
]


Sensitive: TypeAlias = Literal[
    "none", "health", "religion", "orientation", "politics", "union", "crime"
]


def _day(value: object) -> object:
    """Return the day of a date with a time, such as ``2026-11-27T17:30``."""
    return value[:10] if isinstance(value, str) else value


Day: TypeAlias = Annotated[date, BeforeValidator(_day)]
ClockTime: TypeAlias = Annotated[str, BeforeValidator(clock_time)]


class Verdict(BaseModel):
    """The model's verdict on one proposal."""

    model_config = ConfigDict(extra="ignore")

    index: int
    supported: bool
    about: Literal["speaker", "other"]
    modality: Literal["asserted", "promised", "past", "hypothetical", "question", "joke", "request"]
    due: Day | None = None
    due_time: ClockTime | None = None
    valid_until: Day | None = None
    conflict: Literal["none", "replaces", "unclear"]
    sensitive: Sensitive = "none"
    may_harm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A proposal that is not stored, with the reason, and the evidence if it quoted any."""

    reason: Reason
    kind: str = ""
    evidence: Evidence | None = None

    @property
    def sentence(self) -> str:
        """The person's sentence that the proposal quoted; "" if it quoted none."""
        return self.evidence.text if self.evidence else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A write or removal that passed the evidence rule, with its verdict once there is one.

    `content` is the proposed content, `said` the part that the model wrote: for a patch all fields,
    for a new memory those that differ from their default. `target` is the row that it changes or
    removes, or, for a new memory, a row about the same thing; None if there is none.
    """

    kind: str
    content: dict[str, Any]
    said: dict[str, Any]
    evidence: Evidence
    target: Memory | None = None
    removes: bool = False
    verdict: Verdict | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The new or changed fields."""
        old = self.target.content if self.target else {}
        return {name: value for name, value in self.said.items() if value != old.get(name)}

    def over(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a stored content with `values`."""
        return {**content, **self.values}

    def refused(self, reason: Reason) -> Refusal:
        """Return this proposal as refused."""
        return Refusal(reason=reason, kind=self.kind, evidence=self.evidence)


def read_writes(
    writes: Iterable[PutOp],
    rows: Mapping[str, Memory],
    messages: Sequence[TypedMessage],
    *,
    own: Namespace,
    schemas: Mapping[str, type[BaseModel]],
) -> tuple[list[Proposal], list[Refusal]]:
    """Return collected writes as proposals, and the refusals of those that fail the checks."""
    found = [
        _read(write, rows.get(write.key), messages, own=own, schemas=schemas) for write in writes
    ]
    proposals = [one for one in found if isinstance(one, Proposal)]
    return proposals, [one for one in found if isinstance(one, Refusal)]


def _read(
    write: PutOp,
    target: Memory | None,
    messages: Sequence[TypedMessage],
    *,
    own: Namespace,
    schemas: Mapping[str, type[BaseModel]],
) -> Proposal | Refusal:
    if target is None and tuple(write.namespace) != own.parts:
        return Refusal(reason="unusable")
    if write.value is None:
        return _removal(target, messages)
    kind = str(write.value.get("kind"))
    content = dict(write.value.get("content") or {})
    evidence = find_evidence(str(content.pop("evidence", "") or ""), messages)
    if evidence is None:
        return Refusal(reason="no_evidence", kind=kind)
    unusable = Refusal(reason="unusable", kind=kind, evidence=evidence)
    schema = schemas.get(kind)
    if schema is None or (target is not None and target.kind != kind):
        return unusable
    content = _with_references(clean_content(content), target, evidence.message.references)
    if kind == PROMISE_KIND:
        content |= {name: target.content.get(name) if target else None for name in DUE_FIELDS}
    try:
        valid = schema.model_validate(content)
    except ValidationError:
        return unusable
    content = valid.model_dump(mode="json")
    quoted = [evidence.text, *texts(content)]
    if any(find_credentials(text) or is_redacted(text) for text in quoted):
        return replace(unusable, reason="secret")
    removes = level(kind, content) == 0
    if (
        content.get(SUBJECT_FIELDS.get(kind, "")) == ""
        or links_not_typed(content, messages)
        or (removes and evidence.original.removal_proposed)
    ):
        return unusable
    return Proposal(
        kind=kind,
        content=content,
        said=content if target else valid.model_dump(mode="json", exclude_defaults=True),
        evidence=evidence,
        target=target,
        removes=removes,
    )


def _with_references(
    content: Mapping[str, Any], target: Memory | None, references: References
) -> dict[str, Any]:
    """Return proposed fields with references in place of names.

    A field of `target` that the model left as it was shown stays as it is stored.
    """
    before = target.content if target else {}
    found: dict[str, Any] = {}
    for name, value in content.items():
        is_unchanged = name in before and value == references.shown_in(before[name])
        found[name] = before[name] if is_unchanged else references.stored_in(value)
    return found


def _removal(target: Memory | None, messages: Sequence[TypedMessage]) -> Proposal | Refusal:
    """Return a removal, which has no quote; its source is the newest message that may remove."""
    if target is None:
        return Refusal(reason="unusable")
    newest = next((one for one in reversed(messages) if not one.original.removal_proposed), None)
    if newest is None:
        return Refusal(reason="unusable", kind=target.kind)
    return Proposal(
        kind=target.kind,
        content=target.content,
        said={},
        evidence=whole_message(newest),
        target=target,
        removes=True,
    )
