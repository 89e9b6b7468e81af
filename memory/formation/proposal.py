"""Check LangMem's writes against what the person typed. Pure: no database, no model.

A proposal passes if it quotes the person (`memory.formation.evidence`), has a known kind with valid
fields, and contains no credentials and no link that the person did not type.
`memory.formation.verdict` judges its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from memory.credentials.redaction import find_credentials, is_redacted
from memory.formation.evidence import (
    Evidence,
    TypedMessage,
    find_evidence,
    links_not_typed,
    whole_message,
)
from memory.model.dates import clock_time
from memory.model.sameness import comparable
from memory.model.schemas import (
    DUE_FIELDS,
    PROMISE_KIND,
    SUBJECT_FIELDS,
    Content,
    Subject,
    changed_fields,
    kind_and_subject,
    lenient,
    level,
    named_fields,
    subject_key,
)
from memory.model.text import MAX_TEXT, Json, clean_content, texts
from memory.store.memories import Memory

VerdictReason: TypeAlias = Literal[
    "unsupported",  # the sentence does not say it
    "not_asserted",  # past, hypothetical, a question, joke or request, or ended
    "other_person",
    "sensitive",  # by the installation's policy, too
]
"""Why the verdict refuses a proposal."""
Reason: TypeAlias = Literal[
    VerdictReason,
    "no_evidence",  # the quote is not in the person's words
    "secret",  # it contains a credential
    "unreadable",  # the memory model cannot read the message, and can read others
    "dropped",  # it waited for a day, and something else was forgotten meanwhile
    "full",  # the person has as many memories as are kept
    "unusable",  # an invalid field, a link that was not typed, a row that is gone, a bad answer
]


Sensitive: TypeAlias = Literal[
    "none", "health", "religion", "orientation", "politics", "union", "crime"
]


def _day(value: object) -> object:
    """Return the day of a date with a time, such as ``2026-11-27T17:30``."""
    return value[:10] if isinstance(value, str) else value


def _none_if_invalid(value: object, validate: ValidatorFunctionWrapHandler) -> Any:
    """A day or time in another format costs only that field, not the memory."""
    try:
        return validate(value)
    except ValidationError:
        return None


Day: TypeAlias = Annotated[
    date | None, BeforeValidator(_day), WrapValidator(_none_if_invalid)
]
TimeOfDay: TypeAlias = Annotated[
    str | None, BeforeValidator(clock_time), WrapValidator(_none_if_invalid)
]


class Verdict(BaseModel):
    """The model's verdict on one proposal."""

    index: int
    supported: bool
    about: Literal["speaker", "other"]
    modality: Literal[
        "asserted", "promised", "past", "hypothetical", "question", "joke", "request"
    ]
    due: Day = None
    due_time: TimeOfDay = None
    valid_until: Day = None
    conflict: Literal["none", "replaces", "unclear"]
    sensitive: Sensitive = "none"
    may_harm: bool = False

    @property
    def is_sensitive(self) -> bool:
        """Whether the values reveal a special category."""
        return self.sensitive != "none"


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


