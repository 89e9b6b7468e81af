"""`kioku doctor`: each broken set-up gets the sentence that fixes it."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from bot.config import load_settings
from bot.runtime.checks import CHECKS
from bot.runtime.problems import explained
from memory import EmbeddedPostgres
from tests.conftest import ROOT, Server, json_server
from tests.databases import SPACE, login_of, owner_rows
from tests.kioku_process import ended
from tests.loopback import serving

NOWHERE = "postgresql://kioku:hunter2@127.0.0.1:1/kioku"
WRONG = "✗ "


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground of this module."""
    with json_server(
        "kioku_stand_in.playground", "--manifest", "manifest.yml"
    ) as server:
        yield server


@pytest.fixture(autouse=True)
def calm(slack: Server) -> Iterator[None]:
    """Nothing that another test ordered is left."""
    yield
    slack.call("/_playground/faults", method="DELETE")
    slack.call("/_model/faults", method="DELETE")


@dataclass(frozen=True)
class SetUp:
    """Settings with which all is well, and the checks of changed ones."""

    slack: Server
    database: str
    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """Settings with which all is well."""
        return {
            **self.slack.socket_settings,
            "OPENAI_BASE_URL": self.slack.openai_base_url,
            "OPENAI_API_KEY": "sk-secret",
            "KIOKU_EMBEDDING_MODEL": SPACE.model,
            "DATABASE_URL": login_of(self.database),
            "KIOKU_DATA_DIR": str(self.folder / ".kioku"),
        }

    async def check(self, name: str, **changed: str) -> str:
        """Return what one check says with changed settings; a problem after a cross."""
        settings = load_settings({**self.settings, **changed}, dotenv=None)
        try:
            return await CHECKS[name](settings)
        except Exception as problem:  # noqa: BLE001 - what the doctor explains
            said = str(explained(problem))
        # Only how tokens begin may be told.
        bare = re.sub(r"(?:, |\()xoxb-…|\(xapp-…|begin with x(?:oxb|app)-:", "", said)
        assert not [
            one for one in ("hunter2", "xoxb-", "xapp-", "sk-secret") if one in bare
        ]
        return f"{WRONG}{said}"


