"""``kioku reembed``."""

from __future__ import annotations

from psycopg import OperationalError

from bot.config import Settings
from bot.runtime.database import database, replace_vectors
from bot.runtime.operators import owner_required
from bot.runtime.output import tell
from bot.runtime.problem import Problem


async def reembed(settings: Settings, *, again: bool) -> None:
    """Re-embed every memory with the configured model, beside the running application.

    Raises `Problem`.
    """
    name = settings.embedding_model
    async with owner_required("reembed"):
        try:
            async with database(settings, beside=True) as addresses:
                made = await replace_vectors(settings, addresses, again=again)
        except OperationalError:
            raise Problem(
                "PostgreSQL could not be reached: run the command again, it goes on where it was."
            ) from None
    if made:
        tell(f"Embedded {made} memories with {name}. Restart every process of Kioku")
        tell(f"with KIOKU_EMBEDDING_MODEL={name}; until then answers use only the newest memories,")
        tell("and no memory is stored.")
    else:
        tell(f"Every memory is embedded with {name} already.")
