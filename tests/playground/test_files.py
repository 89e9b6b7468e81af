"""Files: what an app uploads, and what people send in a form."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from playground.manifest import Manifest
from playground.slack import BOT_TOKEN, Slack
from tests.playground.driver import Driver, Json

TEXT = "記憶\n".encode()
CONTENT = base64.b64encode(TEXT).decode()
BEARER = {"Authorization": f"Bearer {BOT_TOKEN}"}
FORM: dict[str, Any] = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Import"},
    "submit": {"type": "plain_text", "text": "Preview"},
    "blocks": [
        {
            "type": "input",
            "block_id": "file",
            "label": {"type": "plain_text", "text": "File"},
            "element": {
                "type": "file_input",
                "action_id": "value",
                "filetypes": ["txt"],
                "max_files": 1,
            },
        }
    ],
}


async def upload(client: AsyncWebClient, content: bytes, *, announced: int) -> tuple[str, int]:
    """Begin an upload and send its bytes; return the file's id and the status."""
    begun = await client.files_getUploadURLExternal(filename="a.txt", length=announced)
    async with (
        aiohttp.ClientSession() as session,
        session.post(begun["upload_url"], data=content) as answer,
    ):
        return str(begun["file_id"]), answer.status


async def shown(driver: Driver, name: str) -> Json:
    """Send a file of Aya's with a message; return the message's file object."""
    made = await driver.post("files", user=await driver.user(), name=name, content=CONTENT)
    await driver.say("look", file_ids=[made["id"]])
    [message] = await driver.messages()
    assert (message["subtype"], message["text"]) == ("file_share", "look")
    [file] = message["files"]
    return dict(file)


async def test_a_file_is_uploaded_shared_and_downloaded(
    slack: Slack, driver: Driver, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    """A file is in one message; only members of its conversation can download it."""
    aya, ben = await driver.user("Aya"), await driver.user("Ben")
    said = await driver.say("hello")
    file, status = await upload(client, TEXT, announced=len(TEXT))
    assert status == 200
    done = await client.files_completeUploadExternal(
        files=[{"id": file, "title": "A file"}],
        channel_id=said["channel"],
        thread_ts=said["ts"],
        initial_comment="Here",
    )
    message = (await driver.messages())[-1]
    assert (message["subtype"], message["text"], message["thread_ts"]) == (
        "file_share",
        "Here",
        said["ts"],
    )
    assert message["files"] == done["files"]
    assert (message["files"][0]["title"], message["files"][0]["size"]) == ("A file", len(TEXT))
    statuses: list[int] = []
    for user in (aya, ben, "U0NOBODY"):
        async with session.get(f"{slack.url}/_playground/files/{file}?as={user}") as answer:
            statuses.append(answer.status)
            if answer.status == 200:
                assert await answer.read() == TEXT
                assert answer.headers["Content-Disposition"].startswith("attachment")
    assert statuses == [200, 403, 404]
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_completeUploadExternal(files=[{"id": file}], channel_id=said["channel"])


async def test_an_upload_is_as_it_was_announced(client: AsyncWebClient) -> None:
    """Other bytes than announced are refused, and what is not there cannot be shared."""
    file, status = await upload(client, TEXT, announced=len(TEXT) + 1)
    assert status == 400
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_completeUploadExternal(files=[{"id": file}])
    with pytest.raises(SlackApiError, match="missing_argument"):
        await client.files_getUploadURLExternal(filename="a.txt", length=0)


async def test_files_need_their_scopes(
    slack: Slack, manifest: Manifest, driver: Driver, client: AsyncWebClient
) -> None:
    """An app whose optional file scopes were declined can neither upload nor ask for a file."""
    await driver.post("install", declined=["files:read", "files:write"])
    granted = (await client.auth_test()).headers["x-oauth-scopes"].split(",")
    assert set(granted) == manifest.scopes - {"files:read", "files:write"}
    with pytest.raises(SlackApiError, match="missing_scope"):
        await client.files_getUploadURLExternal(filename="a.txt", length=1)
    trigger = slack.interactions._trigger(slack.workspace.user(await driver.user()))
    with pytest.raises(SlackApiError, match="missing_scope"):
        await client.views_open(trigger_id=trigger, view=FORM)
    url = f"{slack.url}/files-pri/T-F/a"
    async with driver.session.get(url, allow_redirects=False) as answer:
        assert answer.status == 302


async def test_a_file_is_sent_in_a_form(
    slack: Slack, driver: Driver, session: aiohttp.ClientSession
) -> None:
    """The app receives a chosen file's id and downloads it with its token, of its kinds only."""
    aya, ben = await driver.user("Aya"), await driver.user("Ben")
    file = await driver.post("files", user=aya, name="a.txt", content=CONTENT)
    other = await driver.post("files", user=aya, name="a.png", content=CONTENT)
    foreign = await driver.post("files", user=ben, name="b.txt", content=CONTENT)
    view = slack.views.open(aya, FORM)
    for wrong in ([other["id"]], [foreign["id"]], [file["id"], file["id"]], []):
        status, _ = await driver.try_post("views/submit", view_id=view.id, values={"file": wrong})
        assert status == 400
    await driver.try_post("views/submit", view_id=view.id, values={"file": [file["id"]]})
    sent = (await driver.deliveries())[-1]["body"]["view"]["state"]["values"]
    [told] = sent["file"]["value"]["files"]
    assert (told["name"], told["size"]) == ("a.txt", len(TEXT))
    url = told["url_private_download"]
    async with session.get(url, headers=BEARER) as answer:
        assert await answer.read() == TEXT
    async with session.get(url, allow_redirects=False) as answer:
        assert answer.status == 302
    status, _ = await driver.try_post("files", user=aya, name="a.txt", content="%")
    assert status == 400


async def test_a_download_can_have_two_hops(
    slack: Slack, driver: Driver, session: aiohttp.ClientSession
) -> None:
    """As in Enterprise Grid: the address that a download is sent on to needs the token again."""
    first = (await shown(driver, "a.txt"))["url_private_download"]
    await driver.post("faults", method="url_private", status=302)
    async with session.get(first, headers=BEARER, allow_redirects=False) as answer:
        target = f"{slack.url}{answer.headers['Location']}"
    assert (answer.status, target != first) == (302, True)
    async with session.get(target, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/")
    async with session.get(target, headers=BEARER, allow_redirects=False) as answer:
        assert await answer.read() == TEXT


async def test_a_file_is_sent_with_a_message(
    driver: Driver, session: aiohttp.ClientSession
) -> None:
    """It comes with the message's event, the app downloads it, and it can be sent once."""
    file = await shown(driver, "a.png")
    assert (file["mimetype"], file["size"]) == ("image/png", len(TEXT))
    async with session.get(file["url_private_download"], headers=BEARER) as answer:
        assert await answer.read() == TEXT
    for name in ("Aya", "Ben"):
        again = {"user": await driver.user(name), "channel": "dm", "file_ids": [file["id"]]}
        assert (await driver.try_post("messages", **again))[0] == 400


async def test_what_is_known_of_a_file(driver: Driver, client: AsyncWebClient) -> None:
    """`files.info` tells of a file the app can see, and of no other."""
    hidden = await driver.post("files", user=await driver.user(), name="a.png", content=CONTENT)
    with pytest.raises(SlackApiError, match="not_visible"):
        await client.files_info(file=hidden["id"])
    file = await shown(driver, "a.png")
    found = await client.files_info(file=file["id"])
    assert found["file"]["mimetype"] == "image/png"
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_info(file="F0")