@pytest.fixture
def set_up(
    slack: Server, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SetUp:
    """What is tested, without patience for a Slack that is away."""
    monkeypatch.setattr("bot.runtime.slack_calls._PATIENCE_SECONDS", 0.0)
    return SetUp(slack, database, tmp_path)


@pytest.mark.slow
def test_a_healthy_installation_has_nothing_wrong(
    set_up: SetUp, tmp_path: Path
) -> None:
    """Every check says in one line what is right, with versions and counts, and no secret."""
    done = ended(tmp_path, "doctor", **set_up.settings)
    assert (done.code, done.err) == (0, "")
    *lines, empty, last = done.out.splitlines()
    assert (empty, last) == ("", "Nothing is wrong.")
    patterns = [
        r"Settings: No value is missing or of a wrong form\.",
        r"Bot token: Connected to Playground as @kioku: https://slack\.com/app_redirect\?app=A"
        r"\w+&team=T\w+",
        r"Events: Slack can send events here, by Socket Mode\.",
        r"Database: PostgreSQL \d[\d.]+.*, up to date\. Kioku \S+ in \d+ process\(es\); messages: 0"
        r" waiting; jobs: 0 due, 0 later, 0 failed in the last two weeks"
        r"\.",
        r"Model: gpt-6-luna at http://127\.0\.0\.1:\d+/v1 answers\.",
        rf"Embeddings: {SPACE.model} at http://127\.0\.0\.1:\d+/v1 makes vectors of 256 numbers, of"
        r" long texts too\.",
        r"Remembering: gpt-6-luna calls tools\.",
    ]
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(f"✓ {pattern}", line), line
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_it_goes_on_after_each_problem(tmp_path: Path) -> None:
    """What does not answer keeps no other check from being made; the exit code is 1."""
    done = ended(
        tmp_path,
        "doctor",
        DATABASE_URL=NOWHERE,
        SLACK_API_URL="http://127.0.0.1:1/api/",
        SLACK_BOT_TOKEN="xoxb-1",
        OPENAI_BASE_URL="http://kioku:hunter2@127.0.0.1:1/v1",
    )
    assert (done.code, done.err) == (1, "")
    begins = [
        "✗ Settings: SLACK_BOT_TOKEN is set without SLACK_APP_TOKEN: copy it from your app's Basic",
        "✗ Bot token: Slack does not answer at http://127.0.0.1:1/api/: check the network, a proxy",
        "✗ Events: Kioku cannot receive events: set SLACK_APP_TOKEN for Socket Mode, or SLACK_S",
        "✗ Database: PostgreSQL gives no connection: check address, user and password in",
        "✗ Model: No answer from http://127.0.0.1:1/v1: check the network, a proxy that may be nee",
        "✗ Embeddings: No vectors from http://127.0.0.1:1/v1: check the network, a proxy that may",
        "✗ Remembering: gpt-6-luna at http://127.0.0.1:1/v1 forms no memory: check the network, a",
        "",
        "Begin with the first ✗.",
    ]
    for line, begin in zip(done.out.splitlines(), begins, strict=True):
        assert line.startswith(begin), line
    assert "hunter2" not in done.out


@pytest.mark.slow
def test_a_newcomer_is_told_what_there_is(tmp_path: Path) -> None:
    """With nothing set all is well for `kioku up`; a wrong setting ends it, and nothing is made."""
    done = ended(tmp_path, "doctor")
    assert done.code == 0
    assert "✓ Bot token: None is set: `kioku up` opens the playground" in done.out
    assert (
        f"✓ Database: The first `kioku up` makes one in {tmp_path / '.kioku'}."
        in done.out
    )
    assert "✓ Model: None is set: `kioku up` answers with the stand-in" in done.out
    wrong = ended(tmp_path, "doctor", PORT="door")
    assert (wrong.code, wrong.out, wrong.err[:12]) == (1, "", "kioku: PORT:")
    assert not list(tmp_path.iterdir())


NO_MODEL = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
BROKEN: list[tuple[str, Mapping[str, str], str]] = [
    (
        "Settings",
        {"SLACK_BOT_TOKEN": ""},
        "✗ SLACK_APP_TOKEN is set without SLACK_BOT_TOKEN: copy it from your app's OAuth & Permis",
    ),
    (
        "Settings",
        {"SLACK_BOT_TOKEN": "xapp-playground"},
        "✗ SLACK_BOT_TOKEN must begin with xoxb-: copy it from your app's OAuth & Permissions",
    ),
    (
        "Settings",
        {"KIOKU_MEMORY_MODEL": "mistralai:x"},
        "✗ mistralai:x needs the package langchain-mistralai: run `pip install ",
    ),
    (
        "Settings",
        {"KIOKU_REPLY_MODEL": "google_genai:x"},
        "✗ google_genai:x cannot be used: set the provider's key, or AWS's region,",
    ),
    (
        "Settings",
        {"KIOKU_SCHEMAS": "UserFact,Pet"},
        "✗ KIOKU_SCHEMAS names Pet, which is none of",
    ),
    ("Settings", {"KIOKU_API_TOKEN": "short"}, "No value is missing"),
    (
        "Settings",
        {"KIOKU_API_TOKEN": "short", "KIOKU_HOST": "0.0.0.0"},
        "✗ KIOKU_API_TOKEN needs at least 32 characters where others reach PORT: ",
    ),
    (
        "Bot token",
        {"SLACK_BOT_TOKEN": ""},
        "✗ SLACK_BOT_TOKEN is not set: copy it from your app's",
    ),
    (
        "Bot token",
        {"SLACK_BOT_TOKEN": "xoxb-no"},
        "✗ Slack refuses SLACK_BOT_TOKEN (invalid_auth): install the app again if it was removed,",
    ),
    (
        "Events",
        {"SLACK_APP_TOKEN": "xapp-no"},
        "✗ Slack refuses SLACK_APP_TOKEN (invalid_auth): ",
    ),
    (
        "Events",
        {"SLACK_APP_TOKEN": ""},
        "✗ Kioku cannot receive events: set SLACK_APP_TOKEN for",
    ),
    (
        "Events",
        {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "hunter2"},
        "Events come by HTTP, signed. In your app turn Socket Mode off and give"
        " https://YOUR-HOST/slack/events as Request URL of",
    ),
    (
        "Database",
        {"KIOKU_EMBEDDING_MODEL": "text-embedding-3-small"},
        "✗ The stored memories were embedded with kioku-stand-in-embedding (256 dimensions), but",
    ),
    (
        "Database",
        {"KIOKU_EMBEDDING_MODEL": "nobodys-embedding"},
        "✗ The embedding model nobodys-embedding did not answer (HTTP 404, model_not_found): check"
        " KIOKU_EMBEDDING_MODEL, and its server's address and key.",
    ),
    (
        "Model",
        NO_MODEL,
        "None is set: `kioku up` answers with the stand-in, which is no language",
    ),
    (
        "Model",
        {**NO_MODEL, "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "hunter2"},
        "✗ No model is set: write OPENAI_API_KEY, or OPENAI_BASE_URL for a server that",
    ),
    (
        "Model",
        {"KIOKU_REPLY_MODEL": "no-such"},
        "✗ {server}: no-such is refused (HTTP 404, model_not_found, invalid_request_error: “",
    ),
    (
        "Model",
        {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"},
        "✗ No answer from http://127.0.0.1:1/v1: check the network, a proxy that may be needed"
        " (HTTPS_PROXY), and OPENAI_BASE_URL.",
    ),
    (
        "Embeddings",
        {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"},
        "✗ No vectors from http://127.0.0.1:1/v1: check the network, a proxy that may be needed"
        " (HTTPS_PROXY), and OPENAI_BASE_URL.",
    ),
    (
        "Embeddings",
        {"KIOKU_EMBEDDING_BASE_URL": "http://127.0.0.1:1/v1"},
        "✗ No vectors from http://127.0.0.1:1/v1: check the network, a proxy that may be needed"
        " (HTTPS_PROXY), and KIOKU_EMBEDDING_BASE_URL.",
    ),
    (
        "Remembering",
        {"KIOKU_MEMORY_BASE_URL": "http://127.0.0.1:1/v1"},
        "✗ gpt-6-luna at http://127.0.0.1:1/v1 forms no memory: check the network, a proxy that may"
        " be needed (HTTPS_PROXY), and KIOKU_MEMORY_BASE_URL, or try again later. The memory model"
        " did not answer (",
    ),
    ("Remembering", {"KIOKU_FORMATION": "off"}, "No model forms memories."),
]


@pytest.mark.failed_calls(
    "auth.test: invalid_auth",
    "apps.connections.open: invalid_auth",
    because="The tokens are wrong.",
)
async def test_each_broken_set_up_has_its_sentence(
    set_up: SetUp, subtests: pytest.Subtests
) -> None:
    """The check that a setting belongs to says what is wrong with it, and what to do."""
    for name, changed, sentence in BROKEN:
        with subtests.test(name=name, changed=changed):
            begin = sentence.format(server=set_up.slack.openai_base_url)
            said = await set_up.check(name, **changed)
            assert said.startswith(begin), said


STATES = [
    (
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        "✗ PostgreSQL answers, but takes no writes: it is a standby, or default_transaction_read",
    ),
    (
        "ALTER DATABASE {} CONNECTION LIMIT 0",
        "✗ PostgreSQL has no connection left for this user: end what holds them, or raise",
    ),
    (
        "ALTER DATABASE {} SET log_min_messages = warning",
        " PostgreSQL's log may quote people, by log_min_messages: as a superuser, `ALTER",
    ),
]
"""What an operator or a failure does to a database, and what is said of it."""


@pytest.mark.parametrize(("statement", "sentence"), STATES)
async def test_a_database_that_answers_is_not_said_to_be_unreachable(
    set_up: SetUp, database: str, statement: str, sentence: str
) -> None:
    """It says why PostgreSQL is of no use, and what to change."""
    name = Identifier(str(conninfo_to_dict(database)["dbname"]))
    owner_rows(database, SQL(statement).format(name))
    said = await set_up.check("Database")
    assert sentence in said, said


TLS_FAILS = "✗ PostgreSQL offers no TLS, or its certificate is refused"
FATAL = 'SFATAL\0C28P01\0Mユーザー"u"のパスワード認証に失敗しました\0\0'.encode()
REFUSED = b"E" + (len(FATAL) + 4).to_bytes(4) + FATAL


@pytest.mark.parametrize(
    ("answer", "sslmode", "sentence"),
    [
        (b"N", "require", TLS_FAILS),
        (b"S", "verify-full", TLS_FAILS),
        (REFUSED, "disable", "✗ PostgreSQL gives no connection: check address, user"),
    ],
)
async def test_a_server_that_gives_no_connection_is_told(
    set_up: SetUp, answer: bytes, sslmode: str, sentence: str
) -> None:
    """It has no TLS, the file of its authority is missing, or it refuses the user in Japanese."""

    async def answer_request(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readexactly(8)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(answer_request, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        address = f"host=127.0.0.1 port={port} sslmode={sslmode} sslrootcert=/no/file"
        said = await set_up.check("Database", DATABASE_URL=address)
    assert said.startswith(sentence), said


@pytest.mark.failed_calls(
    "apps.connections.open: access_denied",
    "auth.test: account_inactive",
    because="Socket Mode is off in the manifest, and the app is uninstalled at the end.",
)
async def test_scopes_that_were_not_granted_are_named(
    tmp_path: Path, database: str
) -> None:
    """An app made from an older manifest is told what to add; declined scopes are told."""
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    scopes.remove("im:history")
    older = tmp_path / "manifest.yml"
    older.write_text(yaml.safe_dump(manifest), "utf-8")
    with json_server("kioku_stand_in.playground", "--manifest", str(older)) as slack:
        said = await SetUp(slack, database, tmp_path).check("Bot token")
        assert said.startswith(
            "✗ The app lacks im:history: put manifest.yml into your app's App"
        )
    scopes.append("im:history")
    manifest["settings"]["socket_mode_enabled"] = False
    older.write_text(yaml.safe_dump(manifest), "utf-8")
    with json_server("kioku_stand_in.playground", "--manifest", str(older)) as slack:
        set_up = SetUp(slack, database, tmp_path)
        slack.call("/_playground/install", {"declined": ["files:read", "files:write"]})
        said = await set_up.check("Bot token")
        assert said.endswith(
            " Without files:read, files:write no files can be sent or read."
        )
        assert await set_up.check("Events") == (
            "✗ Socket Mode is off: turn it on in your app's Socket Mode page."
        )
        slack.call("/_playground/uninstall", {})
        said = await set_up.check("Bot token")
        assert said.startswith(
            "✗ Slack refuses SLACK_BOT_TOKEN (account_inactive): install the ap"
        )


async def test_faults_are_not_taken_for_a_wrong_token(
    set_up: SetUp, slack: Server
) -> None:
    """Slack being down, and an app token without its scope, each have their own sentence."""
    slack.call(
        "/_playground/faults", {"method": "auth.test", "status": 503, "times": 9}
    )
    said = await set_up.check("Bot token")
    assert said.startswith(
        f"✗ Slack does not answer at {slack.url}/api/: check the network"
    )
    slack.call("/_playground/faults", method="DELETE")
    moved = {"method": "auth.test", "error": "team_added_to_org", "times": 9}
    slack.call("/_playground/faults", moved)
    assert await set_up.check("Bot token") == (
        "✗ Slack cannot serve SLACK_BOT_TOKEN now (team_added_to_org): try again later."
    )
    slack.call(
        "/_playground/faults",
        {"method": "apps.connections.open", "error": "missing_scope"},
    )
    said = await set_up.check("Events")
    assert said.startswith(
        "✗ SLACK_APP_TOKEN lacks a scope that it needs: make a new one at Basic"
    )


CREDIT = "add credit to the provider's account."
LATER = "wait a minute, or raise the limit at the provider."
SERVER = "look at the provider's status, or into the server's log."
FAULTS = [
    ("Model", 429, "insufficient_quota", CREDIT),
    ("Model", 429, "rate_limit_exceeded", LATER),
    ("Model", 503, "server_error", SERVER),
    ("Embeddings", 429, "insufficient_quota", CREDIT),
    ("Embeddings", 429, "rate_limit_exceeded", LATER),
    ("Embeddings", 503, "server_error", SERVER),
    ("Remembering", 429, "insufficient_quota", CREDIT),
]


async def test_each_failure_of_a_model_has_its_sentence(
    set_up: SetUp, slack: Server, subtests: pytest.Subtests
) -> None:
    """A limit that passes is not taken for a lack of credit, nor an outage for a wrong setting."""
    for name, status, code, todo in FAULTS:
        for endpoint in ("responses", "embeddings"):
            fault = {"status": status, "error_code": code, "times": -1}
            slack.call("/_model/faults", {"endpoint": endpoint, **fault})
        with subtests.test(name=name, status=status, code=code):
            said = await set_up.check(name)
            assert said.startswith(WRONG)
            assert said.endswith(f": {todo}"), said
        slack.call("/_model/faults", method="DELETE")


async def test_an_address_without_its_version_is_told(
    set_up: SetUp, subtests: pytest.Subtests
) -> None:
    """A path that the server does not have is the address's fault, not the model's."""
    root = set_up.slack.openai_base_url.removesuffix("/v1")
    for path in ("", "/", "/v1/responses"):
        with subtests.test(path=path):
            said = await set_up.check("Model", OPENAI_BASE_URL=f"{root}{path}")
            assert said.startswith(
                f"✗ {root}{path} has no such path (HTTP 404): OPENAI_BASE_U"
            )


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return what serves TLS with a certificate that no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


async def test_a_certificate_that_is_refused_is_told(
    set_up: SetUp, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """It is not taken for a network or a proxy that is missing, by whichever client it is met."""

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(
        hang_up, "127.0.0.1", 0, ssl=self_signed(tmp_path)
    )
    async with server:
        address = f"localhost:{server.sockets[0].getsockname()[1]}"
        slack = {"SLACK_API_URL": f"https://{address}/api/"}
        model = {"OPENAI_BASE_URL": f"https://{address}/v1"}
        with_password = {"OPENAI_BASE_URL": f"https://me:hunter2@{address}/v1"}
        for name, changed, host in (
            ("Bot token", slack, "localhost"),
            ("Events", slack, "localhost"),
            ("Database", {**model, "KIOKU_EMBEDDING_MODEL": "own"}, "localhost"),
            ("Model", model, "localhost"),
            ("Model", with_password, "a server"),
            ("Remembering", model, "localhost"),
        ):
            with subtests.test(name=name, changed=changed):
                said = await set_up.check(name, **changed)
                begin = f"✗ The certificate of {host} is refused (self-signed certificate). If a pr"
                assert said.startswith(begin), said
                assert "SSL_CERT_FILE" in said


async def test_a_clock_that_is_off_is_told(set_up: SetUp) -> None:
    """Slack's own time is in each of its answers."""

    ahead = timedelta(0)

    async def answer(_: web.Request) -> web.Response:
        date = format_datetime(datetime.now(UTC) - ahead, usegmt=True)
        return web.json_response({"ok": True}, headers={"Date": date})

    application = web.Application()
    application.router.add_post("/api/auth.test", answer)
    async with serving(application) as url:
        for seconds, side in ((180, "ahead of"), (-180, "behind")):
            ahead = timedelta(seconds=seconds)
            said = await set_up.check("Bot token", SLACK_API_URL=f"{url}/api/")
            pattern = rf"✗ This machine's clock is 1[78]\d seconds {side} Slack's: set it by a time"
            assert re.match(pattern, said), said
        ahead = timedelta(seconds=30)
        said = await set_up.check("Bot token", SLACK_API_URL=f"{url}/api/")
        assert said.startswith("Connected to ")


async def test_what_has_come_to_a_processs_notice_is_told(set_up: SetUp) -> None:
    """Warnings of the process that runs here are problems of how events come in."""
    lines = ["PostgreSQL could not be reached."]

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="\n".join(lines), status=503)

    application = web.Application()
    application.router.add_get("/readyz", readyz)
    by_http = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "hunter2"}
    async with serving(application) as url:
        here = {"PORT": url.rpartition(":")[2]}
        assert (
            await set_up.check("Events", **here)
            == "Slack can send events here, by Socket Mode."
        )
        lines += ["Warning: 2 request(s) are refused.", "Warning: A wrong clock."]
        for settings in ({}, by_http):
            said = await set_up.check("Events", **settings, **here)
            assert said == "✗ 2 request(s) are refused. A wrong clock."


async def test_a_model_that_calls_no_tools_is_told(
    set_up: SetUp, slack: Server
) -> None:
    """A memory model that only writes text is found before somebody relies on it."""
    script = {
        "endpoint": "responses",
        "kind": "formation",
        "output": {"text": "Hello."},
    }
    slack.call("/_model/script", {**script, "times": 2})
    said = await set_up.check("Remembering")
    slack.call("/_model/script", method="DELETE")
    assert said == (
        "✗ gpt-6-luna writes no memory of an example: set KIOKU_MEMORY_MODEL to another."
    )
    slack.call("/_model/script", {**script, "kind": "probe"})
    slack.call("/_model/script", {**script, "kind": "formation"})
    said = await set_up.check("Remembering")
    slack.call("/_model/script", method="DELETE")
    assert said.startswith(
        "✗ gpt-6-luna calls no tools, so the words of people wait: set"
    )


async def test_a_database_that_is_behind_is_told_to_be_migrated(
    set_up: SetUp, empty_database: str, database: str
) -> None:
    """An empty one, one that does not exist, and those whose user may not log in or serve."""
    said = await set_up.check("Database", DATABASE_URL=login_of(empty_database))
    assert said == "✗ The database is not set up: run `kioku migrate`."
    nowhere = make_conninfo(login_of(database), dbname="nowhere")
    said = await set_up.check("Database", DATABASE_URL=nowhere)
    assert said == (
        "✗ PostgreSQL knows no such database or user: create it, or correct DATABASE_URL and"
        " DATABASE_OWNER_URL."
    )
    group = make_conninfo(database, user="kioku_app")
    said = await set_up.check("Database", DATABASE_URL=group)
    assert said.startswith(
        "✗ PostgreSQL refuses the user or the password: correct DATABASE_URL an"
    )
    with done_and_undone(database, "CREATE ROLE stranger LOGIN", "DROP ROLE stranger"):
        stranger = make_conninfo(database, user="stranger")
        said = await set_up.check("Database", DATABASE_URL=stranger)
        assert said.startswith(
            "✗ The user of DATABASE_URL may not act as kioku_app: run `kioku m"
        )


@contextmanager
def done_and_undone(conninfo: str, do: str, undo: str) -> Iterator[None]:
    """Change the whole cluster for a while."""
    owner_rows(conninfo, do)
    try:
        yield
    finally:
        owner_rows(conninfo, undo)


async def test_work_that_waits_or_failed_is_counted(
    set_up: SetUp, database: str
) -> None:
    """Failed jobs are counted; a message that waits for minutes is a problem."""
    event = (
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread)"
        " VALUES ('T1', 'U1', 'D1', (extract(epoch FROM now()) - %s)::text, 'T1.D1.1')"
    )
    owner_rows(database, event, 7)
    owner_rows(
        database,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " VALUES ('replies', 'x', 'failed')",
    )
    said = await set_up.check("Database")
    assert said.endswith(
        "messages: 1 waiting; jobs: 0 due, 0 later, 1 failed in the last two weeks."
    )
    owner_rows(database, event, 300)
    assert await set_up.check("Database") == (
        "✗ 2 message(s) wait, the oldest for 5 minutes: start `kioku run`, or look into its log for"
        " what keeps it from answering."
    )


@pytest.mark.slow
async def test_the_embedded_database_is_looked_at_running_or_not(set_up: SetUp) -> None:
    """What is stopped is started for the look and stopped again; one that runs is left alone.

    It was set up without a model, and is empty, so `kioku up` may use it with its stand-in.
    """
    embedded = {**NO_MODEL, "DATABASE_URL": "", "KIOKU_EMBEDDING_MODEL": ""}
    data = {"KIOKU_DATA_DIR": str(set_up.folder / ".kioku")}
    workspace = set_up.slack.socket_settings
    assert ended(set_up.folder, "migrate", **workspace, **data).code == 0
    stopped = await set_up.check("Database", **embedded)
    assert stopped.startswith("PostgreSQL 18.")
    with EmbeddedPostgres(set_up.folder / ".kioku") as server:
        pid = server.pid
        assert await set_up.check("Database", **embedded) == stopped
        assert server.pid == pid


async def test_the_reply_model_is_asked_once_with_the_tools_of_a_message(
    set_up: SetUp, slack: Server
) -> None:
    """Nothing of a person is in the request."""
    slack.call("/_model/journal", method="DELETE")
    await set_up.check("Model")
    [asked] = slack.call("/_model/journal")["entries"]
    assert asked["body"]["input"][-1]["content"] == "Say OK."
    assert "memory_search" in [tool["name"] for tool in asked["body"]["tools"]]
