"""Quotas: counted for all replicas, said once, and nothing asked of the model beyond them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import psycopg
import pytest

from bot.locale import LANGUAGES, say
from bot.pipeline.sources import UPDATE_FROM_TURN
from bot.runtime.ask import AskHandler
from bot.slack.messages import Message
from bot.users.quotas import ExhaustedQuota, QuotaExceeded
from bot.views.refusals import QuotedSentence
from memory import Person, TokenUse, execute_statement
from tests.integration.app import App, MakeApp, eventually, receiving
from tests.integration.modal_user import ModalUser
from tests.integration.playground_slack import PersonThread
from tests.integration.test_audiences import remembered
from tests.integration.test_order import changed
from tests.integration.test_own_commands import memories

pytestmark = pytest.mark.usefixtures("within_an_hour")


def tokens_used(tokens: int) -> TokenUse:
    """Return so many tokens of a model without a price."""
    return Counter({("a-model", "input"): tokens})


@pytest.mark.parametrize(
    ("seconds", "minutes", "hours"),
    [(3600.0, 60, 1), (3599.0, 60, 1), (61.0, 2, 1), (0.5, 1, 1), (-5.0, 1, 1), (7201.0, 121, 3)],
)
def test_times_are_told_in_whole_units(seconds: float, minutes: int, hours: int) -> None:
    """The time left is rounded up, and never nothing."""
    assert ExhaustedQuota(sentence="quota_messages", limit=1, seconds=seconds).count == minutes
    assert ExhaustedQuota(sentence="quota_tokens", limit=1, seconds=seconds).count == hours


async def test_beyond_their_messages_a_person_is_told_once(make_app: MakeApp) -> None:
    """The first message beyond the quota is answered with one sentence, further ones not at all."""
    app = await make_app(person_messages_per_hour=2)
    place, other = app.slack.place(), app.slack.place()
    asked = [await app.ask(place, f"I like food {number}") for number in range(5)]
    answers = [app.replies(message) for message in asked]
    assert [len(answer) for answer in answers] == [1, 1, 1, 0, 0]
    [sentence] = answers[2]
    assert any(
        sentence == say("en", "quota_messages", limit=2, count=minutes) for minutes in range(61)
    )
    assert [prompt[-1]["content"] for prompt in app.prompts()] == [
        "I like food 0",
        "I like food 1",
    ]
    assert [app.event(message)["status"] for message in asked] == ["done"] * 5
    assert app.turn(asked[2])["words"] == ""
    assert app.find("turns", asked[3]) is None
    theirs = await app.ask(other, "Hello")
    assert app.turn(theirs)["status"] == "answered"
    app.rows("UPDATE inbox_events SET received_at = received_at - interval '1 hour'")
    app.rows("UPDATE notices SET expires_at = now() - interval '1 second'")
    again = await app.ask(place, "Hello again")
    assert app.turn(again)["reply"]


async def test_beyond_its_tokens_a_workspace_is_not_answered(make_app: MakeApp) -> None:
    """Once the day's tokens are used up each person is told once; the next day it goes on."""
    app = await make_app(workspace_tokens_per_day=5)
    ann, bob = app.slack.place(), app.slack.place()
    first = await app.ask(ann, "Hello")
    [used] = app.rows("SELECT tokens FROM token_use")
    assert used["tokens"] > 5
    assert app.turn(first)["reply"]
    asked = len(app.prompts())
    for place in (ann, bob):
        told, silent = await app.ask(place, "One"), await app.ask(place, "Two")
        [sentence] = app.replies(told)
        assert sentence in [say("en", "quota_tokens", count=hours) for hours in range(25)]
        assert app.replies(silent) == []
    assert len(app.prompts()) == asked
    app.rows("UPDATE token_use SET day = day - 1")
    app.rows("UPDATE notices SET expires_at = now() - interval '1 second'")
    assert app.turn(await app.ask(ann, "Hello"))["reply"]
    await app.wiring.quotas.spend(first.team_id, tokens_used(7))
    tokens = {row["tokens"] for row in app.rows("SELECT tokens FROM token_use")}
    assert tokens == {used["tokens"], max(tokens)}


async def test_tokens_add_up(make_app: MakeApp) -> None:
    """What each replica uses is counted together, none of it twice."""
    app = await make_app(workspace_tokens_per_day=1_000)
    await asyncio.gather(
        *(app.wiring.quotas.spend("T1", tokens_used(number)) for number in range(20))
    )
    assert app.rows("SELECT tokens FROM token_use") == [{"tokens": 190}]
    assert await app.wiring.quotas.tokens_used_up("T1") is None
    await app.wiring.quotas.spend("T1", tokens_used(810))
    used_up = await app.wiring.quotas.tokens_used_up("T1")
    assert used_up is not None
    assert 0 < used_up.seconds <= 86_400
    assert await app.wiring.quotas.tokens_used_up("T2") is None


