"""HTTP mode: signed requests to the app's own URL."""

import asyncio
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import aiohttp

from playground.delivery import Answer, Kind
from playground.records import Json


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The v0 signature of a request body."""
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class HttpDelivery:
    """Posts to one URL what Slack would post to the app's request URL."""

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    async def send(
        self, kind: Kind, body: Json, *, retry_num: int, retry_reason: str, patience: float
    ) -> Answer:
        """Post once, signed, and read the answer."""
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
                    self.url, data=data, headers=headers, allow_redirects=False
                ) as response,
            ):
                text = await response.text(errors="replace")
        except TimeoutError:
            return Answer(ok=False, reason="http_timeout")
        except aiohttp.ClientError:
            return Answer(ok=False, reason="connection_failed")
        ok = response.status == 200
        return Answer(
            ok=ok,
            status=response.status,
            payload=_payload(response, text) if ok and kind != "events_api" else None,
            reason="" if ok else "http_error",
            no_retry=response.headers.get("X-Slack-No-Retry") == "1",
            detail={"body": text[:2000]},
        )

    async def challenge(self, token: str) -> bool:
        """Ask the URL to answer a url_verification challenge, as Slack does when it is entered."""
        body = {"token": token, "challenge": hashlib.sha256(token.encode()).hexdigest()[:40]}
        answer = await self.send(
            "events_api",
            {**body, "type": "url_verification"},
            retry_num=0,
            retry_reason="",
            patience=3.0,
        )
        return answer.ok and body["challenge"] in str(answer.detail.get("body"))

    async def close(self) -> None:
        """Close the client."""
        if self._session is not None:
            await self._session.close()


def _payload(response: aiohttp.ClientResponse, text: str) -> Json | None:
    """What an ack carries: JSON as it is, plain text as {"text": …}, nothing as None."""
    if not text:
        return None
    if response.content_type == "application/json":
        try:
            content = json.loads(text)
        except ValueError:
            return {"text": text}
        return content if isinstance(content, dict) else None
    return {"text": text}