class Write(NamedTuple):
    """What a model writes: the value of the memory `key`, in LangMem's shape; None removes it.

    `quote` is the quote of a removal; a value has its own. `about` is what the memory is about that
    a removal means, if the model was not shown it.
    """

    key: str
    value: Mapping[str, Any] | None
    quote: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A write or removal that passed the evidence rule, with its verdict once there is one.

    `content` is the proposed content, with defaults: a default may name what the memory is about.
    `said` is the part that the model wrote: for a patch all fields, for a new memory those that
    differ from their default. `target` is the row that it changes or removes, or, for a new memory,
    a row about the same thing; None if there is none.
    """

    kind: str
    content: Content
    said: Content
    evidence: Evidence
    target: Memory | None = None
    removes: bool = False
    verdict: Verdict | None = None

    @property
    def about(self) -> Subject:
        """What the memory is about."""
        return kind_and_subject(self.kind, self.content)

    @property
    def values(self) -> Json:
        """The new or changed fields."""
        old = self.target.content if self.target else {}
        return changed_fields(self.said, old)

    def refused(self, reason: Reason) -> Refusal:
        """Return this proposal as refused."""
        return Refusal(reason=reason, kind=self.kind, evidence=self.evidence)


Proposed: TypeAlias = tuple[list[Proposal], list[Refusal]]
"""The proposals that passed the checks, and the refusals of the others."""


def read_writes(
    writes: Iterable[Write],
    rows: Mapping[str, Memory],
    messages: Sequence[TypedMessage],
    schemas: Mapping[str, type[BaseModel]],
) -> Proposed:
    """Return collected writes as proposals, and the refusals of those that fail the checks."""
    proposals: list[Proposal] = []
    refused: list[Refusal] = []
    for write in writes:
        target = rows.get(write.key)
        if write.value is not None:
            found = _read(write.value, target, messages, schemas)
        elif target is not None:
            found = _removal(target.kind, target.content, target, write.quote, messages)
        else:
            found = Refusal(reason="unusable")
        if isinstance(found, Proposal):
            proposals.append(found)
        else:
            refused.append(found)
    return proposals, refused


def instead_of(memory: Memory, writes: Iterable[Write]) -> list[Write]:
    """Return what a new sentence says in place of a memory: one write of its kind, or none.

    That is what it says of the same thing, or else of one that the earlier sentence does not name:
    that one may have told of several.
    """
    about = subject_key(memory.kind, memory.content)
    earlier = comparable(" ".join(str(one.get("evidence")) for one in memory.sources))
    others: list[Write] = []
    new: list[Write] = []
    for write in writes:
        value = write.value or {}
        if value.get("kind") != memory.kind:
            continue
        said = subject_key(memory.kind, value.get("content") or {})
        if said == about:
            return [write._replace(key=memory.key)]
        found = others if said in earlier else new
        found.append(write._replace(key=memory.key))
    return [*new, *others][:1]


def named_removals(
    writes: Iterable[Write],
    messages: Sequence[TypedMessage],
    kinds: Iterable[str],
) -> list[Proposal]:
    """Return the removals of what the model was not shown but has named, as each of `kinds`.

    They have only what the model wrote; the caller drops those that are about no memory.
    """
    proposals: list[Proposal] = []
    for write, kind in product(writes, kinds):
        content = {SUBJECT_FIELDS.get(kind, ""): write.about}
        found = _removal(kind, content, None, write.quote, messages)
        if isinstance(found, Proposal):
            proposals.append(found)
    return proposals


def _read(
    value: Mapping[str, Any],
    target: Memory | None,
    messages: Sequence[TypedMessage],
    schemas: Mapping[str, type[BaseModel]],
) -> Proposal | Refusal:
    """Return a proposal to store `value`, or why it cannot be stored."""
    kind = str(value.get("kind"))
    written = dict(value.get("content") or {})
    evidence = find_evidence(str(written.pop("evidence", "") or ""), messages)
    if evidence is None:
        return Refusal(reason="no_evidence", kind=kind)
    unusable = Refusal(reason="unusable", kind=kind, evidence=evidence)
    schema = schemas.get(kind)
    if schema is None or (target is not None and target.kind != kind):
        return unusable
    fields = clean_content(written, MAX_TEXT)
    if kind == PROMISE_KIND:  # only the verdict gives it a due date
        stored = target.content if target else {}
        for name in DUE_FIELDS:
            fields[name] = stored.get(name)
    try:
        valid = lenient(schema, fields)
    except ValidationError:
        return unusable
    content = valid.model_dump(mode="json")
    said = content
    if target is None:
        # A field is said as a whole: in an object, a default may tell which type it has.
        said = named_fields(content, valid.model_dump(exclude_defaults=True))
    proposal = Proposal(
        kind=kind,
        content=content,
        said=said,
        evidence=evidence,
        target=target,
        removes=level(kind, content) == 0,
    )
    reason = _fault(proposal, messages)
    if reason is not None:
        return proposal.refused(reason)
    return proposal


def _fault(proposal: Proposal, messages: Sequence[TypedMessage]) -> Reason | None:
    """Return why a proposal with valid fields cannot be stored."""
    evidence = proposal.evidence
    content = proposal.content
    if any(map(holds_credentials, [evidence.text, *texts(content)])):
        return "secret"
    subject_field = SUBJECT_FIELDS.get(proposal.kind, "")
    if content.get(subject_field) == "" or links_not_typed(content, messages):
        return "unusable"
    if proposal.removes and evidence.original.removal_proposed:
        return "unusable"
    return None


def holds_credentials(text: str) -> bool:
    """Return whether a text contains a credential, or the mark of a redacted one."""
    return bool(find_credentials(text)) or is_redacted(text)


def _removal(
    kind: str,
    content: Content,
    target: Memory | None,
    quote: str,
    messages: Sequence[TypedMessage],
) -> Proposal | Refusal:
    """Return a removal; if it quotes nothing that may remove, its source is the newest message."""
    removing = [one for one in messages if not one.original.removal_proposed]
    if not removing:
        return Refusal(reason="unusable", kind=kind)
    return Proposal(
        kind=kind,
        content=content,
        said={},
        evidence=find_evidence(quote, removing) or whole_message(removing[-1]),
        target=target,
        removes=True,
    )
