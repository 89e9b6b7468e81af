"""HTTP mode: signed requests to the app's own URL, or to one of several."""

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import aiohttp

from slack_playground.delivery import Answer, Kind
from slack_playground.records import LOOPBACK, Json


def check_loopback(url: str) -> None:
    """Raise ValueError for a URL that is not on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise ValueError("url must be http on 127.0.0.1: the playground sends to no other host.")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The v0 signature of a request body."""
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class HttpDelivery:
    """Posts what Slack would post to the app's request URL.

    With several `urls`, each request goes to any one of them, as through a load balancer.
    """

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret
        self._session: aiohttp.ClientSession | None = None
        self.urls: Sequence[str] = ()

    async def send(
        self,
        kind: Kind,
        body: Json,
        *,
        retry_num: int = 0,
        retry_reason: str = "",
        patience: float,
    ) -> Answer:
        """Post once, signed, to one of `urls`, and read the answer."""
        if not self.urls:
            return Answer(ok=False, reason="connection_failed")
        url = random.choice(self.urls)  # noqa: S311
        headers = {
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "*/*",
        }
        if kind == "events_api":
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, separators=(",", ":")).encode()
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            form = body if kind == "slash_commands" else {"payload": json.dumps(body)}
            data = urlencode(form).encode()
        if retry_num:
            headers["X-Slack-Retry-Num"] = str(retry_num)
            headers["X-Slack-Retry-Reason"] = retry_reason
        headers["X-Slack-Request-Timestamp"] = str(int(time.time()))
        headers["X-Slack-Signature"] = sign(
            self._secret, headers["X-Slack-Request-Timestamp"], data
        )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True)
            )
        try:
            async with (
                asyncio.timeout(patience),
                self._session.post(
                    url, data=data, headers=headers, allow_redirects=False
                ) as response,
            ):
                text = await response.text(errors="replace")
        except TimeoutError:
            return Answer(ok=False, reason="http_timeout", detail={"url": url})
        except aiohttp.ClientError:
            return Answer(ok=False, reason="connection_failed", detail={"url": url})
        ok = response.status == 200
        return Answer(
            ok=ok,
            status=response.status,
            payload=_payload(response, text) if ok and kind != "events_api" else None,
            reason="" if ok else "http_error",
            no_retry=response.headers.get("X-Slack-No-Retry") == "1",
            detail={"url": url, "body": text[:2000]},
        )

    async def close(self) -> None:
        """Close the client."""
        if self._session is not None:
            await self._session.close()


def _payload(response: aiohttp.ClientResponse, text: str) -> Json | None:
    """Return the content of an ack: JSON, plain text as {"text": …}, or None if it is empty."""
    if not text:
        return None
    if response.content_type == "application/json":
        try:
            content = json.loads(text)
        except ValueError:
            return {"text": text}
        return content if isinstance(content, dict) else None
    return {"text": text}
