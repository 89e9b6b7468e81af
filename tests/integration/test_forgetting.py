"""Forgetting by time, and ten minutes to take it back, on the real PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from bot.conversation.inbox import ClaimedMessage
from bot.conversation.turns import begin_turn, end_turn
from bot.forgetting.forgetting import end_texts
from bot.remembering.formation import form_memories, read_unformed
from memory import (
    DM,
    ChangeGone,
    Embedder,
    Former,
    Namespace,
    Person,
    Pool,
    Selection,
    create_pool,
    forget,
    undo_forgetting,
)
from memory.postgres import person_transaction
from memory.store import (
    expire_due,
    forgotten_among,
    forgotten_since,
    read_not_remembered,
)
from memory.store.forgetting import Forgotten
from tests.databases import naming, owner_rows
from tests.integration.app import App
from tests.integration.deliveries import claimed_anew, record, without_limits
from tests.integration.messages import message
from tests.integration.scripted_model import Call, ScriptedModel, Shown, food
from tests.memories import put_memory

ALICE = Person("T1", "U1")
BOB = Person("T1", "U12")
OWN = ALICE.namespace(DM)
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@dataclass
class Data:
    """What Alice and Bob told, and how it is forgotten."""

    pool: Pool
    database: str
    embedder: Embedder

    def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the database as its owner."""
        return owner_rows(self.database, statement, *parameters)

    def remember(self, name: str, *places: str, namespace: Namespace = OWN) -> str:
        """Store a food said at `places` (timestamps in D1); return its key."""
        sources = [
            {"kind": "message", "channel": "D1", "ts": ts, "evidence": f"I love {name}"}
            for ts in places
        ]
        value = {
            "kind": "UserFoodPreference",
            "content": {"food_name": name, "preference": 33, "description": 'é\\"\n語'},
            "sources": sources,
            "confirmed_at": "2026-11-20T08:00:00.123456+00:00",
        }
        return put_memory(
            self.database, namespace, value, at="2026-01-02 03:04:05.678901+00"
        )

    async def turn(
        self,
        ts: str,
        question: str,
        reply: str,
        formed: bool = True,
        removal_proposed: bool = False,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Let a person ask and be answered; `meanwhile` is awaited before the answer ends."""
        waiting = await waiting_for(self.pool, ts, question)
        app = without_limits(self.pool)
        turn = await begin_turn(app, waiting, question=question, words=question)
        await record(self.pool, turn, f"{ts}9")
        if meanwhile is not None:
            await meanwhile()
        await end_turn(
            app,
            turn,
            "answered",
            reply=reply,
            removal_proposed=removal_proposed,
        )
        if formed:
            self.rows("UPDATE messages SET formed_at = now() WHERE id = %s", turn.id)

    def texts(self) -> dict[str, tuple[str, str, str | None]]:
        """Return question, words and reply of every turn, by timestamp."""
        rows = self.rows("SELECT ts, question, words, reply FROM messages")
        return {r["ts"]: (r["question"], r["words"], r["reply"]) for r in rows}

    def receipts(self) -> set[tuple[str, str, str]]:
        """Return who forgot what was said where."""
        rows = self.rows("SELECT user_id, channel, ts FROM forgotten_messages")
        return {(r["user_id"], r["channel"], r["ts"]) for r in rows}

    async def forget(self, *keys: str) -> Forgotten:
        """Forget as the application does."""
        return await forget(self.pool, ALICE, Selection(keys=keys))

    async def purge(self, *, days: int = 0) -> None:
        """Let ten minutes pass, or more."""
        waited = timedelta(days=days, minutes=11)
        self.rows(
            "WITH earlier AS (UPDATE messages SET begun_at = begun_at - %s)"
            " UPDATE forgotten SET at = at - %s WHERE purged_at IS NULL",
            waited,
            waited,
        )
        await expire_due(self.pool, end_texts=end_texts)

    async def undo(self, done: Forgotten) -> int:
        """Take it back; return the number of memories."""
        assert done.id is not None
        return len(await undo_forgetting(self.pool, self.embedder, ALICE, done.id))


async def waiting_for(pool: Pool, ts: str, text: str) -> ClaimedMessage:
    """Store a direct message; return it as claimed."""
    said = message(text, user_id=ALICE.user_id, channel_id="D1", ts=ts, thread_ts=ts)
    return await claimed_anew(without_limits(pool), said)


@pytest.fixture
def data(pool: Pool, database: str, embedder: Embedder) -> Data:
    """What is tested."""
    return Data(pool, database, embedder)


# --- gone ----------------------------------------------------------------------------------


async def test_rows_and_vectors_are_gone(data: Data) -> None:
    """What is forgotten has no row and vector, and its statement is hidden; all else stays."""
    ramen = data.remember("ramen")
    data.remember("sushi")
    data.remember("ramen", namespace=BOB.namespace(DM))
    done = await data.forget(ramen)
    assert [memory.key for memory in done.memories] == [ramen]
    for table in ("store", "store_vectors"):
        assert data.rows(f"SELECT 1 AS one FROM {table} WHERE key = %s", ramen) == []
        assert len(data.rows(f"SELECT 1 AS one FROM {table}")) == 2
    async with person_transaction(data.pool, ALICE) as transaction:
        assert (await transaction.execute("SELECT FROM statements")).rowcount == 1


async def test_every_earlier_text_is_gone_when_it_cannot_come_back(data: Data) -> None:
    """What was said since stays. Nothing is searched for words: none could be complete.

    Until then an Undo finds all of it, and the model is shown nothing of before.
    """
    await data.turn("1.1", "I love ramen", "You like ramen!")
    await data.turn("1.2", "what time is it?", "Late.")
    ramen = data.remember("ramen", "1.1")
    await data.forget(ramen)
    await data.turn("1.3", "and now?", "Later.")
    assert data.texts()["1.1"] == ("I love ramen", "I love ramen", "You like ramen!")
    await data.purge()
    assert data.texts() == {
        "1.1": ("", "", None),
        "1.2": ("", "", None),
        "1.3": ("and now?", "and now?", "Later."),
    }


@pytest.mark.parametrize("days", [0, 1])
async def test_words_that_were_never_formed_wait_for_a_day(
    data: Data, days: int
) -> None:
    """Of their messages and answers nothing else is left; what is dropped is told, for a day."""
    await data.turn("1.1", "I love ramen", "You like ramen!", formed=False)
    await data.turn("1.2", "I love sushi", "You like sushi!", formed=False)
    await data.forget(data.remember("ramen", "1.1"))
    await data.purge(days=days)
    words = "" if days else "I love sushi"
    assert data.texts() == {"1.1": ("", "", None), "1.2": ("", words, None)}
    told = await read_not_remembered(data.pool, ALICE)
    dropped = [("I love sushi", "dropped")] if days else []
    assert [(one.sentence, one.reason) for one in told] == dropped
    data.rows("UPDATE messages SET formed_at = now()")
    await expire_due(data.pool, end_texts=end_texts)
    assert naming(data.database, "sushi").keys() == ({"statements"} if days else set())
    assert data.rows("SELECT id FROM forgotten WHERE purged_at IS NULL") == []


async def test_a_message_that_waits_for_its_answer_keeps_its_text_until_then(
    data: Data,
) -> None:
    """A text from before a forgetting goes with the answer, which is not stored."""

    async def meanwhile() -> None:
        await data.forget(data.remember("ramen"))
        await data.purge()
        assert data.texts()["1.1"] == ("what else?", "what else?", None)

    await data.turn("1.1", "what else?", "Ramen!", meanwhile=meanwhile)
    await expire_due(data.pool, end_texts=end_texts)
    assert data.texts()["1.1"] == ("", "", None)


@pytest.mark.parametrize("undone", [False, True])
async def test_a_reply_that_is_being_made_while_it_is_forgotten_is_not_kept(
    data: Data, undone: bool
) -> None:
    """No answer is stored if its author forgot something since it began, even if they undid it."""
    await data.forget(data.remember("sushi"))
    ramen = data.remember("ramen")
    done: list[Forgotten] = []

    async def meanwhile() -> None:
        done.append(await data.forget(ramen))
        if undone:
            await data.undo(done[0])

    await data.turn(
        "1.2", "more ramen?", "Since you love ramen: yes.", meanwhile=meanwhile
    )
    assert data.texts()["1.2"] == ("more ramen?", "more ramen?", None)
    await data.turn("1.3", "and tea?", "Green tea.")
    assert data.texts()["1.3"] == ("and tea?", "and tea?", "Green tea.")


async def test_a_receipt_is_left(data: Data) -> None:
    """What is left says where it was said, so that the same message is never read again."""
    await data.turn("1.1", "I love ramen", "You like ramen!")
    ramen = data.remember("ramen", "1.1", "0.5")
    await data.forget(ramen)
    assert data.receipts() == {("U1", "D1", "1.1"), ("U1", "D1", "0.5")}
    said = [("D1", "1.1"), ("D1", "0.5")]
    others = [("D1", "2.2"), ("D2", "1.1")]
    async with person_transaction(data.pool, ALICE) as transaction:
        assert await forgotten_among(transaction, [*said, *others]) == set(said)
    async with person_transaction(data.pool, BOB) as transaction:
        assert await forgotten_among(transaction, said) == set()


# --- taken back ----------------------------------------------------------------------------


async def test_an_undo_expires_after_ten_minutes(data: Data) -> None:
    """After ten minutes nothing comes back, also before the upkeep has run."""
    done = await data.forget(data.remember("ramen"))
    data.rows("UPDATE forgotten SET at = now() - interval '601 s'")
    with pytest.raises(ChangeGone):
        await data.undo(done)
    assert data.rows("SELECT 1 AS one FROM store") == []


async def test_the_keys_of_what_was_forgotten_are_told_until_it_is_undone(
    data: Data,
) -> None:
    """A database that was restored from a backup forgets them again."""
    ramen, sushi = data.remember("ramen"), data.remember("sushi")
    done = await data.forget(ramen)
    await data.forget(sushi)

    async def told() -> list[str]:
        found = await forgotten_since(data.database, YESTERDAY)
        assert {(one["team_id"], one["user_id"]) for one in found} == {("T1", "U1")}
        return [key for one in found for key in one["keys"]]

    assert await told() == [ramen, sushi]
    assert await data.undo(done) == 1
    assert await told() == [sushi]
    await data.purge()
    assert await told() == [sushi]
    assert len(data.rows("SELECT 1 AS one FROM statements")) == 1


@pytest.mark.parametrize("first_back", ["first", "second"])
async def test_a_message_in_which_two_things_were_said(
    data: Data, first_back: str
) -> None:
    """While one of the two is forgotten the other is not quoted; both come back with quotes."""
    await data.turn("1.1", "I love ramen and sushi", "Good to know!")
    ramen, sushi = data.remember("ramen", "1.1"), data.remember("sushi", "1.1")
    quotes = "SELECT value->'sources'->0->>'evidence' AS quote FROM store ORDER BY 1"
    done = [await data.forget(ramen)]
    assert data.rows(quotes) == [{"quote": ""}]
    done.append(await data.forget(sushi))
    if first_back == "second":
        done.reverse()
    assert await data.undo(done[0]) == 1
    assert ("U1", "D1", "1.1") in data.receipts()
    assert await data.undo(done[1]) == 1
    assert data.receipts() == set()
    assert [one["quote"] for one in data.rows(quotes)] == [
        "I love ramen",
        "I love sushi",
    ]
    await data.forget(ramen)
    await data.purge()
    assert data.rows("SELECT evidence FROM statements") == [{"evidence": ""}]
    assert naming(data.database, "ramen") == {}


# --- never again ---------------------------------------------------------------------------


async def test_forgotten_turns_are_neither_formed_nor_read_as_context(
    data: Data,
) -> None:
    """The next turn is told nothing of before; other words of before are formed all the same."""
    await data.turn("1.1", "I love ramen", "You like ramen!", formed=False)
    await data.turn("1.2", "I love sushi", "You like sushi!", formed=False)
    await data.forget(data.remember("ramen", "1.1"))
    unformed = await read_unformed(data.pool, OWN)
    assert [one.text for one in unformed.words] == ["I love sushi"]
    claimed = await waiting_for(data.pool, "1.3", "hello")
    turn = await begin_turn(
        without_limits(data.pool),
        replace(claimed, message=replace(claimed.message, thread_ts="1.1")),
        question="hello",
        words="hello",
    )
    assert turn.exchanges == ()
    assert turn.recent_words == ()
    assert turn.forgotten_messages == {"1.1"}


async def learn(app: App, former: Former) -> None:
    """Form Alice's memories as after a reply; she wants no notices."""
    app.rows(
        "INSERT INTO person_settings (team_id, user_id, notices, profile_at)"
        " VALUES ('T1', 'U1', false, now()) ON CONFLICT (team_id, user_id) DO UPDATE"
        " SET notices = false, profile_at = now() RETURNING 1"
    )
    settings = app.core.settings.model_copy(update={"formation": "hot"})
    core = replace(app.core, former=former, settings=settings)
    await form_memories(core, "T1", "U1", DM)


def liking(name: str) -> Call:
    """Return the call that remembers what was said to be loved."""
    return food(name, 80, f"I love {name}")


@pytest.mark.parametrize(
    "meanwhile",
    ["words = '', question = ''", "formed_at = now()"],
    ids=["forgotten", "formed"],
)
async def test_words_forgotten_while_they_are_formed(
    app: App, data: Data, former: Former, model: ScriptedModel, meanwhile: LiteralString
) -> None:
    """A formation writes nothing of words that were forgotten, or formed by another, meanwhile."""
    await data.turn("1.1", "I love ramen", "You like ramen!", formed=False)
    await data.turn("1.2", "I love sushi", "You like sushi!", formed=False)
    data.remember("noodles", "1.1")

    def answer(shown: Shown) -> list[Call]:
        # The model has read the words.
        data.rows(f"UPDATE messages SET {meanwhile} WHERE ts = '1.1'")
        assert "I love ramen" in shown.text
        return [liking("ramen"), liking("sushi")]

    model.answer(answer, [liking("sushi")])
    await learn(app, former)
    names = {
        row["value"]["content"]["food_name"]
        for row in data.rows("SELECT value FROM store")
    }
    assert names == {"noodles", "sushi"}
    assert "ramen" not in model.last.text
    assert len(model.requests) == 2


async def test_a_yes_is_read_with_the_question_it_answers(
    app: App, data: Data, former: Former, model: ScriptedModel
) -> None:
    """The question at the end of our last reply is shown beside the words that answer it."""
    await data.turn("1.1", "hello", "Hi! Do you like ramen? Do you like soba?")
    await data.turn("1.2", "Yes", "Good. Noted.", formed=False)
    await data.turn("1.3", "Good night", "Sleep well.", formed=False)
    liked = {"food_name": "soba", "preference": 80, "evidence": "Yes"}
    model.answer([("UserFoodPreference", liked)])
    await learn(app, former)
    assert model.last.text.count("Do you like soba?") == 1
    assert "ramen" not in model.last.text
    assert "Noted" not in model.last.text
    [proposed] = model.proposed
    assert proposed["question"] == "Do you like soba?"


async def test_a_question_of_before_a_forgetting_is_no_context(
    data: Data, former: Former, model: ScriptedModel, app: App
) -> None:
    """A "yes" does not bring back what a question named that was asked before it was forgotten."""
    key = data.remember("ramen", "1.0")
    await data.turn("1.1", "hello", "Hi! Shall I note that you love ramen?")
    await data.turn("1.2", "Yes", "Noted. Do you like soba?", formed=False)
    await data.forget(key)
    await data.turn("1.3", "Yes, sure", "Good.", formed=False)
    model.answer([])
    await learn(app, former)
    assert "Yes, sure" in model.last.text
    assert "ramen" not in model.last.text
    assert "soba" not in model.last.text


async def test_what_a_formation_was_shown_beside_the_words_is_forgotten_meanwhile(
    app: App, data: Data, former: Former, model: ScriptedModel
) -> None:
    """Of words that do not name it, it would come back by the question that they answer."""
    await data.turn("1.1", "hello", "Shall I note that you love ramen?")
    await data.turn("1.2", "Yes", "Noted.", formed=False)
    liked = {"food_name": "ramen", "preference": 80, "evidence": "Yes"}

    def answer(shown: Shown) -> list[Call]:
        assert "you love ramen?" in shown.text
        data.rows(
            "WITH changed AS (UPDATE people SET epoch = nextval('epochs'))"
            " INSERT INTO forgotten (id, team_id, user_id, what)"
            " VALUES (gen_random_uuid(), 'T1', 'U1', 'forgetting') RETURNING 1"
        )
        return [("UserFoodPreference", liked)]

    model.answer(answer, [])
    await learn(app, former)
    assert "ramen" not in model.last.text
    assert data.rows("SELECT value FROM store") == []


async def test_forgetting_and_a_formation_wait_for_each_other(data: Data) -> None:
    """While memories are written none is forgotten, so none can slip through."""
    data.remember("ramen")
    impatient = make_conninfo(data.database, options="-c lock_timeout=200ms")
    with psycopg.connect(data.database) as writing:
        writing.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))",
            (ALICE.prefix,),
        )
        async with create_pool(impatient, min_size=1, max_size=1) as pool:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await forget(pool, ALICE, Selection(everything=True))
    assert len(data.rows("SELECT 1 AS one FROM store")) == 1
