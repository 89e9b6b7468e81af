"""The migration function: each deployment runs it once the database is there."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.runtime.database import database, migrated
from deploy.aws.secrets import read_settings


def handler(event: object, context: object) -> dict[str, Any]:
    """Bring the database up to date; a failure ends the deployment with its sentence."""
    del event, context
    return {"applied": asyncio.run(_migrate())}


async def _migrate() -> list[str]:
    settings = read_settings()
    async with database(settings) as addresses:
        return await migrated(settings, addresses)
