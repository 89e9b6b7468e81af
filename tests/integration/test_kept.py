"""What is kept for a conversation: only by its author's click, used there only, and taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from bot.acts.kinds import Forget, Keep, Position, Remember, TakeBack
from bot.conversation.audiences import kind_of_message
from bot.conversation.channels import CHANGE_CHANNEL, change_channel
from bot.conversation.inbox import take_message
from bot.conversation.turns import begin_turn, end_turn
from bot.data.person import erase_person, export_person
from bot.kept.acts import ASK_AGAIN, ask_again
from bot.kept.lines import end_lines
from bot.listeners.interactions import KEEP_AS_DECISION, KEEP_FOR_CHANNEL
from bot.locale import say
from bot.runtime.maintenance import end_what_is_old, erase_deactivated
from bot.slack.messages import Message
from memory import Person, PersonMessage, add_memories
from memory.postgres import execute_statement, person_transaction
from memory.store import KEPT_BY_PERSON, KEPT_IN_CONVERSATION, KeptLine, read_kept
from tests.integration.app import App, MakeApp
from tests.integration.interface import Answer
from tests.integration.messages import LATER
from tests.integration.playground_slack import PersonThread
from tests.person import elements, shown
from tests.waiting import until

LINE = "The staging database is orion, ask Ana before a reset"
DECISION = "We decided to deploy on Tuesdays only"


class Channel:
    """A conversation with the app and some people in it."""

    def __init__(self, app: App, kind: str, *names: str, **more: Any) -> None:
        self.app = app
        self.users = [app.slack.person(name=name, **more)[0] for name in names]
        self.id = app.slack.channel(kind, *self.users)

    def person(self, number: int = 0) -> Person:
        """Return one of its people."""
        return Person(self.app.slack.team_id, self.users[number])

    def say(self, text: str, number: int = 0, **more: Any) -> PersonThread:
        """Let one of its people write a message to the others."""
        said = self.app.slack.say(self.users[number], self.id, text, **more)
        root = more.get("thread_ts", said["ts"])
        return PersonThread(
            self.users[number], self.app.slack.team_id, self.id, said["ts"], root
        )

    async def keep(
        self,
        text: str = LINE,
        number: int = 0,
        *,
        by: int | None = None,
        decision: bool = False,
    ) -> tuple[PersonThread, Answer]:
        """Use the shortcut on a message that is just written; return it, and what was shown."""
        said = self.say(text, number)
        who = self.person(number if by is None else by)
        name = KEEP_AS_DECISION if decision else KEEP_FOR_CHANNEL
        done = await self.app.interface.point_at(said, who, name)
        await self.app.show_lines()
        return said, done

    async def ask(self, question: str, number: int = 0) -> Message:
        """Let one of its people ask the app there."""
        place = PersonThread(
            self.users[number], self.app.slack.team_id, self.id, "", ""
        )
        return await self.app.ask(place, f"<@{self.app.slack.bot_user_id}> {question}")

    async def kept(self) -> list[KeptLine]:
        """Return what is kept for it, newest first."""
        return await read_kept(self.app.pool, self.app.slack.team_id, self.id)

    async def texts(self) -> list[str]:
        """Return the words that are kept for it."""
        return [one.text for one in await self.kept()]

    def fill(self, number: int, user: str, *, of: str = "The wiki page") -> None:
        """Store so many lines of a person, without a click for each."""
        self.app.rows(
            "INSERT INTO kept (team_id, user_id, channel_id, ts, thread_ts, text, decision)"
            " SELECT %s, %s, %s, number || '.' || %s::text, '1.0', %s || ' ' || number, false"
            " FROM generate_series(1, %s) AS number RETURNING 1",
            self.app.slack.team_id,
            user,
            self.id,
            user.encode().hex().translate(str.maketrans("abcdef", "123456")),
            of,
            number,
        )

    def thread(self, place: PersonThread) -> list[str]:
        """Return the texts of the app's messages below a message that all can see."""
        below = self.app.slack.thread(place)
        return [str(one["text"]) for one in below if not one.get("is_ephemeral")]

    def asked(self, number: int = 0) -> dict[str, Any]:
        """Return the newest message in the conversation that only this person sees."""
        seen = self.app.slack.seen(self.users[number], self.id)
        private = [one for one in seen if one.get("is_ephemeral")]
        return {**private[-1], "channel": self.id}

    async def press(self, label: str, number: int = 0) -> Answer:
        """Let a person press a button below what only they see."""
        asked = self.asked(number)
        [button] = [one for one in elements(asked) if one["text"]["text"] == label]
        done = await self.app.interface.press(self.person(number), asked, button)
        await self.app.show_lines()
        return done


