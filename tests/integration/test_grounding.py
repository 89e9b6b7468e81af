"""The corpus: what people write, what a model makes of it, and what may come of that.

Each turn of tests/data/grounding is delivered as Slack delivers it and remembered by the real
LangMem in the real PostgreSQL, in a namespace of its own. The model tries to store and remove all
that the turn lists, the false things with every piece of text it has seen as their evidence.

A turn has ``text`` (Slack's), ``attachments``, ``files``, ``blocks``; ``thread``: what another
person wrote there before; ``asked``: our last reply; ``known``, ``keeps``, ``ends``: what was
remembered before; the model tries to remove what is in the last two, and may remove what is in the
last. ``true`` and ``false`` pair what the model tries to remember with the words it quotes. A
subject is a food, liked, or disliked with a ``~`` before it, or a ``tech:`` topic, a ``fact:`` or,
with ``do:``, how to answer.
"""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from bot.messages import Message, read_message
from bot.turns import unformed
from bot.words import plain, typed
from memory import Embedder, Former, Pool, Words, memory_model, person_transaction, view
from memory.clauses import Said
from tests.conftest import ROOT
from tests.integration.scripted_model import Call, ScriptedModel, Shown, Step

CORPUS = ROOT / "tests" / "data" / "grounding"
FILES = ("en", "ja", "held_out", "second", "third")
BOT = "UBOT"
OTHER = "U9"
AT_ONCE = 6

_TEXTS = {"tech": "topic", "fact": "fact", "do": "instruction", "": "food_name"}
_NAMES = {"tech": "UserTechInterest", "fact": "UserFact", "do": "UserInstruction"}
_LEVELS = {"tech": "interest_level", "": "preference"}


@dataclass(frozen=True)
class Turn:
    """One entry, with a place of its own in Slack."""

    number: int
    given: dict[str, Any]

    @property
    def message(self) -> Message | None:
        """What the app reads of Slack's event."""
        event = {
            "type": "message",
            "channel_type": "im",
            "user": f"U{self.number}X",
            "channel": f"D{self.number}",
            "ts": f"17{self.number:08}.000300",
            "thread_ts": f"17{self.number:08}.000100",
            **{k: v for k, v in self.given.items() if k in _SLACK},
        }
        body = {"event_id": f"Ev{self.number}", "team_id": "T1", "event": event}
        return read_message(body, BOT)

    def listed(self, name: str) -> list[Any]:
        """Return one of the entry's lists."""
        return list(self.given.get(name, []))

    @property
    def before(self) -> list[str]:
        """What was remembered before."""
        return self.listed("known") + self.listed("keeps") + self.listed("ends")

    @property
    def expected(self) -> set[str]:
        """What is to be remembered afterwards."""
        told = {subject for subject, _ in self.listed("true")}
        return (set(self.before) | told) - set(self.listed("ends"))

    def evidence(self, quote: str) -> list[str]:
        """Return all that a model could quote: the words given, and every piece it has seen."""
        pieces = [quote, self.given["text"], plain(self.given["text"], BOT)]
        pieces += [self.given.get("asked", ""), *self.listed("thread")]
        pieces += [str(a.get("text", "")) for a in self.listed("attachments")]
        said = Said(Words(text=typed(self.given["text"], BOT), channel="D1", ts="1.1"))
        pieces += [said.shown, *(clause.text for clause in said.clauses)]
        return [piece for piece in dict.fromkeys(pieces) if piece]


_SLACK = ("text", "blocks", "attachments", "files", "subtype")


def turns(name: str) -> list[Turn]:
    """Read one file of the corpus."""
    entries = tomllib.loads((CORPUS / f"{name}.toml").read_text())["turn"]
    return [Turn(number, entry) for number, entry in enumerate(entries, start=1)]


def value(subject: str) -> tuple[str, dict[str, Any]]:
    """Return the kind and content that a subject stands for."""
    bare = subject.removeprefix("~")
    kind, colon, text = bare.partition(":")
    if not colon or kind not in _TEXTS:
        kind, text = "", bare
    content: dict[str, Any] = {_TEXTS[kind]: text}
    if level := _LEVELS.get(kind):
        content[level] = 5 if subject.startswith("~") else 80
    return _NAMES.get(kind, "UserFoodPreference"), content


def named(kind: str, content: dict[str, Any]) -> str:
    """Return the subject that a stored memory stands for."""
    prefix = next((k for k, name in _NAMES.items() if name == kind), "")
    text = str(content[_TEXTS[prefix]])
    level = content.get(_LEVELS.get(prefix, ""))
    return ("~" if level is not None and level < 50 else "") + (prefix and f"{prefix}:") + text


