"""Files in Slack, read with the token of their workspace."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.network import proxy_for
from bot.slack.client import (
    SLACK_FAULTS,
    TURN_PATIENCE_SECONDS,
    SlackApi,
    is_passing,
    raise_if_passing,
    repeat,
    slack_fault,
)
from bot.slack.retries import DOWNLOAD

log = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=60.0)
_CHUNK_BYTES = 65_536
_MOST_REDIRECTS = 3
# Where Slack keeps files. Source: `url_private` at https://docs.slack.dev/reference/objects/file-object
_HOSTS = (".slack.com", ".slack-gov.com", ".slack-edge.com", ".slack-files.com")
PROCESS_BYTES = 40_000_000
"""The most bytes of files that one process holds for all messages it is answering."""
FileTrouble: TypeAlias = Literal[
    "files_scope",
    "files_kind",
    "files_empty",
    "files_large",
    "files_many",
    "files_gone",
    "files_not_now",
    "files_model",
    "files_long",
]


class FileBytes:
    """How many more bytes of files this process may hold for the messages it is answering."""

    def __init__(self, free: int = PROCESS_BYTES) -> None:
        self._free = free

    def take(self, size: int) -> bool:
        """Take `size` bytes; return False if fewer are free."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give_back(self, size: int) -> None:
        """Let other messages have these bytes."""
        self._free += size


class FileUnreadable(Exception):
    """A file cannot be shown to the model; `trouble` names the sentence that says why."""

    def __init__(self, trouble: FileTrouble) -> None:
        super().__init__(f"A file is not shown: {trouble}.")
        self.trouble: FileTrouble = trouble


async def read_file(slack: SlackApi, team_id: str, url: str, *, most: int) -> bytes:
    """Return the bytes of a file in Slack, at most `most`.

    The request is made as `repeat` does, for `TURN_PATIENCE_SECONDS` at most. The workspace's
    token is sent only to Slack. Raises `FileUnreadable`.
    """
    client = slack.client(team_id)
    if not is_slacks(client, url):
        raise FileUnreadable("files_gone")

    async def download() -> bytes:
        installation = slack.installation_in(team_id)
        return await _download(client, installation.bot_token, url, most)

    try:
        return await repeat(
            slack.limits, DOWNLOAD, download, patience=TURN_PATIENCE_SECONDS
        )
    except SLACK_FAULTS as error:
        log.warning("a file was not read: %s", slack_fault(error))
        trouble: FileTrouble = "files_not_now" if is_passing(error) else "files_gone"
        raise FileUnreadable(trouble) from error


async def _download(client: AsyncWebClient, token: str, url: str, most: int) -> bytes:
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(1 + _MOST_REDIRECTS):
        async with aiohttp.request(
            "GET",
            url,
            headers=headers,
            allow_redirects=False,
            proxy=proxy_for(url),
            timeout=_TIMEOUT,
        ) as answer:
            if not 300 <= answer.status < 400:
                return await _content(answer, most)
            # Enterprise Grid redirects to another host of Slack's, which needs the token again.
            url = urljoin(url, answer.headers.get("Location", ""))
            if not is_slacks(client, url):
                raise FileUnreadable("files_scope")
    raise FileUnreadable("files_gone")


async def _content(answer: aiohttp.ClientResponse, most: int) -> bytes:
    raise_if_passing(answer)
    # A token that may not read a file is redirected to a sign-in page; a file is an attachment.
    page = answer.content_type == "text/html" and answer.content_disposition is None
    signing_in = answer.status == 200 and page
    if signing_in or answer.status in (401, 403):
        raise FileUnreadable("files_scope")
    if answer.status != 200:
        raise FileUnreadable("files_gone")
    content = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > most:
            raise FileUnreadable("files_gone")
    return bytes(content)


def is_slacks(client: AsyncWebClient, url: str) -> bool:
    """Return whether an address is one of Slack's, or of the server that stands in for it."""
    target = urlsplit(url)
    api = urlsplit(client.base_url)
    if (target.scheme, target.netloc) == (api.scheme, api.netloc):
        return True
    return target.scheme == "https" and (target.hostname or "").endswith(_HOSTS)
