"""The judge of the long fault run: what Slack shows, held against what was asked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.e2e.messages import Json, error_sentences, markdown
from tests.person import Person
from tests.soak.questions import MARKER, Question

APOLOGIES = (
    *(
        "turn_failed",
        "model_down",
        "model_refused",
        "model_empty",
        "model_slow",
        "model_policy",
    ),
    *("model_too_long", "model_quota", "model_failed", "held_too_long"),
)
# The answer takes the place of it.
INTERIM = ("held",)
# These stand below an answer for which Slack did not show the thread, or the model took no tools.
NOTES = ("thread_not_now", "thread_long", "thread_refused", "without_tools")


@dataclass(slots=True)
class Verdict:
    """What was found; each line names the marker or place it is about."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)
    cut_short: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    apologies: list[str] = field(default_factory=list)
    interim: list[str] = field(default_factory=list)
    continued: int = 0

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return every kind of violation with what was found of it."""
        return [
            ("lost", self.lost),
            ("answered twice", self.doubled),
            ("in another's thread", self.crossed),
            ("cut short or still streaming", self.cut_short),
            ("messages that answer nothing", self.stray),
            ("answered with an apology only", self.apologies),
            ("interim replies", self.interim),
        ]

    @property
    def complete(self) -> bool:
        """Whether every question has an answer, each is whole, and none is still to come."""
        return not (self.lost or self.cut_short or self.interim)


def judge(questions: Sequence[Question], messages: Sequence[Json]) -> Verdict:
    """Hold every message of the app (with its `channel`) against the questions."""
    verdict = Verdict()
    known = {question.marker: question for question in questions}
    sentences = {sentence for key in APOLOGIES for sentence in error_sentences(key)}
    interim = {sentence for key in INTERIM for sentence in error_sentences(key)}
    notes = {sentence for key in NOTES for sentence in error_sentences(key)}
    apologised: Counter[tuple[str, str]] = Counter()
    answered: Counter[str] = Counter()
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for message in sorted(messages, key=lambda message: float(message["ts"])):
        text = markdown(message)
        place = (message["channel"], message.get("thread_ts", ""))
        for sentence in notes:
            text = text.removesuffix(f"\n\n{sentence}")
        markers = set(MARKER.findall(text)) & set(known)
        if text in sentences:
            apologised[place] += 1
        elif text in interim:
            verdict.interim.append(f"in {place}")
        elif not markers:
            verdict.stray.append(f"{place} {text[:40]!r}")
        for marker in markers:
            said = known[marker].said
            if place != (said.channel, said.thread_ts):
                verdict.crossed.append(f"{marker} in {place}")
                continue
            parts[marker].append(text)
            if message.get("streaming"):
                verdict.cut_short.append(f"{marker} streams in {message['ts']}")
    for marker, texts in parts.items():
        answer = known[marker].answer
        # A stream that breaks is ended where it is, and the answer goes on in the next message.
        answered[marker] = 1 if _joined(texts) == _joined([answer]) else len(texts)
        if answered[marker] == 1 < len(texts):
            verdict.continued += 1
        elif any(text != answer for text in texts):
            verdict.cut_short.append(
                f"{marker} has {sum(map(len, texts))} of {len(answer)}"
            )
    for marker, question in known.items():
        place = (question.said.channel, question.said.thread_ts)
        if answered[marker] > 1:
            verdict.doubled.append(marker)
        elif not answered[marker] and apologised[place]:
            apologised[place] -= 1
            verdict.apologies.append(marker)
        elif not answered[marker]:
            verdict.lost.append(marker)
    # An apology beside the answer is a second answer.
    verdict.doubled += [f"an apology too in {place}" for place in apologised.elements()]
    return verdict


def _joined(texts: Sequence[str]) -> str:
    return "".join("".join(texts).split())


def foreign_words(
    questions: Sequence[Question], requests: Sequence[tuple[str, str]]
) -> list[str]:
    """Return the markers a prompt held which are neither its person's nor of its thread.

    `requests` are pairs of the question asked of the model and everything it was told.
    """
    known = {question.marker: question for question in questions}
    found = set()
    for asks, all_told in requests:
        for marker in set(MARKER.findall(asks)) & set(known):
            said = known[marker].said
            for other in set(MARKER.findall(all_told)) & set(known):
                theirs = known[other].said
                if theirs.person is not said.person and (
                    theirs.channel,
                    theirs.thread_ts,
                ) != (
                    said.channel,
                    said.thread_ts,
                ):
                    found.add(f"{other} for {marker}")
    return sorted(found)


@dataclass(slots=True)
class Remembered:
    """What was found of memories; each line names the marker."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)


def judge_memories(
    questions: Sequence[Question], shown: Mapping[Person, str]
) -> Remembered:
    """Hold each person's list of memories against what they stated: once.

    Each memory is a line, and what was typed, in quotation marks, begins another one.
    """
    verdict = Remembered()
    stated = {one.marker: one.said.person for one in questions if one.states}
    for human, text in shown.items():
        lines = [line for line in text.splitlines() if not line.startswith(("“", "「"))]
        found = Counter(one for line in lines for one in set(MARKER.findall(line)))
        for marker, theirs in stated.items():
            if theirs != human:
                verdict.crossed += [f"{marker} with {human.id}"] * bool(found[marker])
            elif not found[marker]:
                verdict.lost.append(marker)
            elif found[marker] > 1:
                verdict.doubled.append(marker)
    return verdict
