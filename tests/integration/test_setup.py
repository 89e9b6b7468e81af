"""Connecting one's own Slack: the setup page of `kioku up`, and `kioku setup`."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
import yaml
from bot.runtime.setup.connect import create_app_url
from bot.runtime.setup.page import reader_language
from dotenv import dotenv_values
from tests.integration.setup_page import (
    APP,
    BOT,
    KEY,
    SetupPage,
    setup_page,
    slack_settings,
    values,
)

from bot.locale import say
from tests.conftest import ROOT, Server, json_server
from tests.kioku_process import (
    PYTHON_M_BOT,
    ended,
    environment,
    fetched,
    gone,
    on_terminal,
    running,
    wait_for,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground in real Slack's place."""
    with json_server("playground", "--manifest", "manifest.yml") as server:
        yield server


@pytest.fixture(scope="module")
def page(slack: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetupPage]:
    """A setup page on which nothing is completed."""
    with setup_page(tmp_path_factory.mktemp("page"), slack) as shown:
        yield shown


@pytest.fixture(autouse=True)
def calm(slack: Server) -> None:
    """Nothing that another test ordered is left."""
    slack.call("/_playground/faults", method="DELETE")
    slack.call("/_model/faults", method="DELETE")


def found(answer: str) -> list[str]:
    """Return the results below the fields."""
    return [
        unescape(text)
        for text in re.findall(r'<p class="found (?:ok|note|fix)"[^>]*>(.*?)</p>', answer)
    ]


def test_the_link_fills_in_slacks_form() -> None:
    """The form of Slack's gets the whole manifest, as JSON in the address."""
    url = urlsplit(create_app_url())
    assert url.netloc + url.path == "api.slack.com/apps"
    query = parse_qs(url.query, strict_parsing=True)
    assert query.keys() == {"new_app", "manifest_json"}
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    assert json.loads(query["manifest_json"][0]) == manifest
    assert len(url.geturl()) < 8_000


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("de-DE,de;q=0.9", "en"),
        ("ja", "ja"),
        ("fr, ja-JP;q=0.9, en;q=0.8", "ja"),
        ("en-GB,ja;q=0.5", "en"),
    ],
)
def test_the_language_is_the_browsers(accepted: str, language: str) -> None:
    """The first language of the browser that Kioku speaks is used, else English."""
    assert reader_language(accepted) == language


