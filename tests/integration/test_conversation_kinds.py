"""What Slack says of people, threads and conversations, asked of the playground."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from bot.answering.context import read_thread
from bot.app import App
from bot.conversation.audiences import (
    invalidate_kind,
    kind_of_message,
    view_of_audience,
)
from bot.people import People
from bot.slack.members import is_member, kind_of
from bot.slack.names import Names, person_mark
from bot.slack.posting import notice_metadata
from memory import DM, PUBLIC, Person, Pool
from tests.databases import owner_rows
from tests.integration.app import app_of
from tests.integration.messages import seen_at
from tests.integration.playground_slack import PlaygroundSlack
from tests.waiting import until

FAULTS: list[dict[str, Any]] = [
    {"error": "channel_not_found"},
    {"error": "ratelimited", "retry_after": 600},
    {"status": 500},
    {"drop": "after"},
]


# A channel of several workspaces of one organisation.
ORG_SHARED = {"is_shared": True, "is_org_shared": True}


@pytest.fixture
def core(pool: Pool, slack: PlaygroundSlack) -> App:
    """What conversations are looked up with."""
    return app_of(pool=pool, slack=slack.api())


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        ({"is_im": True}, (DM, False)),
        ({"is_im": True, "is_ext_shared": True}, ("C1", True)),
        ({"is_channel": True, "is_private": False}, (PUBLIC, False)),
        ({"is_channel": True, "is_private": True}, ("C1", False)),
        ({"is_group": True, "is_private": True}, ("C1", False)),
        ({"is_mpim": True, "is_private": True}, ("C1", False)),
        (
            {"is_channel": True, "is_private": False, "is_ext_shared": True},
            ("C1", True),
        ),
        (
            {"is_channel": True, "is_private": True, "is_pending_ext_shared": True},
            ("C1", True),
        ),
        (
            {"is_channel": True, "is_private": False, **ORG_SHARED},
            (PUBLIC, False),
        ),
        ({"is_channel": True, "is_private": True, **ORG_SHARED}, ("C1", False)),
        (
            {
                "is_channel": True,
                "is_private": False,
                **ORG_SHARED,
                "is_ext_shared": True,
            },
            ("C1", True),
        ),
        ({"is_channel": True, "is_private": True, "is_shared": True}, (None, False)),
        ({"is_im": True, "is_org_shared": True}, (DM, False)),
        ({"is_channel": True}, (None, False)),
        ({"is_private": False}, (None, False)),
        ({}, (None, False)),
    ],
)
def test_kind_of(channel: dict[str, object], kind: tuple[str | None, bool]) -> None:
    """What is not certainly a DM, public or private is of unknown kind, and not shared."""
    assert kind_of(channel, "C1") == kind


@pytest.mark.parametrize(
    ("user", "member"),
    [
        ({"team_id": "T1"}, True),
        ({}, False),
        ({"team_id": "T2"}, False),
        ({"team_id": "T1", "is_restricted": True}, False),
        ({"team_id": "T1", "is_stranger": True}, False),
        ({"team_id": "T1", "deleted": True}, False),
        (
            {"team_id": "T2", "enterprise_user": {"id": "U1", "teams": ["T2", "T1"]}},
            True,
        ),
        ({"team_id": "E1", "enterprise_user": {"id": "U1", "teams": ["T1"]}}, True),
        ({"team_id": "T2", "enterprise_user": {"id": "U1", "teams": ["T2"]}}, False),
        ({"team_id": "T2", "enterprise_user": {"id": "U1"}}, False),
        (
            {
                "team_id": "T2",
                "is_restricted": True,
                "enterprise_user": {"teams": ["T1"]},
            },
            False,
        ),
    ],
    ids=str,
)
def test_who_is_a_member_of_a_workspace(user: dict[str, object], member: bool) -> None:
    """A person of the same enterprise who is only in others of its workspaces is none."""
    assert is_member(user, "T1") is member


async def test_a_direct_message_is_not_looked_up(
    slack: PlaygroundSlack, core: App
) -> None:
    """A DM is known from its event, and not shared; a mention in one is looked up, and is one."""
    place = slack.place()
    view = await seen_at(core, slack.message(place))
    assert view.audiences == (DM,)
    assert not (await kind_of_message(core, slack.message(place))).shared
    assert not slack.calls("conversations.info")
    mention = slack.message(place, audience=None)
    assert (await seen_at(core, mention)).own.audience == DM
    assert len(slack.calls("conversations.info")) == 1


async def test_what_the_event_or_slack_says_is_shared_is_shared(
    slack: PlaygroundSlack, core: App
) -> None:
    """The event's word is enough; without it Slack is asked, who also knows of invitations."""
    place = slack.place(channel="public")
    message = slack.message(place)
    assert (await kind_of_message(core, slack.message(place, is_shared=True))).shared
    assert not slack.calls("conversations.info")
    assert not (await kind_of_message(core, message)).shared
    slack.control("channels/update", {"channel": place.channel, "pending": True})
    await invalidate_kind(core, slack.team_id, place.channel)
    assert (await kind_of_message(core, message)).shared
    assert (await seen_at(core, message)).audiences == (place.channel,)


