"""The command line with settings that are in Secrets Manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import login_of
from tests.deploy.aws.conftest import Deployed, write_database_secret
from tests.integration.kioku_process import ended

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
        assert f"FIX   Settings: The secret of {missing} cannot be read" in found["Settings"]
    else:
        assert found["Database"].startswith("OK")
        assert "embedded" not in found["Database"]
        assert "is set" not in found["Model gpt-6-luna"]
        assert found["Model gpt-6-luna"].startswith("OK")