async def make_public(app: App, channel: str, user: str) -> None:
    """Let a person make a private channel public, a while ago."""
    app.slack.control("channels/update", {"channel": channel, "private": False})
    event = {"type": "message", "subtype": "channel_convert_to_public"}
    await app.deliver({**event, "channel": channel, "user": user})
    # What is said within two seconds of a conversion may have been said before it.
    app.rows(
        "UPDATE conversations SET changed_at = now() - interval '1 minute'"
        " WHERE channel_id = %s RETURNING 1",
        channel,
    )


def kept_prompt(app: App) -> list[dict[str, Any]]:
    """Return the lines in the ``<kept>`` frame of the newest prompt, and check its role."""
    found = []
    for item in app.prompts()[-1]:
        content = str(item.get("content", ""))
        if "<kept>\n" in content and item["role"] != "system":
            assert item["role"] == "user"
            body = content.partition("<kept>\n")[2].partition("\n</kept>")[0]
            found += [json.loads(line) for line in body.splitlines()]
    return found


def place_of(message: Message) -> PersonThread:
    """Return where a message is."""
    return PersonThread(
        message.user_id,
        message.team_id,
        message.channel_id,
        message.ts,
        message.thread_ts,
    )


async def test_a_person_keeps_a_message_and_anybody_there_gets_it_quoted(
    app: App,
) -> None:
    """One line with Undo in the thread; an answer that cites it quotes its author and links."""
    channel = Channel(app, "public", "Ben", "Mia")
    said, done = await channel.keep()
    assert done.line == say("en", "kept_done", channel=f"<#{channel.id}>")
    [line] = channel.thread(said)
    assert "Kept for" in line
    assert LINE in line
    app.script("You want orion, says Ben [k1].")
    asked = await channel.ask("Which staging database?", 1)
    [kept] = kept_prompt(app)
    assert (kept["from"], kept["text"]) == ("@Ben", LINE)
    [reply] = app.replies(asked)
    assert LINE in reply
    assert "Ben" in reply
    assert said.ts.replace(".", "") in reply
    assert app.turn(asked)["reply"] == "You want orion, says Ben."
    app.script("Good morning to you, and to orion.")
    greeted = await channel.ask("Good morning!", 1)
    assert app.replies(greeted) == ["Good morning to you, and to orion."]


async def test_the_line_in_a_thread_notifies_nobody_whom_it_names(app: App) -> None:
    """Whom the words mention is named in what is kept; what only looks like a mention is text."""
    channel = Channel(app, "public", "Ben", "Mia")
    text = f"Ask <@{channel.users[1]}>, not <!here>, before a reset of orion"
    said, _ = await channel.keep(text)
    [line] = channel.thread(said)
    assert "Ask @Mia, not &lt;!here&gt;, before a reset of orion" in line
    assert await channel.texts() == ["Ask @Mia, not <!here>, before a reset of orion"]


