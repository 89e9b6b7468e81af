"""`kioku up` as people start it, in a folder of its own, and the people in its playground."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from openai_double.conformance import TRAFFIC
from tests import apt
from tests.kioku_process import Running, forked, fresh
from tests.loopback import fetched
from tests.payloads import PAYLOADS
from tests.person import Person
from tests.playground import Playground
from tests.waiting import wait_until

TOKEN = "a-token-of-sixteen-characters"
_PACE = {"first_token_ms": 0, "token_ms": 0, "chunk_chars": 40, "embedding_ms": 0}
_CLOCK = Path(__file__).with_name("acceptance") / "clock.c"


class Kioku:
    """One `kioku up`, with its own database, playground and model; it may start again."""

    slack: Playground

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.process = Running(folder / "errors", folder / "output")
        self.ask_url = ""
        self._watching = ExitStack()
        self._read = 0

    def start(self, **more: str) -> None:
        """Start it, and wait until it is connected with its playground."""
        settings = {
            "PORT": "0",
            "KIOKU_API_TOKEN": TOKEN,
            "KIOKU_FORMATION_DELAY": "0.05",
            **more,
        }
        # Only a new program takes another clock.
        how = fresh if "LD_PRELOAD" in more else forked
        self.process.run(how, self.folder, ["up", "--no-browser"], settings)
        said = [self.process.line()]
        while "Ctrl-C" not in said[-1]:
            said.append(self.process.line())
        text = "\n".join(said)
        self.ask_url = re.findall(r"http\S+/ask", text)[0]
        self._enter(re.findall(r"ready at (\S+)", text)[0])

    def _enter(self, url: str) -> None:
        if not hasattr(self, "slack"):
            self.slack = Playground(url)
        self.slack.url = url  # those who were there stay
        self.slack.info = wait_until(self._connected, "a connection with Slack")
        self.slack.model("settings", _PACE)
        for watched in (PAYLOADS.watched, TRAFFIC.watched):
            self._watching.enter_context(watched(url, self.process.runs))
        self._read = 0

    def _connected(self) -> Any:
        state = self.slack.control("state")
        return state if state["connections"] else None

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        self._watching.close()
        self.process.close()

    def kill(self) -> None:
        """End it as a crash does; its playground ends by itself."""
        playground = self.process.child("playground")
        self._watching.close()
        self.process.kill()
        wait_until(lambda: playground is None or not playground.is_running())

    def later(self, seconds: float) -> None:
        """Start it again by a clock that is so far ahead of this machine's."""
        if not shutil.which("cc"):
            apt.install("gcc", "libc6-dev")
        clock = self.folder / "clock.so"
        command = ["cc", "-shared", "-fPIC", "-o", str(clock), str(_CLOCK), "-ldl"]
        subprocess.run(command, check=True)
        self.stop()
        self.start(LD_PRELOAD=str(clock), SECONDS_AHEAD=str(int(seconds)))

    def calm(self) -> None:
        """Let the model answer by itself, at once."""
        for path in ("faults", "script"):
            self.slack.model(path, method="DELETE")
        self.slack.model("settings", _PACE)
        self._read = self.slack.model("journal?since=999999999")["last"]

    def person(self, name: str, number: int) -> Person:
        """Return somebody new, who reads Japanese if their name is Aya."""
        locale = "ja-JP" if name == "Aya" else "en-US"
        return Person(self.slack, name=f"{name} K{number}", locale=locale, tz="UTC")

    def answers_with(self, text: str, match: str, times: int = -1) -> None:
        """Let the model answer messages that have the words `match` with a text."""
        script = {"match": match, "kind": "reply", "output": {"text": text}}
        self.slack.model("script", {**script, "times": times})

    def fails(self, match: str, **fault: Any) -> None:
        """Let the model fail for requests that have these words."""
        self.slack.model("faults", {"match": match, "times": -1, **fault})

    def requests(self, kind: str = "", words: str = "") -> list[str]:
        """Return the requests of this conversation whose newest message has these words."""
        made = self.slack.model(f"journal?since={self._read}")["entries"]
        return [
            _text(one["body"])
            for one in made
            if kind in ("", one["kind"]) and words in _text(_newest(one["body"]))
        ]

    def ask(self, user: str, prompt: str, token: str = TOKEN) -> tuple[int, str]:
        """Ask over HTTP, as `curl` does; return status and text."""
        headers = {"content-type": "application/json"}
        headers["authorization"] = f"Bearer {token}"
        body = json.dumps({"user_id": user, "prompt": prompt}).encode()
        status, _, text = fetched(self.ask_url, body, headers)
        return status, text.decode()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page of its HTTP server."""
        status, _, text = fetched(self.ask_url.removesuffix("/ask") + path)
        return status, text.decode()


def _newest(body: dict[str, Any]) -> Any:
    given = body.get("input") or body.get("messages")
    return given[-1] if isinstance(given, list) else given


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