def test_everything_is_checked_written_and_started(tmp_path: Path, slack: Server) -> None:
    """Tokens that work are written to .env, mode 600, and the same process serves that Slack."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("# mine\nKIOKU_LOG_LEVEL=debug\nSLACK_BOT_TOKEN=\nPORT=0\n", "utf-8")
    dotenv.chmod(0o644)
    with setup_page(tmp_path, slack) as page:
        playground = fetched(f"{page.playground_url}/_playground/state")[1]
        own_page = f"http://{page.own}/"
        assert json.loads(playground)["setup_url"] == own_page, "without the code"
        assert page.request(f"/status?code={page.code}").text == '{"ready": false}'
        before = page.kioku.children
        answer = page.submit(**values(slack))
        assert (answer.status, answer.headers["Location"]) == (303, f"/?code={page.code}")
        wait_for(lambda: "true" in page.request(f"/status?code={page.code}").text)
        assert page.kioku.process.poll() is None
        assert page.kioku.line() == ""
        assert page.kioku.line() == "Kioku is finishing what it has begun …"
        assert page.kioku.line() == "Kioku starts again, in your Slack workspace …"
        assert page.kioku.line() == "Kioku is ready in your Slack workspace"
        assert slack.call("/_playground/state")["connections"] == 1
        assert all(gone(process) for process in before if "playground" in str(process))
        told = page.page()
        assert say("en", "setup_ready", team="Playground") in told
        app, team = slack.info["app_id"], slack.info["team_id"]
        assert f"https://slack.com/app_redirect?app={app}&amp;team={team}" in told
        late = page.submit(**{**values(slack), BOT: "xoxb-another"})
        assert late.status == 303
        done = page.kioku.stop(signal.SIGINT)
        shown = done.out + done.err + told + answer.text
    assert done.code == 0
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    assert dotenv.read_text("utf-8").splitlines()[:2] == ["# mine", "KIOKU_LOG_LEVEL=debug"]
    assert dotenv_values(dotenv) == {"KIOKU_LOG_LEVEL": "debug", "PORT": "0", **values(slack)}
    assert not [value for value in values(slack).values() if value in shown]
    with running(tmp_path, "up", **slack_settings(slack)) as kioku:
        assert kioku.line() == "Kioku is ready in your Slack workspace"


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The bot token is wrong.")
def test_each_value_gets_its_own_sentence(slack: Server, page: SetupPage) -> None:
    """A wrong kind, a token that Slack refuses and an empty field are named where they are."""
    answer = page.submit(**{BOT: "xoxb-wrong", APP: "xoxb-wrong-kind", KEY: "sk-1"})
    assert answer.status == 422
    bot, app, model = found(answer.text)
    assert bot.startswith("✗ Slack refuses SLACK_BOT_TOKEN (invalid_auth): copy it again")
    assert app.startswith("✗ SLACK_APP_TOKEN contains a bot token, but must begin with xapp-")
    assert model == f"✓ gpt-6-luna at {slack.openai_base_url}/ answers."
    assert answer.text.count("aria-invalid") == 2
    assert say("en", "setup_look_below") in answer.text
    assert not [value for value in ("xoxb-wrong", "sk-1") if value in answer.text]
    japanese = page.request(
        form={"code": page.code, BOT: "xoxb-a b"}, **{"Accept-Language": "ja"}
    ).text
    assert '<html lang="ja">' in japanese
    assert say("ja", "setup_characters") in japanese
    assert not list(Path(f"/proc/{page.kioku.process.pid}/cwd").glob(".env"))


def test_what_the_model_refuses_is_named(slack: Server, page: SetupPage) -> None:
    """A refused key and no credit."""
    for code, sentence in [
        ("invalid_api_key", "refuses OPENAI_API_KEY: copy a valid key"),
        ("insufficient_quota", "no quota is left: add credit"),
    ]:
        # The client asks once more.
        slack.call("/_model/faults", {"endpoint": "responses", "error_code": code, "times": 2})
        assert sentence in page.submit(**values(slack)).text, code
        slack.call("/_model/faults", method="DELETE")
    assert not list(Path(f"/proc/{page.kioku.process.pid}/cwd").glob(".env"))


def test_a_missing_scope_is_named_and_written_nowhere(tmp_path: Path) -> None:
    """The scopes that the token has are compared with the manifest's."""
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    manifest["oauth_config"]["scopes"]["bot"].remove("users:read")
    (tmp_path / "fewer.yml").write_text(yaml.safe_dump(manifest), "utf-8")
    with (
        json_server("playground", "--manifest", str(tmp_path / "fewer.yml")) as fewer,
        setup_page(tmp_path, fewer) as page,
    ):
        answer = page.submit(**values(fewer))
        sentence = say("en", "check_scopes_missing", scopes="users:read")
        assert found(answer.text)[0] == f"✗ {sentence}"
        assert not (tmp_path / ".env").exists()
        # What was pasted need not be pasted again; and it is not in the page.
        assert say("en", "setup_kept") in answer.text
        assert "xoxb-playground" not in page.page()
        again = page.submit()
        assert found(again.text) == found(answer.text)


