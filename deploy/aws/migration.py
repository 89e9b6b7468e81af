"""The migration function: a custom resource of the stack that brings the database up to date.

The steps run under an advisory lock. Source of the protocol:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from typing import Any

from bot.runtime.database import migrated
from bot.runtime.problem import Problem
from deploy.aws.reading import read_settings
from memory import KiokuMemoryError

log = logging.getLogger(__name__)

_ID = "kioku-database"


def handler(event: dict[str, Any], context: object = None) -> None:
    """Migrate on create and update, and tell CloudFormation what came of it."""
    del context
    problem = ""
    if event["RequestType"] != "Delete":
        try:
            done = asyncio.run(_migrate())
            log.info("applied %d step(s)", len(done))
        except (Problem, KiokuMemoryError) as refused:
            problem = str(refused)
        except Exception as error:
            log.exception("the migration failed")
            problem = f"The migration failed ({type(error).__name__}): see its log."
    _respond(event, problem)


async def _migrate() -> list[str]:
    settings, addresses = read_settings()
    return await migrated(settings, addresses)


def _respond(event: dict[str, Any], problem: str) -> None:
    answer = {
        "Status": "FAILED" if problem else "SUCCESS",
        "Reason": problem or "The database is up to date.",
        "PhysicalResourceId": _ID,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310 - an address CloudFormation signed
        event["ResponseURL"], json.dumps(answer).encode(), {"content-type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
