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

from bot.config import load_settings
from bot.logs import set_up_logging
from bot.running.commands import migrated
from bot.running.secrets import DatabaseSecret, with_secrets
from bot.running.start import StartError
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
        except (StartError, KiokuMemoryError) as refused:
            problem = str(refused)
        except Exception as error:
            log.exception("the migration failed")
            problem = f"The migration failed ({type(error).__name__}): see its log."
    _respond(event, problem)


async def _migrate() -> list[str]:
    settings = load_settings(dotenv=None)
    set_up_logging(settings.log_level, settings.log_format)
    if settings.database_secret_arn is None:
        raise StartError("DATABASE_SECRET_ARN is not set: name the cluster's secret.")
    database = DatabaseSecret(settings.database_secret_arn)
    return await migrated(with_secrets(settings), database)


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