def test_only_the_page_itself_with_the_code_is_served(slack: Server, page: SetupPage) -> None:
    """Other hosts' names, other sites' forms and wrong codes are refused; nothing is checked."""
    calls = slack.call("/_playground/state")["calls"]
    form = {"code": page.code, **values(slack)}
    port = page.own.partition(":")[2]
    for headers in (
        {"Host": f"evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": page.playground_url},
    ):
        refused = page.request(form=form, **headers)
        assert (refused.status, refused.text) == (
            403,
            "Open this page at the address it was given.\n",
        ), headers
    assert page.request(f"/?code={page.code}", Host="evil.example").status == 403
    for code in ("", "aaaa-bbbb-cccc", "é", page.code[:-1]):
        refused = page.request(form={**form, "code": code})
        assert refused.status == 403
        assert say("en", "setup_wrong_code") in refused.text
        assert page.request(f"/status?code={code.encode().hex()}").status == 403
    assert page.request("/?code=wrong").status == 403
    asked = page.request("/")
    assert (asked.status, say("en", "setup_enter_code") in asked.text) == (200, True)
    assert page.code not in asked.text
    assert page.request(f"/?code=%20{page.code.upper()}").status == 200, "typed by hand"
    assert slack.call("/_playground/state")["calls"] == calls
    for answer in (asked, page.request(f"/?code={page.code}"), page.request("/setup.js")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert page.request("/../.env").status == 404


def test_ten_wrong_codes_close_the_page(tmp_path: Path, slack: Server) -> None:
    """Then the code itself is refused, too, and the terminal says how to get another."""
    with setup_page(tmp_path, slack) as page:
        for path in ["/?code=guess", "/status?code=guess"] * 10:
            refused = page.request(path, None, **{"Sec-Fetch-Site": "cross-site"})
            assert refused.status == 403, "guesses of other sites' pages do not count"
        for number in range(9):
            assert page.request(f"/status?code=guess-{number}").status == 403
        assert page.request("/").status == 200, "no code is no guess"
        assert page.request(f"/?code={page.code}").status == 200
        refused = page.request(form={"code": "guess-9", **values(slack)})
        for closed in (refused, page.request(f"/?code={page.code}"), page.submit(**values(slack))):
            assert closed.status == 403
            assert say("en", "setup_closed") in unescape(closed.text)
        assert page.request(f"/status?code={page.code}").status == 403
        told = page.kioku.stop(signal.SIGINT).out
    assert told.count(say("en", "setup_closed")) == 1
    assert not (tmp_path / ".env").exists()


def test_only_this_machine_is_served(page: SetupPage) -> None:
    """The server listens on 127.0.0.1, and on no other address of this machine."""
    port = int(page.own.partition(":")[2])
    listening = [
        connection.laddr
        for connection in psutil.Process(page.kioku.process.pid).net_connections("tcp")
        if connection.status == "LISTEN" and connection.laddr.port == port
    ]
    assert [address.ip for address in listening] == ["127.0.0.1"]


def test_a_value_of_the_environment_is_not_shadowed(tmp_path: Path, slack: Server) -> None:
    """A key in the environment goes before .env: another one on the page is refused."""
    with setup_page(tmp_path, slack, OPENAI_API_KEY="sk-environment") as page:
        answer = page.submit(**values(slack))
        assert found(answer.text)[2] == "✗ " + say("en", "setup_in_environment", name=KEY)
        assert page.submit(**values(slack) | {KEY: ""}).status == 422, "the one pasted is kept"
        assert page.submit(**values(slack) | {KEY: "sk-environment"}).status == 303


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, slack: Server) -> None:
    """Nothing restarts; the page says which file."""
    (tmp_path / ".env").mkdir()
    with setup_page(tmp_path, slack) as page:
        answer = page.submit(**values(slack))
        assert answer.status == 422
        assert f"{tmp_path / '.env'} cannot be written (Is a directory)" in answer.text


