"""The server: this machine only, its page, its command line, and what survives a restart."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from slack_playground.manifest import Manifest
from slack_playground.server import serve
from slack_playground.slack import BOT_TOKEN, Slack

from .conftest import MANIFEST, web_client
from .driver import Driver


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:80"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://127.0.0.1:99999"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/auth.test", "/_playground/state"])
async def test_other_sites_and_hosts_are_refused(
    slack: Slack,
    session: aiohttp.ClientSession,
    path: str,
    headers: dict[str, str],
    status: int,
) -> None:
    """A foreign Host, Origin or fetch gets 403, whatever it asks for."""
    async with session.get(slack.url + path, headers=headers) as response:
        assert response.status == status


async def test_the_own_page_may_ask(
    slack: Slack, session: aiohttp.ClientSession
) -> None:
    """The page's own Origin is taken, on HTTP and on the WebSocket."""
    headers = {"Origin": slack.url}
    async with session.post(
        f"{slack.url}/_playground/settle", headers=headers
    ) as response:
        assert response.status == 200
    link = f"{slack.url}/link/?ticket={slack.socket_mode.ticket()}"
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await session.ws_connect(link, headers={"Origin": "http://evil.example"})


async def test_everything_survives_a_restart(
    manifest: Manifest, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    """People, messages, streams, threads and undelivered events are there after a restart."""
    async with serve(manifest, data_dir=tmp_path) as slack:
        driver = Driver(slack.url, session)
        client = web_client(slack)
        identity = slack.workspace.identity
        await driver.post("users", name="Emi", locale="ja-JP", tz="Asia/Tokyo")
        said = await driver.say("hi")
        stream = await client.chat_startStream(
            channel=said["channel"], thread_ts=said["ts"], markdown_text="half"
        )
        await client.chat_postEphemeral(
            channel=said["channel"], user=await driver.user(), text="only you"
        )
        before = await driver.messages()
        event_ids = {
            entry["body"]["event_id"] for entry in await driver.deliveries("message")
        }
    async with serve(manifest, data_dir=tmp_path) as slack:
        driver = Driver(slack.url, session)
        client = web_client(slack)
        assert slack.workspace.identity == identity
        assert await driver.user("Emi")
        assert await driver.messages() == before
        again = {
            entry["body"]["event_id"] for entry in await driver.deliveries("message")
        }
        assert again == event_ids
        await client.chat_appendStream(
            channel=said["channel"], ts=str(stream["ts"]), markdown_text=" and whole"
        )
        texts = [message["text"] for message in await driver.messages()]
        assert texts == ["hi", "half and whole", "only you"]
        later = await driver.say("later")
        assert later["ts"] > str(stream["ts"])


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m slack_playground` with these arguments."""
    process = subprocess.Popen(
        [sys.executable, "-m", "slack_playground", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=60)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.mark.parametrize("ending", ["SIGTERM", "SIGINT", "parent"])
async def test_the_command_serves_until_told(
    session: aiohttp.ClientSession, ending: str
) -> None:
    """It prints one line of JSON, serves Slack, and ends cleanly with 0."""
    arguments = [
        "--manifest",
        str(MANIFEST),
        "--exit-with-parent",
        "--retry-delays",
        "0,1",
    ]
    with running(*arguments) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        facts = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {facts['bot_token']}"}
        url = f"{facts['slack_api_url']}auth.test"
        async with session.post(url, headers=headers) as response:
            assert (await response.json())["user_id"] == facts["bot_user_id"]
        assert facts["bot_token"] == BOT_TOKEN
        if ending == "parent":
            process.stdin.close()
        else:
            process.send_signal(getattr(signal, ending))
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


async def test_a_taken_port_is_named(slack: Slack, manifest: Manifest) -> None:
    """A port somebody else listens on is a reason in one sentence."""
    port = int(slack.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="choose another --port"):
        async with serve(manifest, port=port):
            pass
