"""The app of procrastinate's own shell: ``procrastinate --app=bot.runtime.shell.app shell``."""

from __future__ import annotations

from procrastinate import App, PsycopgConnector

from bot.config import load_settings
from bot.runtime.database_addresses import embedded_name
from memory import EmbeddedPostgres

_settings = load_settings()
if _settings.database_url is not None:
    _address = _settings.database_url.get_secret_value()
else:
    _server = EmbeddedPostgres(_settings.data_dir.resolve())
    _address = _server.login_dsn(embedded_name(_settings))
app = App(connector=PsycopgConnector(conninfo=_address))
"""It works on the jobs of DATABASE_URL, or else of the running embedded PostgreSQL."""
