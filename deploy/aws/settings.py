"""Settings of a function: from its variables, and from Secrets Manager."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from psycopg.conninfo import make_conninfo

from bot.config import Settings, load_settings
from bot.logs import set_up_logging
from bot.telemetry import disable_telemetry


def read_settings() -> Settings:
    """Read the secrets that the variables name, set up logs, switch telemetry off.

    ``DATABASE_SECRET`` and ``DATABASE_OWNER_SECRET`` have the form that Amazon RDS writes,
    ``MODEL_SECRET`` has settings by name. Raises `bot.config.SettingsError`, and botocore's errors.
    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    """
    disable_telemetry()
    given = {**os.environ, **_secret("MODEL_SECRET")}
    given["DATABASE_URL"] = _address(_secret("DATABASE_SECRET"))
    if "DATABASE_OWNER_SECRET" in os.environ:
        given["DATABASE_OWNER_URL"] = _address(_secret("DATABASE_OWNER_SECRET"))
    settings = load_settings(given, dotenv=None)
    set_up_logging(settings.log_level)
    return settings


def _secret(variable: str) -> dict[str, Any]:
    client = boto3.client("secretsmanager")
    content = client.get_secret_value(SecretId=os.environ[variable])["SecretString"]
    found: dict[str, Any] = json.loads(content)
    return found


def _address(secret: dict[str, Any]) -> str:
    return make_conninfo(
        host=secret["host"],
        port=secret["port"],
        user=secret["username"],
        password=secret["password"],
        dbname=secret["dbname"],
    )
