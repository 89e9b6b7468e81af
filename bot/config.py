"""Every setting, once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

T = TypeVar("T")

# Source: https://platform.openai.com/docs/guides/reasoning
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

_HOST = re.compile(r"\A(?:(?!-)[a-z0-9-]++(?<!-)\.)++[a-z][a-z0-9-]++(?<!-)")

_URL_SAFE = str.maketrans("+/", "-_")
STAND_IN_MODEL = "kioku-stand-in"
STAND_IN_EMBEDDING_MODEL = "kioku-stand-in-embedding"


CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{2,}")
USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")
_IDS = {"allowed_channels": CHANNEL_ID, "allowed_users": USER_ID}


def ids(text: str, form: re.Pattern[str]) -> frozenset[str]:
    """Return the ids of Slack's in a list with commas.

    Raises `ValueError` for what does not match `form`.
    """
    found = frozenset(text.replace(",", " ").split())
    if not all(form.fullmatch(one) for one in found):
        raise ValueError("ids of Slack's are needed, such as C0123ABCD")
    return found


class SettingsError(Exception):
    """A setting is wrong; the message says which and what to write instead."""


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
    pool_size: int = Field(12, alias="KIOKU_POOL_SIZE", ge=1, le=1000)
    port: int = Field(3000, alias="PORT", ge=0, le=65535)
    metrics_port: int = Field(0, alias="KIOKU_METRICS_PORT", ge=0, le=65535)
    reply_model: str = Field("gpt-6-luna", alias="KIOKU_REPLY_MODEL")
    reasoning_effort: Effort | None = Field(None, alias="KIOKU_REASONING_EFFORT")
    fallback_model: str | None = Field(None, alias="KIOKU_FALLBACK_MODEL")
    fallback_base_url: str | None = Field(None, alias="KIOKU_FALLBACK_BASE_URL")
    fallback_api_key: SecretStr | None = Field(None, alias="KIOKU_FALLBACK_API_KEY")
    style: str | None = Field(None, alias="KIOKU_STYLE", max_length=2_000)
    memory_model: str = Field("gpt-6-luna", alias="KIOKU_MEMORY_MODEL")
    memory_api: Literal["responses", "chat"] = Field("responses", alias="KIOKU_MEMORY_API")
    embedding_model: str = Field("text-embedding-3-small", alias="KIOKU_EMBEDDING_MODEL")
    verify: bool = Field(True, alias="KIOKU_VERIFY")
    verify_model: str | None = Field(None, alias="KIOKU_VERIFY_MODEL")
    sensitive: Literal["store", "ask", "never"] | None = Field(None, alias="KIOKU_SENSITIVE")
    schemas: str | None = Field(None, alias="KIOKU_SCHEMAS")
    formation: Literal["background", "hot", "off"] = Field("background", alias="KIOKU_FORMATION")
    formation_delay: float = Field(4.0, alias="KIOKU_FORMATION_DELAY", ge=0, le=3600)
    consent: Literal["notice", "ask"] = Field("notice", alias="KIOKU_CONSENT")
    web_search: bool = Field(True, alias="KIOKU_WEB_SEARCH")
    link_hosts: frozenset[str] = Field(frozenset(), alias="KIOKU_LINK_HOSTS")
    allowed_channels: frozenset[str] = Field(frozenset(), alias="KIOKU_ALLOWED_CHANNELS")
    allowed_users: frozenset[str] = Field(frozenset(), alias="KIOKU_ALLOWED_USERS")
    read_files: bool = Field(True, alias="KIOKU_READ_FILES")
    person_messages_per_hour: int = Field(120, alias="KIOKU_PERSON_MESSAGES_PER_HOUR", ge=0)
    api_token: SecretStr | None = Field(None, alias="KIOKU_API_TOKEN")
    history_days: int = Field(30, alias="KIOKU_HISTORY_DAYS", ge=1, le=36_500)
    retention_days: int | None = Field(None, alias="KIOKU_RETENTION_DAYS", ge=1, le=36_500)
    data_dir: Path = Field(Path(".kioku"), alias="KIOKU_DATA_DIR")
    traces_endpoint: str | None = Field(None, alias="KIOKU_TRACES_ENDPOINT")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="KIOKU_LOG_LEVEL")
    log_format: Literal["text", "json"] = Field("text", alias="KIOKU_LOG_FORMAT")

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator(*_IDS, mode="before")
    @classmethod
    def _listed(cls, value: object, checked: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return ids(value, _IDS[str(checked.field_name)])

    @field_validator("link_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = frozenset(value.lower().replace(",", " ").split())
        if not all(_HOST.fullmatch(one) for one in found):
            raise ValueError("names of hosts are needed, such as docs.python.org")
        return found

    @field_validator("data_dir")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        # Of what is written into .env, no shell replaces the ~.
        return Path(os.path.expanduser(value))

    @field_validator("secret_key")
    @classmethod
    def _keys(cls, value: SecretStr | None) -> SecretStr | None:
        for key in value.get_secret_value().split(",") if value else ():
            if not re.fullmatch(r"[A-Za-z0-9+/_-]{43}=", key.strip()):
                raise ValueError("32 bytes in base64 are needed")
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        if value and not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]", value):
            raise ValueError("an https address is needed")
        return value and value.rstrip("/")

    @field_validator("slack_api_url", "openai_base_url", "fallback_base_url", "traces_endpoint")
    @classmethod
    def _address(cls, value: str | None, checked: ValidationInfo) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("an http(s) address is needed")
        return f"{value.rstrip('/')}/" if value and checked.field_name == "slack_api_url" else value

    @field_validator("fallback_base_url", "fallback_api_key")
    @classmethod
    def _of_a_fallback(cls, value: T, checked: ValidationInfo) -> T:
        if value is not None and not checked.data.get("fallback_model"):
            raise ValueError("KIOKU_FALLBACK_MODEL is needed, too")
        return value

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
                raise ValueError("a PostgreSQL address is needed") from None
        return value

    @property
    def has_model(self) -> bool:
        """Say whether a model was named: a key for OpenAI, or an address that speaks like it."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def models(self) -> str:
        """Return the names of the models for replies, memories and embeddings."""
        return f"{self.reply_model}, {self.memory_model}, {self.embedding_model}"

    @property
    def stand_in(self) -> bool:
        """Say whether replies come from the stand-in model."""
        return self.reply_model == STAND_IN_MODEL

    @property
    def verdict_model(self) -> str | None:
        """Return the model that checks what is to be remembered; None: none does."""
        return (self.verify_model or self.memory_model) if self.verify else None

    def with_fallback_model(self) -> Settings | None:
        """Return settings whose reply model, address and key are the fallback's; None: none is set.

        Without an address of its own it is at that of the reply model. The key of one server is
        never sent to another.
        """
        if self.fallback_model is None:
            return None
        changes: dict[str, object] = {"reply_model": self.fallback_model}
        if self.fallback_base_url is not None:
            changes["openai_base_url"] = self.fallback_base_url
        if self.fallback_base_url is not None or self.fallback_api_key is not None:
            changes["openai_api_key"] = self.fallback_api_key
        return self.model_copy(update=changes)

    def secret_keys(self) -> list[str]:
        """Return the keys of KIOKU_SECRET_KEY in URL-safe base64; the first one encrypts."""
        keys = self.secret_key.get_secret_value() if self.secret_key else ""
        return [key.strip().translate(_URL_SAFE) for key in keys.split(",") if key.strip()]

    def model_key(self) -> str:
        """Return the key to send; servers that need none get a placeholder."""
        return self.openai_api_key.get_secret_value() if self.openai_api_key else "none"


