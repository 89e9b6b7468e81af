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


async def test_usage_by_workspace_and_day(app: App, tmp_path: Path) -> None:
    """Calls and tokens of each workspace and day, and of all together; older days on request."""
    assert (await kioku(app, tmp_path, "usage")).out == "No model was called in the last 7 days.\n"
    app.rows(
        "INSERT INTO token_use (team_id, day, tokens, calls, cost_usd, unpriced)"
        " SELECT team, (now() AT TIME ZONE 'utc')::date - ago, tokens, 3, cost, unpriced"
        " FROM (VALUES ('T1', 0, 1200, 0.25, 0), ('T2', 0, 5, 0, 5), ('T1', 10, 70, 0.25, 0))"
        " AS given (team, ago, tokens, cost, unpriced)"
        " RETURNING 1"
    )
    lines = (await kioku(app, tmp_path, "usage")).out.splitlines()
    assert [line.split()[1:] for line in lines[:3]] == [
        ["Workspace", "Calls", "Tokens", "USD"],
        ["T1", "3", "1,200", "0.2500"],
        ["T2", "3", "5", "0.0000"],
    ]
    assert lines[3].split() == ["Together", "6", "1,205", "0.2500"]
    assert lines[4].startswith("5 of these tokens are without a cost: the table")
    done = await kioku(app, tmp_path, "usage", "--days", "60")
    assert done.out.splitlines()[-2].split() == ["Together", "9", "1,275", "0.5000"]
    assert (await kioku(app, tmp_path, "usage", "--days", "61")).code == 2


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
    policy = ("policy", "set", "--team", asked.team_id, "--web-search", "off")
    assert (await kioku(app, tmp_path, *policy)).code == 0
    assert (await kioku(app, tmp_path, "failed", "drop", "404")).code == 1
    assert (await kioku(app, tmp_path, "purge", "--team", "T404", "--yes")).code == 0
    done = await kioku(app, tmp_path, "audit")
    assert (done.code, done.err) == (0, "")
    *lines, last = done.out.splitlines()
    assert last == "5 commands in the last 7 days"
    operator = f"{getpass.getuser()}@{socket.gethostname()}"
    assert [line.split()[1:] for line in reversed(lines)] == [
        [operator, "export", asked.team_id, asked.user_id, "1", "done"],
        [operator, "export", "T1", "U404", "0", "failed"],
        [operator, "policy", asked.team_id, "*", "1", "done"],
        [operator, "drop", "*", "*", "0", "failed"],
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