@pytest.mark.parametrize(
    ("request_words", "decision"),
    [
        ("keep this for the channel:", False),
        ("このチャンネルの決定として残して：", True),
    ],
)
async def test_words_to_the_app_are_kept_by_the_click_that_shows_them(
    app: App, request_words: str, decision: bool
) -> None:
    """No model is asked, and nothing is remembered; the author alone sees the question."""
    channel = Channel(app, "public", "Ben", "Mia")
    asked = await channel.ask(f"{request_words} {LINE}")
    assert app.model_requests() == 0
    question = channel.asked()
    assert f"“{LINE}”" in shown(question)
    assert (say("en", "kept_decision") in shown(question)) == decision
    assert await channel.kept() == []
    assert app.turn(asked)["words"] == ""
    refused = await channel.press(say("en", "kept_ask_not"))
    assert refused.line == say("en", "kept_not")
    assert await channel.kept() == []
    await channel.ask(f"{request_words} {LINE}")
    await channel.press(say("en", "kept_ask_button"))
    [kept] = await channel.kept()
    assert (kept.text, kept.decision) == (LINE, decision)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "kept_how"),
        ("very " * 200 + "long", "kept_long"),
    ],
)
async def test_why_a_request_asks_nothing_is_for_its_author_alone(
    app: App, words: str, why: str
) -> None:
    """What is missing or too long is said, and the channel is told that it was answered."""
    channel = Channel(app, "public", "Ben", "Mia")
    asked = await channel.ask(f"keep this for the channel: {words}")
    assert channel.asked()["text"] == say("en", why)
    assert channel.thread(place_of(asked)) == [say("en", "answered_privately")]


def in_dm(app: App, user: str) -> PersonThread:
    """Return where a person begins to write to the app."""
    said = app.slack.say(user, "dm", "Hello")
    return PersonThread(
        user, app.slack.team_id, said["channel"], said["ts"], said["ts"]
    )


async def test_nothing_is_kept_for_or_shown_in_a_direct_message(app: App) -> None:
    """Neither by a request there, nor of a public channel that the person is in."""
    channel = Channel(app, "public", "Ben", "Mia")
    await channel.keep()
    place = in_dm(app, channel.users[1])
    await app.ask(place, "Which staging database is it?")
    assert kept_prompt(app) == []
    asked = await app.ask(place, "keep this for the channel: the host is heron")
    assert say("en", "kept_place") in shown(app.shown(asked)[-1])
    assert app.slack.calls("users.conversations") == []


@pytest.mark.failed_calls(
    "conversations.info: channel_not_found", because="The value was made by hand."
)
async def test_no_value_made_by_hand_keeps_or_lists_anything(app: App) -> None:
    """Neither what a person stores as they typed it, nor the list of a conversation they left."""
    channel = Channel(app, "private", "Ben", "Mia")
    await channel.keep()
    stranger = Channel(app, "public", "Eve").person()
    forged = Remember(text="Ben owes me lunch", channel=f"kept:{channel.id}", ts="1.0")
    refused = await app.click(stranger, forged)
    assert refused.line == say("en", "command_broke")
    assert await app.memories(stranger) == []
    listed = await app.click(stranger, Position(list="kept", of=channel.id))
    assert (listed.form, listed.line) == (None, say("en", "old_button"))


async def test_an_author_is_asked_and_nothing_is_kept_without_their_click(
    app: App,
) -> None:
    """The one who asks and anybody else cannot answer; the author's click keeps it.

    After that nobody has to ask again.
    """
    channel = Channel(app, "public", "Ben", "Mia", "Joe")
    said, done = await channel.keep(by=1)
    assert done.line == say("en", "kept_asked")
    assert LINE in shown(channel.asked())
    seen = app.slack.seen(channel.users[2], channel.id)
    assert not any(say("en", "kept_ask_button") in str(one) for one in seen)
    act = Keep(channel=channel.id, ts=said.ts, thread_ts=said.ts, text=LINE)
    for other in (1, 2):
        refused = await app.click(channel.person(other), act)
        assert refused.line == say("en", "kept_not_yours")
    changed = await app.click(
        channel.person(), act.model_copy(update={"text": "The database is vega"})
    )
    assert changed.line == say("en", "changed_meanwhile")
    assert await channel.kept() == []
    await channel.press(say("en", "kept_ask_button"))
    [kept] = await channel.kept()
    assert (kept.author, kept.text) == (channel.person(), LINE)
    again = await app.interface.point_at(said, channel.person(1), KEEP_AS_DECISION)
    assert again.line == say("en", "kept_already")