def test_setup_asks_in_a_terminal_until_it_works(tmp_path: Path, slack: Server) -> None:
    """What is typed is not shown; a wrong token is asked for again; the end is a written file."""
    (tmp_path / ".env").write_text("KIOKU_LOG_LEVEL=debug", "utf-8")
    typed = [slack.info["app_token"], slack.info["bot_token"], slack.info["app_token"], ""]
    code, shown = on_terminal(tmp_path, ": ", typed, "setup", **slack_settings(slack))
    assert code == 0, shown
    assert "FIX  SLACK_BOT_TOKEN contains an app-level token" in shown
    assert "OK  connects to workspace Playground as kioku." in shown
    assert f"Written to {tmp_path / '.env'}. Start Kioku with `make up`" in shown
    assert "-playground" not in shown
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    tokens = {name: value for name, value in values(slack).items() if name != KEY}
    assert dotenv_values(tmp_path / ".env") == {"KIOKU_LOG_LEVEL": "debug", **tokens}


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The bot token is wrong.")
def test_setup_reads_a_pipe(tmp_path: Path, slack: Server) -> None:
    """Each line is one value; a wrong one and a missing one end it, with nothing written."""

    def piped(*lines: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PYTHON_M_BOT, "setup"],
            cwd=tmp_path,
            env=environment(slack_settings(slack)),
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    wrong = piped("xoxb-no", "xapp-no")
    assert wrong.returncode == 1
    assert wrong.stderr == "kioku: SLACK_BOT_TOKEN does not work, and nothing was written.\n"
    assert "Slack refuses SLACK_BOT_TOKEN (invalid_auth)" in wrong.stdout
    short = piped(slack.info["bot_token"])
    assert short.stderr == "kioku: The input has ended, and nothing was written.\n"
    assert not (tmp_path / ".env").exists()
    assert piped(*values(slack).values()).returncode == 0
    assert dotenv_values(tmp_path / ".env") == values(slack)
    again = piped("", "", "")
    assert (again.returncode, again.stdout.count("OK  ")) == (0, 3), "what is set is checked again"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {BOT: "xoxb-1"},
            "SLACK_BOT_TOKEN is set without SLACK_APP_TOKEN: copy it from your app's Basic"
            " Information, App-Level Tokens (xapp-…, with the scope connections:write), or run"
            " `kioku setup`, which asks for both.",
        ),
        (
            {APP: "xapp-1"},
            "SLACK_APP_TOKEN is set without SLACK_BOT_TOKEN: copy it from your app's OAuth &"
            " Permissions (Bot User OAuth Token, xoxb-…), or run `kioku setup`, which asks for"
            " both.",
        ),
        (
            {BOT: "xoxp-1", APP: "xapp-1"},
            "SLACK_BOT_TOKEN contains a user's token, but must begin with xoxb-: copy it from your"
            " app's OAuth & Permissions (Bot User OAuth Token, xoxb-…).",
        ),
        (
            {BOT: "xoxb-1", APP: "secret"},
            "SLACK_APP_TOKEN does not look like an app-level token: it must begin with xapp-. Copy"
            " it from your app's Basic Information, App-Level Tokens (xapp-…, with the scope"
            " connections:write).",
        ),
        (
            {KEY: "secret"},
            "OPENAI_API_KEY has to begin with sk-: copy it from"
            " https://platform.openai.com/api-keys, or set OPENAI_BASE_URL to your provider's"
            " address.",
        ),
    ],
)
def test_up_refuses_values_of_a_wrong_form(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    """One sentence before anything starts: no folder is made, and the value is not shown."""
    done = ended(tmp_path, "up", PORT="0", **settings)
    assert (done.code, done.out, done.err) == (1, "", f"kioku: {sentence}\n")
    assert not list(tmp_path.iterdir())


def test_up_names_a_taken_port_before_anything_starts(tmp_path: Path) -> None:
    """No database is made for it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = ended(tmp_path, "up", PORT=port)
    assert done.err == (
        f"kioku: Port {port} cannot be opened (Address already in use): set PORT to a free one.\n"
    )
    assert not list(tmp_path.iterdir())
