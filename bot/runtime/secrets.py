"""Secrets kept in AWS Secrets Manager: read once, and again where they no longer fit."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from bot.config import FIELDS, Settings
from bot.runtime.problem import Problem

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

_READ = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"),
    *("KIOKU_API_TOKEN", "OPENAI_API_KEY"),
)


class DatabaseSecret:
    """The address and user of PostgreSQL, as Amazon RDS writes them into a secret.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
    """

    def __init__(self, arn: str, setting: str = "DATABASE_SECRET_ARN") -> None:
        self._arn = arn
        self._setting = setting
        self._conninfo = ""

    def current(self) -> str:
        """Return the conninfo; raises `Problem` where the secret cannot be read."""
        if not self._conninfo:
            self._conninfo = self._read()
        return self._conninfo

    async def renewed(self) -> bool:
        """Read the secret again; say whether it has changed."""
        before, self._conninfo = self._conninfo, await asyncio.to_thread(self._read)
        return self._conninfo != before

    def _read(self) -> str:
        secret = _secret(self._arn, self._setting)
        try:
            return make_conninfo(
                host=secret["host"],
                port=int(secret.get("port") or 5432),
                user=secret["username"],
                password=secret["password"],
                dbname=secret.get("dbname") or "postgres",
            )
        except (KeyError, TypeError, ValueError):
            raise Problem(
                f"The secret of {self._setting} lacks host, username or password: name one that"
                " is attached to the cluster."
            ) from None


def with_secrets(settings: Settings) -> Settings:
    """Return `settings` with the keys of SLACK_SECRET_ARN and OPENAI_SECRET_ARN put in.

    What is set directly stays as it is. Raises `Problem`.
    """
    changes: dict[str, object] = {}
    for name in ("slack_secret_arn", "openai_secret_arn"):
        arn = getattr(settings, name)
        if arn is None:
            continue
        for key, value in _secret(arn, name.upper()).items():
            if key in _READ and value and getattr(settings, FIELDS[key]) is None:
                changes[FIELDS[key]] = SecretStr(str(value))
    return settings.model_copy(update=changes)


def _secret(arn: str, setting: str) -> dict[str, Any]:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise Problem(
            f"{setting} needs the package boto3: run `pip install '.[aws]'` in the folder of"
            " Kioku's source."
        ) from None
    try:
        client: SecretsManagerClient = boto3.client("secretsmanager")
        secret = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError, ValueError, KeyError) as error:
        raise Problem(
            f"The secret of {setting} cannot be read ({type(error).__name__}): check its name, and"
            " that this role may read it."
        ) from None
    if not isinstance(secret, dict):
        raise Problem(f"The secret of {setting} is no JSON object: write one of names to keys.")
    return secret
