"""People, what is remembered of them, and questions that some of it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

Asks: TypeAlias = Literal["direct", "indirect", "changed", "dated", "several", "unknown"]
ASKS: tuple[Asks, ...] = get_args(Asks)
OURS = Path(__file__).parent / "questions.jsonl"
# LoCoMo's numbers, as its paper orders them: several hops, time, open domain, one hop, adversarial.
_LOCOMO: dict[int, Asks] = {1: "several", 2: "dated", 3: "indirect", 4: "direct", 5: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A memory: its kind and fields as the app stores them, under a name of the set."""

    name: str
    kind: str
    content: dict[str, Any]

    @property
    def text(self) -> str:
        """The embedded text: its values."""
        return " ".join(str(value) for value in self.content.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and the names of the memories that answer it; none for what is not known."""

    asks: Asks
    language: str
    text: str
    answers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """One person of the set."""

    name: str
    known: tuple[Known, ...]
    questions: tuple[Question, ...]


def our_people(path: Path = OURS) -> list[Someone]:
    """Return the people of the set that comes with the bench."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [_someone(name, lines) for name in dict.fromkeys(line["person"] for line in lines)]


def _someone(name: str, lines: Iterable[dict[str, Any]]) -> Someone:
    own = [line for line in lines if line["person"] == name]
    return Someone(
        name=name,
        known=tuple(
            Known(name=line["memory"], kind=line["kind"], content=line["content"])
            for line in own
            if "memory" in line
        ),
        questions=tuple(
            Question(
                asks=line["asks"],
                language=line["language"],
                text=line["question"],
                answers=frozenset(line["answers"]),
            )
            for line in own
            if "question" in line
        ),
    )


def locomo_people(path: Path) -> list[Someone]:
    """Return the conversations of a LoCoMo file, each as one person whose memories are its turns.

    The file is not part of the bench; its owners publish it under their own licence. Source:
    Maharana et al., "Evaluating Very Long-Term Conversational Memory of LLM Agents" (ACL 2024).
    Raises `ValueError` for a file that is not LoCoMo's.
    """
    samples = json.loads(path.read_text("utf-8"))
    if not isinstance(samples, list) or not all(
        isinstance(one, dict) and {"conversation", "qa"} <= one.keys() for one in samples
    ):
        raise ValueError(
            f"{path} is not LoCoMo's file: a list of samples with `conversation` and `qa` is"
            " expected, as in its locomo10.json."
        )
    return [_conversation(str(number), sample) for number, sample in enumerate(samples)]


def _conversation(number: str, sample: dict[str, Any]) -> Someone:
    known = tuple(_turns(sample["conversation"]))
    names = {one.name for one in known}
    questions = tuple(
        Question(
            asks=asks,
            language="en",
            text=str(one["question"]),
            answers=frozenset() if asks == "unknown" else frozenset(one["evidence"]) & names,
        )
        for one in sample["qa"]
        if (asks := _LOCOMO.get(one.get("category", 0)))
    )
    return Someone(name=f"locomo-{number}", known=known, questions=questions)


def _turns(conversation: dict[str, Any]) -> Iterator[Known]:
    for session, turns in conversation.items():
        if not isinstance(turns, list):
            continue
        when = conversation.get(f"{session}_date_time", "")
        for turn in turns:
            text = f"{turn['speaker']}: {turn['text']} ({when})"
            yield Known(name=turn["dia_id"], kind="UserFact", content={"fact": text})