def attempts(turn: Turn, shown: Shown) -> list[Call]:
    """Return what the model tries, the false things first."""
    calls: list[Call] = []
    for subject, quote in turn.listed("false"):
        kind, content = value(subject)
        calls += [(kind, {**content, "evidence": piece}) for piece in turn.evidence(quote)]
    for subject, quote in turn.listed("true"):
        kind, content = value(subject)
        calls.append((kind, {**content, "evidence": quote}))
    for subject in turn.listed("keeps") + turn.listed("ends"):
        _, content = value(subject)
        (text, *_) = [v for v in content.values() if isinstance(v, str)]
        calls.append(("RemoveDoc", {"json_doc_id": shown.id_of(text)}))
    for subject in turn.listed("keeps"):
        kind, content = value(subject)
        ended = {k: 0 if isinstance(v, int) else v for k, v in content.items()}
        calls += [(kind, {**ended, "evidence": piece}) for piece in turn.evidence("")]
    return calls


async def deliver(database: str, turn: Turn) -> Message | None:
    """Store what was remembered and said before, and the turn itself, as the app leaves it."""
    message = turn.message
    if message is None:
        return None
    own = message.person.namespace("dm")
    said: list[tuple[str, str, str, str | None]] = [
        (OTHER, text, "", None) for text in turn.listed("thread")
    ]
    if "asked" in turn.given:
        said.append((message.user_id, "hello", "", turn.given["asked"]))
    said.append((message.user_id, message.text, typed(message.text, BOT), "ok"))
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        for subject in turn.before:
            kind, content = value(subject)
            await connection.execute(
                "INSERT INTO store (prefix, key, value) VALUES (%s, %s, %s)",
                (own.prefix, str(uuid4()), Jsonb({"kind": kind, "content": content})),
            )
        for number, (user, question, words, reply) in enumerate(said):
            row = {
                "id": uuid4(),
                "user": user,
                "channel": message.channel_id,
                "thread": message.thread,
                "ts": f"17{turn.number:08}.0001{number:02}",
                "question": plain(question, BOT),
                "words": words,
                "reply": reply,
            }
            await connection.execute(
                "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience,"
                " question_ts, question, words, reply, status, ended_at, formed_at)"
                " VALUES (%(id)s, 'T1',"
                " %(user)s, %(channel)s, %(thread)s, 'dm', %(ts)s, %(question)s, %(words)s,"
                " %(reply)s, 'answered', now(), CASE WHEN %(words)s = '' THEN now() END)",
                row,
            )
    return message


async def remember(
    pool: Pool, database: str, former: Former, script: list[Step], turn: Turn
) -> str | None:
    """Let one turn be remembered; return what went wrong, or None."""
    message = await deliver(database, turn)
    assert message is not None
    own = message.person.namespace("dm")
    async with person_transaction(pool, message.person) as connection:
        _, words = await unformed(connection, own, 20)
    script[:] = [lambda shown: attempts(turn, shown)]
    formed = await former.form(view(own), words)
    async with person_transaction(pool, message.person) as connection:
        found = await connection.execute("SELECT value FROM store WHERE prefix = %s", (own.prefix,))
        rows = [row["value"] for row in await found.fetchall()]
    stored = {named(row["kind"], row["content"]) for row in rows}
    if stored == turn.expected:
        return None
    wrong, lost = stored - turn.expected, turn.expected - stored
    return f"{turn.given['text']!r}: wrong {wrong or '{}'}, lost {lost or '{}'}, {formed.refused}"


@pytest.mark.parametrize("name", FILES)
async def test_only_what_the_person_says_is_remembered(
    pool: Pool, model_embedder: Embedder, model: ScriptedModel, database: str, name: str
) -> None:
    """Whatever the model tries: no wrong row, no wrong removal, and no true statement lost."""
    waiting = turns(name)[::-1]
    failures: list[str | None] = []

    async def work(number: int) -> None:
        voice = f"voice-{number}"
        script = model.scripts.setdefault(voice, [])
        chat = memory_model(model=voice, api_key="none", base_url=model.base_url)
        former = Former(pool, model_embedder, chat)
        while waiting:
            failures.append(await remember(pool, database, former, script, waiting.pop()))

    await asyncio.gather(*map(work, range(AT_ONCE)))
    assert not any(failures), "\n".join(filter(None, failures))


def test_the_corpus_is_large_enough() -> None:
    """At least 240 turns, about half in each language, with at least 80 true statements."""
    everything = [turn for name in FILES for turn in turns(name)]
    assert len(everything) >= 240
    assert min(len(turns("en")), len(turns("ja"))) >= 120
    assert sum(len(turn.listed("true")) for turn in everything) >= 80
    assert sum(len(turn.listed("false")) + len(turn.listed("keeps")) for turn in everything) >= 240
