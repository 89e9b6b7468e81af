"""`kioku doctor` as a process: each broken set-up gets the sentence that fixes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from bot.runtime.doctor.database import judge
from memory import DatabaseFacts, EmbeddedPostgres, EmbeddingSpace
from tests.conftest import ROOT, SPACE, Server, json_server, login_of, owner_rows
from tests.integration.relay import relay
from tests.kioku_process import Ended, ended

pytestmark = pytest.mark.slow

NOWHERE = "postgresql://kioku:hunter2@127.0.0.1:1/kioku"
SECRETS = ("hunter2", "xoxb-", "xapp-", "sk-secret")


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground of this module."""
    with json_server("playground", "--manifest", "manifest.yml") as server:
        yield server


@pytest.fixture(autouse=True)
def calm(slack: Server) -> None:
    """Nothing that another test ordered is left."""
    slack.call("/_playground/faults", method="DELETE")
    slack.call("/_model/faults", method="DELETE")
    slack.call("/_model/settings", {"shutdown_dates": {}})


@dataclass(frozen=True)
class Doctor:
    """`kioku doctor` in a folder of its own, beside a playground and a database."""

    folder: Path
    slack: Server
    database: str

    @property
    def settings(self) -> dict[str, str]:
        """Settings with which all is well."""
        return {
            **self.slack.socket_settings,
            "OPENAI_BASE_URL": self.slack.openai_base_url,
            "OPENAI_API_KEY": "sk-secret",
            "KIOKU_EMBEDDING_MODEL": SPACE.model,
            "DATABASE_URL": login_of(self.database),
        }

    def run(self, **changed: str) -> Ended:
        """Run it where all is well but what is changed."""
        return ended(self.folder, "doctor", **{**self.settings, **changed})

    def found(self, **changed: str) -> dict[str, str]:
        """Run it; return what it found that is not OK."""
        return told(self.run(**changed))


@pytest.fixture
def doctor(tmp_path: Path, slack: Server, database: str) -> Doctor:
    """What is tested."""
    return Doctor(tmp_path, slack, database)


def told(done: Ended) -> dict[str, str]:
    """Return each finding that is not OK as part → text, after the checks that always hold."""
    assert done.err == ""
    *lines, empty, last = done.out.splitlines()
    assert empty == ""
    levels = [line[:6] for line in lines]
    assert set(levels) <= {"OK    ", "NOTE  ", "FIX   "}
    fixes = levels.count("FIX   ")
    assert done.code == (1 if fixes else 0)
    assert last == {0: "Nothing to fix.", 1: "One thing to fix; begin with the first FIX."}.get(
        fixes, f"{fixes} things to fix; begin with the first FIX."
    )
    # Only how tokens begin may be told.
    bare = re.sub(r"\((?:.*, )?xoxb-…|\(xapp-…|begin with x(?:oxb|app)-:", "", done.out)
    assert not [secret for secret in SECRETS if secret in bare]
    found: dict[str, str] = {}
    for line in lines:
        part, _, text = line[6:].partition(": ")
        # The note on the plan is there whenever a bot token works.
        if not line.startswith("OK") and part != "Plan":
            found[part] = f"{line[:4].strip()} {text}"
    return found


def parts(done: Ended) -> list[str]:
    """Return the parts in the order in which they were reported."""
    return [line[6:].partition(": ")[0] for line in done.out.splitlines() if ": " in line]


def test_a_healthy_installation_has_nothing_to_fix(doctor: Doctor, tmp_path: Path) -> None:
    """Everything is looked at, in the order in which it is set up, and is OK."""
    done = doctor.run()
    assert told(done) == {}
    assert parts(done) == [
        *("Settings", "Data folder", "Bot token", "Scopes", "Plan", "Events", "Clock"),
        *("Database", "pgvector", "Migration", "Roles", "Work", "Policy", "Embedding"),
        *("Model gpt-6-luna", f"Model {SPACE.model}", "Remembering"),
    ]
    assert "Events: Socket Mode works." in done.out
    kept = "Memories are kept until people delete them, conversations for 30 days."
    assert kept in done.out
    assert (
        "NOTE  Plan: Slack does not tell Kioku the workspace's plan: check that it is a paid one,"
        " which some agent features need. Slack does not let guests use apps with agent features."
    ) in done.out
    assert not list(tmp_path.iterdir())


