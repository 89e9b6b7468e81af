"""What was written while nobody listened is read, and answered once, as late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.conversation.inbox import ANSWER
from bot.pipeline.backfill.backfill import READ_ON
from bot.pipeline.backfill.window import CATCH_UP, BackfillWindow
from bot.runtime.maintenance import Maintenance
from bot.slack.messages import Message
from memory import PUBLIC
from tests.conftest import ROOT, Server, json_server
from tests.integration.house import House
from tests.integration.playground_slack import Place, PlaygroundSlack
from tests.integration.work import jobs, sql, taken

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace() -> Iterator[Server]:
    """A playground of this module: all of its conversations are read."""
    with json_server("playground", "--manifest", str(ROOT / "manifest.yml"), "--no-model") as one:
        yield one


@pytest.fixture
def slack(workspace: Server) -> PlaygroundSlack:
    """Its Slack, with no faults."""
    opened = PlaygroundSlack(workspace)
    opened.clear()
    return opened


def listening(house: House, *, connected: bool = True) -> BackfillWindow:
    """Return what a front marks with."""

    async def is_connected() -> bool:
        return connected

    return BackfillWindow(house.pool, house.queue, house.slack.team_id, connected=is_connected)


def away(house: House, minutes: float) -> None:
    """Let it be so many minutes since anybody listened."""
    sql(
        house,
        "UPDATE listening SET heard_at = now() - make_interval(secs => %s)",
        minutes * 60,
    )


async def caught_up(house: House) -> int:
    """Work the jobs of catching up until none is left; return how many there were."""
    worked = 0
    while True:
        planned, reads = taken(house, CATCH_UP), taken(house, READ_ON)
        if not planned and not reads:
            return worked
        worked += 1
        for arguments in planned:
            await house.catching_up.plan(**arguments)
        for arguments in reads:
            await house.catching_up.read_on(**arguments)


def waiting(house: House) -> dict[str, bool]:
    """Return the texts of the messages that wait, and whether each is late."""
    found = sql(
        house,
        "SELECT message->>'text' AS text, late FROM inbox_events WHERE status = 'waiting'"
        " ORDER BY ts",
    )
    return {row["text"]: row["late"] for row in found}


async def missed(house: House, minutes: float = 10) -> None:
    """Mark that the app was away until now; begin catching up."""
    away(house, minutes)
    await listening(house).mark()


async def test_a_gap_is_caught_up_with_once(house: House) -> None:
    """Only a gap longer than Slack's retries counts, and of several fronts one defers the work."""
    fronts = [listening(house) for _ in range(4)]
    for front in fronts:
        await front.mark()
    away(house, 4.9)
    await fronts[0].mark()
    assert jobs(house, CATCH_UP) == []
    away(house, 5.1)
    [before] = sql(house, "SELECT extract(epoch FROM heard_at)::float AS heard FROM listening")
    await asyncio.gather(*(front.mark() for front in fronts))
    [job] = jobs(house, CATCH_UP)
    assert job["args"]["team"] == house.slack.team_id
    assert float(job["args"]["since"]) == pytest.approx(before["heard"], abs=0.01)


