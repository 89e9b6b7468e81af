"""All settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

from dotenv import dotenv_values
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, timeout_from_conninfo
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
)

from memory.model import speaks_openai

OPENAI_ADDRESS = "https://api.openai.com/v1"
STAND_IN_MODEL = "kioku-stand-in"
STAND_IN_EMBEDDING_MODEL = "kioku-stand-in-embedding"
NO_KEY = "none"
"""The key to send to a server that needs none."""
# What libpq says of a parameter that belongs to a library or a pooler, such as ?pgbouncer=true.
_FOREIGN = re.compile(r'invalid (?:URI query parameter: |connection option )"(\w+)"')
_LABEL = r"[^\s/?#\[\]:@.]{1,63}"
WEB_ADDRESS = (
    r"(?i:https?)://([^\s/?#\[\]]*@)?"  # with or without a user and a password
    rf"({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+(%\w+)?\])"
    r"(:([0-5]?\d{1,4}|6[0-5]\d{3}))?([/?#]\S*)?"
)
"""The pattern of an address of HTTP, with a host and without white space."""
# Variables that Kubernetes sets for each Service whose name is `kioku` or begins with `kioku-`:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_OF_KUBERNETES = re.compile(
    r"KIOKU_(\w+_)?(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT_\d+_|PORT=(tcp|udp|sctp)://)"
)


class SettingsError(Exception):
    """A setting is wrong; the message says which and why, without its value."""


def _setting(field: str) -> str:
    """Return the name of a field's setting."""
    if field.startswith(("slack_", "openai_", "database_")) or field == "port":
        return field.upper()
    return f"KIOKU_{field.upper()}"


def _split(value: object) -> object:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return value


def _conninfo(value: SecretStr, checked: ValidationInfo) -> SecretStr:
    try:
        timeout_from_conninfo(conninfo_to_dict(value.get_secret_value()))
    except ProgrammingError as wrong:
        # All else of its text may quote the address with the password.
        if foreign := _FOREIGN.search(str(wrong)):
            raise ValueError(
                f"remove the parameter {foreign[1]}, which PostgreSQL does not know"
            ) from None
        wanted = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        raise ValueError(f"an address such as {wanted} is needed") from None
    is_owners = checked.field_name == "database_owner_url"
    if is_owners and checked.data.get("database_url") is None:
        raise ValueError(
            "write the address of the user that serves into DATABASE_URL, too"
        )
    return value


def _expanded(folder: Path) -> Path:
    try:
        return folder.expanduser()
    except RuntimeError:
        raise ValueError(
            "the home folder at its beginning is not known, so write the whole path"
        ) from None


def _matching(pattern: str, wanted: str) -> AfterValidator:
    """Return what refuses a value that does not match all of `pattern`, saying what is `wanted`."""

    def check(value: str | SecretStr) -> str | SecretStr:
        text = value
        if isinstance(text, SecretStr):
            text = text.get_secret_value()
        if not re.fullmatch(pattern, text):
            raise ValueError(wanted)
        return value

    return AfterValidator(check)


ConsentMode: TypeAlias = Literal["notice", "ask"]
_Address: TypeAlias = Annotated[
    str,
    _matching(
        WEB_ADDRESS,
        "an address such as https://api.example.com or http://localhost:8000 is needed",
    ),
]
_Folder: TypeAlias = Annotated[
    _Address, AfterValidator(lambda url: f"{url.rstrip('/')}/")
]
_Token: TypeAlias = Annotated[
    SecretStr,
    _matching(
        "[!-~]+",
        "it has a space or another character that no key has, so copy it again",
    ),
]
_Conninfo: TypeAlias = Annotated[SecretStr, AfterValidator(_conninfo)]
_Days: TypeAlias = Annotated[int, Field(ge=1, le=36_500)]
_Channel: TypeAlias = Annotated[
    str,
    _matching(
        "[CG][A-Z0-9]{2,}",
        "ids of channels such as C0123ABCD are needed, separated by commas",
    ),
]
_User: TypeAlias = Annotated[
    str,
    _matching(
        "[UW][A-Z0-9]{2,}",
        "ids of people such as U0123ABCD are needed, separated by commas",
    ),
]
_Channels: TypeAlias = Annotated[frozenset[_Channel], BeforeValidator(_split)]
_Users: TypeAlias = Annotated[frozenset[_User], BeforeValidator(_split)]
# `kioku up` gives the playground the port, and takes the next one.
_Port: TypeAlias = Annotated[int, Field(ge=0, le=65_534)]
# Source: https://platform.openai.com/docs/guides/reasoning
_Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class ModelServer(NamedTuple):
    """A model's server: its address, and the key to send, a placeholder if none is needed.

    The last two are the settings in which an operator writes them.
    """

    base_url: str
    key: str
    address_setting: str = "OPENAI_BASE_URL"
    key_setting: str = "OPENAI_API_KEY"


