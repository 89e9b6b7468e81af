"""Files: what an app uploads."""

from __future__ import annotations

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.manifest import Manifest
from slack_playground.slack import Slack

from .driver import Driver

TEXT = "記憶\n".encode()


async def upload(
    client: AsyncWebClient, content: bytes, *, announced: int
) -> tuple[str, int]:
    """Begin an upload and send its bytes; return the file's id and the status."""
    begun = await client.files_getUploadURLExternal(filename="a.txt", length=announced)
    async with (
        aiohttp.ClientSession() as session,
        session.post(begun["upload_url"], data=content) as answer,
    ):
        return str(begun["file_id"]), answer.status


async def test_a_file_is_uploaded_shared_and_downloaded(
    slack: Slack, driver: Driver, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    """A file is in one message; only members of its conversation can download it."""
    aya = await driver.user("Aya")
    ben = await driver.user("Ben")
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
    assert (message["files"][0]["title"], message["files"][0]["size"]) == (
        "A file",
        len(TEXT),
    )
    statuses: list[int] = []
    for user in (aya, ben, "U0NOBODY"):
        async with session.get(
            f"{slack.url}/_playground/files/{file}?user={user}"
        ) as answer:
            statuses.append(answer.status)
            if answer.status == 200:
                assert await answer.read() == TEXT
                assert answer.headers["Content-Disposition"].startswith("attachment")
    assert statuses == [200, 403, 404]
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_completeUploadExternal(
            files=[{"id": file}], channel_id=said["channel"]
        )


async def test_files_need_their_scopes(
    slack: Slack, manifest: Manifest, driver: Driver, client: AsyncWebClient
) -> None:
    """An app whose optional file scopes were declined can neither upload nor ask for a file."""
    await driver.post("install", declined=["files:read", "files:write"])
    granted = (await client.auth_test()).headers["x-oauth-scopes"].split(",")
    assert set(granted) == manifest.scopes - {"files:read", "files:write"}
    with pytest.raises(SlackApiError, match="missing_scope"):
        await client.files_getUploadURLExternal(filename="a.txt", length=1)
    url = f"{slack.url}/files-pri/T-F/a"
    async with driver.session.get(url, allow_redirects=False) as answer:
        assert answer.status == 302
