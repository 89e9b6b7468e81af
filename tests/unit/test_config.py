"""Every setting: its default, a good value, a bad one."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.config import FIELDS, STAND_IN_MODEL, Settings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parent.parent.parent

GOOD: list[tuple[str, str, Any]] = [
    ("SLACK_BOT_TOKEN", "xoxb-1", SecretStr("xoxb-1")),
    ("SLACK_APP_TOKEN", "xapp-1", SecretStr("xapp-1")),
    ("SLACK_SIGNING_SECRET", "abc", SecretStr("abc")),
    ("SLACK_API_URL", "http://127.0.0.1:1/api", "http://127.0.0.1:1/api/"),
    ("OPENAI_API_KEY", "sk-1", SecretStr("sk-1")),
    ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"),
    ("DATABASE_URL", "postgresql://u:p@h/d", SecretStr("postgresql://u:p@h/d")),
    ("DATABASE_OWNER_URL", "postgresql://o:p@h/d", SecretStr("postgresql://o:p@h/d")),
    ("PORT", "0", 0),
    ("KIOKU_METRICS_PORT", "9464", 9464),
    ("KIOKU_REPLY_MODEL", "gpt-6.1-sol", "gpt-6.1-sol"),
    ("KIOKU_MAX_OUTPUT_TOKENS", "4000", 4_000),
    ("KIOKU_MEMORY_TOKENS", "2000", 2_000),
    ("KIOKU_MODEL_TIMEOUT", "900", 900.0),
    ("KIOKU_REASONING_EFFORT", "low", "low"),
    ("KIOKU_STYLE", "x" * 2_000, "x" * 2_000),
    ("KIOKU_MEMORY_MODEL", "anthropic:x", "anthropic:x"),
    ("KIOKU_MEMORY_BASE_URL", "http://127.0.0.1:2/v1", "http://127.0.0.1:2/v1"),
    ("KIOKU_MEMORY_API_KEY", "sk-2", SecretStr("sk-2")),
    ("KIOKU_MEMORY_REASONING_EFFORT", "none", "none"),
    ("KIOKU_EMBEDDING_MODEL", "text-embedding-3-large", "text-embedding-3-large"),
    ("KIOKU_EMBEDDING_BASE_URL", "http://127.0.0.1:3/v1", "http://127.0.0.1:3/v1"),
    ("KIOKU_EMBEDDING_API_KEY", "sk-3", SecretStr("sk-3")),
    ("KIOKU_SENSITIVE", "never", "never"),
    ("KIOKU_SCHEMAS", "UserFact,my.models:Pet", "UserFact,my.models:Pet"),
    ("KIOKU_FORMATION", "off", "off"),
    ("KIOKU_FORMATION_DELAY", "0", 0.0),
    ("KIOKU_CONSENT", "ask", "ask"),
    ("KIOKU_WEB_SEARCH", "off", False),
    ("KIOKU_ALLOWED_CHANNELS", "C0123, G0456 ,C0123", frozenset({"C0123", "G0456"})),
    ("KIOKU_ALLOWED_USERS", "U0123,W0456", frozenset({"U0123", "W0456"})),
    ("KIOKU_PERSON_MESSAGES_PER_HOUR", "0", 0),
    ("KIOKU_API_TOKEN", "t0ken", SecretStr("t0ken")),
    ("KIOKU_HISTORY_DAYS", "1", 1),
    ("KIOKU_RETENTION_DAYS", "365", 365),
    ("KIOKU_DATA_DIR", "/var/lib/kioku", Path("/var/lib/kioku")),
    ("KIOKU_DATA_DIR", "~/kioku", Path.home() / "kioku"),
    ("KIOKU_LOG_LEVEL", "debug", "DEBUG"),
    ("KIOKU_HOST", "0.0.0.0", "0.0.0.0"),
]
BAD: list[tuple[str, str, str]] = [
    ("KIOKU_MAX_OUTPUT_TOKENS", "8", "input should be greater than or equal to 16"),
    ("KIOKU_MEMORY_TOKENS", "100", "input should be greater than or equal to 500"),
    ("KIOKU_MODEL_TIMEOUT", "0", "input should be greater than or equal to 1"),
    ("PORT", "http", "input should be a valid integer"),
    ("PORT", "65535", "input should be less than or equal to 65534"),
    (
        "OPENAI_BASE_URL",
        "localhost:8100",
        "an address such as https://api.example.com or http://localhost",
    ),
    ("OPENAI_API_KEY", "sk-ここにキー", "it has a space or another character"),
    ("SLACK_BOT_TOKEN", "xoxb-1\u200b2", "it has a space or another character"),
    ("SLACK_APP_TOKEN", "xapp-1 # a comment", "it has a space or another"),
    ("OPENAI_BASE_URL", "http://[::1", "an address such as"),
    ("OPENAI_BASE_URL", "https://api..example.com/v1", "an address such as"),
    ("OPENAI_BASE_URL", "http://localhost:80000/v1", "an address such as"),
    ("OPENAI_BASE_URL", "http://h/v1 # of systemd's file", "an address such as"),
    ("SLACK_API_URL", "https://", "an address such as"),
    ("KIOKU_PERSON_MESSAGES_PER_HOUR", "2147483648", "input should be less than or"),
    ("KIOKU_DATA_DIR", "~nobody-here/kioku", "the home folder at its beginning is"),
    (
        "DATABASE_URL",
        "localhost/kioku",
        "an address such as postgresql://USER:PASSWORD@HOST:5432/",
    ),
    (
        "DATABASE_URL",
        "postgresql://u:p@h/d?connect_timeout=1m",
        "an address such as postgresql://USER:PASSWORD@HOST:5432/",
    ),
    (
        "DATABASE_URL",
        "postgresql://u:p@h/d?schema=public",
        "remove the parameter schema, which PostgreSQL does not know",
    ),
    (
        "DATABASE_URL",
        "host=h dbname=d pgbouncer=true",
        "remove the parameter pgbouncer, which PostgreSQL does not know",
    ),
    (
        "DATABASE_OWNER_URL",
        "localhost/kioku",
        "an address such as postgresql://USER:PASSWORD@",
    ),
    (
        "DATABASE_OWNER_URL",
        "postgresql://o:p@h/d",
        "write the address of the user that serves",
    ),
    ("KIOKU_SENSITIVE", "off", "input should be 'store', 'ask' or 'never'"),
    ("KIOKU_FORMATION_DELAY", "nan", "input should be less than or equal to 3600"),
    (
        "KIOKU_ALLOWED_CHANNELS",
        "#general",
        "ids of channels such as C0123ABCD are needed",
    ),
    ("KIOKU_ALLOWED_USERS", "@ann", "ids of people such as U0123ABCD are needed"),
    ("KIOKU_WEB_SEARCH", "maybe", "on or off is needed."),
    (
        "KIOKU_LOG_LEVEL",
        "loud",
        "input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'",
    ),
]


def load(**values: str) -> Settings:
    """Read settings from these names only."""
    return load_settings(values, dotenv=None)


def test_every_setting_is_tested() -> None:
    """No setting is missing from these tests."""
    tested = {name for name, _, _ in GOOD}
    assert tested ^ FIELDS.keys() == set(), "these are in one of GOOD and bot/config.py"


def test_an_empty_value_is_no_value() -> None:
    """Each setting then has its default, which `.env.example` shows."""
    assert (
        load(**dict.fromkeys(FIELDS, ""))
        == load(**dict.fromkeys(FIELDS, "  "))
        == load()
    )


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("KIOKU_FORMATION_DELAY", 4.0),
        ("KIOKU_SENSITIVE", None),
        ("KIOKU_CONSENT", "notice"),
        ("KIOKU_HISTORY_DAYS", 30),
    ],
)
def test_the_defaults_that_pages_promise(name: str, default: object) -> None:
    """Pages written by hand say what happens without these settings."""
    assert getattr(load(), FIELDS[name]) == default


def test_a_good_value_is_read(subtests: pytest.Subtests) -> None:
    """A good value is read, white space around it or not."""
    for name, value, read in GOOD:
        with subtests.test(name=name, value=value, read=read):
            for given in (value, f"  {value}\n"):
                served = {"DATABASE_URL": "postgresql://u:p@h/d"}
                assert getattr(load(**served | {name: given}), FIELDS[name]) == read


def test_a_bad_value_stops_with_one_sentence(subtests: pytest.Subtests) -> None:
    """A bad value stops with one sentence that names the setting and says what is wrong."""
    for name, value, hint in BAD:
        with subtests.test(name=name, value=value, hint=hint):
            with pytest.raises(SettingsError) as raised:
                load(**{name: value})
            sentence = str(raised.value)
            assert sentence.startswith(f"{name}: {hint}")
            assert sentence.endswith(".")
            assert f"{value!r}" not in sentence
            assert raised.value.__cause__ is None


def test_an_unknown_setting_stops_with_one_sentence() -> None:
    """An unknown KIOKU_ name stops with one sentence that says where all of them are."""
    with pytest.raises(SettingsError) as raised:
        load(KIOKU_TYPO="1")
    assert (
        str(raised.value)
        == "There is no setting KIOKU_TYPO: `.env.example` lists all of them."
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """What the environment does not set is read from the file; the environment wins."""
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\nPORT=4000\nKIOKU_CONSENT=ask\nOPENAI_API_KEY='sk-file'\n"
        "export KIOKU_FORMATION=off\nSLACK_BOT_TOKEN=\n記憶=1\nKIOKU_STYLE=a${OPENAI_API_KEY}$b\n",
        "utf-8",
    )
    settings = load_settings(
        {"PORT": "5000", "KIOKU_CONSENT": "", "KIOKU_WEB_SEARCH": "off"}, dotenv=file
    )
    assert settings.port == 5000
    assert settings.consent == "ask"
    assert settings.formation == "off"
    assert settings.web_search is False
    assert settings.slack_bot_token is None
    assert settings.openai_api_key == SecretStr("sk-file")
    assert settings.style == "a${OPENAI_API_KEY}$b", "no value is put into another"


def test_the_first_line_of_a_file_of_windows_is_read(tmp_path: Path) -> None:
    """A byte order mark before it is no part of its name."""
    file = tmp_path / ".env"
    file.write_text("OPENAI_API_KEY=sk-file\n", "utf-8-sig")
    settings = load_settings({}, dotenv=file)
    assert settings.openai_api_key == SecretStr("sk-file")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A file in another encoding stops with one sentence that names it."""
    file = tmp_path / ".env"
    file.write_bytes("OPENAI_API_KEY=clé\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"\.env .*UTF-8"):
        load_settings({}, dotenv=file)


def test_a_file_that_cannot_be_looked_at_is_no_traceback(tmp_path: Path) -> None:
    """As in a folder of another user: it counts as missing, or one sentence names it."""
    with suppress(SettingsError):
        load_settings({}, dotenv=tmp_path / ("x" * 300))


def test_the_real_environment_and_folder_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without arguments the process's environment and the working directory's .env are read."""
    (tmp_path / ".env").write_text("PORT=4000\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIOKU_LOG_LEVEL", "warning")
    settings = load_settings()
    assert (settings.port, settings.log_level) == (4000, "WARNING")


def test_secrets_are_never_shown() -> None:
    """No text of the settings shows a token, key, secret or the database's password."""
    settings = load(
        SLACK_BOT_TOKEN="HIDE-1",
        SLACK_APP_TOKEN="HIDE-2",
        SLACK_SIGNING_SECRET="HIDE-3",
        OPENAI_API_KEY="HIDE-4",
        DATABASE_URL="postgresql://u:HIDE-5@h/d",
        KIOKU_API_TOKEN="HIDE-7",
        KIOKU_MEMORY_API_KEY="HIDE-9",
        KIOKU_EMBEDDING_API_KEY="HIDE-10",
    )
    shown = (
        f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    )
    assert "HIDE" not in shown
    with pytest.raises(SettingsError) as raised:
        load(OPENAI_API_KEY="HIDE-4", PORT="HIDE-6")
    assert "HIDE" not in str(raised.value)


def test_what_counts_as_a_model() -> None:
    """A key or an address is a model; servers that need no key get a placeholder."""
    assert not load().has_model
    assert load(OPENAI_API_KEY="sk-1").has_model
    assert load(OPENAI_API_KEY="sk-1").reply_server.key == "sk-1"
    assert load(OPENAI_BASE_URL="http://127.0.0.1/v1").has_model
    assert load(OPENAI_BASE_URL="http://127.0.0.1/v1").reply_server.key == "none"
    assert not load().stand_in
    assert load(KIOKU_REPLY_MODEL=STAND_IN_MODEL).stand_in


@pytest.mark.parametrize(("timeout", "seconds"), [("60", 300.0), ("900", 900.0)])
def test_a_response_has_at_least_the_time_to_begin_one(
    timeout: str, seconds: float
) -> None:
    """A model that begins slowly also thinks and writes slowly."""
    assert load(KIOKU_MODEL_TIMEOUT=timeout).answer_seconds == seconds


REPLIES = {"OPENAI_BASE_URL": "http://a/v1", "OPENAI_API_KEY": "sk-a"}


@pytest.mark.parametrize("model", ["MEMORY", "EMBEDDING"])
@pytest.mark.parametrize(
    ("given", "server"),
    [
        ({}, ("https://api.openai.com/v1", "none")),
        ({"OPENAI_API_KEY": "sk-a"}, ("https://api.openai.com/v1", "sk-a")),
        (REPLIES, ("http://a/v1", "sk-a")),
        ({**REPLIES, "KIOKU_{}_API_KEY": "sk-b"}, ("http://a/v1", "sk-b")),
        # A key is never sent to another server than its own.
        ({**REPLIES, "KIOKU_{}_BASE_URL": "http://b/v1"}, ("http://b/v1", "none")),
        (
            {**REPLIES, "KIOKU_{}_BASE_URL": "http://b/v1", "KIOKU_{}_API_KEY": "sk-b"},
            ("http://b/v1", "sk-b"),
        ),
    ],
)
def test_where_the_memory_and_the_embedding_model_are(
    model: str, given: dict[str, str], server: tuple[str, str]
) -> None:
    """Each is at the replies' server, or at one of its own, with a key of its own."""
    settings = load(**{name.format(model): value for name, value in given.items()})
    found = getattr(settings, f"{model.lower()}_server")
    assert found[:2] == server
    own = {name.format(model) for name in given if "{}" in name}
    assert own <= {found.address_setting, found.key_setting}


def test_the_example_file_lists_every_setting() -> None:
    """.env.example lists exactly the settings there are, and copied as it is it can be used.

    It lists four variables of the machine's network, too (`bot.network`).
    """
    example = ROOT / ".env.example"
    listed = re.findall(
        r"^#? ?([A-Z][A-Z0-9_]+)=", example.read_text("utf-8"), re.MULTILINE
    )
    network = {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"}
    assert set(listed) ^ FIELDS.keys() == network, (
        "these are in one of .env.example and bot/config.py"
    )
    assert len(listed) == len(FIELDS) + len(network)
    load_settings({}, dotenv=example)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ({}, "127.0.0.1"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "127.0.0.1"),
        ({"SLACK_SIGNING_SECRET": "s"}, "0.0.0.0"),
        ({"SLACK_APP_TOKEN": "xapp-1", "KIOKU_HOST": "::"}, "::"),
    ],
)
def test_socket_mode_listens_on_this_machine_only(
    given: dict[str, str], host: str
) -> None:
    """Events by HTTP come from outside; else only KIOKU_HOST opens the port."""
    assert load(**given).listens_on == host


def test_variables_of_kubernetes_are_no_settings() -> None:
    """Services such as kioku and kioku-metrics add variables to each pod of their namespace."""
    added = {
        "KIOKU_SERVICE_HOST": "10.0.0.1",
        "KIOKU_SERVICE_PORT": "3000",
        "KIOKU_SERVICE_PORT_HTTP": "3000",
        "KIOKU_PORT": "tcp://10.0.0.1:3000",
        "KIOKU_PORT_3000_TCP": "tcp://10.0.0.1:3000",
        "KIOKU_PORT_3000_TCP_ADDR": "10.0.0.1",
        "KIOKU_METRICS_SERVICE_HOST": "10.0.0.1",
        "KIOKU_METRICS_PORT": "tcp://10.0.0.1:9464",
        "KIOKU_METRICS_PORT_9464_TCP_PROTO": "tcp",
    }
    assert load_settings(added, dotenv=None) == load_settings({}, dotenv=None)


def test_a_port_is_no_variable_of_kubernetes() -> None:
    """Somebody meant PORT."""
    with pytest.raises(SettingsError, match="There is no setting KIOKU_PORT"):
        load(KIOKU_PORT="8080")
