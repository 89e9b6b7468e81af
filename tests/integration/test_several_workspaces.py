"""Several workspaces, installed by OAuth in the playground, with the same ids of people."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import psycopg
import pytest
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.config import Settings
from bot.runtime.checks import check_database
from bot.runtime.oauth import STATE_SECONDS, InstallationStore
from bot.runtime.problems import Problem
from bot.runtime.service import open_service
from bot.slack.client import Installations, NotInstalled
from memory import Person, Pool, create_pool, list_memories
from tests.conftest import Server, oauth_playground
from tests.databases import login_of, owner_rows
from tests.loopback import free_port
from tests.waiting import until

KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
TEACHES = "I am interested in AWS."
# The connections that wait for a row.
WAITING = "FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A playground whose app has token rotation and events over HTTP."""
    with oauth_playground(
        tmp_path_factory.mktemp("manifest"), token_rotation_enabled=True
    ) as one:
        yield one


@dataclass
class Slack:
    """The playground's first workspace, and a second one with the same people and channels."""

    server: Server
    teams: tuple[str, str]
    user: str

    def call(self, team: str, path: str, body: Any = None) -> Any:
        """Make a control call in one workspace."""
        mark = "&" if "?" in path else "?"
        return self.server.call(f"/_playground/{path}{mark}team={team}", body)

    def say(self, team: str, text: str, **more: Any) -> Any:
        """Let the person of that id write to the app in one workspace."""
        body = {"user": self.user, "channel": "dm", "text": text, **more}
        return self.call(team, "messages", body)

    def replies(self, team: str, said: Any) -> list[str]:
        """Return the app's finished replies to a message, as the person sees them."""
        seen = self.call(team, f"channels/{said['channel']}/messages?user={self.user}")[
            "messages"
        ]
        return [
            str(one["text"])
            for one in seen
            if one.get("thread_ts") == said["ts"]
            and one["user"] != self.user
            and not one.get("streaming")
        ]

    def calls(self, method: str = "") -> list[dict[str, Any]]:
        """Return the calls of Slack's API, of one method or all."""
        named = f"&method={method}" if method else ""
        return list(self.server.call(f"/_playground/calls?since=0{named}")["calls"])

    def client(self) -> AsyncWebClient:
        """Return a client without a token."""
        return AsyncWebClient(
            base_url=self.server.info["slack_api_url"], retry_handlers=[]
        )


@pytest.fixture
def slack(server: Server, monkeypatch: pytest.MonkeyPatch) -> Slack:
    """Two workspaces; the app is installed in neither by OAuth.

    As in a container the settings are in the environment, too, where Bolt looks for them.
    """
    for name in ("client_id", "client_secret"):
        monkeypatch.setenv(f"SLACK_{name.upper()}", server.info[name])
    state = server.call("/_playground/state")
    first = str(state["team_id"])
    user = next(one["id"] for one in state["users"] if not one["is_bot"])
    named = {"name": f"Second {time.time_ns()}", "like": first}
    made = server.call("/_playground/workspaces", named)
    return Slack(server, (first, made["team_id"]), user)


def settings_of(slack: Slack, stand_in: Server, port: int, **more: Any) -> Settings:
    """Return settings for several workspaces."""
    info = slack.server.info
    given: dict[str, Any] = {
        "slack_client_id": info["client_id"],
        "slack_client_secret": SecretStr(info["client_secret"]),
        "slack_signing_secret": SecretStr(info["signing_secret"]),
        "secret_key": SecretStr(KEYS[0]),
        "public_url": f"http://127.0.0.1:{port}",
        "slack_api_url": info["slack_api_url"],
        "port": port,
        "openai_base_url": stand_in.openai_base_url,
        "reply_model": "kioku-stand-in",
        "memory_model": "kioku-stand-in",
        "embedding_model": "kioku-stand-in-embedding",
        "formation_delay": 0.0,
        "uninstall_grace_hours": 1,
        **more,
    }
    return Settings(**given)