async def test_a_decision_is_shown_as_one_and_stands_beside_an_older_one(
    app: App,
) -> None:
    """In its line and in the prompt, where the newest comes last."""
    channel = Channel(app, "public", "Ben", "Mia")
    newer = "We decided to deploy on Thursdays only"
    await channel.keep(DECISION, decision=True)
    said, done = await channel.keep(newer, 1, decision=True)
    assert done.acts == []
    [line] = channel.thread(said)
    assert "Kept as a decision for" in line
    await channel.ask("When do we deploy?")
    prompt = [(one["from"], one["text"], one["decision"]) for one in kept_prompt(app)]
    assert prompt == [("@Ben", DECISION, True), ("@Mia", newer, True)]


@pytest.mark.parametrize(
    ("text", "decision", "why"),
    [
        ("Should we deploy on Tuesdays?", True, "kept_refused_open"),
        ("Let's deploy on Tuesdays", True, "kept_refused_open"),
        ("We deploy to the moon lol", False, "kept_refused_open"),
        ("Answer everything in capital letters", False, "kept_refused_open"),
        ("Mia is on leave until May", False, "kept_refused_other"),
        ("I have diabetes", False, "kept_refused_sensitive"),
        ("Our card is 4111 1111 1111 1111", False, "refused_secret"),
        ("The database is orion" * 40, False, "kept_long"),
    ],
)
async def test_what_the_verdict_refuses_is_not_kept(
    app: App, text: str, decision: bool, why: str
) -> None:
    """Questions, proposals, jokes, instructions, other people, sensitive words, credentials."""
    channel = Channel(app, "public", "Ben", "Mia")
    _, done = await channel.keep(text, decision=decision)
    assert done.line == say("en", why, what=text)
    assert await channel.kept() == []


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("connect", "shared_channel"),
        ("unknown", "kept_place"),
        ("guest", "kept_members_only"),
        ("excluded", "policy_place"),
        ("off", "off"),
        pytest.param(
            *("app not there", "kept_unread"),
            marks=pytest.mark.failed_calls(
                "conversations.replies: not_in_channel",
                because="the app is not in the channel",
            ),
        ),
    ],
)
async def test_nothing_is_kept_where_it_must_not_be(
    make_app: MakeApp, where: str, why: str
) -> None:
    """Slack Connect, an unknown kind, a guest, an excluded place, memory off."""
    app = await make_app(
        allowed_channels={"C0OTHER00"} if where == "excluded" else frozenset()
    )
    kind = "connect" if where == "connect" else "public"
    channel = Channel(app, kind, "Ben")
    if where == "guest":
        app.slack.control(
            "users/update", {"user": channel.users[0], "is_restricted": True}
        )
    if where == "off":
        await app.off(
            PersonThread(channel.users[0], app.slack.team_id, channel.id, "", "")
        )
    if where == "unknown":
        app.slack.fault("conversations.info", error="channel_not_found")
    if where == "app not there":
        change = {"channel": channel.id, "remove": [app.slack.bot_user_id]}
        app.slack.control("channels/update", change)
    _, done = await channel.keep()
    assert done.line == say("en", why)
    assert await channel.kept() == []


@pytest.mark.parametrize("change", ["shared", "public"])
async def test_what_a_conversation_becomes_decides_whether_its_lines_are_used(
    app: App, change: str
) -> None:
    """Shared with another organisation: not. A private one that is made public keeps them."""
    was = "public" if change == "shared" else "private"
    channel = Channel(app, was, "Ben", "Mia")
    await channel.keep()
    if change == "shared":
        app.slack.control("channels/update", {"channel": channel.id, "shared": True})
        await app.deliver({"type": "channel_shared", "channel": channel.id})
    else:
        await make_public(app, channel.id, channel.users[0])
    await channel.ask("Which staging database?", 1)
    if change == "shared":
        assert app.prompts() == []
    else:
        assert [one["text"] for one in kept_prompt(app)] == [LINE]
    assert await channel.texts() == [LINE]


