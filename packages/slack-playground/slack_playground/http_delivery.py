"""HTTP mode: signed requests to the app's own URL."""

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import aiohttp

from slack_playground.records import LOOPBACK, Json, RequestKind


def check_loopback(url: str) -> str:
    """Return `url`; raise ValueError if it is not on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise ValueError(
            "url must be http on 127.0.0.1: the playground sends to no other host."
        )
    return url


class HttpDelivery:
    """Posts what Slack would post to the app's request `url`.

    Commands and interactions go to `interactivity_url` if that is set.
    """

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret.encode()
        self.url = ""
        self.interactivity_url = ""

    async def send(
        self, kind: RequestKind, body: Json, retry: Json, *, patience: float
    ) -> Json:
        """Post once, signed; return what is recorded about the answer."""
        url = self.url
        if kind != "events_api":
            url = self.interactivity_url or url
        content_type, data = _content(kind, body)
        headers = self._headers(content_type, data, retry)
        post = aiohttp.request(
            "POST", url, data=data, headers=headers, allow_redirects=False
        )
        try:
            async with asyncio.timeout(patience), post as response:
                text = await response.text(errors="replace")
        except TimeoutError:
            return {"reason": "http_timeout"}
        except aiohttp.ClientError:
            return {"reason": "connection_failed"}
        if response.status != 200:
            return {"reason": "http_error", "status": response.status}
        answer = None
        if kind != "events_api":
            answer = _payload(response, text)
        return {"ok": True, "status": 200, "answer": answer}

    def _headers(self, content_type: str, data: bytes, retry: Json) -> dict[str, str]:
        """The headers of a request, with the signature of the time and of its body.

        Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        now = str(int(time.time()))
        signed_text = f"v0:{now}:".encode() + data
        signature = hmac.new(self._secret, signed_text, hashlib.sha256)
        headers = {
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "*/*",
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": now,
            "X-Slack-Signature": f"v0={signature.hexdigest()}",
        }
        if retry["retry_num"]:
            headers["X-Slack-Retry-Num"] = str(retry["retry_num"])
            headers["X-Slack-Retry-Reason"] = retry["retry_reason"]
        return headers


def _content(kind: RequestKind, body: Json) -> tuple[str, bytes]:
    """The content type and the content of a request: JSON, or a form that may hold JSON."""
    as_json = json.dumps(body, separators=(",", ":")).encode()
    if kind == "events_api":
        return "application/json", as_json
    form = body if kind == "slash_commands" else {"payload": as_json}
    return "application/x-www-form-urlencoded", urlencode(form).encode()


def _payload(response: aiohttp.ClientResponse, text: str) -> Json | None:
    """Return the content of an ack: JSON, plain text as {"text": …}, or None if it is empty."""
    if response.content_type == "application/json":
        with suppress(ValueError):
            content = json.loads(text)
            return content if isinstance(content, dict) else None
    if not text:
        return None
    return {"text": text}