@dataclass
class Running:
    """The service, and a browser to install it with."""

    slack: Slack
    url: str
    session: aiohttp.ClientSession

    async def begin(self, team: str) -> tuple[dict[str, str], str]:
        """Open the page that installs the app; return Slack's parameters and the cookie."""
        async with self.session.get(
            f"{self.url}/slack/install", params={"team": team}, allow_redirects=False
        ) as sent:
            assert sent.status == 302
            assert sent.headers["Cache-Control"] == "no-store"
            cookie = "; ".join(
                f"{one.key}={one.value}" for one in sent.cookies.values()
            )
            query = parse_qs(urlsplit(sent.headers["Location"]).query)
        return {name: values[0] for name, values in query.items()}, cookie

    def consent(self, team: str, query: dict[str, str]) -> str:
        """Let the person allow it in a workspace; return where Slack sends the browser."""
        given = {"query": query, "allow": True, "team": team, "user": self.slack.user}
        return str(self.slack.call(team, "authorization", given)["redirect"])

    async def back(self, address: str, cookie: str) -> int:
        """Follow Slack's redirect; return the status of the page."""
        async with self.session.get(address, headers={"Cookie": cookie}) as page:
            assert "xox" not in await page.text()
            return page.status

    async def install(self, team: str) -> None:
        """Install the app in a workspace."""
        query, cookie = await self.begin(team)
        assert await self.back(self.consent(team, query), cookie) == 200