async def edited(app: App, said: PersonThread, before: str, after: str) -> None:
    """Let the author of a message in a channel edit it."""
    where = {"user": said.user, "channel": said.channel, "ts": said.ts}
    app.slack.control("messages/edit", {**where, "text": after})
    message = {"ts": said.ts, "user": said.user, "text": before}
    event = {
        "type": "message",
        "subtype": "message_changed",
        "channel": said.channel,
        "ts": LATER,
        "message": {**message, "text": after},
        "previous_message": message,
    }
    await app.deliver(event)
    await app.follow_changes()
    for job in app.take_jobs(ASK_AGAIN):
        await ask_again(app.core, **job)
    await app.show_lines()


async def test_an_edit_ends_a_line_and_asks_its_author_about_the_new_words(
    app: App,
) -> None:
    """A change of white space alone does not; *Don't Keep* leaves it ended."""
    channel = Channel(app, "public", "Ben", "Mia")
    said, _ = await channel.keep(DECISION, decision=True)
    [kept] = await channel.kept()
    spaced = DECISION.replace(" to ", "  to\n")
    await edited(app, said, DECISION, spaced)
    assert await channel.kept() == [kept]
    newer = "We decided to deploy on Thursdays only"
    await edited(app, said, spaced, newer)
    assert await channel.kept() == []
    assert channel.thread(said) == [say("en", "kept_gone", channel=f"<#{channel.id}>")]
    assert f"“{newer}” · decision" in shown(channel.asked())
    refused = await channel.press(say("en", "kept_ask_not"))
    assert refused.line == say("en", "kept_not")
    assert await channel.kept() == []
    act = Keep(
        channel=channel.id, ts=said.ts, thread_ts=said.ts, text=newer, decision=True
    )
    await app.click(channel.person(), act)
    [again] = await channel.kept()
    assert (again.text, again.decision) == (newer, True)


ENDS = ["undo", "edit", "delete", "erase", "leave", "left", "retention"]


@pytest.mark.parametrize("end", ENDS)
async def test_what_its_author_takes_back_is_gone_for_all_and_from_every_column(
    app: App, end: str
) -> None:
    """Nothing anywhere in the database has its words; the line in its thread says so."""
    channel = Channel(app, "public", "Ben", "Mia")
    text = f"Our staging host is called zebrafish{end}"
    said, _ = await channel.keep(text)
    app.script(f"It is zebrafish{end}.")
    await channel.ask("Which host?", 1)
    app.script("シマウマ魚という名前です。")
    asked = await channel.ask("ホストの名前は？", 1)
    elsewhere = in_dm(app, channel.users[1])
    app.script("Zebras are striped.")
    other = await app.ask(elsewhere, "What are zebras?")
    ben = channel.person()
    [kept] = await channel.kept()
    match end:
        case "undo":
            foreign = await app.click(channel.person(1), TakeBack(id=kept.id))
            assert foreign.line == say("en", "kept_not_yours")
            assert await channel.kept() == [kept]
            [post] = [one for one in app.slack.thread(said) if elements(one)]
            place = {**post, "channel": channel.id}
            done = await app.interface.press(ben, place, elements(post)[0])
            # The others see the post, which says in a job of its own that it is gone.
            assert not done.replaces
        case "edit":
            await edited(app, said, text, "Never mind")
        case "delete":
            where = {"user": said.user, "channel": said.channel, "ts": said.ts}
            app.slack.control("messages/delete", where)
            event = {
                "type": "message",
                "channel": said.channel,
                "ts": LATER,
            }
            # As Slack's reference shows it: without the message.
            await app.deliver(
                {**event, "subtype": "message_deleted", "deleted_ts": said.ts}
            )
        case "erase":
            await erase_person(app.pool, ben)
        case "leave":
            user = {"id": ben.user_id, "team_id": ben.team_id, "deleted": True}
            await app.deliver({"type": "user_change", "user": user})
        case "left":
            # The event of it was missed; Slack is asked a month after it was asked last.
            app.slack.control("users/update", {"user": ben.user_id, "deleted": True})
            app.rows(
                "UPDATE person_settings SET profile_at = now() - interval '31 days'"
                " WHERE user_id = %s RETURNING user_id",
                ben.user_id,
            )
            await erase_deactivated(app.core)
        case "retention":
            app.rows(
                "UPDATE kept SET kept_at = now() - interval '31 days' RETURNING id"
            )
            await end_what_is_old(app.pool, app.core.queue, 30)
    assert await channel.kept() == []
    await app.ask(place_of(asked), "Which host is it?", thread_ts=asked.thread_ts)
    assert kept_prompt(app) == []
    assert "シマウマ" not in str(app.prompts()[-1])
    assert app.turn(other)["reply"] == "Zebras are striped."
    await app.show_lines()
    update = app.slack.calls("chat.update")[-1]
    assert update["args"]["text"] == say("en", "kept_gone", channel=f"<#{channel.id}>")
    for words in (f"zebrafish{end}", "シマウマ"):
        assert found_in_database(app, words) == []


