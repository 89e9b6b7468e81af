"""What an export holds is what its page says; what becomes of it when Slack will not have it."""

from __future__ import annotations

from contextlib import closing
from http import HTTPStatus
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from bot.acts.kinds import Export
from bot.data.person import export_person
from bot.locale import say
from bot.slack.client import SlackApi
from bot.slack.files import FileUnreadable, read_file
from tests.integration.app import App
from tests.loopback import Handler, ThreadServer


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        (
            {"method": "files.getUploadURLExternal", "error": "missing_scope"},
            "export_no_scope",
        ),
        (
            {"method": "files.getUploadURLExternal", "error": "file_uploads_disabled"},
            "export_no_scope",
        ),
        ({"method": "files.getUploadURLExternal", "status": 503}, "export_failed"),
        (
            {"method": "files.completeUploadExternal", "error": "invalid_channel"},
            "export_failed",
        ),
        ({"method": "files.completeUploadExternal", "drop": "after"}, "export_failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_export_that_slack_does_not_take(
    app: App, fault: dict[str, Any], key: str
) -> None:
    """The person is told why in one sentence; no message about a file stays without it."""
    place = app.slack.place()
    app.slack.control("faults", fault)
    told = await app.click(app.person(place), Export())
    assert told.line == say("en", key)
    seen = app.slack.seen(place.user, place.channel)
    uploaded = 2 if "drop" in fault else 0
    assert sum(len(message.get("files", [])) for message in seen) == uploaded
    sentence = say("en", "export_message")
    assert sentence not in [message["text"] for message in seen]


async def test_a_second_click_while_an_export_is_made(app: App) -> None:
    """It is told so at once; a click after that gets a file."""
    person = app.person(app.slack.place())
    with app.core.under_way.once(f"export {person.scope}"):
        assert (await app.click(person, Export())).line == say("en", "under_way")
    assert (await app.click(person, Export())).line == say("en", "exported")


async def test_an_export_redacts_what_waits(app: App) -> None:
    """The message that waits is stored as typed; what was answered is exported as it is stored."""
    place = app.slack.place()
    person = app.person(place)
    secret = "hunt" + "er2024"
    texts = {"text": f"my password is {secret}"}
    app.rows(
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, audience, status, message,"
        " question) VALUES (%s, %s, 'D1', '1.000001', 'x', 'dm', 'waiting', %s, %s) RETURNING id",
        person.team_id,
        person.user_id,
        Jsonb(texts),
        f"password: {secret}",
    )
    kept = await export_person(app.pool, person, app.core.settings)
    [message] = kept["messages"]
    assert message["text"] == "my password is [password removed]"
    assert message["question"] == f"password: {secret}"


async def test_the_token_goes_to_slack_only(app: App) -> None:
    """A file's address that is not Slack's is not asked, and a page is no file."""
    slack = app.slack.api()
    for url in (
        f"{app.stand_in.url}/_model/journal",
        "http://files.slack.com/files-pri/T1-F1/a.json",
        "https://files.slack.com.example.com/a.json",
        "https://notslack.com/a.json",
        "",
    ):
        with pytest.raises(FileUnreadable, match="files_gone"):
            await read_file(slack, app.slack.team_id, url, most=50_000_000)
    base = app.slack.info["url"]
    with pytest.raises(FileUnreadable):
        await read_file(slack, app.slack.team_id, f"{base}/page/js/words.js", most=10)
    with pytest.raises(FileUnreadable):
        await read_file(
            slack, app.slack.team_id, f"{base}/no-such-page", most=1_000_000
        )


async def test_the_token_follows_no_redirect_out_of_slack(app: App) -> None:
    """A download that is sent on to another host, or answered by a page, lacks the scope."""
    tokens: list[str | None] = []

    class Elsewhere(Handler):
        def respond(self) -> None:
            tokens.append(self.headers["authorization"])
            self.answer(HTTPStatus.OK, "text/plain", b"x")

    class Slacks(Handler):
        def respond(self) -> None:
            if self.path.endswith("page"):
                self.answer(HTTPStatus.OK, "text/html; charset=utf-8", b"<html>")
                return
            self.send_response(HTTPStatus.FOUND)
            self.send_header(
                "location", elsewhere.url if self.path == "/out" else "/page"
            )
            self.end_headers()

    with (
        closing(ThreadServer(Elsewhere)) as elsewhere,
        closing(ThreadServer(Slacks)) as slack,
    ):
        here = app.core.slack.installation_in(app.slack.team_id)
        api = SlackApi(here, base_url=f"{slack.url}/api/")
        for path in ("out", "in", "page"):
            with pytest.raises(FileUnreadable, match="files_scope"):
                await read_file(api, app.slack.team_id, f"{slack.url}/{path}", most=99)
    assert tokens == []
