"""``kioku status`` and ``kioku failed``: what operators see of the work, and can do about it."""

from __future__ import annotations

import asyncio
import getpass
import re
import socket
from functools import partial
from pathlib import Path

import pytest

from tests.integration.app import App
from tests.kioku_process import Ended, ended

_ADD = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, args)"
    " VALUES ('none', 'example', %s, 'failed', '{\"team\": \"T1\"}') RETURNING id"
)
_FAIL = "UPDATE procrastinate_jobs SET status = 'failed' WHERE status = 'todo' RETURNING id"
_STATES = "SELECT id, status::text FROM procrastinate_jobs WHERE id = ANY(%s) ORDER BY id"


async def kioku(app: App, folder: Path, *arguments: str) -> Ended:
    """Run a command beside the application."""
    return await asyncio.to_thread(partial(ended, folder, *arguments, DATABASE_URL=app.database))


async def test_status_counts_messages_and_jobs(app: App, tmp_path: Path) -> None:
    """Versions, models, counts and times are printed, and nothing that a person wrote."""
    begun = await kioku(app, tmp_path, "status")
    assert (begun.code, begun.err) == (0, "")
    assert "\nLast message received: never. Last answered: never.\n" in begun.out
    place = app.slack.place()
    await app.ask(place, "I like ramen")
    await app.receive(place, "And soba")
    [job] = app.rows(_ADD, None)
    done = await kioku(app, tmp_path, "status")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    moment = r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d [AP]M UTC"
    expected = (
        r"Kioku \S+ on PostgreSQL \d[\d.]*",
        r"Models: .+",
        r"Running processes: \d+",
        rf"Messages waiting for an answer: 1, the oldest since {moment}",
        rf"Last message received: {moment}\. Last answered: {moment}\.",
        r"Jobs: \d+ due, \d+ scheduled",
        r"Failed in the last 14 days: messages 0, jobs 1",
        r"`kioku failed list` shows the failed jobs\.",
    )
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
    assert "ramen" not in done.out
    assert place.user not in done.out
    assert job


async def test_a_failed_job_runs_again(app: App, tmp_path: Path) -> None:
    """It is listed with its workspace; retried, it does its work; that is recorded."""
    asked = await app.ask(app.slack.place(), "I like ramen")
    app.rows(_FAIL)
    listed = await kioku(app, tmp_path, "failed", "list")
    [line] = [one for one in listed.out.splitlines() if "form_memories" in one]
    assert app.slack.team_id in line
    assert asked.user_id not in listed.out
    done = await kioku(app, tmp_path, "failed", "retry", line.split()[0])
    assert (done.code, done.out) == (0, "Retrying 1 job.\n")
    assert len(app.formations(asked.person)) == 1
    assert app.rows("SELECT action, rows FROM operator_actions") == [{"action": "retry", "rows": 1}]


async def test_failed_jobs_of_one_lock_run_once(app: App, tmp_path: Path) -> None:
    """The newest of those with one queueing lock runs again, the others are deleted."""
    ids = [app.rows(_ADD, lock)[0]["id"] for lock in ("a", "a", "b", None, None)]
    app.rows("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s RETURNING 1", ids[2])
    ids.append(app.rows(_ADD, "b")[0]["id"])
    done = await kioku(app, tmp_path, "failed", "retry", "--all")
    assert done.out == "Retrying 3 jobs.\nDeleted 2 jobs: a newer one does the same work.\n"
    left = {row["id"]: row["status"] for row in app.rows(_STATES, ids)}
    assert left == dict.fromkeys([ids[1], ids[2], ids[3], ids[4]], "todo")


async def test_failed_jobs_are_deleted_by_id(app: App, tmp_path: Path) -> None:
    """Only those that are named go; an id that is none, or no id, is one sentence."""
    first, second = (app.rows(_ADD, None)[0]["id"] for _ in range(2))
    done = await kioku(app, tmp_path, "failed", "drop", str(first))
    assert done.out == "Deleted 1 failed job.\n"
    assert [row["id"] for row in app.rows(_STATES, [first, second])] == [second]
    for arguments, code, sentence in (
        ([str(first)], 1, "No failed job has this id: `kioku failed list` shows them."),
        ([], 2, "Say which: `kioku failed drop ID …`, or --all."),
    ):
        refused = await kioku(app, tmp_path, "failed", "drop", *arguments)
        assert (refused.code, refused.out, refused.err) == (code, "", f"kioku: {sentence}\n")


async def test_commands_are_audited(app: App, tmp_path: Path) -> None:
    """Who ran a command on which machine, on whose data, and how it ended; no texts."""
    asked = await app.ask(app.slack.place(), "I like ramen")
    who = ("--team", asked.team_id, "--user", asked.user_id)
    assert (await kioku(app, tmp_path, "export", *who)).code == 0
    assert (await kioku(app, tmp_path, "export", "--team", "T1", "--user", "U404")).code == 1
    assert (await kioku(app, tmp_path, "failed", "drop", "404")).code == 1
    assert (await kioku(app, tmp_path, "reembed")).code == 0
    assert (await kioku(app, tmp_path, "purge", "--team", "T404", "--yes")).code == 0
    done = await kioku(app, tmp_path, "audit")
    assert (done.code, done.err) == (0, "")
    *lines, last = done.out.splitlines()
    assert last == "5 commands in the last 7 days"
    operator = f"{getpass.getuser()}@{socket.gethostname()}"
    assert [line.split()[1:] for line in reversed(lines)] == [
        [operator, "export", asked.team_id, asked.user_id, "1", "done"],
        [operator, "export", "T1", "U404", "0", "failed"],
        [operator, "drop", "*", "*", "0", "failed"],
        [operator, "reembed", "*", "*", "0", "done"],
        [operator, "purge", "T404", "*", "0", "done"],
    ]
    assert "ramen" not in done.out


@pytest.mark.parametrize("verb", ["list", "drop"])
async def test_nothing_has_failed(app: App, tmp_path: Path, verb: str) -> None:
    """Without failed jobs the command says so and succeeds."""
    more = ["--all"] if verb == "drop" else []
    done = await kioku(app, tmp_path, "failed", verb, *more)
    assert (done.code, done.err) == (0, "")
    assert done.out == {"list": "0 failed jobs\n", "drop": "Deleted 0 failed jobs.\n"}[verb]
