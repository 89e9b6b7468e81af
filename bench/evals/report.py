"""The report: figures by language, and the failed cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.evals.cases import Case
from bench.evals.scoring import Score

STAND_IN = (
    "The answers came from the stand-in model, a script: this run shows that the protocol works,"
    " and its score means nothing."
)
_HEAD = (
    "language",
    "cases",
    "passed",
    "precision",
    "recall",
    "wrong removals",
    "questions",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a case; `score` is None if the model did not answer."""

    case: Case
    score: Score | None
    questions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of one run."""

    at: datetime
    model: str
    results: Sequence[Result]
    stand_in: bool = False

    def table(self) -> str:
        """Return the figures as a Markdown table: one row per language, then the total."""
        rows = [_HEAD, tuple("---" for _ in _HEAD)]
        languages = sorted({one.case.language for one in self.results})
        for language in languages:
            results = [one for one in self.results if one.case.language == language]
            rows.append(_row(language, results))
        rows.append(_row("all", self.results))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def citations(self) -> str:
        """Return how many citations are right, wrong and missing; "" without such a case."""
        scores = [
            one.score
            for one in self.results
            if one.score is not None and one.case.category == "cited"
        ]
        if not scores:
            return ""
        right = sum(one.found for one in scores)
        wrong = sum(len(one.wrong) for one in scores)
        missing = sum(len(one.missed) for one in scores)
        return f"Citations: {right} right, {wrong} wrong, {missing} missing."

    def failed(self) -> list[str]:
        """Return one line for each failed case, with the differences."""
        lines: list[str] = []
        for one in self.results:
            if one.score is None or one.score.passed:
                continue
            missed = [f"not {what}" for what in one.score.missed]
            differences = "; ".join([*missed, *one.score.wrong])
            lines.append(f"{one.case.id}: {differences}")
        return lines

    def unanswered(self) -> list[str]:
        """Return the ids of the cases without an answer from the model."""
        return [one.case.id for one in self.results if one.score is None]

    def document(self) -> str:
        """Return the report as Markdown."""
        lines = [f"# Evaluation of `{self.model}`, {self.at:%Y-%m-%d %H:%M} UTC", ""]
        lines += [self.table(), "", self.citations(), ""]
        lines += [f"- {line}" for line in self.failed()]
        lines += [f"- {case}: no answer" for case in self.unanswered()]
        return "\n".join([*lines, ""])


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    scores = [one.score for one in results if one.score is not None]
    found = sum(one.found for one in scores)
    wrong = sum(len(one.wrong) for one in scores)
    missed = sum(len(one.missed) for one in scores)
    return (
        name,
        str(len(scores)),
        str(sum(one.passed for one in scores)),
        _share(found, wrong),
        _share(found, missed),
        str(sum(one.wrong_removals for one in scores)),
        str(sum(one.questions for one in results)),
    )


def _share(found: int, others: int) -> str:
    if found + others == 0:
        return "–"
    return f"{found / (found + others):.3f}"
