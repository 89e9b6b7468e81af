"""The command line with settings that are in Secrets Manager, and within the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import login_of
from tests.deploy.aws.conftest import Aws, Deployed, write_database_secret
from tests.kioku_process import ended

_ARNS = ("SLACK_SECRET_ARN", "OPENAI_SECRET_ARN", "DATABASE_SECRET_ARN")


@pytest.mark.parametrize("missing", ["", *_ARNS])
def test_doctor_reads_the_secrets(deployed: Deployed, tmp_path: Path, missing: str) -> None:
    """It checks the token, the model and the database that they hold; names one it cannot read."""
    write_database_secret(deployed.secrets, login_of(deployed.app.conninfo))
    settings = dict(deployed.cloud.functions["worker"].variables)
    for name in ("SCHEDULE_GROUP", "SCHEDULE_ROLE"):
        settings.pop(name)
    if missing:
        settings[missing] = "no-such"
    done = ended(tmp_path, "doctor", **settings)
    found = {line[6:].partition(": ")[0]: line for line in done.out.splitlines()}
    if missing:
        assert done.code == 1
        part = "Database" if missing == "DATABASE_SECRET_ARN" else "Settings"
        assert found[part].startswith(f"FIX   {part}: The secret of {missing} cannot be read")
    else:
        assert found["Database"].startswith("OK")
        assert "embedded" not in found["Database"]
        assert "is set" not in found["Model gpt-6-luna"]
        assert found["Model gpt-6-luna"].startswith("OK")


def test_the_worker_runs_commands(aws: Aws) -> None:
    """Each prints what it prints elsewhere; the log has nothing of it."""
    aws.world.ask(aws.world.human("Cleo"), "I love figs")
    aws.quiet()
    assert run(aws, "usage", "--days", "30")["exitCode"] == 0
    [person] = aws.world.rows("SELECT DISTINCT team_id, user_id FROM turns WHERE question ~ 'figs'")
    named = ("--team", person["team_id"], "--user", person["user_id"])
    assert "figs" in run(aws, "export", *named)["output"]
    asked = run(aws, "erase", *named)
    assert (asked["exitCode"], "Nothing was erased" in asked["errors"]) == (1, True)
    assert run(aws, "erase", *named, "--yes")["exitCode"] == 0
    assert aws.world.rows("SELECT 1 AS one FROM turns WHERE question ~ 'figs'") == []
    aws.let_go()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["migrate"], "kioku migrate needs the database's owner, and the worker is not."),
        (["run"], "The worker runs audit, doctor, "),
        ([], "The worker runs audit, doctor, "),
        ("usage", "arguments is a list of words"),
        (["usage", "--days", "0"], "write a number from 1 to 60"),
    ],
)
def test_commands_that_the_worker_refuses(
    deployed: Deployed, arguments: object, sentence: str
) -> None:
    """One sentence says why."""
    worker = deployed.cloud.functions["worker"]
    answer = worker.run({"kind": "command", "arguments": arguments})["result"]
    assert answer["exitCode"] != 0
    assert sentence in answer["errors"]


def run(aws: Aws, *arguments: str) -> dict[str, Any]:
    """Run a command as `aws lambda invoke` does; return its answer."""
    answered = aws.worker.run({"kind": "command", "arguments": [*arguments]})
    answer: dict[str, Any] = answered["result"]
    return answer