@asynccontextmanager
async def running(
    slack: Slack, stand_in: Server, database: str, **more: Any
) -> AsyncIterator[Running]:
    """Run the service; the playground delivers to it."""
    port = free_port()
    settings = settings_of(slack, stand_in, port, **more)
    url = f"http://127.0.0.1:{port}"
    async with (
        open_service(settings, login_of(database), host="127.0.0.1"),
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        first = slack.teams[0]
        slack.call(first, "delivery", {"mode": "http", "url": f"{url}/slack/events"})
        try:
            yield Running(slack, url, session)
        finally:
            slack.call(first, "delivery", {"mode": "socket"})


async def remembered(pool: Pool, team: str, user: str) -> list[str]:
    """Return a person's memories, once there are some."""
    found = await until(lambda: list_memories(pool, Person(team, user)))
    return [str(memory.content) for memory in found]


def stored(database: str, team: str, text: str = "") -> bool:
    """Say whether a memory of a workspace with this text is stored."""
    statement = "SELECT 1 FROM store WHERE starts_with(prefix, %s) AND strpos(value::text, %s) > 0"
    return bool(owner_rows(database, statement, f"chat.{team}.", text))


def tokens(database: str) -> list[dict[str, Any]]:
    """Return the workspaces with tokens."""
    return owner_rows(
        database,
        "SELECT * FROM workspaces WHERE tokens IS NOT NULL ORDER BY installed_at",
    )


@pytest.mark.failed_calls(
    "auth.test: account_inactive",
    because="Slack may be asked whether the app is still installed.",
)
async def test_two_workspaces_with_the_same_ids(
    slack: Slack, stand_in: Server, database: str, pool: Pool
) -> None:
    """Each is answered and remembered for itself; one uninstalls and returns, the other stays."""
    one, two = slack.teams
    user = slack.user
    async with running(slack, stand_in, database) as app:
        await app.install(one)
        await app.install(two)
        assert {row["team_id"] for row in tokens(database)} == {one, two}
        assert "xoxb-" not in str(tokens(database))

        # The same person id writes in both, and only the first one is remembered.
        said = slack.say(one, TEACHES)
        other = slack.say(two, "Hello")
        await until(lambda: slack.replies(one, said) and slack.replies(two, other))
        assert any("AWS" in text for text in await remembered(pool, one, user))
        assert await list_memories(pool, Person(two, user)) == []
        for team in (one, two):
            slack.call(team, "home/open", {"user": user})

        def published() -> bool:
            calls = slack.calls("views.publish")
            return {one, two} <= {
                call["team_id"] for call in calls if call["outcome"] == "ok"
            }

        await until(published)
        # A call acts in the workspace of its token, so each names a conversation there.
        ours = [call for call in slack.calls() if call["team_id"] in (one, two)]
        assert {call["outcome"] for call in ours} == {"ok"}
        notices = [
            c
            for c in ours
            if c["method"] == "chat.postMessage" and "AWS" in str(c["args"])
        ]
        assert {call["team_id"] for call in notices} <= {one}

        # One uninstalls: its tokens go, its rows after the grace; the other is served as before.
        slack.call(one, "uninstall", {})
        await until(lambda: [row["team_id"] for row in tokens(database)] == [two])
        # Not while the app, in this process, holds the row: it could not commit meanwhile.
        over = (
            "UPDATE workspaces SET purge_at = now() WHERE team_id IN (SELECT team_id"
            " FROM workspaces WHERE team_id = %s AND purge_at > now()"
            " FOR UPDATE SKIP LOCKED) RETURNING team_id"
        )
        await until(lambda: owner_rows(database, over, one))
        await until(lambda: not stored(database, one))
        turns = "SELECT 1 FROM messages WHERE team_id = %s"
        await until(lambda: not owner_rows(database, turns, one))
        again = slack.say(two, TEACHES)
        await until(lambda: slack.replies(two, again))
        assert any("AWS" in text for text in await remembered(pool, two, user))

        # Events carry whole seconds: what is installed within the next one is older than they say.
        gone = owner_rows(
            database,
            "SELECT left_at + interval '1 s' AS left_at FROM workspaces WHERE team_id = %s",
            one,
        )
        now = "SELECT 1 WHERE now() > %s::timestamptz"
        await until(lambda: owner_rows(database, now, gone[0]["left_at"]))
        await app.install(one)
        back = slack.say(one, "Hello")
        await until(lambda: slack.replies(one, back))
        assert await list_memories(pool, Person(one, user)) == []
        assert await list_memories(pool, Person(two, user))


async def test_events_of_a_shared_channel_reach_the_workspace_they_are_for(
    slack: Slack, stand_in: Server, database: str, pool: Pool
) -> None:
    """Slack names one workspace in all events: the other one's mentions, edits, deletions count."""
    one, two = slack.teams
    user = slack.user
    channel = next(
        found["id"]
        for found in slack.call(one, "state")["channels"]
        if found["kind"] == "public" and user in found["members"]
    )
    async with running(slack, stand_in, database) as app:
        for team in (one, two):
            await app.install(team)
            bot = slack.call(team, "state")["bot_user_id"]
            changes = {
                "channel": channel,
                "shared": True,
                "authorized": one,
                "add": [bot],
            }
            slack.call(team, "channels/update", changes)
        said = slack.say(two, f"<@BOT> {TEACHES}", channel=channel)
        await until(lambda: slack.replies(two, said))
        assert any("AWS" in text for text in await remembered(pool, two, user))
        # Nobody mentions the app in the thread that it takes part in.
        slack.say(
            two, "What am I interested in?", channel=channel, thread_ts=said["ts"]
        )
        answered = "SELECT 1 FROM messages WHERE team_id = %s AND status = 'answered'"
        await until(lambda: len(owner_rows(database, answered, two)) == 2)
        named = {"user": user, "channel": channel, "ts": said["ts"]}
        slack.call(
            two, "messages/edit", {**named, "text": "<@BOT> I am interested in Rust."}
        )
        await until(lambda: stored(database, two, "Rust"))
        slack.call(two, "messages/delete", named)
        await until(lambda: not stored(database, two))
        assert not owner_rows(
            database, "SELECT 1 FROM messages WHERE ts = %s AND words <> ''", said["ts"]
        )
        found = owner_rows(database, "SELECT DISTINCT team_id FROM messages")
        assert found == [{"team_id": two}]
        # Rows of messages end before memories do.
        said = slack.say(two, f"<@BOT> {TEACHES}", channel=channel)
        await remembered(pool, two, user)
        formed = f"{answered} AND formed_at IS NOT NULL AND ts = %s"
        await until(lambda: owner_rows(database, formed, two, said["ts"]))
        # In a thread: the app, in this loop, may hold locks on these rows.
        delete = "DELETE FROM messages WHERE channel_id = %s"
        await asyncio.to_thread(owner_rows, database, delete, channel)
        slack.call(two, "messages/delete", {**named, "ts": said["ts"]})
        await until(lambda: not stored(database, two))


async def test_a_state_is_good_in_its_browser_and_for_ten_minutes(
    slack: Slack,
    stand_in: Server,
    database: str,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another browser, a state that is too old or that nobody issued: nothing is stored."""
    team = slack.teams[1]
    async with running(slack, stand_in, database) as app:
        query, cookie = await app.begin(team)
        assert owner_rows(database, "SELECT team_id FROM workspaces") == []
        address = app.consent(team, query)
        assert await app.back(address, "") == 400
        assert await app.back(address, "slack-app-oauth-state=other") == 400
        forged = query | {"state": "forged"}
        assert (
            await app.back(app.consent(team, forged), "slack-app-oauth-state=forged")
            == 401
        )
        async with app.session.get(
            f"{app.url}/slack/oauth_redirect", params={"error": "access_denied"}
        ) as page:
            assert page.status == 200
        assert tokens(database) == []
        assert await app.back(address, cookie) == 200
        assert len(tokens(database)) == 1
    state = await store_over(slack, pool).async_issue()
    later = store_over(slack, pool)
    assert await later.async_consume(state)
    now = time.time()
    monkeypatch.setattr(
        "cryptography.fernet.time.time", lambda: now + STATE_SECONDS + 2
    )
    assert not await later.async_consume(state)


async def granted(slack: Slack, team: str, *, seconds: float = 43_200.0) -> Any:
    """Let a person install the app; return Slack's answer with the tokens."""
    info = slack.server.info
    redirect = "http://127.0.0.1:1/slack/oauth_redirect"
    query = {
        "client_id": info["client_id"],
        "scope": "chat:write,im:history",
        "state": "s",
    }
    query["redirect_uri"] = redirect
    slack.call(team, "settings", {"token_seconds": seconds})
    given = {"query": query, "allow": True, "team": team, "user": slack.user}
    back = slack.call(team, "authorization", given)["redirect"]
    return await slack.client().oauth_v2_access(
        code=parse_qs(urlsplit(back).query)["code"][0],
        client_id=info["client_id"],
        client_secret=info["client_secret"],
        redirect_uri=redirect,
    )


def store_over(slack: Slack, pool: Pool, *keys: str) -> InstallationStore:
    """Return a store that rotates tokens in the playground."""
    settings = Settings(
        slack_client_id=slack.server.info["client_id"],
        slack_client_secret=SecretStr(slack.server.info["client_secret"]),
        secret_key=SecretStr(",".join(keys or KEYS[:1])),
        slack_api_url=slack.server.info["slack_api_url"],
    )
    return InstallationStore(pool, settings)


async def saved(store: InstallationStore, answer: Any) -> str:
    """Store what Slack granted, as Bolt's flow does; return the bot token."""
    from slack_sdk.oauth.installation_store import Installation

    await store.async_save(
        Installation(
            team_id=answer["team"]["id"],
            bot_token=answer["access_token"],
            bot_id="B1",
            bot_user_id=answer["bot_user_id"],
            bot_refresh_token=answer.get("refresh_token"),
            bot_token_expires_in=answer.get("expires_in"),
            user_id=answer["authed_user"]["id"],
        )
    )
    return str(answer["access_token"])


@pytest.mark.failed_calls(
    "oauth.v2.access: invalid_refresh_token",
    because="Of two processes one comes second.",
)
async def test_tokens_are_rotated_before_they_end(
    slack: Slack, database: str, pool: Pool
) -> None:
    """Each of two processes has a token that works, and then both have the new one."""
    team = slack.teams[1]
    async with create_pool(
        login_of(database), min_size=1, max_size=2, timeout=10
    ) as second:
        stores = [store_over(slack, pool), store_over(slack, second)]
        old = await saved(stores[0], await granted(slack, team, seconds=3_600))
        slack.call(team, "settings", {"token_seconds": 43_200})
        found = await asyncio.gather(*(store.find(team) for store in stores * 4))
        for token in {one.bot_token for one in found if one is not None}:
            await slack.client().auth_test(token=token)
        before = len(slack.calls("oauth.v2.access"))
        after = [await store.find(team) for store in stores]
        [token] = {one.bot_token for one in after if one is not None}
        assert token != old
        await slack.client().auth_test(token=token)
        assert len(slack.calls("oauth.v2.access")) == before


@pytest.mark.failed_calls(
    "oauth.v2.access: invalid_refresh_token",
    because="The test stores one that Slack never gave.",
)
async def test_a_rotation_that_slack_refuses_changes_nothing(
    slack: Slack, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """The token goes on until it ends, and the log says so without a token."""
    team = slack.teams[1]
    store = store_over(slack, pool)
    answer = await granted(slack, team, seconds=3_600)
    token = await saved(store, {**answer.data, "refresh_token": "xoxe-1-no"})
    found = await store.find(team)
    assert found is not None
    assert found.bot_token == token
    assert f"workspace {team} has no new token" in caplog.text
    assert "xoxe" not in caplog.text


@pytest.mark.parametrize(
    "how", [{"drop": "before"}, {"drop": "after"}, {"status": 502}], ids=str
)
async def test_a_rotation_that_fails_leaves_the_token_that_works(
    slack: Slack, pool: Pool, how: dict[str, Any]
) -> None:
    """A lost connection and a proxy's error are no reason to answer nobody."""
    team = slack.teams[1]
    store = store_over(slack, pool)
    token = await saved(store, await granted(slack, team, seconds=3_600))
    slack.call(team, "faults", {"method": "oauth.v2.access", "times": 1, **how})
    found = await store.find(team)
    assert found is not None
    assert found.bot_token == token


async def test_a_rotated_token_that_postgresql_does_not_take_is_stored_later(
    slack: Slack, database: str, pool: Pool
) -> None:
    """Slack takes a refresh token once: without the new one the workspace would be lost."""
    team = slack.teams[1]
    store = store_over(slack, pool)
    old = await saved(store, await granted(slack, team, seconds=3_600))
    slack.call(team, "settings", {"token_seconds": 43_200})
    async with await psycopg.AsyncConnection.connect(database) as owner:
        await owner.execute(
            "SELECT FROM workspaces WHERE team_id = %s FOR UPDATE", (team,)
        )
        finding = asyncio.create_task(store.find(team))
        await until(
            lambda: owner_rows(database, f"SELECT pg_terminate_backend(pid) {WAITING}")
        )
        with pytest.raises(psycopg.OperationalError):
            await finding
    asked = len(slack.calls("oauth.v2.access"))
    found = [await one.find(team) for one in (store, store_over(slack, pool))]
    [token] = {one.bot_token for one in found if one is not None}
    assert token != old
    await slack.client().auth_test(token=token)
    assert len(slack.calls("oauth.v2.access")) == asked


@pytest.mark.parametrize(
    "installed", [False, True], ids=["uninstalled", "installed again"]
)
async def test_a_rotation_replaces_only_the_tokens_that_it_read(
    slack: Slack, database: str, pool: Pool, installed: bool
) -> None:
    """Those of a workspace that leaves meanwhile stay deleted; a new installation's count."""
    team = slack.teams[1]
    store = store_over(slack, pool)
    new = await saved(store, await granted(slack, team))
    stored = "SELECT tokens FROM workspaces WHERE team_id = %s"
    [row] = owner_rows(database, stored, team)
    tokens = row["tokens"] if installed else None
    await saved(store, await granted(slack, team, seconds=3_600))
    slack.call(team, "settings", {"token_seconds": 43_200})
    async with await psycopg.AsyncConnection.connect(database) as owner:
        await owner.execute(f"{stored} FOR UPDATE", (team,))
        finding = asyncio.create_task(store.find(team))
        await until(lambda: owner_rows(database, f"SELECT 1 {WAITING}"))
        await owner.execute(
            "UPDATE workspaces SET tokens = %s WHERE team_id = %s", (tokens, team)
        )
    found = await finding
    assert (found and found.bot_token) == (new if installed else None)
    assert [row["tokens"] for row in owner_rows(database, stored, team)] == [tokens]


async def test_a_rotation_that_hangs_holds_up_no_other_workspace(
    slack: Slack, pool: Pool
) -> None:
    """Each team's token is looked up by itself, and what waits for one makes one call."""
    one, two = slack.teams
    store = store_over(slack, pool)
    other = await saved(store, await granted(slack, one))
    await saved(store, await granted(slack, two, seconds=3_600))
    fault = {
        "method": "oauth.v2.access",
        "status": 503,
        "delay_ms": 3_600_000,
        "times": 1,
    }
    slack.call(two, "faults", fault)
    hanging = [asyncio.create_task(store.find(two)) for _ in range(2)]
    try:
        await until(lambda: slack.calls("oauth.v2.access")[-1]["outcome"] != "ok")
        found = await store.find(one)
        assert found is not None
        assert found.bot_token == other
        assert not any(task.done() for task in hanging)
    finally:
        for task in hanging:
            task.cancel()


async def test_a_key_that_does_not_decrypt_ends_the_start(
    slack: Slack, stand_in: Server, database: str, pool: Pool
) -> None:
    """With the old key behind the new one everything can be read. `kioku doctor` says the same.

    Rows that were due while no process ran are deleted by any start, also one that ends so.
    """
    team = slack.teams[1]
    token = await saved(store_over(slack, pool, KEYS[0]), await granted(slack, team))
    owner_rows(
        database,
        "WITH gone AS (INSERT INTO workspaces (team_id, left_at, purge_at)"
        " VALUES ('TGONE', now() - interval '3 days', now() - interval '2 days'))"
        " INSERT INTO listening (team_id, heard_at) VALUES ('TGONE', now()) RETURNING 1",
    )
    with pytest.raises(Problem, match="KIOKU_SECRET_KEY does not decrypt"):
        async with running(slack, stand_in, database, secret_key=SecretStr(KEYS[1])):
            pass
    assert owner_rows(database, "SELECT 1 FROM listening WHERE team_id = 'TGONE'") == []
    for keys in (KEYS[1:], KEYS):
        address = SecretStr(login_of(database))
        given = {"database_url": address, "secret_key": SecretStr(",".join(keys))}
        settings = settings_of(slack, stand_in, 1, **given)
        if keys == KEYS:
            assert "up to date" in await check_database(settings)
            continue
        with pytest.raises(Problem, match="KIOKU_SECRET_KEY does not decrypt"):
            await check_database(settings)
    found = await store_over(slack, pool, KEYS[1], KEYS[0]).find(team)
    assert found is not None
    assert found.bot_token == token
    assert "xox" not in repr(found)


@pytest.mark.failed_calls(
    "auth.test: account_inactive", because="The token is of the earlier installation."
)
async def test_a_token_that_slack_refuses_is_looked_up_again_at_once(
    slack: Slack, pool: Pool
) -> None:
    """Another process has stored an installation that this one does not know yet."""
    team = slack.teams[1]
    store = store_over(slack, pool)
    await saved(store, await granted(slack, team))
    client = Installations(
        store.find, base_url=slack.server.info["slack_api_url"]
    ).client(team)
    assert (await client.auth_test())["ok"]
    slack.call(team, "uninstall", {"events": []})
    await saved(store, await granted(slack, team))
    with pytest.raises(SlackApiError, match="account_inactive"):
        await client.auth_test()
    assert (await client.auth_test())["ok"]


async def test_no_other_workspaces_token_is_ever_used(
    slack: Slack, database: str, pool: Pool
) -> None:
    """A call for a workspace without an installation is refused before Slack is asked."""
    one, two = slack.teams
    store = store_over(slack, pool)
    await saved(store, await granted(slack, two))
    installations = Installations(
        store.find, base_url=slack.server.info["slack_api_url"]
    )
    before = len(slack.calls())
    for team in (one, "", "T0", "API"):
        with pytest.raises(NotInstalled) as refused:
            await installations.client(team).chat_postMessage(
                channel="C1", text="hello"
            )
        assert isinstance(refused.value, SlackApiError)
        assert "xox" not in str(refused.value)
    assert len(slack.calls()) == before
    answers = await asyncio.gather(
        *(installations.client(two).auth_test() for _ in range(5))
    )
    assert {answer["team_id"] for answer in answers} == {two}

    # A ciphertext is good for one workspace only.
    owner_rows(
        database,
        "INSERT INTO workspaces (team_id, tokens) SELECT %s, tokens FROM workspaces"
        " WHERE team_id = %s RETURNING team_id",
        one,
        two,
    )
    with pytest.raises(Problem, match="does not decrypt"):
        await store.find(one)
