"""Whose token SLACK_BOT_TOKEN is, and whether this database is that workspace's."""

from __future__ import annotations

from typing import Any

from bot.config import Settings
from bot.runtime.problems import BOT_TOKEN, Problem, token
from bot.runtime.slack_calls import TokenRefused, call_slack
from bot.slack.messages import Installation
from memory import Pool
from memory.postgres import execute_statement, load_statements

_SQL = load_statements("bot", "installation")
_OTHER_WORKSPACE = (
    "This database belongs to workspace {ours}, but SLACK_BOT_TOKEN is of workspace {theirs}: set"
    " the token of {ours}, or give {theirs} a database of its own by DATABASE_URL or"
    " KIOKU_DATA_DIR."
)


async def find_installation(settings: Settings, pool: Pool) -> Installation:
    """Ask Slack whose SLACK_BOT_TOKEN is. The first workspace is stored: the database is its own.

    If the app was uninstalled, a token that Slack refuses is that of the stored workspace. Raises
    `Problem` for any other refused token, and for that of another workspace.
    """
    given = token(settings, BOT_TOKEN)
    try:
        answer = await call_slack(settings, BOT_TOKEN, "auth.test")
    except TokenRefused:
        stored = await _read(pool)
        if stored is None or stored["left_at"] is None:
            raise
        return Installation(
            team_id=stored["team_id"],
            bot_user_id=stored["bot_user_id"],
            bot_token=given,
        )
    found = Installation(
        team_id=answer["team_id"],
        bot_user_id=answer["user_id"],
        bot_token=given,
        enterprise_id=answer.get("enterprise_id"),
    )
    values = {"team": found.team_id, "bot": found.bot_user_id}
    await execute_statement(pool, _SQL["found"], values)
    stored = await _read(pool)
    if stored is not None and stored["team_id"] != found.team_id:
        raise Problem(
            _OTHER_WORKSPACE.format(ours=stored["team_id"], theirs=found.team_id)
        )
    await execute_statement(pool, _SQL["token_accepted"], values)
    return found


async def _read(pool: Pool) -> dict[str, Any] | None:
    """Return the stored row; None before the first start."""
    rows = await execute_statement(pool, _SQL["read"])
    return rows[0] if rows else None