def test_verdicts_that_are_off_are_noted(doctor: Doctor) -> None:
    """A model that would give verdicts is not asked for."""
    assert doctor.found(KIOKU_VERIFY="off", KIOKU_VERIFY_MODEL="gpt-5-none") == {
        "Verdicts": "NOTE KIOKU_VERIFY is off: proposed memories are stored when they quote the"
        " person; no model checks what they mean.",
    }


def test_a_newcomer_is_told_what_there_is_to_do(tmp_path: Path) -> None:
    """With nothing set all is well for `kioku up`, and nothing is made."""
    found = told(ended(tmp_path, "doctor"))
    assert found.keys() == {"Slack", "Model"}
    assert found["Slack"].startswith("NOTE no token is set: `kioku up` opens the playground.")
    assert found["Model"].startswith("NOTE none is set: `kioku up` answers with the stand-in")
    assert not list(tmp_path.iterdir())


def test_it_goes_on_after_each_failure(tmp_path: Path) -> None:
    """Wrong settings are each named and left out; what does not answer stops nothing else."""
    done = ended(
        tmp_path,
        "doctor",
        KIOKU_REPLYMODEL="x",
        PORT="door",
        DATABASE_URL=NOWHERE,
        SLACK_API_URL="http://127.0.0.1:1/api/",
        SLACK_BOT_TOKEN="xoxb-1",
        OPENAI_BASE_URL="http://kioku:hunter2@127.0.0.1:1/v1",
    )
    lines = [line[6:] for line in done.out.splitlines() if line.startswith("FIX")]
    for line, sentence in zip(
        lines,
        [
            "Settings: There is no setting KIOKU_REPLYMODEL: did you mean KIOKU_REPLY_MODEL?",
            "Settings: PORT has a value that cannot be used: write a port number from 0 to 65535.",
            "Bot token: Slack does not answer at http://127.0.0.1:1/api/: check the network,",
            "Events: Kioku cannot receive events: set SLACK_APP_TOKEN for Socket Mode, or SLACK_S",
            "Database: kioku at 127.0.0.1:1 does not answer: start PostgreSQL there, or correct",
            "Model: no answer from http://127.0.0.1:1/v1/: check the network and OPENAI_BASE_URL.",
        ],
        strict=True,
    ):
        assert line.startswith(sentence)
    told(done)


def test_a_wrong_database_url_stands_for_no_other_database(tmp_path: Path) -> None:
    """The embedded database, which would serve without the setting, is not called well."""
    done = ended(tmp_path, "doctor", DATABASE_URL="nonsense")
    assert told(done)["Settings"].startswith("FIX DATABASE_URL has a value that cannot be used:")
    assert not {"Database", "Migration", "Roles"} & set(parts(done))