FIELDS: dict[str, str] = {
    field.alias: name for name, field in Settings.model_fields.items() if field.alias
}
"""The field of `Settings` for each setting."""

_RENAMED = {
    "KIOKU_CHANNELS": "KIOKU_ALLOWED_CHANNELS",
    "KIOKU_FILES": "KIOKU_READ_FILES",
    "KIOKU_PEOPLE": "KIOKU_ALLOWED_USERS",
}

_HINTS = {
    "DATABASE_URL": "an address such as postgresql://USER:PASSWORD@HOST:5432/DATABASE",
    "DATABASE_OWNER_URL": "an address such as postgresql://OWNER:PASSWORD@HOST:5432/DATABASE",
    "KIOKU_POOL_SIZE": "a number of connections from 1 to 1000",
    "PORT": "a port number from 0 to 65535",
    "KIOKU_METRICS_PORT": "a port number from 1 to 65535, or 0 for none",
    "SLACK_API_URL": "an address such as https://slack.com/api/",
    "KIOKU_SECRET_KEY": "what `openssl rand -base64 32` prints; several keys with commas",
    "KIOKU_PUBLIC_URL": "an https address such as https://kioku.example.com",
    "OPENAI_BASE_URL": "an address such as https://api.openai.com/v1",
    "KIOKU_REASONING_EFFORT": "none, minimal, low, medium, high, xhigh or max",
    "KIOKU_FALLBACK_BASE_URL": "an address such as https://api.openai.com/v1, and the name of the"
    " model into KIOKU_FALLBACK_MODEL",
    "KIOKU_FALLBACK_API_KEY": "the key of that server, and the name of the model into"
    " KIOKU_FALLBACK_MODEL",
    "KIOKU_STYLE": "at most 2,000 characters on how to answer, or nothing",
    "KIOKU_SENSITIVE": "store, ask or never, or nothing for the default",
    "KIOKU_FORMATION_DELAY": "seconds of quiet from 0 to 3600",
    "KIOKU_LINK_HOSTS": "names of hosts, such as docs.python.org,wiki.example.com, or nothing",
    "KIOKU_ALLOWED_CHANNELS": "ids of channels, such as C0123ABCD, or nothing for every channel",
    "KIOKU_ALLOWED_USERS": "ids of people, such as U0123ABCD,U0456EFGH, or nothing for everybody",
    "KIOKU_PERSON_MESSAGES_PER_HOUR": "a number of messages; 0 for no limit",
    "KIOKU_HISTORY_DAYS": "a number of days from 1 to 36500; conversations are not kept for ever",
    "KIOKU_RETENTION_DAYS": "a number of days from 1 to 36500, or nothing to keep memories",
    "KIOKU_TRACES_ENDPOINT": "an address such as http://127.0.0.1:4318/v1/traces, or nothing",
    "KIOKU_LOG_LEVEL": "debug, info, warning or error",
}


