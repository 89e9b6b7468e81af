"""What is left of a person who was erased: in every column of the database, and in Slack."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import psycopg
import pytest

from bot.acts.kinds import Export
from bot.conversation.inbox import ANSWER, store_message
from bot.data import person as data
from bot.data.person import erase_person, export_person
from bot.locale import Localizer, say
from bot.panel.forms import receipt_text
from bot.panel.home import publish_home, publish_later
from bot.remembering.formation import form_memories
from memory import Person
from memory.postgres import load_statements
from tests.conftest import ROOT
from tests.databases import naming
from tests.filled import ROWS, values_of
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread

# What is on the receipt, and the jobs that wait: they hold ids until they have run.
NAMED = {"forgotten", "people", "procrastinate_jobs"}
WORK: Mapping[str, Callable[..., Awaitable[None]]] = {
    "form_memories": form_memories,
    "publish_home": publish_home,
}


async def lived(app: App, place: PersonThread) -> Person:
    """Let somebody use everything that stores something about them."""
    person = app.person(place)
    asked = await app.ask(place, "I love ramen and I live in Osaka")
    await app.form(asked)
    await app.ask(place, "What shall I eat?")
    await app.receive(place, "what else?")
    await app.click(person, Export())
    await publish_later(app.pool, app.core.queue, person)
    await app.off(place)
    return person


def jobs(app: App, name: str = "") -> list[dict[str, Any]]:
    """Take the waiting jobs, of a name if one is given; return their names and arguments."""
    return app.rows(
        "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND (task_name = %s OR %s = '')"
        " RETURNING task_name, args",
        name,
        name,
    )


def seen(app: App, place: PersonThread) -> list[dict[str, Any]]:
    """Return what a person's direct message keeps: no ephemeral message."""
    shown = app.slack.seen(place.user, place.channel)
    return [message for message in shown if not message.get("is_ephemeral")]


async def test_no_column_names_the_person_but_what_the_receipt_says(app: App) -> None:
    """Every column of every table is searched; what is left of the person is on the receipt."""
    place = app.slack.place()
    person = await lived(app, place)
    before = naming(app.database, person.user_id)
    assert before.keys() >= {"messages", "procrastinate_jobs", "store"}
    # A date that Python cannot read keeps nobody's data.
    app.rows(
        "UPDATE person_settings SET profile_at = 'infinity', agreed_at = '10000-01-01'"
    )
    erased = await erase_person(app.pool, person)
    assert not any(erased.left.values())
    assert erased.counts["store"] == erased.counts["store_vectors"] >= 2
    assert erased.counts["messages"] == 3
    assert erased.counts["statements"] >= 2
    assert (erased.counts["person_settings"], erased.counts["memory_off"]) == (1, 1)
    events = app.rows(
        "SELECT message, status FROM messages WHERE channel_id = %s ORDER BY ts",
        place.channel,
    )
    assert events == [{"message": None, "status": "deleted"}] * 3
    assert naming(app.database, person.user_id).keys() == NAMED
    for job in jobs(app, ANSWER):
        await app.answering.drain(job["args"]["thread"])
    for job in jobs(app):
        await WORK[job["task_name"]](app.core, **job["args"])
    # The hour's count goes after a day.
    app.rows("SELECT * FROM clear_away_people(1000)")
    assert naming(app.database, person.user_id)["people"] == 1
    app.rows("UPDATE people SET asked_from = asked_from - interval '1 day' RETURNING 1")
    app.rows("SELECT * FROM clear_away_people(1000)")
    left = naming(app.database, person.user_id)
    # And that the person was erased, for a backup that is restored.
    assert left.pop("forgotten") == 1
    assert erased.never_formed_messages > 0
    assert left == {}
    receipt = receipt_text(Localizer("en"), erased)
    assert say("en", "stays_sources", count=erased.never_formed_messages) in receipt
    assert say("en", "deleted_messages", count=3) in receipt
    assert (
        say("en", "deleted_rest", count=erased.total - erased.memories - 3) in receipt
    )
    assert (await erase_person(app.pool, person)).total == 0


@pytest.mark.parametrize(
    "table", ["messages", "statements", "store", "person_settings", "kept"]
)
def test_nobody_of_whom_something_is_stored_is_cleared_away(
    app: App, table: str
) -> None:
    """A person with one row of a table keeps it, however long ago they asked for something."""
    person = Person(app.slack.team_id, "UALONE")
    [statement] = [row for row in ROWS if row.startswith(f"INSERT INTO {table} ")][:1]
    with psycopg.connect(app.database) as owner:
        owner.execute(statement, values_of(person))
    before = naming(app.database, "UALONE")
    app.rows("UPDATE people SET asked_from = now() - interval '9 days'")
    app.rows("SELECT * FROM clear_away_people(1000)")
    assert before.keys() >= {table}
    assert naming(app.database, "UALONE") == before


