"""The migration function: each deployment runs it once the database is there."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.logs import fault
from bot.runtime.database_addresses import database
from bot.runtime.migration import migrated
from bot.runtime.problems import Problem, explained
from deploy.aws.secrets import read_settings


def handler(event: object, context: object) -> dict[str, Any]:
    """Bring the database up to date; a failure ends the deployment with its sentence."""
    del event, context
    return {"applied": asyncio.run(_migrate())}


async def _migrate() -> list[str]:
    settings = read_settings()
    try:
        async with database(settings) as addresses:
            return await migrated(settings, addresses)
    except Exception as error:  # noqa: BLE001 - a sentence where there is one
        raise Problem(explained(error) or fault(error)) from None