class Settings(BaseModel):
    """All settings, from the environment or `.env`; names as in `.env.example`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, alias_generator=_setting
    )

    slack_bot_token: _Token | None = None
    slack_app_token: _Token | None = None
    slack_signing_secret: _Token | None = None
    slack_api_url: _Folder = "https://slack.com/api/"
    openai_api_key: _Token | None = None
    openai_base_url: _Address | None = None
    database_url: _Conninfo | None = None
    database_owner_url: _Conninfo | None = None
    host: str | None = None
    port: _Port = 3000
    metrics_port: _Port = 0
    reply_model: str = "gpt-6-luna"
    reasoning_effort: _Effort | None = None
    # For one response, with its reasoning.
    # Source: https://platform.openai.com/docs/guides/reasoning
    max_output_tokens: Annotated[int, Field(ge=16, le=1_000_000)] = 25_000
    memory_tokens: Annotated[int, Field(ge=500, le=100_000)] = 4_000
    model_timeout: Annotated[float, Field(ge=1, le=3_600)] = 300.0
    style: Annotated[str, Field(max_length=2_000)] | None = None
    memory_model: str = "gpt-6-luna"
    memory_base_url: _Address | None = None
    memory_api_key: _Token | None = None
    memory_reasoning_effort: _Effort = "low"
    embedding_model: str = "text-embedding-3-small"
    embedding_base_url: _Address | None = None
    embedding_api_key: _Token | None = None
    sensitive: Literal["store", "ask", "never"] | None = None
    schemas: str | None = None
    formation: Literal["background", "hot", "off"] = "background"
    formation_delay: Annotated[float, Field(ge=0, le=3_600)] = 4.0
    consent: ConsentMode = "notice"
    web_search: bool = True
    allowed_channels: _Channels = frozenset()
    allowed_users: _Users = frozenset()
    person_messages_per_hour: Annotated[int, Field(ge=0, le=1_000_000)] = 120
    api_token: SecretStr | None = None
    history_days: _Days = 30
    retention_days: _Days | None = None
    data_dir: Annotated[Path, AfterValidator(_expanded)] = Path(".kioku")
    log_level: Annotated[_Level, BeforeValidator(str.upper)] = "INFO"

    @property
    def has_model(self) -> bool:
        """Whether a model was named: another provider's, a key for OpenAI, or an address."""
        return self._has_openai or not speaks_openai(self.reply_model)

    @property
    def has_embeddings(self) -> bool:
        """Whether a server can make embeddings."""
        return self._has_openai or self.embedding_base_url is not None

    @property
    def _has_openai(self) -> bool:
        """Whether there is a server of OpenAI's API."""
        return self.openai_api_key is not None or self.openai_base_url is not None

    @property
    def listens_on(self) -> str:
        """Where the servers listen: on this machine, or everywhere where Slack sends HTTP."""
        if self.host is not None:
            return self.host
        if self.slack_app_token is None and self.slack_signing_secret is not None:
            return "0.0.0.0"  # noqa: S104 - Slack's requests come from outside
        return "127.0.0.1"

    @property
    def stand_in(self) -> bool:
        """Whether replies come from the stand-in model."""
        return self.reply_model == STAND_IN_MODEL

    @property
    def answer_seconds(self) -> float:
        """How long a model may write one response, from its first event, in seconds.

        Hardware that is slow to begin an answer is slow to write it, too.
        """
        return max(300.0, self.model_timeout)

    @property
    def reply_server(self) -> ModelServer:
        """Where the reply model is."""
        key = NO_KEY
        if self.openai_api_key is not None:
            key = self.openai_api_key.get_secret_value()
        return ModelServer(self.openai_base_url or OPENAI_ADDRESS, key)

    @property
    def memory_server(self) -> ModelServer:
        """Where the memory model is, if it speaks OpenAI's API."""
        return self._server("KIOKU_MEMORY", self.memory_base_url, self.memory_api_key)

    @property
    def embedding_server(self) -> ModelServer:
        """Where the embedding model is."""
        return self._server(
            "KIOKU_EMBEDDING", self.embedding_base_url, self.embedding_api_key
        )

    def _server(
        self, prefix: str, base_url: str | None, api_key: SecretStr | None
    ) -> ModelServer:
        """Return a server, by default the replies' one, whose key no other server gets.

        The names of its settings begin with `prefix`.
        """
        server = self.reply_server
        key_setting = f"{prefix}_API_KEY"
        if base_url is not None:
            server = ModelServer(base_url, NO_KEY, f"{prefix}_BASE_URL", key_setting)
        if api_key is not None:
            key = api_key.get_secret_value()
            server = server._replace(key=key, key_setting=key_setting)
        return server