def test_a_dotenv_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The rest is looked at without it."""
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    done = ended(tmp_path, "doctor")
    assert told(done)["Settings"].startswith("FIX The file .env cannot be read: make it readable")
    (tmp_path / ".env").write_text("KIOKU_CONSENT: ask\n", "utf-8")
    found = told(ended(tmp_path, "doctor"))
    assert found["Settings"] == "FIX Line 1 of .env cannot be read: write NAME=value."
    assert "Database" in parts(done)


BROKEN: list[tuple[dict[str, str], dict[str, str]]] = [
    (
        {"SLACK_CLIENT_ID": "1.2"},
        {"Installation": "SLACK_BOT_TOKEN and SLACK_CLIENT_ID are both set: keep SLACK_BOT_TOKEN"},
    ),
    (
        {"SLACK_BOT_TOKEN": "", "SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "secret"},
        {"Installation": "To install Kioku in several workspaces KIOKU_SECRET_KEY is"},
    ),
    (
        {"SLACK_BOT_TOKEN": "", "KIOKU_REPLY_MODEL": "gpt-5-none"},
        {
            "Bot token": "SLACK_BOT_TOKEN is not set: copy it from your app's OAuth & Permissions",
            "Model gpt-5-none": "http://127.0.0.1",
        },
    ),
    (
        {"SLACK_BOT_TOKEN": "xoxb-no", "SLACK_APP_TOKEN": "xapp-no"},
        {
            "Bot token": "Slack refuses SLACK_BOT_TOKEN (invalid_auth): copy it again from your",
            "Events": "Slack refuses SLACK_APP_TOKEN (invalid_auth): copy it again from your app's",
        },
    ),
    (
        {"SLACK_BOT_TOKEN": "xapp-playground", "SLACK_APP_TOKEN": "xoxb-playground"},
        {
            "Bot token": "SLACK_BOT_TOKEN contains an app-level token, but must begin with xoxb-:",
            "Events": "SLACK_APP_TOKEN contains a bot token, but must begin with xapp-: copy it",
        },
    ),
    (
        {"SLACK_APP_TOKEN": "", "OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""},
        {
            "Events": "Kioku cannot receive events: set SLACK_APP_TOKEN for Socket Mode, or SL",
            "Model": "none is set: `kioku up` answers with the stand-in",
        },
    ),
    (
        {"KIOKU_MEMORY_MODEL": "nobody:best"},
        {"Remembering": "nobody:best cannot be asked (ValueError): check the package of its prov"},
    ),
    (
        {"KIOKU_VERIFY_MODEL": "nobody:best"},
        {
            "Remembering": "nobody:best cannot be asked (ValueError): check the package of its"
            " provider and its key in the environment, or set KIOKU_VERIFY_MODEL to another."
        },
    ),
    ({"KIOKU_VERIFY_MODEL": "gpt-5-none"}, {"Model gpt-5-none": "http://127.0.0.1"}),
]


@pytest.mark.failed_calls(
    "auth.test: invalid_auth",
    "apps.connections.open: invalid_auth",
    because="The tokens are wrong.",
)
@pytest.mark.parametrize(("change", "sentences"), BROKEN)
def test_what_is_wrong_with_slack_or_the_model_is_said(
    doctor: Doctor, change: dict[str, str], sentences: dict[str, str]
) -> None:
    """Each broken part gives one sentence, and nothing else is called wrong."""
    found = doctor.found(**change)
    assert found.keys() == sentences.keys()
    for part, sentence in sentences.items():
        assert found[part].startswith(f"FIX {sentence}")


@pytest.mark.failed_calls(
    "apps.connections.open: access_denied",
    "auth.test: account_inactive",
    because="Socket Mode is off in the manifest, and the app is uninstalled at the end.",
)
def test_scopes_that_were_not_granted_are_named(tmp_path: Path, database: str) -> None:
    """An app installed from an older manifest is told what to add; more than needed is a note."""
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    scopes[scopes.index("im:history")] = "im:write"
    scopes.remove("assistant:write")
    older = tmp_path / "manifest.yml"
    older.write_text(yaml.safe_dump(manifest), "utf-8")
    with json_server("playground", "--manifest", str(older)) as slack:
        found = Doctor(tmp_path, slack, database).found()
        assert found.keys() == {"Scopes"}
        assert found["Scopes"].startswith(
            "FIX The app lacks assistant:write, im:history: put manifest.yml into your app's"
        )
    scopes += ["assistant:write", "im:history"]
    older.write_text(yaml.safe_dump(manifest), "utf-8")
    with json_server("playground", "--manifest", str(older)) as slack:
        slack.call("/_playground/install", {"declined": ["files:read", "files:write"]})
        found = Doctor(tmp_path, slack, database).found()
        assert found["Scopes"].startswith(
            "NOTE all needed are granted; without files:read, files:w"
        )
    manifest["settings"]["socket_mode_enabled"] = False
    older.write_text(yaml.safe_dump(manifest), "utf-8")
    with json_server("playground", "--manifest", str(older)) as slack:
        assert Doctor(tmp_path, slack, database).found() == {
            "Scopes": "NOTE all granted; not needed: im:write.",
            "Events": "FIX Socket Mode is off: turn it on in your app's Socket Mode page.",
        }
        slack.call("/_playground/uninstall", {})
        found = Doctor(tmp_path, slack, database).found()
        assert found["Bot token"].startswith(
            "FIX Slack says SLACK_BOT_TOKEN is no longer valid (account_inactive): install the app"
        )


def test_faults_of_slack_are_not_taken_for_a_wrong_token(doctor: Doctor, slack: Server) -> None:
    """Slack being down, and an app token without its scope, each have their own sentence."""
    slack.call("/_playground/faults", {"method": "auth.test", "status": 503})
    found = doctor.found()
    assert found["Bot token"].startswith(f"FIX Slack does not answer at {slack.url}/api/")
    slack.call("/_playground/faults", {"method": "apps.connections.open", "error": "missing_scope"})
    found = doctor.found()
    assert found == {
        "Events": "FIX SLACK_APP_TOKEN lacks the scope connections:write: make a new one at Basic"
        " Information, App-Level Tokens (xapp-…, with the scope connections:write)."
    }


def test_http_wants_the_signing_secret_only(doctor: Doctor) -> None:
    """With a signing secret and no app token events come by HTTP; what to enter is said."""
    done = doctor.run(SLACK_APP_TOKEN="", SLACK_SIGNING_SECRET="hunter2")
    assert told(done) == {}
    assert "Events: come by HTTP, signed." in done.out
    assert "https://YOUR-HOST/slack/events as Request URL" in done.out


def test_a_clock_that_is_wrong_is_told(doctor: Doctor, slack: Server) -> None:
    """Where requests are signed it has to be set; by Socket Mode it is good to know."""
    with relay(slack, behind=600) as url:
        by_socket = doctor.found(SLACK_API_URL=url)
        signed = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "hunter2", "SLACK_API_URL": url}
        by_http = doctor.found(**signed)
    assert by_socket.keys() == by_http.keys() == {"Clock"}
    assert by_socket["Clock"].endswith("s ahead of Slack's: let the system set the time (NTP).")
    assert by_http["Clock"].startswith("FIX ")
    assert "s ahead of Slack's: Slack's signatures are refused from 300 s on." in by_http["Clock"]
    with relay(slack, behind=-120) as url:
        found = doctor.found(SLACK_API_URL=url)
    assert found["Clock"].endswith("s behind Slack's: let the system set the time (NTP).")


@pytest.mark.usefixtures("within_an_hour")
def test_a_shutdown_date_is_told_with_the_days_left(doctor: Doctor, slack: Server) -> None:
    """A model that is gone has to be replaced; one that goes soon, or much later, is told."""
    today = datetime.now(UTC).date()
    dates = {
        "gpt-6-luna": today - timedelta(days=1),
        "gpt-6.1-sol": today + timedelta(days=400),
        SPACE.model: today + timedelta(days=30),
    }
    slack.call("/_model/settings", {"shutdown_dates": {k: str(v) for k, v in dates.items()}})
    done = doctor.run(KIOKU_MEMORY_MODEL="openai:gpt-6.1-sol")
    found = told(done)
    assert found["Model gpt-6-luna"] == (
        f"FIX was shut down on {dates['gpt-6-luna']}: set KIOKU_REPLY_MODEL to its successor."
    )
    assert found[f"Model {SPACE.model}"].startswith(
        f"NOTE will be shut down on {dates[SPACE.model]}, 30 days from now: all memories have to be"
    )
    later = f"it will be shut down on {dates['gpt-6.1-sol']}, 400 days from now."
    assert f"OK    Model gpt-6.1-sol: is there; {later}" in done.out


def asked_to_remember(slack: Server) -> list[tuple[str, str]]:
    """Return the API and kind of each request that concerned memories."""
    entries = slack.call("/_model/journal")["entries"]
    return [(e["endpoint"], e["kind"]) for e in entries if e["endpoint"] in ("responses", "chat")]


@pytest.mark.parametrize(
    "chosen",
    [
        {"KIOKU_MEMORY_MODEL": "gpt-5.6-luna"},
        {"KIOKU_MEMORY_MODEL": "openai:ft:gpt-5.6-terra:acme::x"},
        {"KIOKU_MEMORY_MODEL": "gpt-4.1-mini", "KIOKU_MEMORY_API": "chat"},
        {"KIOKU_VERIFY_MODEL": "gpt-5.4-mini"},
    ],
)
def test_the_memory_model_is_tried(
    doctor: Doctor, slack: Server, database: str, chosen: dict[str, str]
) -> None:
    """The memory model gets one request with tools and the verdict model one; nothing is stored."""
    slack.call("/_model/journal", method="DELETE")
    done = doctor.run(**chosen)
    assert told(done) == {}
    forms = chosen.get("KIOKU_MEMORY_MODEL", "gpt-6-luna")
    judges = chosen.get("KIOKU_VERIFY_MODEL", forms)
    line = f"OK    Remembering: {forms} called a memory tool, and {judges} gave a verdict.\n"
    assert line in done.out
    api = chosen.get("KIOKU_MEMORY_API", "responses")
    assert asked_to_remember(slack) == [(api, "formation"), (api, "verdict")]
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM store").fetchone() == (0,)


@pytest.mark.parametrize(
    ("chosen", "fault", "sentence"),
    [
        (
            {"KIOKU_MEMORY_MODEL": "gpt-5.6-luna", "KIOKU_MEMORY_API": "chat"},
            None,
            "gpt-5.6-luna refuses requests (HTTP 400, reasoning_effort), so no memories are formed:"
            " set KIOKU_MEMORY_API to responses, or KIOKU_MEMORY_MODEL to another model.",
        ),
        (
            {},
            {"kind": "formation", "status": 404},
            "gpt-6-luna refuses requests (HTTP 404), so no memories are formed: set"
            " KIOKU_MEMORY_API to chat if the server has no /responses, or KIOKU_MEMORY_MODEL to"
            " another model.",
        ),
        (
            {},
            {"kind": "formation", "status": 400},
            "gpt-6-luna refuses requests (HTTP 400), so no memories are formed: set"
            " KIOKU_MEMORY_MODEL to a model that takes function tools through /responses, or"
            " KIOKU_MEMORY_API to chat.",
        ),
        (
            {},
            {"kind": "formation", "error_code": "invalid_api_key"},
            "gpt-6-luna refuses requests (HTTP 401, invalid_api_key), so no memories are formed:"
            " write a valid key into OPENAI_API_KEY.",
        ),
        (
            {"KIOKU_VERIFY_MODEL": "gpt-5.5"},
            {"kind": "verdict", "error_code": "insufficient_quota"},
            "gpt-5.5 refuses requests (HTTP 429, insufficient_quota), so no memories are formed: no"
            " quota is left: add credit to the provider's account.",
        ),
        (
            {},
            {"kind": "verdict", "status": 403},
            "gpt-6-luna refuses requests (HTTP 403), so no memories are formed: allow the model for"
            " OPENAI_API_KEY, or set KIOKU_MEMORY_MODEL to another.",
        ),
        (
            {},
            {"kind": "formation", "status": 500},
            "gpt-6-luna: The memory model did not answer (OpenAIAPIError); try again later.",
        ),
    ],
)
def test_a_memory_model_that_cannot_be_used_is_told(
    doctor: Doctor,
    slack: Server,
    chosen: dict[str, str],
    fault: dict[str, Any] | None,
    sentence: str,
) -> None:
    """Each way in which the memory model fails gets one sentence with what to change."""
    if fault:
        slack.call("/_model/faults", {"endpoint": "responses", **fault})
    done = doctor.run(**chosen)
    assert told(done) == {"Remembering": f"FIX {sentence}"}


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("formation", "answers without a usable tool call, so it forms no memories"),
        ("verdict", "gives no verdict that can be read, so nothing it is asked about is stored"),
    ],
)
def test_a_model_that_calls_no_tools_is_told(
    doctor: Doctor, slack: Server, kind: str, found: str
) -> None:
    """A memory model that only writes text is found before somebody relies on it."""
    script = {"endpoint": "responses", "kind": kind, "output": {"text": "Hello."}, "times": 2}
    slack.call("/_model/script", script)
    done = doctor.run()
    slack.call("/_model/script", method="DELETE")
    advice = "set KIOKU_MEMORY_MODEL to a model that calls tools."
    assert told(done) == {"Remembering": f"FIX gpt-6-luna {found}: {advice}"}


def test_faults_of_the_model_server_are_told_apart(doctor: Doctor, slack: Server) -> None:
    """A refused key, a server in trouble and one that tells nothing of models are not the same."""
    faults: list[tuple[dict[str, Any], str, str]] = [
        ({"error_code": "invalid_api_key"}, "Model", f"FIX {slack.url}/v1/ refuses OPENAI_API_KEY"),
        ({"status": 500, "times": 2}, "Model", f"FIX {slack.url}/v1/ answers with status 500: try"),
        ({"status": 404}, "Model gpt-6-luna", "NOTE "),
    ]
    for fault, part, sentence in faults:
        slack.call("/_model/faults", {"endpoint": "models", **fault})
        found = doctor.found()
        assert found.keys() == {part}
        assert found[part].startswith(sentence)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("gpt-6.1-sol", ""),
        (
            "no-such",
            "FIX {url}/v1/ does not have it (404): check KIOKU_FALLBACK_MODEL,"
            " KIOKU_FALLBACK_BASE_URL and KIOKU_FALLBACK_API_KEY.",
        ),
    ],
)
def test_the_fallback_model_is_looked_for(
    doctor: Doctor, slack: Server, model: str, sentence: str
) -> None:
    """At its own server, with its own key."""
    fallback = {"MODEL": model, "BASE_URL": slack.openai_base_url, "API_KEY": "k2"}
    named = {f"KIOKU_FALLBACK_{name}": value for name, value in fallback.items()}
    found = doctor.found(**named)
    part = f"Model {model}"
    assert found == ({part: sentence.format(url=slack.url)} if sentence else {})


def test_a_database_is_told_to_be_migrated(
    doctor: Doctor, database: str, empty_database: str
) -> None:
    """An empty one, an older one and a newer one are told apart."""
    assert doctor.found(DATABASE_URL=login_of(empty_database)) == {
        "pgvector": "NOTE is there, not yet in this database: `kioku migrate` creates it.",
        "Migration": "FIX the database is not set up: run `kioku migrate` as the owner of the"
        " database.",
    }
    rights = "procrastinate/rights"
    owner_rows(database, "DELETE FROM kioku_migrations WHERE name = %s", rights)
    assert doctor.found() == {
        "Migration": "FIX the database is 1 step(s) behind this version: run `kioku migrate` as"
        " the owner of the database."
    }
    owner_rows(
        database,
        "INSERT INTO kioku_migrations (name) VALUES ('bot/9999_later'), (%s)",
        rights,
    )
    assert doctor.found() == {
        "Migration": "NOTE the database is 1 step(s) ahead of this version, as during an upgrade:"
        " this version goes on working; install the newer Kioku."
    }


def test_work_that_waits_or_failed_is_told(doctor: Doctor, database: str) -> None:
    """Messages that wait too long call for action; what failed is named by its ids."""
    assert "OK    Work: no message waits." in doctor.run().out
    event = (
        "INSERT INTO inbox_events (team_id, event_id, user_id, channel_id, ts, thread, status,"
        " received_at) VALUES ('T1', %s, 'U1', 'D1', %s, 'T1.D1.1', %s,"
        " now() - make_interval(secs => %s))"
    )
    owner_rows(database, event, "E1", "1", "waiting", 7)
    assert "OK    Work: 1 message(s) wait, the oldest for " in (doctor.run().out)
    with psycopg.connect(database) as connection:
        connection.execute(event, ("E2", "2", "waiting", 300))
        connection.execute(event, ("E3", "3", "failed", 300))
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " VALUES ('replies', 'x', 'failed')"
        )
    assert doctor.found() == {
        "Work": "FIX 2 message(s) wait, the oldest for 5 minutes: start `kioku run`, or look into"
        " its log for what keeps it from answering.",
        "Failures": "NOTE 1 message(s) and 1 job(s) of the last two weeks failed: look into the log"
        " for `failed`. The newest in procrastinate_jobs: 1.",
    }


def test_a_workspace_that_left_is_reported(doctor: Doctor, database: str) -> None:
    """A revoked token is a FIX while its data is kept; an uninstall is a note."""
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO workspaces (team_id, reason, left_at, purge_at) VALUES"
            " ('T1', 'token_revoked', '2026-01-02', '2026-01-16')"
        )
        done = doctor.found()
        assert done["Workspaces"] == (
            "FIX Slack revoked the bot token of workspace T1 on 2026-01-02 and its data is deleted"
            " on 2026-01-16: install the app again, set the new SLACK_BOT_TOKEN and restart."
        )
        owner.execute("UPDATE workspaces SET reason = 'uninstalled', purged_at = now()")
        done = doctor.found()
        assert done["Workspaces"].startswith("NOTE Workspace T1 uninstalled the app on 2026-01-02:")
        owner.execute("UPDATE workspaces SET returned_at = now()")
        done = doctor.found()
        assert "Workspaces" not in done


def test_a_database_that_cannot_be_used_is_told(doctor: Doctor, database: str) -> None:
    """A missing database, a missing host and a missing extension each have their sentence."""
    wrong = psycopg.conninfo.make_conninfo(database, dbname="nowhere")
    nobody = "postgresql://kioku:hunter2@kioku.invalid/kioku"
    bare = psycopg.conninfo.make_conninfo(database, options="-c extension_control_path=/nowhere")
    owner_rows(database, "DROP EXTENSION vector CASCADE")
    for conninfo, part, sentence in [
        (wrong, "Database", "does not exist there (database or user): create it, or correct"),
        (nobody, "Database", "no such host is known: correct DATABASE_URL."),
        (
            bare,
            "pgvector",
            "FIX this PostgreSQL lacks the extension: install it (the package postg",
        ),
    ]:
        found = doctor.found(DATABASE_URL=conninfo)
        assert sentence in found[part]
        assert found[part].startswith("FIX ")


@contextmanager
def done_and_undone(conninfo: str, do: str, undo: str) -> Iterator[None]:
    """Change the whole cluster for a while."""
    owner_rows(conninfo, do)
    try:
        yield
    finally:
        owner_rows(conninfo, undo)


def test_roles_that_do_not_guard_are_told(doctor: Doctor, database: str) -> None:
    """Who may not act as the application is named, and an application that nothing binds."""
    with done_and_undone(database, "CREATE ROLE stranger LOGIN", "DROP ROLE stranger"):
        stranger = psycopg.conninfo.make_conninfo(database, user="stranger")
        assert doctor.found(DATABASE_URL=stranger) == {
            "Roles": "FIX the user of DATABASE_URL may not act as kioku_app: run `kioku migrate`,"
            " with the address of the database's owner in DATABASE_OWNER_URL."
        }
        owner_rows(database, "REVOKE SELECT ON pg_extension FROM PUBLIC")
        assert doctor.found(DATABASE_URL=stranger) == {
            "Database": "FIX it cannot be looked at (InsufficientPrivilege): let the user of"
            " DATABASE_URL read PostgreSQL's catalogs, as every user may by default."
        }
        owner_rows(database, "GRANT SELECT ON pg_extension TO PUBLIC")
    for right in ("SUPERUSER", "BYPASSRLS"):
        with done_and_undone(
            database, f"ALTER ROLE kioku_app {right}", f"ALTER ROLE kioku_app NO{right}"
        ):
            found = doctor.found()
        assert found.keys() == {"Roles"}
        assert found["Roles"].startswith("FIX kioku_app reaches everybody's rows: run `ALTER ROLE")
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE store OWNER TO kioku_app")
        connection.execute("ALTER TABLE turns DISABLE ROW LEVEL SECURITY")
    found = doctor.found()
    assert found["Roles"].startswith("FIX kioku_app reaches everybody's rows")
    assert found["Row-level security"].startswith("FIX is off for turns, so that one person's rows")


def test_a_user_with_too_many_rights_is_reported(
    doctor: Doctor, tmp_path: Path, database: str
) -> None:
    """The owner is not to serve; a user that inherits the application's rights is a note."""
    assert "Roles" not in doctor.found()
    owner = doctor.found(DATABASE_URL=database)
    assert owner == {
        "Roles": "FIX the user of DATABASE_URL owns the tables, is a superuser or has BYPASSRLS:"
        " write its address into DATABASE_OWNER_URL and another user's into DATABASE_URL, then run"
        " `kioku migrate`, which creates that user."
    }
    with done_and_undone(
        database, "CREATE ROLE stranger LOGIN IN ROLE kioku_app", "DROP ROLE stranger"
    ):
        stranger = psycopg.conninfo.make_conninfo(database, user="stranger")
        assert doctor.found(DATABASE_URL=stranger) == {
            "Roles": "NOTE the user of DATABASE_URL has kioku_app's rights outside of transactions,"
            " too: run `kioku migrate`, with the address of the database's owner in"
            " DATABASE_OWNER_URL."
        }
        both = {"DATABASE_URL": stranger, "DATABASE_OWNER_URL": database}
        assert ended(tmp_path, "migrate", **{**doctor.settings, **both}).code == 0
        assert "Roles" not in doctor.found(DATABASE_URL=stranger)