async def test_a_change_overtakes_what_slack_said_before(
    slack: PlaygroundSlack, core: App, database: str
) -> None:
    """What Slack said before a channel was shared is not kept when it arrives afterwards."""
    place = slack.place(channel="public")
    async with await psycopg.AsyncConnection.connect(database) as owner:
        row = (slack.team_id, place.channel)
        await owner.execute(
            "INSERT INTO conversations (team_id, channel_id, audience, shared, looked_up_at)"
            " VALUES (%s, %s, NULL, false, '-infinity')",
            row,
        )
        later = slack.message(place, ts=f"{time.time() + 60:.6f}")
        looking = asyncio.create_task(seen_at(core, later))
        waiting = (
            "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        )
        await until(lambda: owner_rows(database, waiting))
        await owner.execute(
            "UPDATE conversations SET changed_at = clock_timestamp() WHERE channel_id = %s",
            (place.channel,),
        )
    assert (await looking).audiences == (place.channel,)
    assert len(slack.calls("conversations.info")) == 1
    assert (await seen_at(core, later)).own.audience == PUBLIC


async def test_what_was_learned_is_trusted_for_an_hour(
    slack: PlaygroundSlack, core: App, database: str
) -> None:
    """After an hour Slack is asked again, and its new answer counts."""
    place = slack.place(channel="public")
    message = slack.message(place)
    assert (await seen_at(core, message)).own.audience == PUBLIC
    slack.control("channels/update", {"channel": place.channel, "private": True})
    assert (await seen_at(core, message)).own.audience == PUBLIC
    owner_rows(
        database,
        "UPDATE conversations SET looked_up_at = now() - interval '61 minutes'",
    )
    assert (await seen_at(core, message)).own.audience == place.channel
    assert len(slack.calls("conversations.info")) == 2


async def test_a_public_channel_that_the_app_is_not_in_is_asked_about_each_time(
    slack: PlaygroundSlack, core: App
) -> None:
    """Slack tells the app nothing of its conversion, and it is private once the app is added."""
    place = slack.place(channel="public")
    message = slack.message(place)
    slack.control(
        "channels/update", {"channel": place.channel, "remove": [slack.bot_user_id]}
    )
    assert (await seen_at(core, message)).own.audience == PUBLIC
    slack.control("channels/update", {"channel": place.channel, "private": True})
    slack.control(
        "channels/update", {"channel": place.channel, "add": [slack.bot_user_id]}
    )
    assert (await seen_at(core, message)).own.audience == place.channel
    assert len(slack.calls("conversations.info")) == 2


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_kind_that_cannot_be_learned_is_the_narrowest(
    slack: PlaygroundSlack,
    core: App,
    fault: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While Slack does not say what a conversation is, it sees and keeps its own alone."""
    monkeypatch.setattr("bot.conversation.audiences._PATIENCE_SECONDS", 0.5)
    place = slack.place(channel="public")
    slack.fault("conversations.info", times=None, **fault)
    view = await seen_at(core, slack.message(place))
    assert (view.own.audience, view.audiences) == (place.channel, (place.channel,))
    assert (await view_of_audience(core, view.own)).audiences == view.audiences
    assert not (await kind_of_message(core, slack.message(place))).shared
    slack.clear()
    assert (await seen_at(core, slack.message(place))).own.audience == PUBLIC


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"error": "ratelimited", "retry_after": 1}], ids=str
)
async def test_one_failed_call_does_not_make_a_kind_the_narrowest(
    slack: PlaygroundSlack, core: App, fault: dict[str, Any]
) -> None:
    """Slack is asked again: what is said in a public channel stays public."""
    place = slack.place(channel="public")
    slack.fault("conversations.info", **fault)
    assert (await seen_at(core, slack.message(place))).own.audience == PUBLIC


async def language(people: People, person: Person, text: str = "") -> str:
    """Return the language in which a person is answered."""
    return (await people.localizer(person, text)).language


async def test_a_persons_language(slack: PlaygroundSlack, pool: Pool) -> None:
    """The locale of a person's Slack decides, is read once for all replicas, and again if stale."""
    api = slack.api()
    people, replica = (People(pool, Names(api)) for _ in range(2))
    ann = Person(slack.team_id, slack.person(locale="ja-JP", tz="Asia/Tokyo")[0])
    assert await language(people, ann, "hello") == "ja"
    slack.control("users/update", {"user": ann.user_id, "locale": "en-GB"})
    assert await language(people, ann) == "ja"
    assert await language(replica, ann) == "ja"
    assert (await replica.settings(ann)).zone == ZoneInfo("Asia/Tokyo")
    assert len(slack.calls("users.info")) == 1
    await people.store_change(ann, {"id": ann.user_id})
    await people.store_change(Person("T1", "UNKNOWN"), {})
    assert await language(people, ann, "こんにちは") == "en"
    assert len(slack.calls("users.info")) == 2


async def test_what_was_said_in_a_thread_before_a_forgetting_is_not_read(
    slack: PlaygroundSlack,
) -> None:
    """The author's own messages and the app's are left out; others have forgotten nothing."""
    place = slack.place(channel="public", text="root: <@BOT> I love ramen")
    other, _ = slack.person()
    slack.control("channels/update", {"channel": place.channel, "add": [other]})
    slack.as_app(
        "chat.postMessage", channel=place.channel, thread_ts=place.root, text="Ramen!"
    )
    slack.say(other, place.channel, "And me?", thread_ts=place.root)
    asked = slack.say(
        place.user, place.channel, "<@BOT> what now?", thread_ts=place.root
    )
    message = slack.message(place, ts=asked["ts"])
    before = float(asked["ts"])
    found = await read_thread(slack.api(), message, history_from=before)
    assert [line["text"] for line in found.lines] == ["And me?"]


async def test_a_running_thread_is_read_once_called_into(
    slack: PlaygroundSlack,
) -> None:
    """What others wrote before the mention is read in order, as a person sees it, and cut.

    The app's notices are left out: they tell of memories, which may be off for this message.
    """
    place = slack.place(channel="public", text="root: <@BOT> &amp; co")
    other, _ = slack.person()
    slack.control("channels/update", {"channel": place.channel, "add": [other]})
    slack.say(other, place.channel, "x" * 3_000, thread_ts=place.root)
    notice = {
        "thread_ts": place.root,
        "text": "Remembered",
        "metadata": notice_metadata(),
    }
    slack.as_app("chat.postMessage", channel=place.channel, **notice)
    asked = slack.say(
        place.user, place.channel, "<@BOT> what now?", thread_ts=place.root
    )
    slack.say(other, place.channel, "too late", thread_ts=place.root)
    message = slack.message(place, ts=asked["ts"])
    found = (await read_thread(slack.api(), message)).lines
    assert [line["from"] for line in found] == [
        person_mark(place.user),
        person_mark(other),
    ]
    assert found[0]["text"].startswith("root:")
    assert slack.bot_user_id not in found[0]["text"]
    assert "characters left out" in found[1]["text"]
    assert 900 < found[1]["text"].count("x") <= 1_000
