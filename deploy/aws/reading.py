"""The settings of a function: from its variables, with the keys from Secrets Manager."""

from __future__ import annotations

from bot.config import Settings, load_settings
from bot.logs import set_up_logging
from bot.runtime.database import Addresses, secret_addresses
from bot.runtime.problem import Problem
from bot.runtime.secrets import with_secrets
from bot.telemetry import disable_telemetry


def read_settings() -> tuple[Settings, Addresses]:
    """Return the settings and where the database is; set up logs, switch telemetry off.

    Raises `Problem` and `bot.config.SettingsError`.
    """
    disable_telemetry()
    settings = load_settings(dotenv=None)
    set_up_logging(settings.log_level, settings.log_format)
    if settings.database_secret_arn is None:
        raise Problem("DATABASE_SECRET_ARN is not set: name the secret of the user that serves.")
    addresses = secret_addresses(settings.database_secret_arn, settings.database_owner_secret_arn)
    return with_secrets(settings), addresses