FIELDS = {_setting(name): name for name in Settings.model_fields}
"""The field of `Settings` for each setting."""


def read_dotenv(path: Path) -> dict[str, str]:
    """Return what a `.env` sets, without empty values; nothing if there is no such file.

    Raises `SettingsError` for a file that cannot be read.
    """
    try:
        if not path.is_file():
            return {}
        # An editor of Windows may write a byte order mark before the first name.
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
        return _not_empty(values)
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"Make {path} readable for this user, in UTF-8.") from None


def use_provider_keys(settings: Settings) -> None:
    """Put what `.env` sets for packages of other providers, such as a key, into the environment.

    Those read nothing else. A variable of the environment takes precedence.
    """
    if speaks_openai(settings.reply_model) and speaks_openai(settings.memory_model):
        return
    for name, value in read_dotenv(Path(".env")).items():
        if name not in FIELDS:
            os.environ.setdefault(name, value)


def _not_empty(values: Mapping[str, str | None]) -> dict[str, str]:
    given = {}
    for name, value in values.items():
        stripped = (value or "").strip()
        if stripped:
            given[name] = stripped
    return given


def load_settings(
    environment: Mapping[str, str] = os.environ, *, dotenv: Path | None = Path(".env")
) -> Settings:
    """Read the settings from the environment, then from `dotenv` for what is not set there.

    Empty values count as not set. Raises `SettingsError` with one sentence for an unknown
    ``KIOKU_`` name, a bad value, or a file that cannot be read.
    """
    given = {
        name: value
        for name, value in _not_empty(environment).items()
        if not _OF_KUBERNETES.match(f"{name}={value}")
    }
    if dotenv is not None:
        given = read_dotenv(dotenv) | given
    for name in sorted(given.keys() - FIELDS.keys()):
        if name.startswith("KIOKU_"):
            raise SettingsError(
                f"There is no setting {name}: `.env.example` lists all of them."
            )
    known = {name: value for name, value in given.items() if name in FIELDS}
    try:
        return Settings.model_validate(known)
    except ValidationError as invalid:
        wrong = invalid.errors(include_input=False, include_url=False)[0]
        why = wrong["msg"].removeprefix("Value error, ")
        if wrong["type"] == "bool_parsing":
            why = "on or off is needed"
        begin = why[:1].lower()
        raise SettingsError(f"{wrong['loc'][0]}: {begin}{why[1:]}.") from None
