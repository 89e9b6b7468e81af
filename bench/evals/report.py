"""The report: figures by language with calls, tokens and cost; failed cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from bench.evals.cases import Case
from bench.evals.scoring import Score

STAND_IN = (
    "The answers came from the stand-in model, a script: this run shows that the protocol works,"
    " and its score means nothing."
)
_HEAD: tuple[str, ...] = (
    *("language", "cases", "passed", "precision", "recall", "wrong removals", "questions"),
    *("calls", "tokens in", "tokens out", "cost"),
)


@dataclass(slots=True)
class Usage:
    """Model calls, and input and output tokens as reported by the model."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices per million tokens, in any currency; None: unknown."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def cost(self, usage: Usage) -> float | None:
        """Return the cost of `usage`, or None if it is unknown."""
        if self.tokens_in is None or self.tokens_out is None or not usage.tokens_in:
            return None
        return (usage.tokens_in * self.tokens_in + usage.tokens_out * self.tokens_out) / 1e6


class UsageCounter(AsyncCallbackHandler):
    """Adds up the usage that a chat model reports for each call."""

    run_inline = True

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    async def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Count one call."""
        self._usage.calls += 1
        for generations in response.generations:
            for one in generations:
                message = one.message if isinstance(one, ChatGeneration) else None
                if isinstance(message, AIMessage) and message.usage_metadata:
                    self._usage.tokens_in += message.usage_metadata["input_tokens"]
                    self._usage.tokens_out += message.usage_metadata["output_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a case; `score` is None if the model did not answer."""

    case: Case
    score: Score | None
    questions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results of one run; `models` by purpose, `usage` by language."""

    at: datetime
    models: dict[str, str]
    results: Sequence[Result]
    usage: dict[str, Usage]
    prices: Prices = field(default_factory=Prices)
    stand_in: bool = False

    def table(self) -> str:
        """Return the figures as a Markdown table: one row per language, then the total."""
        languages = sorted({one.case.language for one in self.results})
        rows = [_HEAD]
        for language in languages:
            results = [one for one in self.results if one.case.language == language]
            rows.append(self._row(language, results, self.usage.get(language, Usage())))
        whole = Usage()
        for one in self.usage.values():
            whole.calls += one.calls
            whole.tokens_in += one.tokens_in
            whole.tokens_out += one.tokens_out
        rows.append(self._row("all", self.results, whole))
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [_line(row, widths) for row in rows]
        rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""])
        return "\n".join([lines[0], rule, *lines[1:]])

    def failed(self) -> list[str]:
        """Return one line for each failed case, with the differences."""
        return [
            f"{one.case.id} ({one.case.about}): "
            + "; ".join([*(f"not {what}" for what in one.score.missed), *one.score.wrong])
            for one in self.results
            if one.score is not None and not one.score.passed
        ]

    def unanswered(self) -> list[str]:
        """Return the ids of the cases without an answer from the model."""
        return [one.case.id for one in self.results if one.score is None]

    def document(self) -> str:
        """Return the report as Markdown."""
        lines = [f"# Evaluation, {self.at:%Y-%m-%d %H:%M} UTC", ""]
        lines += [f"- {what}: `{model}`" for what, model in self.models.items()]
        if self.stand_in:
            lines += ["", STAND_IN]
        lines += ["", self.table()]
        if failed := self.failed():
            lines += ["", "## Failed", "", *(f"- {line}" for line in failed)]
        if unanswered := self.unanswered():
            lines += ["", "## Without an answer of the model", "", ", ".join(unanswered)]
        return "\n".join([*lines, ""])

    def _row(self, name: str, results: Sequence[Result], usage: Usage) -> tuple[str, ...]:
        scores = [one.score for one in results if one.score is not None]
        found = sum(one.found for one in scores)
        wrong = sum(len(one.wrong) for one in scores)
        missed = sum(len(one.missed) for one in scores)
        cost = self.prices.cost(usage)
        return (
            name,
            str(len(scores)),
            str(sum(one.passed for one in scores)),
            _share(found, found + wrong),
            _share(found, found + missed),
            str(sum(one.wrong_removals for one in scores)),
            str(sum(one.questions for one in results)),
            str(usage.calls),
            str(usage.tokens_in) if usage.tokens_in else "–",
            str(usage.tokens_out) if usage.tokens_in else "–",
            "–" if cost is None else f"{cost:.4f}",
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "–"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
    cells[0] = row[0].ljust(widths[0])
    return f"| {' | '.join(cells)} |"