def test_another_embedding_than_the_stored_one_is_told(doctor: Doctor, database: str) -> None:
    """Another model, another size, and the stand-in's memories before a real model."""
    real = "text-embedding-3-small"
    found = doctor.found(KIOKU_EMBEDDING_MODEL=real)
    assert found["Embedding"] == (
        f"NOTE {real} (1536) is configured, another model than before: `kioku up` and"
        " `kioku migrate` adapt the database, which holds no memory yet."
    )
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO store (prefix, key, value) VALUES ('T1.U1.dm', 'k', '{}')")
        connection.execute(
            "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
            " VALUES ('T1.U1.dm', 'k', 'text', array_fill(0, ARRAY[256])::vector)"
        )
    found = doctor.found(KIOKU_EMBEDDING_MODEL=real)
    assert found["Embedding"].startswith(
        "FIX the stored memories are of kioku-stand-in-embedding (256 dimensions),"
        " text-embedding-3-small (1536) is configured: `kioku up` and `kioku migrate` embed the"
    )
    owner_rows(database, "UPDATE kioku_embedding_space SET model = 'own'")
    found = doctor.found(KIOKU_EMBEDDING_MODEL=real)
    assert "configured: set KIOKU_EMBEDDING_MODEL=own, or use another" in found["Embedding"]
    found = doctor.found(KIOKU_EMBEDDING_MODEL="nobodys-embedding")
    assert "nobodys-embedding did not answer, so its size is not known:" in found["Embedding"]
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE kioku_embedding_space SET model = %s", (SPACE.model,))
        connection.execute("UPDATE kioku_embedding_space SET dimensions = 128")
    found = doctor.found()
    assert found["Embedding"].startswith("FIX the vectors' column has 256 dimensions, but they are")