def load_settings(
    environment: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> Settings:
    """Read the settings from the environment, then from `dotenv` for what is not set there.

    Raises `SettingsError` with one sentence for an unknown or renamed `KIOKU_*` name, a bad value,
    settings that contradict each other, or a file or line that cannot be read. Empty values count
    as not set.
    """
    settings, problems = check_settings(given_values(environment, dotenv=dotenv))
    if problems:
        raise SettingsError(problems[0])
    return settings


def check_settings(values: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Return the settings without those that are wrong, and one sentence for each of these."""
    problems = []
    for name in values:
        if name in _RENAMED:
            problems.append(f"{name} is now called {_RENAMED[name]}: rename it.")
        elif name.startswith("KIOKU_") and name not in FIELDS:
            close = get_close_matches(name, list(FIELDS), n=1, cutoff=0.75)
            hint = f"did you mean {close[0]}?" if close else "`.env.example` lists all of them."
            problems.append(f"There is no setting {name}: {hint}")
    good = {name: value for name, value in values.items() if name in FIELDS}
    try:
        settings = Settings.model_validate(good)
    except ValidationError as invalid:
        for wrong in invalid.errors():
            name = str(wrong["loc"][0])
            # pydantic names the words that may be written, but for a yes or no.
            is_switch = Settings.model_fields[FIELDS[name]].annotation is bool
            usual = "on or off" if is_switch else "what `.env.example` says"
            words = str(wrong.get("ctx", {}).get("expected", usual)).replace("'", "")
            hint = _HINTS.get(name, words)
            problems.append(f"{name} has a value that cannot be used: write {hint}.")
            del good[name]
        settings = Settings.model_validate(good)
    if settings.sensitive is not None and not settings.verify:
        problems.append(
            "KIOKU_SENSITIVE has no effect with KIOKU_VERIFY=off: set KIOKU_VERIFY=on, or remove"
            " KIOKU_SENSITIVE."
        )
    return settings, problems


def given_values(
    environment: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> dict[str, str]:
    """Return what the environment and `dotenv` set, unchecked; the environment wins.

    Raises `SettingsError` if the file, or a line of it, cannot be read.
    """
    environment = os.environ if environment is None else environment
    return {**_given(_read(dotenv)), **_given(environment)}


def _read(dotenv: Path | None) -> Mapping[str, str | None]:
    if dotenv is None or not dotenv.is_file():
        return {}
    try:
        text = dotenv.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"The file {dotenv} cannot be read: make it readable for this user, in UTF-8."
        ) from None
    for binding in parse_stream(StringIO(text)):
        # A name without a value has no "=".
        if binding.error or (binding.key is not None and binding.value is None):
            written = binding.original.string
            blank = written[: len(written) - len(written.lstrip())]
            line = binding.original.line + blank.count("\n")
            raise SettingsError(f"Line {line} of {dotenv} cannot be read: write NAME=value.")
    return dotenv_values(stream=StringIO(text))


def _given(values: Mapping[str, str | None]) -> dict[str, str]:
    stripped = {name: (value or "").strip() for name, value in values.items()}
    return {
        name: value for name, value in stripped.items() if value and not _of_kubernetes(name, value)
    }


def _of_kubernetes(name: str, value: str) -> bool:
    """Return whether Kubernetes has set the variable, for a Service that is named `kioku`.

    Source: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return name.startswith("KIOKU_") and bool(
        re.match(r"KIOKU_(SERVICE_(HOST|PORT)(_|$)|PORT_\d+_)", name)
        or (name == "KIOKU_PORT" and re.match(r"(tcp|udp|sctp)://", value))
    )
