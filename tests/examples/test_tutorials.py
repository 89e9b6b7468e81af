"""The tutorials: their programs run, their listings are those of the programs, their steps work."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Server
from tests.examples import test_examples
from tests.examples.test_examples import run_example
from tests.kioku_process import running_fresh, wait_for
from tests.lint.test_pages import blocks, text
from tests.loopback import call

OWN_KIND = "docs/tutorials/own-kind.md"
LISTINGS = ("docs/tutorials/langmem-in-production.md", "docs/tutorial-memory-library.md")


@pytest.mark.parametrize("page", LISTINGS)
def test_listings_are_from_the_programs(page: str) -> None:
    """Each line of a listing is in one program of examples/, in the same order."""
    programs = [path.read_text("utf-8").splitlines() for path in (ROOT / "examples").glob("*.py")]
    for listing in blocks(page, "python"):
        lines = [line.strip() for line in listing.splitlines() if line.strip()]
        assert any(in_order(lines, [one.strip() for one in code]) for code in programs), listing


def in_order(lines: list[str], program: list[str]) -> bool:
    """Return whether a program has all lines, one after the other, and perhaps others between."""
    rest = iter(program)
    return all(line in rest for line in lines)


@pytest.mark.parametrize("page", LISTINGS)
def test_the_programs_are_run_by_tests(page: str) -> None:
    """Each program that a tutorial starts is run by a test of tests/examples."""
    started = set(re.findall(r"-m examples\.(\w+)", text(page)))
    tests = Path(test_examples.__file__).read_text("utf-8")
    assert started
    assert [name for name in started if not re.search(rf"\"{name}\"", tests)] == []


PRINTED = dict(
    re.findall(
        r"-m examples\.(\w+)\n```\n(?:(?!^## |^```sh\n)[^\n]*\n)*?```text\n(.*?)```",
        text(LISTINGS[0]),
        re.MULTILINE | re.DOTALL,
    )
)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("hot_path", marks=test_examples.plain_langmem),
        pytest.param("background_durable", marks=test_examples.plain_langmem),
        "memory_library",
    ],
)
def test_a_program_prints_what_the_tutorial_shows(
    stand_in: Server, empty_database: str, program: str
) -> None:
    """What is shown below a command is its whole output with the stand-in model."""
    assert len(PRINTED) == 3
    model = {"OPENAI_BASE_URL": stand_in.openai_base_url, "OPENAI_API_KEY": "stand-in"}
    assert run_example(program, DATABASE_URL=empty_database, **model) == PRINTED[program]


class Ben:
    """Somebody in the playground that `kioku up` opened, by its control API."""

    def __init__(self, url: str) -> None:
        self._url = url
        people = self.call("state")["users"]
        self.user = next(one["id"] for one in people if one["name"] == "Ben")

    def call(self, path: str, **body: Any) -> Any:
        """GET from the control API; with a body, POST to it."""
        return call(f"{self._url}/_playground/{path}", body or None)

    def say(self, words: str) -> str:
        """Send a direct message; return the answer, once it is whole."""
        sent = self.call("messages", user=self.user, channel="dm", text=words)
        replies: list[Any] = []

        def answered() -> bool:
            replies[:] = [one for one in self.seen() if one.get("thread_ts") == sent["ts"]]
            replies[:] = [one for one in replies if one["user"] != self.user]
            return bool(replies) and not replies[0].get("streaming")

        wait_for(answered)
        return json.dumps(replies[0], ensure_ascii=False)

    def seen(self) -> list[Any]:
        """Return the messages of the conversation with Kioku."""
        return list(self.call(f"channels/dm/messages?as={self.user}")["messages"])

    def type_command(self, typed: str) -> str:
        """Type a command; return what it shows."""
        command, _, words = typed.partition(" ")
        before = {one["ts"] for one in self.seen()}
        self.call("commands", user=self.user, channel="dm", command=command, text=words)
        wait_for(lambda: {one["ts"] for one in self.seen()} > before)
        return json.dumps([one for one in self.seen() if one["ts"] not in before])

    def form(self, has: str) -> dict[str, Any]:
        """Return the form that is open, once it has a text."""
        wait_for(lambda: has in json.dumps(self.call(f"views?as={self.user}")["views"]))
        return dict(self.call(f"views?as={self.user}")["views"][-1])


def test_from_make_up_to_an_own_kind(tmp_path: Path) -> None:
    """What the first tutorial says: ramen is suggested; a book is added and forgotten."""
    page = text(OWN_KIND)
    [kinds], [dotenv] = blocks(OWN_KIND, "python"), blocks(OWN_KIND, "ini")
    settings = {"PORT": "0", "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    with running_fresh(tmp_path, "up", **settings) as kioku:
        ben = Ben(kioku.line().rsplit(" ", 1)[1])
        for words in ("I like ramen", "What shall I eat today?", "/memories", "/memories add"):
            assert f"`{words}`" in page
        ben.say("I like ramen")
        wait_for(lambda: "Remembered: Likes ramen" in json.dumps(ben.seen()))
        assert "ramen" in ben.say("What shall I eat today?")
        assert "Likes ramen" in ben.type_command("/memories")
        assert kioku.stop(signal.SIGINT).code == 0
    (tmp_path / "my_kinds.py").write_text(kinds, "utf-8")
    (tmp_path / ".env").write_text(dotenv, "utf-8")
    with running_fresh(tmp_path, "up", **settings) as kioku:
        ben = Ben(kioku.line().rsplit(" ", 1)[1])
        ben.call("commands", user=ben.user, channel="dm", command="/memories", text="add")
        view = ben.form("memory_kind")
        chosen = {"user": ben.user, "view_id": view["id"], "action_id": "memory_kind"}
        ben.call("actions", **chosen, value="Book")
        view = ben.form("How much you like it")
        inputs = {
            block["label"]["text"]: block for block in view["blocks"] if block["type"] == "input"
        }
        assert list(inputs) == ["Title", "Author", "How much you like it"]
        steps = inputs["How much you like it"]["element"]["options"]
        [most] = [one["value"] for one in steps if one["text"]["text"] == "Very much"]
        values = ("Dune", "Frank Herbert", most)
        assert all(f"`{value}`" in page for value in values[:2])
        ids = [block["block_id"] for block in inputs.values()]
        submitted = dict(zip(ids, values, strict=True))
        ben.call("views/submit", user=ben.user, view_id=view["id"], values=submitted)
        wait_for(lambda: "Dune" in ben.type_command("/memories"))
        shown = ben.type_command("/memories")
        assert "Book" in shown
        assert "Frank Herbert" in shown
        assert "`/forget Dune`" in page
        assert "Dune" in ben.type_command("/forget Dune")
        assert kioku.stop(signal.SIGINT).code == 0