async def test_calls_that_end_together_are_written_together(make_app: MakeApp) -> None:
    """Without a limit nobody waits for the row of the workspace: two writes for twenty calls."""
    app = await make_app()
    app.rows("CREATE TABLE written AS SELECT 1 AS write LIMIT 0")
    app.rows("GRANT INSERT ON written TO PUBLIC")
    app.rows(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO written VALUES (1); RETURN NULL; END'"
    )
    app.rows("CREATE TRIGGER note AFTER INSERT OR UPDATE ON token_use EXECUTE FUNCTION note()")
    await app.wiring.quotas.spend("T1", tokens_used(1))
    await asyncio.sleep(0)
    for number in range(19):
        await app.wiring.quotas.spend(f"T{number % 2 + 1}", tokens_used(1))
    await app.wiring.quotas.written()
    used = app.rows("SELECT team_id, calls, tokens FROM token_use ORDER BY team_id")
    assert used == [
        {"team_id": "T1", "calls": 11, "tokens": 11},
        {"team_id": "T2", "calls": 9, "tokens": 9},
    ]
    assert len(app.rows("SELECT 1 FROM written")) <= 4


async def test_a_call_waits_for_its_own_batch_only(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit nobody waits for what others add meanwhile; a cancelled caller is counted."""
    app = await make_app(workspace_tokens_per_day=1_000)
    begun: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def when_let(*arguments: Any, **options: Any) -> Any:
        await begun.put(let := asyncio.Event())
        await let.wait()
        return await execute_statement(*arguments, **options)

    monkeypatch.setattr("bot.users.quotas.execute_statement", when_let)
    spend = app.wiring.quotas.spend
    async with asyncio.timeout(60):
        first = asyncio.create_task(spend("T1", tokens_used(1)))
        writing = await begun.get()
        later = [asyncio.create_task(spend("T1", tokens_used(10))) for _ in range(3)]
        await asyncio.sleep(0)
        writing.set()
        await first
        assert not any(task.done() for task in later)
        writing = await begun.get()
        later[0].cancel()
        writing.set()
        await asyncio.wait(later)
    assert [task.cancelled() for task in later] == [True, False, False]
    assert app.rows("SELECT calls, tokens FROM token_use") == [{"calls": 4, "tokens": 31}]


async def test_remembering_counts_too(make_app: MakeApp) -> None:
    """Formation's tokens are counted, and it waits for the next day where none are left."""
    app = await make_app(workspace_tokens_per_day=1_000_000)
    asked = await app.ask(app.slack.place(), "I love ramen.")
    [replied] = app.rows("SELECT tokens FROM token_use")
    app.rows("DELETE FROM procrastinate_jobs")
    app.rows("UPDATE token_use SET tokens = 1000000")
    await app.wiring.formation_jobs.form(asked.team_id, asked.user_id, "dm")
    assert await app.memories(asked.person) == []
    [job] = app.formations(asked.person)
    assert 0 < job["due_in"] <= 86_401
    app.rows("UPDATE token_use SET tokens = %s", replied["tokens"])
    await app.wiring.formation_jobs.form(asked.team_id, asked.user_id, "dm")
    assert len(await app.memories(asked.person)) == 1
    [both] = app.rows("SELECT tokens FROM token_use")
    assert both["tokens"] > replied["tokens"] + 100


async def test_without_limits_nothing_is_refused(make_app: MakeApp) -> None:
    """A limit of 0 is none; calls and tokens are counted for `kioku usage`."""
    app = await make_app()
    place = app.slack.place()
    asked = await app.ask(place, "Hello")
    assert app.turn(asked)["status"] == "answered"
    await app.wiring.quotas.written()
    [used] = app.rows("SELECT calls, tokens FROM token_use")
    assert used["calls"] == 1
    assert used["tokens"] > 100
    app.rows("UPDATE token_use SET tokens = 1000000000")
    again = await app.ask(place, "Hello")
    assert app.turn(again)["status"] == "answered"


async def test_tokens_that_cannot_be_counted_cost_no_answer(make_app: MakeApp) -> None:
    """While the database is away the model's answer is not lost for its bill."""
    app = await make_app(workspace_tokens_per_day=5)
    await app.pool.close()
    await app.wiring.quotas.spend("T1", tokens_used(7))


async def test_a_process_ends_without_waiting_for_its_counts(make_app: MakeApp) -> None:
    """PostgreSQL that does not answer holds up the end of a process for two seconds at most."""
    app = await make_app()
    with psycopg.connect(app.database) as owner:
        owner.execute("LOCK TABLE token_use")
        await app.wiring.quotas.spend("T1", tokens_used(7))
        async with asyncio.timeout(20):
            await app.wiring.quotas.close()
    await app.wiring.quotas.written()
    assert app.rows("SELECT tokens FROM token_use") == [{"tokens": 7}]


def requests_of(app: App) -> list[int]:
    """Return the counts of requests."""
    return [row["requests"] for row in app.rows("SELECT requests FROM person_requests")]


def hourly(limit: int) -> list[str]:
    """Return every sentence about a person's limit."""
    return [say("en", "limit_requests", limit=limit, count=minutes) for minutes in range(61)]


async def test_requests_and_messages_share_one_limit(make_app: MakeApp) -> None:
    """`/memories add` counts like a message: beyond the limit no model is called, for either."""
    app = await make_app(person_messages_per_hour=3)
    place, other = app.slack.place(), app.slack.place()
    await app.ask(place, "Hello")
    for number in range(2):
        assert "Remembered" in (await memories(app, place, f"add I like food {number}"))["text"]
    before = app.model_requests()
    for number in range(15):
        answer = await memories(app, place, f"add I like drink {number}")
        assert answer["text"] in hourly(3)
    refused = await app.ask(place, "Hello again")
    assert app.model_requests() == before
    assert requests_of(app) == [2]
    assert app.turn(refused)["words"] == ""
    assert "Remembered" in (await memories(app, other, "add I like tea"))["text"]


async def test_embeddings_of_searches_and_forms_count_like_messages(make_app: MakeApp) -> None:
    """A search that needs the nearest, and an edit; a search that finds the words needs none."""
    app = await make_app(person_messages_per_hour=2)
    async with receiving(app):
        ann = ModalUser(app)
        place = PersonThread(ann.person.user_id, app.slack.team_id, "dm", "", "")
        remembered(app, ann.person, "dm", "ramen")

        async def edit_to(food: str) -> None:
            typed = {"user": place.user, "channel": "dm", "command": "/memories", "text": "edit 1"}
            await ann.control("commands", typed)
            form = await ann.modal("form_edit_title")
            await ann.submit(form, **{"field.food_name": food})

        for _ in range(3):
            assert "ramen" in (await memories(app, place, "search ramen"))["text"]
        assert requests_of(app) == []
        await memories(app, place, "search noodles")
        await edit_to("udon")
        await ann.modal("undo_button")
        assert requests_of(app) == [2]
        assert (await memories(app, place, "search noodles"))["text"] in hourly(2)
        await edit_to("soba")

        async def refused() -> bool:
            views = (await ann.control(f"views?as={place.user}"))["views"]
            return any(one in json.dumps(views[-1], ensure_ascii=False) for one in hourly(2))

        await eventually(refused)
        [memory] = await app.memories(ann.person)
        assert memory.content["food_name"] == "udon"


async def edit(app: App, message: Message, text: str) -> None:
    """Let a person edit an answered message, and the app answer it if it may."""
    event = changed(message, text)
    for _ in range(2):  # Slack delivers it twice
        await app.changes.note({**event, "event_id": f"Ev{message.ts}{text}"})
    await app.answering.drain(message.thread)


async def test_an_edit_that_is_answered_counts_like_a_message(make_app: MakeApp) -> None:
    """Beyond the limit an edited message is not answered again, however early it was written."""
    app = await make_app(person_messages_per_hour=4)
    place = app.slack.place()
    first, _ = await app.ask(place, "Hello"), await app.ask(place, "And you?")
    for number in range(5):
        await edit(app, first, f"Hello {number}")
    assert [prompt[-1]["content"] for prompt in app.prompts()] == [
        *("Hello", "And you?"),
        *("Hello 0", "Hello 1"),
    ]
    beyond = await app.ask(place, "Are you there?")
    assert app.replies(beyond) == []


async def test_an_edit_counts_in_its_own_hour(make_app: MakeApp) -> None:
    """An edit counts in the hour of the edit, with what was written in it, not in the message's."""
    app = await make_app(person_messages_per_hour=3)
    place = app.slack.place()
    asked = [await app.ask(place, f"Hello {number}") for number in range(3)]
    app.rows("UPDATE inbox_events SET received_at = received_at - interval '5 hours'")
    await app.ask(place, "Good day")
    for message in asked:
        await edit(app, message, f"{message.text} again")
    assert [prompt[-1]["content"] for prompt in app.prompts()[3:]] == [
        *("Good day", "Hello 0 again", "Hello 1 again"),
    ]
    [sentence] = app.replies(asked[2])
    assert sentence in [say("en", "quota_messages", limit=3, count=left) for left in range(61)]


async def test_beyond_the_tokens_nothing_is_added(make_app: MakeApp) -> None:
    """Once the workspace's tokens are used up every way to add says so and calls no model."""
    app = await make_app(workspace_tokens_per_day=1)
    place: PersonThread = app.slack.place(text="I like tea")
    who = app.person(place)
    await app.wiring.quotas.spend(who.team_id, tokens_used(5))
    before = app.model_requests()
    adding = app.wiring.slash_commands.adding
    pointed = {"user": place.user, "ts": place.ts, "text": "I like tea"}
    held = QuotedSentence(text="I like tea", channel=place.channel).value
    for answer in (
        await memories(app, place, "add I like tea"),
        await adding.pointed_at(who, "en", channel=place.channel, message=pointed),
        await adding.stored_anyway(who, "en", held),
    ):
        assert answer["text"] in [say("en", "limit_tokens", count=hours) for hours in range(25)]
    assert app.model_requests() == before
    assert await app.memories(who) == []
    # One's own memories can be seen and forgotten all the same.
    assert (await memories(app, place, "list"))["text"]


async def test_requests_at_once_are_counted_exactly(make_app: MakeApp) -> None:
    """Of twenty requests of one person at once, on two replicas, five are admitted."""
    app, replica = (
        await make_app(person_messages_per_hour=5),
        await make_app(person_messages_per_hour=5),
    )
    ann = Person("T1", "U1")
    admitted = await asyncio.gather(
        *((app, replica)[number % 2].wiring.quotas.admit(ann) for number in range(20)),
        return_exceptions=True,
    )
    refusals = [one for one in admitted if isinstance(one, QuotaExceeded)]
    assert admitted.count(None) == 20 - len(refusals) == 5
    for refused in refusals:
        assert refused.used_up.limit == 5
        assert 0 < refused.used_up.seconds <= 3_600
        for language in LANGUAGES:
            assert "5" in refused.refusal(language)
    for other in (Person("T1", "U2"), Person("T2", "U1")):
        await app.wiring.quotas.admit(other)
    app.rows("UPDATE person_requests SET hour = hour - interval '1 hour'")
    await app.wiring.quotas.admit(ann)


async def test_counts_of_hours_that_are_over_are_deleted(make_app: MakeApp) -> None:
    """The upkeep keeps no count longer than it is asked for."""
    app = await make_app(person_messages_per_hour=5)
    await app.wiring.quotas.admit(Person("T1", "U1"))
    await app.maintenance.keep_up(1)
    assert app.rows("SELECT requests FROM person_requests") == [{"requests": 1}]
    app.rows("UPDATE person_requests SET hour = hour - interval '3 hours'")
    await app.maintenance.keep_up(1)
    assert app.rows("SELECT requests FROM person_requests") == []


@pytest.mark.parametrize("limit", ["person_messages_per_hour", "workspace_tokens_per_day"])
async def test_a_caller_of_the_api_is_refused(make_app: MakeApp, limit: str) -> None:
    """A user of ``/ask`` gets 429 beyond a limit; beyond the hourly one another user does not."""
    app = await make_app(**{limit: 1})
    asks = AskHandler(app.wiring.turn_dependencies, app.wiring.quotas)
    assert (await asks.answer("MZ0001", "Hello"))[0] == 200
    status, text = await asks.answer("MZ0001", "Hello")
    of_day = [say("en", "limit_tokens", count=hours) for hours in range(25)]
    hour = limit == "person_messages_per_hour"
    assert (status, text.strip() in (hourly(1) if hour else of_day)) == (429, True)
    status, _ = await asks.answer("MZ0002", "Hello")
    assert status == (200 if hour else 429)
    assert len(app.prompts()) == (2 if hour else 1)


@pytest.mark.parametrize("update_first", [False, True])
async def test_an_edit_beyond_the_quota_takes_nothing_away(
    make_app: MakeApp, update_first: bool
) -> None:
    """What the edited message still says stays remembered, and its words stay stored."""
    app = await make_app(person_messages_per_hour=1)
    message = await app.ask(app.slack.place(), "I love ramen")
    await app.form(message)
    await app.changes.note(changed(message, "I love ramen!"))

    async def update() -> None:
        for job in app.take_jobs(UPDATE_FROM_TURN):
            await app.wiring.source_updates.update_from_turn(**job)

    if update_first:
        await update()
    await app.answering.drain(message.thread)
    await update()
    await app.form(message)
    assert [memory.content["food_name"] for memory in await app.memories(message.person)] == [
        "ramen"
    ]
    assert app.turn(message)["words"] == "I love ramen!"
