"""A `kioku up` with its setup page, beside a playground that takes the place of real Slack."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.conftest import Server
from tests.kioku_process import Running, running

BOT, APP, KEY = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY"


@dataclass(frozen=True)
class Answer:
    """An answer of the setup page's server."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class SetupPage:
    """The setup page of a running `kioku up`, by the address that the terminal shows."""

    kioku: Running
    url: str
    playground_url: str

    @property
    def code(self) -> str:
        """The code of the terminal."""
        return urlsplit(self.url).query.removeprefix("code=")

    @property
    def own(self) -> str:
        """The page's host and port."""
        return urlsplit(self.url).netloc

    def request(
        self, path: str = "/", form: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """Send a request as the page would; `headers` replace its own, `""` leaves one out."""
        body = None if form is None else urlencode(form)
        sent = {"Host": self.own, **headers}
        if form is not None:
            sent = {
                "Origin": f"http://{self.own}",
                "Content-Type": "application/x-www-form-urlencoded",
                **sent,
            }
        connection = http.client.HTTPConnection(self.own, timeout=60)
        try:
            method = "GET" if form is None else "POST"
            connection.request(method, path, body, {k: v for k, v in sent.items() if v})
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, dict(answer.getheaders()), text)
        finally:
            connection.close()

    def submit(self, **values: str) -> Answer:
        """Submit values with the code."""
        return self.request(form={"code": self.code, **values})

    def page(self, language: str = "en") -> str:
        """Return the page as the operator, who has the code, sees it."""
        headers = {"Accept-Language": language}
        return self.request(f"/?code={self.code}", None, **headers).text


def slack_settings(slack: Server) -> dict[str, str]:
    """Return the settings that put `slack` and its stand-in in real Slack's and OpenAI's place."""
    return {
        "SLACK_API_URL": slack.info["slack_api_url"],
        "OPENAI_BASE_URL": slack.openai_base_url,
    }


def values(slack: Server) -> dict[str, str]:
    """Return what a person pastes."""
    return {BOT: slack.info["bot_token"], APP: slack.info["app_token"], KEY: "sk-pasted-key"}


@contextmanager
def setup_page(folder: Path, slack: Server, **settings: str) -> Iterator[SetupPage]:
    """Run `kioku up` without tokens; yield its setup page."""
    with running(folder, "up", **{"PORT": "0", **slack_settings(slack), **settings}) as kioku:
        lines = [kioku.line() for _ in range(4)]
        assert lines[0].startswith("Kioku is ready at "), kioku.errors
        url = lines[2].removeprefix("  Use it in your Slack: ")
        yield SetupPage(kioku, url, lines[0].rsplit(" ", 1)[1])