async def test_somebody_listens_only_while_connected(house: House) -> None:
    """A front that Slack does not reach marks nothing, so that its outage counts as one."""
    async with listening(house).marked():
        async with asyncio.timeout(5):
            while not sql(house, "SELECT 1 FROM listening"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    away(house, 30)
    async with listening(house, connected=False).marked():
        await asyncio.sleep(0)
    async with listening(house, connected=False).marked(), asyncio.timeout(5):
        await asyncio.sleep(0.05)
    assert jobs(house, CATCH_UP) == []


async def in_thread(house: House, place: Place, text: str, root: str, **who: Any) -> None:
    """Let somebody write in a thread; nothing is delivered."""
    user = who.get("user", place.user)
    house.slack.say(user, place.channel, text, thread_ts=root)


async def test_what_was_missed_is_answered_once_and_late(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Direct messages, mentions and followed threads are read; the rest is nobody's business."""
    monkeypatch.setattr("bot.pipeline.backfill.backfill._LATE_SECONDS", 0.0)
    await listening(house).mark()
    dm, public = house.slack.place(), house.slack.place(channel="public")
    known = await house.ask(dm, "known")
    followed = await house.ask(public, "<@BOT> known too")
    in_dm = house.slack.say(dm.user, text="missed in dm")
    await in_thread(house, dm, "missed below it", in_dm["ts"])
    await in_thread(house, dm, "missed in a known dm thread", known.ts)
    await in_thread(house, public, "missed in a followed thread", followed.ts)
    mention = house.slack.say(public.user, public.channel, "<@BOT> missed mention")
    await in_thread(house, public, "missed below the mention", mention["ts"])
    talk = house.slack.say(public.user, public.channel, "talk among people")
    await in_thread(house, public, "more of it", talk["ts"])
    robot, _ = house.slack.person(is_bot=True)
    house.slack.control("channels/update", {"channel": public.channel, "add": [robot]})
    await in_thread(house, public, "I am a bot", followed.ts, user=robot)
    await missed(house)
    await caught_up(house)
    found = waiting(house)
    bot = f"<@{house.slack.bot_user_id}>"
    assert set(found) == {
        "hello",  # with which the place of the first one's DM was opened
        "missed in dm",
        "missed below it",
        "missed in a known dm thread",
        "missed in a followed thread",
        f"{bot} missed mention",
        "missed below the mention",
    }
    assert all(found.values())
    assert sql(house, "SELECT 1 FROM catching_up") == []
    sent = len(house.slack.calls("conversations.history", "conversations.replies"))
    await missed(house)
    await caught_up(house)
    assert waiting(house) == found
    assert len(house.slack.calls("conversations.history", "conversations.replies")) > sent
    for arguments in taken(house, ANSWER):
        await house.answering.drain(**arguments)
    message = replace(known, ts=in_dm["ts"], thread_ts=in_dm["ts"])
    texts = house.replies(dm, message)
    assert len(texts) == 2
    assert all(
        text.startswith("_You wrote this at ") and "is late because I was offline._\n\n" in text
        for text in texts
    )
    assert "You wrote this at" not in house.row("turns", message)["reply"]


async def test_what_was_written_just_now_is_not_called_late(house: House) -> None:
    """A message of the last minute is answered without a word about it."""
    await listening(house).mark()
    house.slack.place(text="just now")
    await missed(house)
    await caught_up(house)
    assert waiting(house)["just now"] is False


async def test_what_was_answered_is_known_though_its_event_is_gone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message whose inbox row was cleared away long ago is not answered a second time."""
    monkeypatch.setattr("bot.pipeline.backfill.backfill._LATE_SECONDS", 0.0)
    await listening(house).mark()
    await house.ask(house.slack.place(), "answered")
    sql(house, "DELETE FROM inbox_events")
    await missed(house, 30)
    await caught_up(house)
    assert "answered" not in waiting(house)


async def test_slacks_limits_put_the_work_off_where_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 429 ends the job for as long as Slack says; the next one goes on with the next page."""
    monkeypatch.setattr("bot.pipeline.backfill.messages.PAGE", 2)
    await listening(house).mark()
    place = house.slack.place(text="number 0")
    for number in range(1, 7):
        house.slack.say(place.user, text=f"number {number}")
    await missed(house, 600)
    house.slack.fault("users.conversations", error="ratelimited", retry_after=11)
    await house.catching_up.plan(**taken(house, CATCH_UP)[0])
    [job] = jobs(house, CATCH_UP)
    assert 5 < job["due_in"] <= 11
    await house.catching_up.plan(**taken(house, CATCH_UP)[0])
    sql(house, "DELETE FROM catching_up WHERE channel_id <> %s", place.channel)
    [reading] = taken(house, READ_ON)
    stored = []
    for _ in range(4):
        house.slack.fault("conversations.history", delay_ms=1)
        house.slack.fault("conversations.history", error="ratelimited", retry_after=60)
        await house.catching_up.read_on(**reading)
        stored.append(len(waiting(house)))
        if not taken(house, READ_ON):
            break
        house.slack.clear()
    assert stored[:3] == [2, 4, 6]
    await house.catching_up.read_on(**reading)
    assert len(waiting(house)) == 7


async def test_a_conversation_that_cannot_be_read_stops_nothing(house: House) -> None:
    """What Slack refuses for good is left out; what it fails at is tried again."""
    await listening(house).mark()
    places = [house.slack.place(text=f"number {number}") for number in range(2)]
    await missed(house)
    await house.catching_up.plan(**taken(house, CATCH_UP)[0])
    channels = [place.channel for place in places]
    sql(house, "DELETE FROM catching_up WHERE channel_id <> ALL(%s)", channels)
    house.slack.fault("conversations.history", status=500)
    await house.catching_up.read_on(**taken(house, READ_ON)[0])
    [job] = jobs(house, READ_ON)
    assert 4 < job["due_in"] <= 10
    house.slack.fault("conversations.history", error="channel_not_found")
    await caught_up(house)
    assert len([text for text in waiting(house) if text.startswith("number ")]) == 1


async def test_long_lists_are_read_page_by_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace of many conversations is listed, and read, over as many jobs as it takes."""
    monkeypatch.setattr("bot.pipeline.backfill.backfill._CONVERSATIONS", 2)
    monkeypatch.setattr("bot.pipeline.backfill.backfill._PAGES_AT_ONCE", 2)
    await listening(house).mark()
    texts = {f"number {number} of many" for number in range(5)}
    for text in sorted(texts):
        house.slack.place(text=text)
    await missed(house)
    assert await caught_up(house) >= 5
    assert texts <= set(waiting(house))


async def test_a_day_is_the_farthest(house: House) -> None:
    """After a week away the last day is caught up with, not the week."""
    await listening(house).mark()
    house.slack.place(text="hello")
    await missed(house, 7 * 24 * 60)
    await house.catching_up.plan(**taken(house, CATCH_UP)[0])
    [row] = sql(
        house,
        "SELECT DISTINCT extract(epoch FROM now())::float - oldest::float AS age FROM catching_up",
    )
    assert row["age"] == pytest.approx(86_400, abs=60)


async def test_expired_rows_are_deleted(house: House) -> None:
    """Unrelated replies, notices and old token counts are deleted, of every person."""
    place = house.slack.place(channel="public")
    overheard: Message = house.slack.message(place, addressed=False, ts="1700000000.000200")
    await house.inbox.store(overheard)
    sql(house, "UPDATE overheard SET received_at = received_at - interval '3 minutes'")
    sql(house, "INSERT INTO token_use VALUES ('T1', current_date - 61, 7)")
    sql(
        house,
        "INSERT INTO notices VALUES ('T1', 'U1', 'outage', 1, now() - interval '1 s'),"
        " ('T1', 'U2', 'outage', 1, now() + interval '1 minute')",
    )
    await Maintenance(house.pool, house.queue).keep_up(1)
    assert sql(house, "SELECT 1 FROM overheard") == sql(house, "SELECT 1 FROM token_use") == []
    assert sql(house, "SELECT user_id FROM notices") == [{"user_id": "U2"}]


async def test_a_channel_shared_while_the_app_was_away_sees_its_own_alone(house: House) -> None:
    """A mention found in a channel that became Slack Connect meanwhile is not answered from public.

    The kind that was looked up before the outage is still younger than an hour.
    """
    await listening(house).mark()
    place, bot = house.slack.place(channel="public"), f"<@{house.slack.bot_user_id}>"
    told = await house.ask(place, f"{bot} I like ramen")
    await house.learning.form(told.team_id, told.user_id, PUBLIC)
    assert [memory.namespace.audience for memory in await house.memories(told.person)] == [PUBLIC]
    house.slack.control("channels/update", {"channel": place.channel, "shared": True})
    below = house.slack.say(place.user, place.channel, "What can I eat?", thread_ts=told.ts)
    asked = house.slack.say(place.user, place.channel, f"{bot} What can I eat?")
    await missed(house)
    await caught_up(house)
    for said in (below, asked):
        root = said.get("thread_ts", told.ts if said is below else said["ts"])
        await house.answering.drain(f"{told.team_id}.{place.channel}.{root}")
        message = replace(told, ts=said["ts"], thread_ts=root)
        assert house.row("turns", message)["audience"] == place.channel
    prompts = [json.dumps(prompt) for prompt in house.prompts()[-2:]]
    assert "What can I eat?" in prompts[-1]
    # The thread itself is shown: everybody in it can read what was said before.
    assert "ramen" not in prompts[-1]


async def test_a_shared_direct_message_is_looked_up(house: House) -> None:
    """Slack lists direct messages without saying that they are shared with an organisation."""
    await listening(house).mark()
    place = house.slack.place(text="known")
    known = await house.ask(place, "I like ramen")
    await house.learning.form(known.team_id, known.user_id, "dm")
    house.slack.control("channels/update", {"channel": place.channel, "shared": True})
    said = [
        house.slack.say(place.user, text="What can I eat?"),
        house.slack.say(place.user, place.channel, "What can I eat?", thread_ts=known.ts),
    ]
    await missed(house)
    await caught_up(house)
    for one in said:
        [row] = sql(
            house,
            "SELECT audience, message->>'addressed' AS addressed, message->>'is_shared' AS shared"
            " FROM inbox_events WHERE ts = %s",
            one["ts"],
        )
        assert row == {"audience": None, "addressed": "true", "shared": "true"}


async def test_kinds_known_before_an_outage_are_not_trusted(house: House) -> None:
    """They are forgotten with the first mark, and not used before it."""
    front, audiences = listening(house), house.parts.audiences
    await front.mark()
    place = house.slack.place(channel="public")
    message = house.slack.message(place)
    assert (await audiences.view(message)).own.audience == PUBLIC
    house.slack.control("channels/update", {"channel": place.channel, "private": True})
    assert (await audiences.view(message)).own.audience == PUBLIC
    away(house, 5.1)
    # Somebody writes before the front that is back has made its mark.
    assert (await audiences.view(message)).own.audience == place.channel
    sql(house, "UPDATE conversations SET audience = 'public'")
    await front.mark()
    assert not sql(house, "SELECT 1 FROM conversations WHERE looked_up_at > '-infinity'")
    assert (await audiences.view(message)).own.audience == place.channel


async def test_a_kind_that_slack_does_not_say_puts_the_reading_off(house: House) -> None:
    """Without it nothing is stored: whether the conversation is shared is not guessed."""
    await listening(house).mark()
    place = house.slack.place(text="number 1")
    await missed(house)
    await house.catching_up.plan(**taken(house, CATCH_UP)[0])
    sql(house, "DELETE FROM catching_up WHERE channel_id <> %s", place.channel)
    house.slack.fault("conversations.info", error="ratelimited", retry_after=30)
    await house.catching_up.read_on(**taken(house, READ_ON)[0])
    [job] = jobs(house, READ_ON)
    assert 20 < job["due_in"] <= 30
    assert "number 1" not in waiting(house)
    await caught_up(house)
    assert "number 1" in waiting(house)