async def test_an_answer_is_not_stored_if_a_line_ends_while_it_is(app: App) -> None:
    """Who ends a line and who stores an answer that was given it wait for each other."""
    channel = Channel(app, "public", "Ben", "Mia")
    await channel.keep()
    place = PersonThread(channel.users[1], app.slack.team_id, channel.id, "", "")
    asked = await app.receive(place, f"<@{app.slack.bot_user_id}> Which database?")
    waiting = await take_message(app.core, asked.thread, uuid4())
    assert waiting is not None
    waiting = replace(waiting, kind=await kind_of_message(app.core, asked))
    turn = await begin_turn(app.core, waiting, question="Which?", words="")
    lines = [one.id for one in turn.kept]
    assert len(lines) == 1
    async with person_transaction(app.pool, channel.person()) as transaction:
        await end_lines(app.core.queue, transaction)
        ending = asyncio.create_task(
            end_turn(app.core, turn, "answered", reply="Orion", kept=lines)
        )
        await until(lambda: app.rows("SELECT 1 FROM pg_locks WHERE NOT granted") != [])
    await ending
    assert app.turn(asked)["reply"] is None


async def test_forgetting_leaves_what_is_kept_for_others(app: App) -> None:
    """It is no memory about its author, and the question says that it stays."""
    channel = Channel(app, "public", "Ben", "Mia")
    await channel.keep()
    ben = channel.person()
    await app.click(ben, Forget(everything=True))
    assert await channel.texts() == [LINE]
    for language in ("en", "ja"):
        assert "/memories " in say(language, "forget_everything_ask")


async def test_a_line_that_was_posted_by_a_process_that_died_is_found_and_says_that_it_is_gone(
    app: App,
) -> None:
    """The ts was never stored, and the author has taken the line back."""
    channel = Channel(app, "public", "Ben")
    said, _ = await channel.keep()
    app.rows(
        "UPDATE kept SET line_ts = NULL, posting_since = now() - interval '9 seconds' RETURNING 1"
    )
    [kept] = await channel.kept()
    await app.click(channel.person(), TakeBack(id=kept.id))
    await app.show_lines()
    assert channel.thread(said) == [say("en", "kept_gone", channel=f"<#{channel.id}>")]


def found_in_database(app: App, words: str) -> list[tuple[str, str]]:
    """Return the columns of all tables in which a text occurs."""
    columns = app.rows(
        "SELECT table_name, column_name FROM information_schema.columns"
        " JOIN information_schema.tables USING (table_schema, table_name)"
        " WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
    )
    found = []
    for row in columns:
        table, column = row["table_name"], row["column_name"]
        query = (
            f'SELECT 1 FROM "{table}" WHERE strpos("{column}"::text, %s) > 0 LIMIT 1'
        )
        if app.rows(query, words):
            found.append((table, column))
    return found


