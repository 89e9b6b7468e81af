"""The migration function: each deployment runs it once the database is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from bot.logs import fault
from bot.runtime.database_addresses import database
from bot.runtime.migration import bring_up_to_date
from bot.runtime.problems import Problem, explained
from deploy.aws.settings import read_settings


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Bring the database up to date; a failure ends the deployment with its sentence.

    Invoked by hand with ``{"embed_again": true}``, it embeds the memories of another embedding
    model again, as ``kioku migrate --yes`` does.
    """
    del context
    embed_again = event.get("embed_again") is True
    return {"applied": asyncio.run(_migrate(embed_again=embed_again))}


async def _migrate(*, embed_again: bool) -> list[str]:
    settings = read_settings()
    try:
        async with database(settings) as addresses:
            return await bring_up_to_date(settings, addresses, embed_again=embed_again)
    except Exception as error:  # noqa: BLE001 - a sentence where there is one
        raise Problem(explained(error) or fault(error)) from None
