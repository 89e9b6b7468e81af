"""`kioku up`: everything on one machine, from the first start to the last Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from bot.locale import say
from memory import EmbeddedPostgres
from tests.conftest import PLAYGROUND, ROOT, Server, json_server
from tests.databases import owner_rows
from tests.kioku_process import (
    Ended,
    Running,
    ended,
    gone,
    on_terminal,
    running,
    running_fresh,
)
from tests.loopback import free_port
from tests.person import Person, Place
from tests.playground import Playground
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

# Nothing listens there.
COMPANY_PROXY = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}
LIKES = "ラーメンが好きです"


def entered(kioku: Running, known: Person | None = None) -> Person:
    """Wait until `kioku` is ready, and enter its playground as somebody known, or new."""
    slack = Playground(ready(kioku))
    if known is None:
        return Person(slack, name="Hana", locale="ja-JP")
    known.slack = slack
    return known


def notices(person: Person) -> list[Place]:
    """Return the messages that say what was remembered."""
    told = say("ja", "change_remembered", what="").strip()
    return [message for message in person.seen() if message["text"].startswith(told)]


def answers(person: Person) -> list[Place]:
    """Return the app's finished messages but notices."""
    told = notices(person)
    return [
        one
        for one in person.seen()
        if one.get("user") != person.id
        and one.get("streaming_state") != "in_progress"
        and one not in told
    ]


def ready(kioku: Running) -> str:
    """Return where the playground of a `kioku up` that is ready is."""
    found = re.fullmatch(r"Kioku is ready at (http://127\.0\.0\.1:\d+)", kioku.line())
    assert found, kioku.errors
    assert "stand-in model" in kioku.line()
    assert re.fullmatch(r"  Use it in your Slack: \S+( -m bot)? setup", kioku.line())
    assert "Ctrl-C" in kioku.line()
    return found[1]


def foods(folder: Path) -> list[str]:
    """Return the foods remembered in the data directory of `folder`."""
    address = (folder / ".kioku" / "address").read_text("utf-8")
    with psycopg.connect(address) as connection:
        rows = connection.execute(
            "SELECT value->'content'->>'food_name' FROM store"
        ).fetchall()
    return [row[0] for row in rows]


def serving(folder: Path) -> set[str]:
    """Return the users that are connected to the database of `folder`, besides this one."""
    with psycopg.connect(
        EmbeddedPostgres(folder / ".kioku").dsn("playground")
    ) as connection:
        rows = connection.execute(
            "SELECT usename FROM pg_stat_activity WHERE datname = 'playground'"
            " AND pid <> pg_backend_pid()"
        ).fetchall()
    return {row[0] for row in rows}


def working_in(folder: Path) -> list[int]:
    """Return the ids of all processes that name `folder`."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or [])
    ]


def test_a_person_is_answered_and_remembered_over_a_restart(tmp_path: Path) -> None:
    """The first start is ready by itself, asks no model; Ctrl-C loses nothing, leaves nothing.

    It is a laptop with a company's proxy, of which nothing on this machine takes notice.
    """
    settings = {"PORT": "0", "KIOKU_LOG_LEVEL": "warning"}
    with running_fresh(tmp_path, "up", **settings, **COMPANY_PROXY) as kioku:
        hana = entered(kioku)
        assert hana.slack.model("journal")["entries"] == []
        pace = hana.slack.model("settings")
        assert (pace["first_token_ms"], pace["token_ms"], pace["chunk_chars"]) == (
            500,
            50,
            4,
        )
        hana.slack.model("settings", {"first_token_ms": 0, "token_ms": 0})
        hana.say(LIKES)
        wait_until(lambda: answers(hana))
        wait_until(lambda: foods(tmp_path) == ["ラーメン"])
        hana.say("パスタも好きです")
        wait_until(lambda: len(answers(hana)) == 2)
        wait_until(lambda: "パスタ" in foods(tmp_path))
        wait_until(lambda: len(notices(hana)) == 2)
        assert serving(tmp_path) == {"kioku_login"}
        first = hana.seen()
        below = kioku.children
        assert len(working_in(tmp_path)) >= 2
        done = kioku.stop(signal.SIGINT)
    assert (done.code, done.err) == (0, "")
    assert done.out == "\nKioku is finishing what it has begun …\n"
    assert all(map(gone, below))
    assert not working_in(tmp_path)

    lines = [f"{name}={value}\n" for name, value in COMPANY_PROXY.items()]
    (tmp_path / ".env").write_text("".join(lines), "utf-8")
    with running(tmp_path, "up", PORT="0") as kioku:
        hana = entered(kioku, hana)
        assert hana.seen() == first
        assert set(foods(tmp_path)) == {"ラーメン", "パスタ"}
        assert "ラーメン" in str(hana.panel()["blocks"])
        assert kioku.stop(signal.SIGTERM).code == 0
    assert not working_in(tmp_path)


def test_a_second_one_on_the_same_directory_is_told_so(tmp_path: Path) -> None:
    """It names the directory, and does the first one no harm."""
    with running(tmp_path, "up", PORT="0") as kioku:
        hana = entered(kioku)
        assert ended(tmp_path, "up", PORT="0") == Ended(
            1,
            "",
            f"kioku: Kioku is already running on {tmp_path / '.kioku'}: stop it, or set"
            " KIOKU_DATA_DIR.\n",
        )
        hana.say(LIKES)
        wait_until(lambda: answers(hana))
        exported = ended(tmp_path, "export", "--team", "T1", "--user", "U404")
        assert exported.err.startswith("kioku: Nothing is stored about U404"), (
            "beside it"
        )
        assert kioku.process.poll() is None


def test_a_kill_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    """After kill -9 the playground ends by itself, and a start at once has everything.

    PostgreSQL goes on: the next run uses it, and leaves it.
    """
    port = str(free_port())
    with running_fresh(tmp_path, "up", PORT=port) as kioku:
        hana = entered(kioku)
        hana.say(LIKES)
        wait_until(lambda: answers(hana))
        playground = kioku.child(PLAYGROUND)
        assert playground
        kioku.process.kill()
        kioku.process.wait()
    with running(tmp_path, "up", PORT=port) as kioku:
        hana = entered(kioku, hana)
        wait_until(lambda: gone(playground))
        # What it was doing when it was killed is taken up again after a while.
        wait_until(lambda: foods(tmp_path) == ["ラーメン"])
        assert answers(hana)
        assert kioku.stop(signal.SIGINT).code == 0
    pid_file = tmp_path / ".kioku" / "pg" / "postmaster.pid"
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
    wait_until(lambda: not working_in(tmp_path))


def test_real_slack_is_used_when_its_tokens_are_set(tmp_path: Path) -> None:
    """With Slack's tokens the app connects there, and only the stand-in model runs here."""
    with json_server(PLAYGROUND, "--manifest", "manifest.yml") as slack:
        settings = slack.socket_settings
        with running(tmp_path, "up", **settings) as kioku:
            assert kioku.line() == "Kioku is ready in your Slack workspace"
            assert "stand-in model" in kioku.line()
            wait_until(lambda: slack.call("/_playground/state")["connections"] == 1)
            assert kioku.stop(signal.SIGINT).code == 0
        settings |= {
            "OPENAI_BASE_URL": slack.openai_base_url,
            "OPENAI_API_KEY": "none",
            "KIOKU_DATA_DIR": "other",
            "KIOKU_FORMATION_DELAY": "5",
        }
        with running(tmp_path, "up", **settings) as kioku:
            assert kioku.line() == "Kioku is ready in your Slack workspace"
            assert "Answers come from " in kioku.line()
            assert "Ctrl-C" in kioku.line()
            assert kioku.child("playground") is None


