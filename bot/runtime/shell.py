"""The app of procrastinate's own shell: ``procrastinate --app=bot.runtime.shell.app shell``."""

from __future__ import annotations

from procrastinate import App, PsycopgConnector

from bot.config import Settings, load_settings
from bot.runtime.database_addresses import embedded_name
from memory import EmbeddedPostgres


def _address(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return EmbeddedPostgres(settings.data_dir.resolve()).login_dsn(
        embedded_name(settings)
    )


app = App(connector=PsycopgConnector(conninfo=_address(load_settings())))
"""It works on the jobs of DATABASE_URL, or else of the running embedded PostgreSQL."""