def test_an_old_postgresql_is_told() -> None:
    """Before 16 it has to be replaced."""
    facts = DatabaseFacts(
        server_version=150_004,
        pgvector="installed",
        steps_missing=frozenset(),
        steps_unknown=frozenset(),
        app_role_exists=True,
        app_role_allowed=True,
        app_role_bypasses=False,
        login_bypasses=False,
        login_inherits=False,
        unprotected_tables=(),
        space=EmbeddingSpace("m", 4),
        column_dimensions=4,
        without_vectors=True,
    )
    first, *rest = judge(facts, "kioku at db")
    assert str(first) == (
        "FIX   Database: kioku at db is PostgreSQL 15.4: use PostgreSQL 16 or newer, with pgvector."
    )
    assert {finding.level for finding in rest} == {"OK"}


def test_the_embedded_database_is_looked_at_running_or_not(tmp_path: Path) -> None:
    """What `kioku up` left is started for the look and stopped; one that runs is left alone."""
    data = tmp_path / ".kioku"
    assert ended(tmp_path, "migrate", KIOKU_EMBEDDING_MODEL=SPACE.model).code == 0
    stopped = ended(tmp_path, "doctor")
    assert told(stopped).keys() == {"Slack", "Model"}
    assert f"OK    Database: embedded in {data}, PostgreSQL 18." in stopped.out
    assert "OK    Migration: the database is up to date." in stopped.out
    with EmbeddedPostgres(data) as server:
        pid = server.pid
        assert ended(tmp_path, "doctor") == stopped
        assert server.pid == pid
    real = told(ended(tmp_path, "doctor", OPENAI_BASE_URL="http://127.0.0.1:1/v1"))
    assert real["Embedding"].startswith("NOTE text-embedding-3-small (1536) is configured, another")


def test_a_data_folder_that_cannot_be_used_is_told(doctor: Doctor, tmp_path: Path) -> None:
    """Where it is needed it is a fault; with everything elsewhere it is a notice."""
    (tmp_path / "file").write_text("")
    needed = told(ended(tmp_path, "doctor", KIOKU_DATA_DIR="file/data"))
    assert needed["Data folder"] == (
        f"FIX {tmp_path}/file cannot be written to (it is no folder): set KIOKU_DATA_DIR to another"
        " folder."
    )
    assert needed.keys() == {"Data folder", "Slack", "Model"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pg").write_text("")
    unreadable = told(ended(tmp_path, "doctor", KIOKU_DATA_DIR="data"))
    assert unreadable["Database"].startswith("FIX Embedded PostgreSQL cannot use")
    found = doctor.found(KIOKU_DATA_DIR="file/data")
    assert found["Data folder"].startswith(f"NOTE {tmp_path}/file cannot be written to")