def test_the_browser_is_opened(tmp_path: Path) -> None:
    """It shows the playground, whose address is printed, too."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', "utf-8")
    browser.chmod(0o700)
    seen = {"DISPLAY": ":0", "CI": "", "SSH_CONNECTION": "", "BROWSER": f"{browser} %s"}
    code, shown = on_terminal(
        tmp_path, "nothing is lost.\r\n", ["\x03"], "up", PORT="0", **seen
    )
    assert code == 0
    [address] = re.findall(r"Kioku is ready at (\S+)", shown)
    wait_until(opened.exists)
    wait_until(lambda: opened.read_text("utf-8") == f"{address}\n")


def test_a_server_that_does_not_answer_is_told_at_the_start(tmp_path: Path) -> None:
    """Kioku runs all the same, and waits for it."""
    nowhere = "http://127.0.0.1:1/v1"
    with running(tmp_path, "up", PORT="0", OPENAI_BASE_URL=nowhere) as kioku:
        _, where, *_, told = [kioku.line() for _ in range(5)]
        assert where == f"  Answers come from gpt-6-luna at {nowhere}."
        assert told == "  It does not answer now: `kioku doctor` says what to look at."


def test_a_real_key_after_the_stand_in_keeps_the_memories(
    tmp_path: Path, stand_in: Server
) -> None:
    """With a key set, the next start embeds what the stand-in had embedded, and then runs.

    The models that a copy of .env.example names do not count before there is a key. Once a model
    has embedded memories, a start without the key names it.
    """
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    with running_fresh(tmp_path, "up", PORT="0") as kioku:
        hana = entered(kioku)
        hana.say(LIKES)
        wait_until(lambda: foods(tmp_path) == ["ラーメン"])
        assert kioku.stop(signal.SIGINT).code == 0
    key = {
        "OPENAI_API_KEY": "a-key",
        "OPENAI_BASE_URL": stand_in.openai_base_url,
        "KIOKU_MEMORY_MODEL": "kioku-stand-in",
    }
    with running(tmp_path, "up", PORT="0", **key) as kioku:
        url = kioku.line().rsplit(" ", 1)[1]
        assert (
            kioku.line()
            == f"  Answers come from gpt-6-luna at {stand_in.openai_base_url}."
        )
        hana.slack = Playground(url)
        assert "ラーメン" in str(hana.panel()["blocks"])
        done = kioku.stop(signal.SIGINT)
    assert (done.code, done.err) == (0, "1 of 1 memories\n")
    with EmbeddedPostgres(tmp_path / ".kioku") as postgres:
        space = owner_rows(
            postgres.dsn("playground"), "SELECT * FROM kioku_embedding_space"
        )
    assert (space[0]["model"], space[0]["dimensions"]) == (
        "text-embedding-3-small",
        1536,
    )
    told = ended(tmp_path, "up", PORT="0")
    assert told.code == 1
    assert told.err.startswith(
        "kioku: The stored memories were embedded with text-embedding-3-small, and no model is set:"
        " write OPENAI_API_KEY"
    )