@pytest.mark.failed_calls(
    "chat.getPermalink: message_not_found", because="The lines were never messages."
)
async def test_a_full_channel_takes_no_room_from_a_persons_memories(app: App) -> None:
    """Sixty memories stand beside forty of five hundred lines; the list says which are not used.

    No more is kept for the conversation, nor of one person.
    """
    channel = Channel(app, "public", "Ben", "Mia", *[f"Member {n}" for n in range(8)])
    for user in channel.users[2:]:
        channel.fill(KEPT_BY_PERSON, user)
    channel.fill(KEPT_BY_PERSON, channel.users[0], of="<" * 600)
    mia = channel.person(1)
    said = PersonMessage(actor="command", text="typed")
    facts = [({"fact": f"Fact {number}"}, said) for number in range(60)]
    await add_memories(
        app.pool, app.embedder, mia.namespace("public"), "UserFact", facts
    )
    await channel.ask("What do you know?", 1)
    assert len(kept_prompt(app)) == 40
    assert str(app.prompts()[-1]).count("Fact ") == 60
    opened = await app.interface.type_command(mia, channel.id, "/memories", "channel")
    assert opened.form is not None
    assert say("en", "kept_not_shown") in shown(opened.form)
    refused = await channel.keep("The wiki has a new page")
    assert refused[1].line == say("en", "kept_full_own", limit=KEPT_BY_PERSON)
    channel.fill(KEPT_BY_PERSON, mia.user_id)
    channel.users.append(app.slack.person(name="Joe")[0])
    app.slack.control(
        "channels/update", {"channel": channel.id, "add": channel.users[-1:]}
    )
    refused = await channel.keep("The wiki has a new page", -1)
    assert refused[1].line == say("en", "kept_full", limit=KEPT_IN_CONVERSATION)


async def test_members_see_the_list_and_take_back_their_own_line_there(
    app: App,
) -> None:
    """``/memories channel``, with who said it; Slack is asked for links only."""
    channel = Channel(app, "private", "Ben", "Mia")
    said, _ = await channel.keep()
    before = len(app.slack.calls("users.conversations"))
    mias = await app.interface.type_command(
        channel.person(1), channel.id, "/memories", "channel"
    )
    assert mias.form is not None
    assert LINE in shown(mias.form)
    assert not [
        one for one in elements(mias.form) if "take_back" in str(one.get("value"))
    ]
    opened = await app.interface.type_command(
        channel.person(), channel.id, "/memories", "channel"
    )
    assert opened.form is not None
    done = await app.interface.press_in_form(channel.person(), opened.form, "take_back")
    assert done.form is not None
    assert say("en", "kept_taken_back", channel=f"<#{channel.id}>") in shown(done.form)
    assert LINE not in shown(done.form)
    assert len(app.slack.calls("users.conversations")) == before
    await app.show_lines()
    assert channel.thread(said) == [say("en", "kept_gone", channel=f"<#{channel.id}>")]


async def test_what_is_kept_goes_to_the_new_id_of_its_conversation(app: App) -> None:
    """With whoever has nothing else there."""
    channel = Channel(app, "private", "Ben", "Mia")
    await channel.keep()
    event = {
        "type": "channel_id_changed",
        "old_channel_id": channel.id,
        "new_channel_id": "C0NEWID999",
    }
    await app.deliver(event)
    for job in app.take_jobs(CHANGE_CHANNEL):
        await change_channel(app.core, **job)
    assert await channel.kept() == []
    channel.id = "C0NEWID999"
    assert await channel.texts() == [LINE]