async def test_messages_just_delivered_lose_their_author_and_are_deleted_soon(
    app: App,
) -> None:
    """Its ids stay for a day, so that it is not answered again; then nothing."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")
    await erase_person(app.pool, message.person)
    assert not await store_message(app.core, message)
    [row] = app.rows(
        "SELECT user_id, message, status FROM messages WHERE ts = %s", message.ts
    )
    assert row == {"user_id": "", "message": None, "status": "deleted"}
    app.rows(
        "UPDATE messages SET ended_at = ended_at - interval '25 hours' WHERE ts = %s RETURNING 1",
        message.ts,
    )
    app.rows("SELECT * FROM clear_away(1000)")
    assert app.rows("SELECT 1 FROM messages WHERE ts = %s", message.ts) == []


async def test_a_thread_is_read_without_what_was_said_before_the_erasure(
    app: App,
) -> None:
    """Messages in Slack stay, but the model is shown neither the person's nor the app's."""
    place = app.slack.place(channel="public")
    message = await app.ask(place, f"<@{app.slack.bot_user_id}> I love ramen")
    await erase_person(app.pool, message.person)
    await app.ask(place, "What do I eat?", thread_ts=message.thread_ts)
    assert "What do I eat?" in app.request_texts()[-1]
    assert "ramen" not in app.request_texts()[-1]


# Columns of `messages` that stay for a day after their person was erased.
STAYS = {"id", "team_id", "channel_id", "ts", "thread", "changed_ts"}
# Columns of `messages` that no export lists: how far it is, and `words`, which are a part of
# `question`.
NOT_EXPORTED = {
    "words",
    *(
        "id",
        "token",
        "failures",
        "changed_ts",
        "posting_since",
        "removal_proposed",
        "with_kept",
        "cited",
        "notice",
    ),
}


def names_in(statement: str) -> set[str]:
    """Return the words of a statement, without its conditions."""
    changed_or_selected, _, _ = statement.partition("WHERE")
    return set(re.findall(r"\w+", changed_or_selected))


def test_each_column_of_messages_is_erased_and_exported(app: App) -> None:
    """A new column of the table is missing in both statements until it is written there."""
    found = app.rows(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'messages'"
    )
    columns = {row["name"] for row in found}
    [erasing] = app.rows(
        "SELECT prosrc FROM pg_proc WHERE proname = 'forget_author_of_messages'"
    )
    stays = columns - names_in(erasing["prosrc"])
    assert stays == STAYS, (
        "forget_author_of_messages in bot/schema.sql, or STAYS, lacks a column"
    )
    left_out = columns - names_in(str(load_statements("bot.data", "data")["messages"]))
    assert left_out == NOT_EXPORTED, (
        "`messages` in bot/data/sql/data.sql, or NOT_EXPORTED, lacks it"
    )


async def test_the_page_of_the_export_names_each_key(app: App) -> None:
    """It names those of the document, and of each entry of its lists that this person has."""
    person = await lived(app, app.slack.place())
    document = await export_person(app.pool, person, app.core.settings)
    keys = set(document)
    for part in document.values():
        entries = part if isinstance(part, list) else [part]
        keys.update(*(entry for entry in entries if isinstance(entry, dict)))
    page = (ROOT / "docs" / "reference" / "export.md").read_text("utf-8")
    assert keys - set(re.findall(r"`(\w+)`", page)) == set()


async def test_what_is_in_slack_stays_after_an_erasure(app: App) -> None:
    """Messages stay, and so do the files of an export; the receipt says so."""
    place = app.slack.place()
    person = await lived(app, place)
    before = seen(app, place)
    assert sum(len(message.get("files", [])) for message in before) == 2
    erased = await erase_person(app.pool, person)
    receipt = receipt_text(Localizer("en"), erased)
    assert say("en", "stays_messages") in receipt
    assert say("en", "stays_answers") in receipt
    assert seen(app, place) == before


async def test_an_export_under_way_is_not_sent_to_an_erased_person(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased while the document is made, a person is sent none."""
    place = app.slack.place()
    message = await app.ask(place, "I love ramen")

    async def exported_and_erased(*about: Any) -> dict[str, Any]:
        document = await export_person(*about)
        await erase_person(app.pool, message.person)
        await app.core.people.settings(message.person)  # as App Home does
        return document

    monkeypatch.setattr(data, "export_person", exported_and_erased)
    before = seen(app, place)
    told = await app.click(message.person, Export())
    assert told.line == say("en", "changed_meanwhile")
    assert seen(app, place) == before
