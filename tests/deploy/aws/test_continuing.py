"""The one schedule for work that is due later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.aws.continuing import NAME, continue_at
from tests.deploy.aws.conftest import Deployed

WORKER = "arn:aws:lambda:eu-central-1:000000000000:function:worker"


@pytest.fixture
def group(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> str:
    """A group of schedules, and the environment of a worker."""
    for name, value in deployed.cloud.functions["worker"].variables.items():
        if name.startswith("AWS_") or name == "SCHEDULE_ROLE":
            monkeypatch.setenv(name, value)
    name = f"group-{datetime.now(UTC):%H%M%S%f}"
    deployed.scheduler.create_schedule_group(Name=name)
    monkeypatch.setenv("SCHEDULE_GROUP", name)
    return name


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (timedelta(minutes=5), timedelta(hours=6), timedelta(minutes=5)),
        (timedelta(hours=6), timedelta(minutes=5), timedelta(minutes=5)),
        (timedelta(hours=-1), timedelta(hours=6), timedelta(hours=6)),
    ],
    ids=["earlier", "later", "never used"],
)
def test_the_earlier_of_two_moments_is_kept(
    deployed: Deployed, group: str, first: timedelta, second: timedelta, kept: timedelta
) -> None:
    """No invocation postpones what another one has scheduled, unless that was never used."""
    now = datetime.now(UTC)
    for moment in (first, second):
        continue_at(now + moment, WORKER)
    found: dict[str, Any] = deployed.scheduler.get_schedule(GroupName=group, Name=NAME)
    assert found["ScheduleExpression"] == f"at({now + kept:%Y-%m-%dT%H:%M:%S})"