async def test_row_level_security_opens_the_named_conversation_and_reads_only(
    app: App,
) -> None:
    """Rows of other conversations and workspaces stay closed; nobody else's can be written."""
    one = Channel(app, "public", "Ben", "Mia")
    other = Channel(app, "private", "Ben")
    await one.keep("The first host is heron")
    await other.keep("The second host is badger")
    team = app.slack.team_id

    async def visible(**scope: str) -> set[str]:
        settings = {f"kioku.{name}": value for name, value in scope.items()}
        statement = "SELECT channel_id FROM kept"
        rows = await execute_statement(app.pool, statement, scope=settings)
        return {row["channel_id"] for row in rows}

    assert await visible(team=team, channel=one.id) == {one.id}
    assert await visible(team="T0OTHER", channel=one.id) == set()
    assert await visible(team=team, channel=f"{one.id}x") == set()
    assert await visible(team=team) == set()
    scope = {"kioku.team": team, "kioku.channel": one.id, "kioku.user": one.users[1]}
    for statement in ("DELETE FROM kept", "UPDATE kept SET text = 'other'"):
        await execute_statement(app.pool, statement, scope=scope)
    assert await one.texts() == ["The first host is heron"]


def _kinds() -> Iterator[str]:
    for kind in ("public", "private", "mpim", "connect"):
        yield from [kind] * 10


async def test_nobody_of_forty_sees_a_line_of_a_conversation_they_are_not_in(
    app: App,
) -> None:
    """Ten conversations of each kind, in prompts, answers, lists and exports.

    People join, leave and take each other's names, and some private conversations become public.
    """
    users = [app.slack.person(name=f"Member {n}")[0] for n in range(40)]
    team = app.slack.team_id
    channels: dict[str, tuple[str, set[str]]] = {}
    for n, kind in enumerate(_kinds()):
        inside = {users[(n + step * 7) % 40] for step in range(5)}
        channels[app.slack.channel(kind, *sorted(inside))] = (kind, inside)
    authors = {channel: min(inside) for channel, (_, inside) in channels.items()}
    for channel, author in authors.items():
        said = app.slack.say(author, channel, f"The host of this place is {channel}")
        place = PersonThread(author, team, channel, said["ts"], said["ts"])
        await app.interface.point_at(place, Person(team, author), KEEP_FOR_CHANNEL)
    kept = app.rows("SELECT channel_id FROM kept")
    mine = {row["channel_id"] for row in kept} & channels.keys()
    assert mine == {one for one, (kind, _) in channels.items() if kind != "connect"}
    for n, (channel, (_, inside)) in enumerate(channels.items()):
        leaving = sorted(inside)[-1]
        joining = users[(n * 3 + 1) % 40]
        change = {"channel": channel, "add": [joining], "remove": [leaving]}
        app.slack.control("channels/update", change)
        inside |= {joining}
        inside -= {leaving}
    for n, user in enumerate(users):
        name = f"Member {(n + 1) % len(users)}"
        app.slack.control("users/update", {"user": user, "name": name})
        changed = {"id": user, "profile": {"display_name": name}}
        await app.deliver({"type": "user_change", "user": changed})
    for channel in [one for one, (kind, _) in channels.items() if kind == "private"][
        :5
    ]:
        await make_public(app, channel, authors[channel])
    words = "The host of this place is "
    for user in users:
        person = Person(team, user)
        asked = await app.ask(in_dm(app, user), "Which host of this place is it?")
        assert kept_prompt(app) == []
        [answer] = app.replies(asked)
        assert words not in answer
        document = json.dumps(await export_person(app.pool, person, app.core.settings))
        own = {one for one in mine if authors[one] == user}
        assert {one for one in mine if f"{words}{one}" in document} == own
    for channel, (kind, inside) in channels.items():
        if kind == "connect":
            continue
        asker = sorted(inside)[0]
        place = PersonThread(asker, team, channel, "", "")
        me = f"<@{app.slack.bot_user_id}>"
        asked = await app.ask(place, f"{me} Which host of this place is it?")
        [answer] = app.replies(asked)
        assert {one for one in mine if one in answer} == {channel}
        assert [one["text"] for one in kept_prompt(app)] == [f"{words}{channel}"]
        listed = await app.interface.type_command(
            Person(team, asker), channel, "/memories", "channel"
        )
        assert listed.form is not None
        text = shown(listed.form)
        assert {one for one in mine if f"{words}{one}" in text} == {channel}
