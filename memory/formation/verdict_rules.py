"""Rules by which a verdict lets a proposal be stored, refuses it, or has the person asked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from memory.formation.proposals import ProposedWrite, Reason
from memory.formation.verdicts import SensitivePolicy, Verdict
from memory.model.dates import EARLIEST, LATEST
from memory.model.namespace import DM, Namespace
from memory.model.schemas import INSTRUCTION_KIND


def refusal(
    proposal: ProposedWrite,
    verdict: Verdict | None,
    at: datetime,
    sensitive: SensitivePolicy | None,
) -> Reason | None:
    """Return why the verdict refuses a proposal; None: the proposal is stored or asked."""
    if verdict is None or not verdict.supported:
        return "unsupported"
    may_be_request = proposal.removes or proposal.kind == INSTRUCTION_KIND
    ended = proposal.removes and verdict.modality == "past"
    asked_for = may_be_request and verdict.modality == "request"
    if verdict.modality != "asserted" and not (asked_for or ended):
        return verdict.modality
    if proposal.removes:
        return None
    if verdict.sensitive != "none" and sensitive == "never":
        return "sensitive"
    if verdict.about == "other" and verdict.sensitive == "none":
        return "other_person"
    if verdict.valid_until is not None:
        end = end_of(verdict.valid_until, proposal.evidence.original.zone)
        if end is not None and end <= at:
            return "ended"
    return None


def asks_first(
    proposal: ProposedWrite,
    verdict: Verdict | None,
    own: Namespace,
    sensitive: SensitivePolicy | None,
) -> bool:
    """Return whether the person is asked before a proposal is stored."""
    if verdict is None or proposal.removes:
        return proposal.in_excess or (verdict is not None and verdict.conflict == "unclear")
    if verdict.conflict == "unclear":
        return True
    if verdict.sensitive == "none" or (sensitive == "store" and verdict.about == "speaker"):
        return False
    return sensitive == "ask" or verdict.about == "other" or own.audience != DM


def end_of(day: date, zone: tzinfo) -> datetime | None:
    """Return the end (UTC) of `day` in `zone`; None, for no end, for one after 2099."""
    if day.year >= LATEST.year:
        return None
    day = max(day, EARLIEST.date())
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
