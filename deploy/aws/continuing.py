"""A one-time schedule for work that this invocation cannot finish, or that is due later."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from types_boto3_scheduler import EventBridgeSchedulerClient

NAME = "continue"
# EventBridge uses a schedule within a minute of its time.
_USED_WITHIN = timedelta(minutes=2)


def continue_at(moment: datetime, function_arn: str) -> None:
    """Schedule one run of the worker at `moment` (UTC); there is one schedule at a time.

    It removes itself when it was used, so that nothing wakes an idle database. Source:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html
    """
    client: EventBridgeSchedulerClient = boto3.client("scheduler")
    schedule: dict[str, Any] = {
        "Name": NAME,
        "GroupName": os.environ["SCHEDULE_GROUP"],
        "ScheduleExpression": _expression(moment),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": function_arn,
            "RoleArn": os.environ["SCHEDULE_ROLE"],
            "Input": json.dumps({"kind": "continue"}),
        },
    }
    try:
        client.create_schedule(**schedule)
    except client.exceptions.ConflictException:
        # Another invocation left one: the earlier of the two finds all there is to do.
        try:
            there = client.get_schedule(Name=NAME, GroupName=schedule["GroupName"])
            used = _expression(datetime.now(UTC) - _USED_WITHIN)
            if not used <= there["ScheduleExpression"] <= schedule["ScheduleExpression"]:
                client.update_schedule(**schedule)
        except client.exceptions.ResourceNotFoundException:  # it was used meanwhile
            client.create_schedule(**schedule)


def _expression(moment: datetime) -> str:
    """Return the expression of a moment; those of two moments compare as the moments do."""
    return f"at({moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S})"
