"""Every setting, once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

# Source: https://platform.openai.com/docs/guides/reasoning
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

STAND_IN_MODEL = "kioku-stand-in"
STAND_IN_EMBEDDING_MODEL = "kioku-stand-in-embedding"
_IDS = {"allowed_channels": r"[CG][A-Z0-9]{2,}", "allowed_users": r"[UW][A-Z0-9]{2,}"}
# What Kubernetes sets for a Service that is called `kioku`:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_OF_KUBERNETES = ("KIOKU_SERVICE_", "KIOKU_PORT")


class SettingsError(Exception):
    """A setting is wrong; the message says which and why, without its value."""


class Settings(BaseModel):
    """All settings, from the environment or `.env`; names as in `.env.example`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    slack_bot_token: SecretStr | None = Field(None, alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(None, alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(None, alias="SLACK_SIGNING_SECRET")
    slack_client_id: str | None = Field(None, alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(None, alias="SLACK_CLIENT_SECRET")
    secret_key: SecretStr | None = Field(None, alias="KIOKU_SECRET_KEY")
    public_url: str | None = Field(None, alias="KIOKU_PUBLIC_URL")
    slack_api_url: str = Field("https://slack.com/api/", alias="SLACK_API_URL")
    openai_api_key: SecretStr | None = Field(None, alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(None, alias="OPENAI_BASE_URL")
    database_url: SecretStr | None = Field(None, alias="DATABASE_URL")
    database_owner_url: SecretStr | None = Field(None, alias="DATABASE_OWNER_URL")
    host: str | None = Field(None, alias="KIOKU_HOST")
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    metrics_port: int = Field(0, alias="KIOKU_METRICS_PORT", ge=0, le=65535)
    reply_model: str = Field("gpt-6-luna", alias="KIOKU_REPLY_MODEL")
    reasoning_effort: Effort | None = Field(None, alias="KIOKU_REASONING_EFFORT")
    fallback_model: str | None = Field(None, alias="KIOKU_FALLBACK_MODEL")
    style: str | None = Field(None, alias="KIOKU_STYLE", max_length=2_000)
    memory_model: str = Field("gpt-6-luna", alias="KIOKU_MEMORY_MODEL")
    embedding_model: str = Field("text-embedding-3-small", alias="KIOKU_EMBEDDING_MODEL")
    sensitive: Literal["store", "ask", "never"] | None = Field(None, alias="KIOKU_SENSITIVE")
    schemas: str | None = Field(None, alias="KIOKU_SCHEMAS")
    formation: Literal["background", "hot", "off"] = Field("background", alias="KIOKU_FORMATION")
    formation_delay: float = Field(4.0, alias="KIOKU_FORMATION_DELAY", ge=0, le=3600)
    consent: Literal["notice", "ask"] = Field("notice", alias="KIOKU_CONSENT")
    web_search: bool = Field(True, alias="KIOKU_WEB_SEARCH")
    allowed_channels: frozenset[str] = Field(frozenset(), alias="KIOKU_ALLOWED_CHANNELS")
    allowed_users: frozenset[str] = Field(frozenset(), alias="KIOKU_ALLOWED_USERS")
    person_messages_per_hour: int = Field(120, alias="KIOKU_PERSON_MESSAGES_PER_HOUR", ge=0)
    api_token: SecretStr | None = Field(None, alias="KIOKU_API_TOKEN")
    history_days: int = Field(30, alias="KIOKU_HISTORY_DAYS", ge=1, le=36_500)
    retention_days: int | None = Field(None, alias="KIOKU_RETENTION_DAYS", ge=1, le=36_500)
    uninstall_grace_hours: int = Field(24, alias="KIOKU_UNINSTALL_GRACE_HOURS", ge=0, le=8_760)
    data_dir: Path = Field(Path(".kioku"), alias="KIOKU_DATA_DIR")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="KIOKU_LOG_LEVEL")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator(*_IDS, mode="before")
    @classmethod
    def _listed(cls, value: object, checked: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        found = frozenset(value.replace(",", " ").split())
        if not all(re.fullmatch(_IDS[str(checked.field_name)], one) for one in found):
            raise ValueError("ids of Slack's are needed, such as C0123ABCD or U0123ABCD")
        return found

    @field_validator("data_dir")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        return value.expanduser()  # of what is in .env, no shell replaces the ~

    @field_validator("secret_key")
    @classmethod
    def _keys(cls, value: SecretStr | None) -> SecretStr | None:
        for key in value.get_secret_value().split(",") if value else ():
            if not re.fullmatch(r"[A-Za-z0-9+/_-]{43}=", key.strip()):
                raise ValueError("what `openssl rand -base64 32` prints is needed")
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        if value and not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]", value):
            raise ValueError("an address that begins with https:// is needed")
        return value and value.rstrip("/")

    @field_validator("slack_api_url", "openai_base_url")
    @classmethod
    def _address(cls, value: str | None, checked: ValidationInfo) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("an address that begins with http:// or https:// is needed")
        return f"{value.rstrip('/')}/" if value and checked.field_name == "slack_api_url" else value

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _conninfo(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            # Only now: `kioku up` starts other processes before this import.
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict

            try:
                conninfo_to_dict(value.get_secret_value())
            except ProgrammingError:  # its text quotes the address, password and all
                wanted = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
                raise ValueError(f"an address such as {wanted} is needed") from None
        return value

    @property
    def has_model(self) -> bool:
        """Say whether a model was named: a key for OpenAI, or an address that speaks like it."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def listens_on(self) -> str:
        """Return where the servers listen: Socket Mode needs nothing from outside."""
        return self.host or ("0.0.0.0" if self.slack_app_token is None else "127.0.0.1")  # noqa: S104

    @property
    def stand_in(self) -> bool:
        """Say whether replies come from the stand-in model."""
        return self.reply_model == STAND_IN_MODEL

    @property
    def memory_model_name(self) -> str:
        """Return the memory model's name for LangChain; ``chat:`` before it chooses the API."""
        return self.memory_model.removeprefix("chat:")

    def secret_keys(self) -> list[str]:
        """Return the keys of KIOKU_SECRET_KEY in URL-safe base64; the first one encrypts."""
        keys = self.secret_key.get_secret_value() if self.secret_key else ""
        return [
            key.strip().replace("+", "-").replace("/", "_")
            for key in keys.split(",")
            if key.strip()
        ]

    def model_key(self) -> str:
        """Return the key to send; servers that need none get a placeholder."""
        return self.openai_api_key.get_secret_value() if self.openai_api_key else "none"


FIELDS: dict[str, str] = {
    field.alias: name for name, field in Settings.model_fields.items() if field.alias
}
"""The field of `Settings` for each setting."""


def load_settings(
    environment: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> Settings:
    """Read the settings from the environment, then from `dotenv` for what is not set there.

    Empty values count as not set. Raises `SettingsError` with one sentence for an unknown
    ``KIOKU_`` name, a bad value, or a file that cannot be read.
    """
    try:
        file = dotenv_values(dotenv) if dotenv is not None and dotenv.is_file() else {}
    except (OSError, UnicodeDecodeError):
        todo = "make it readable for this user, in UTF-8"
        raise SettingsError(f"The file {dotenv} cannot be read: {todo}.") from None
    given: dict[str, str] = {}
    for values in (file, os.environ if environment is None else environment):
        stripped = {name: (value or "").strip() for name, value in values.items()}
        given |= {name: value for name, value in stripped.items() if value}
    for name in sorted(given.keys() - FIELDS.keys()):
        if name.startswith("KIOKU_") and not name.startswith(_OF_KUBERNETES):
            raise SettingsError(f"There is no setting {name}: `.env.example` lists all of them.")
    try:
        return Settings.model_validate({name: given[name] for name in FIELDS.keys() & given.keys()})
    except ValidationError as invalid:
        wrong = invalid.errors(include_input=False, include_url=False)[0]
        why = wrong["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{wrong['loc'][0]}: {why[:1].lower()}{why[1:]}.") from None
