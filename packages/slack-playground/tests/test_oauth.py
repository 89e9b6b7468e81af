"""Installing the app by OAuth, in several workspaces, and the end of an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.manifest import Manifest
from slack_playground.server import serve
from slack_playground.slack import CLIENT_ID, CLIENT_SECRET, Slack

from .conftest import web_client
from .driver import Driver, Json

REDIRECT = "http://127.0.0.1:1/slack/oauth_redirect"
ROTATING = pytest.mark.manifest(token_rotation=True)
SCOPES = (
    "app_mentions:read,channels:history,chat:write,files:read,im:history,users:read"
)


class Team(Driver):
    """The people of one workspace."""

    def __init__(self, driver: Driver, team: str) -> None:
        super().__init__(driver.url, driver.session)
        self.team = team

    async def get(self, path: str, **query: str) -> Json:
        """GET, in this workspace."""
        return await super().get(path, **{"team": self.team, **query})

    async def try_post(self, path: str, **body: Any) -> tuple[int, Json]:
        """POST, in this workspace."""
        url = f"{self.url}/_playground/{path}"
        async with self.session.post(
            url, json=body, params={"team": self.team}
        ) as response:
            answer: Json = await response.json()
            return response.status, answer


@pytest.fixture
def anyone(slack: Slack) -> AsyncWebClient:
    """A client without a token, for the methods that need none."""
    return web_client(slack, "")


async def second(driver: Driver, name: str = "Second", **more: Any) -> Team:
    """Add a workspace whose people and channels have the ids of the first one."""
    first = (await driver.state())["team_id"]
    added = await driver.post("workspaces", name=name, **{"like": first, **more})
    assert added["installed"] is False
    return Team(driver, added["team_id"])


async def code(driver: Driver, team: str = "", **query: str) -> str:
    """Consent as a person; return the code."""
    team = team or (await driver.state())["team_id"]
    asked = {"client_id": CLIENT_ID, "scope": SCOPES, "redirect_uri": REDIRECT, **query}
    user = await Team(driver, team).user()
    sent = await driver.post(
        "authorization", query=asked, allow=True, team=team, user=user
    )
    return parse_qs(urlsplit(sent["redirect"]).query)["code"][0]


async def refused(client: AsyncWebClient, method: str, **arguments: Any) -> str:
    """Return the error of a call."""
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, params=arguments)
    return str(caught.value.response["error"])


async def access(client: AsyncWebClient, **arguments: Any) -> Json:
    """Call oauth.v2.access as the SDK does, with the right client."""
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **arguments}
    answer = await client.oauth_v2_access(**given)
    assert isinstance(answer.data, dict)
    return answer.data


async def access_error(client: AsyncWebClient, **arguments: Any) -> str:
    """Return the error of oauth.v2.access."""
    with pytest.raises(SlackApiError) as caught:
        await access(client, **arguments)
    return str(caught.value.response["error"])


async def test_what_the_app_is_told(driver: Driver, anyone: AsyncWebClient) -> None:
    """oauth.v2.access answers with the documented fields, for the code's workspace and person."""
    other = await second(driver)
    answer = await access(
        anyone, code=await code(driver, other.team), redirect_uri=REDIRECT
    )
    state = await other.state()
    assert answer.pop("access_token").startswith("xoxb-")
    assert answer == {
        "ok": True,
        "app_id": state["app_id"],
        "authed_user": {"id": await other.user()},
        "scope": SCOPES,
        "token_type": "bot",
        "bot_user_id": state["bot_user_id"],
        "team": {"id": other.team, "name": "Second"},
        "enterprise": None,
        "is_enterprise_install": False,
    }
    assert (await driver.state())["app_id"] == state["app_id"]


async def test_a_code_is_good_once_and_for_ten_minutes(
    driver: Driver, anyone: AsyncWebClient
) -> None:
    """A used, expired or made-up code is invalid_code; a wrong redirect_uri does not use it up."""
    good = await code(driver)
    other_uri = f"{REDIRECT}/other"
    assert (
        await access_error(anyone, code=good, redirect_uri=other_uri)
        == "bad_redirect_uri"
    )
    assert await access_error(anyone, code=good) == "bad_redirect_uri"
    await access(anyone, code=good, redirect_uri=REDIRECT)
    assert (
        await access_error(anyone, code=good, redirect_uri=REDIRECT) == "invalid_code"
    )
    assert (
        await access_error(anyone, code="1.2.3", redirect_uri=REDIRECT)
        == "invalid_code"
    )
    assert await access_error(anyone, redirect_uri=REDIRECT) == "invalid_code"
    late = await code(driver)
    await driver.post("settings", code_seconds=0)
    assert (
        await access_error(anyone, code=late, redirect_uri=REDIRECT) == "invalid_code"
    )


async def test_the_address_of_consent_installs_where_the_app_is_missing(
    driver: Driver, anyone: AsyncWebClient
) -> None:
    """The browser goes straight back with a code of the first workspace without the app."""
    other = await second(driver)
    query = {
        "client_id": CLIENT_ID,
        "scope": SCOPES,
        "redirect_uri": REDIRECT,
        "state": "s",
    }
    address = f"{driver.url}/oauth/v2/authorize"
    async with driver.session.get(
        address, params=query, allow_redirects=False
    ) as response:
        assert response.status == 302
        back = parse_qs(urlsplit(response.headers["Location"]).query)
    assert back["state"] == ["s"]
    answer = await access(anyone, code=back["code"][0], redirect_uri=REDIRECT)
    assert answer["team"]["id"] == other.team


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "1.2"}, "invalid_client_id"),
        ({"scope": ""}, "no_scopes"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"user_scope": "search:read"}, "invalid_scope"),
        (
            {"redirect_uri": "https://example.com/slack/oauth_redirect"},
            "bad_redirect_uri",
        ),
        ({"redirect_uri": f"{REDIRECT}#x"}, "bad_redirect_uri"),
    ],
)
async def test_a_wrong_request_for_consent(
    driver: Driver, change: Json, error: str
) -> None:
    """What Slack's page would refuse is refused with its error, before anybody can allow it."""
    query = {
        "client_id": CLIENT_ID,
        "scope": SCOPES,
        "redirect_uri": REDIRECT,
        **change,
    }
    async with driver.session.get(
        f"{driver.url}/oauth/v2/authorize", params=query
    ) as response:
        assert (response.status, f"{error}: " in await response.text()) == (400, True)
    state = await driver.state()
    given = {
        "query": query,
        "allow": True,
        "team": state["team_id"],
        "user": await driver.user(),
    }
    status, answer = await driver.try_post("authorization", **given)
    assert (status, answer["error"].split(":")[0]) == (400, error)


async def test_optional_scopes_can_be_declined(driver: Driver, slack: Slack) -> None:
    """What is declined is not granted; no other scope can be declined."""
    other = await second(driver)
    query = {"client_id": CLIENT_ID, "scope": SCOPES, "redirect_uri": REDIRECT}
    given = {
        "query": query,
        "allow": True,
        "team": other.team,
        "user": await other.user(),
    }
    assert (await driver.try_post("authorization", **given, declined=["chat:write"]))[
        0
    ] == 400
    back = (await driver.post("authorization", **given, declined=["files:read"]))[
        "redirect"
    ]
    given_code = parse_qs(urlsplit(back).query)["code"][0]
    answer = await access(web_client(slack, ""), code=given_code, redirect_uri=REDIRECT)
    assert "files:read" not in answer["scope"].split(",")
    called = await web_client(slack, answer["access_token"]).auth_test()
    assert "files:read" not in called.headers["x-oauth-scopes"].split(",")


async def installed(driver: Driver, anyone: AsyncWebClient) -> Json:
    """Install by OAuth; return the answer."""
    return await access(anyone, code=await code(driver), redirect_uri=REDIRECT)


@ROTATING
async def test_token_rotation(
    slack: Slack, driver: Driver, anyone: AsyncWebClient
) -> None:
    """A refresh token gives a new pair, once; two tokens work at most, until they expire."""
    answer = await installed(driver, anyone)
    assert answer["access_token"].startswith("xoxe.xoxb-1-")
    assert answer["refresh_token"].startswith("xoxe-1-")
    assert answer["expires_in"] == 43200
    pairs = [answer]
    for _ in range(2):
        pair = await access(
            anyone, grant_type="refresh_token", refresh_token=pairs[-1]["refresh_token"]
        )
        pairs.append(pair)
        assert pair["token_type"] == "bot"
        assert "authed_user" not in pair
    oldest, *working = [web_client(slack, pair["access_token"]) for pair in pairs]
    assert await refused(oldest, "auth.test") == "token_revoked"
    for one in working:
        assert (await one.auth_test())["ok"]
    await driver.post("settings", refresh_grace_seconds=0, token_seconds=0)
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": pairs[-1]["refresh_token"],
    }
    expired = web_client(slack, (await access(anyone, **refresh))["access_token"])
    assert await refused(expired, "auth.test") == "token_expired"
    for value in (refresh["refresh_token"], answer["access_token"], "xoxe-1-none"):
        wrong = {**refresh, "refresh_token": value}
        assert await access_error(anyone, **wrong) == "invalid_refresh_token"


async def test_an_app_that_is_gone_cannot_be_used(driver: Driver) -> None:
    """Without the app there is no event, command or click."""
    await driver.post("uninstall", events=[])
    await driver.say("hello?")
    aya = await driver.user()
    status, answer = await driver.try_post(
        "commands", user=aya, channel="dm", command="/memories"
    )
    assert (status, answer["error"]) == (
        400,
        "The app is not installed in this workspace.",
    )
    assert await driver.deliveries() == []


async def test_workspaces_are_there_after_a_restart(
    manifest: Manifest, tmp_path: Path
) -> None:
    """People, installation and tokens of every workspace are kept, and kept apart."""
    kept: Json = {}
    for restarted in (False, True):
        async with (
            serve(manifest, data_dir=tmp_path) as running,
            aiohttp.ClientSession() as session,
        ):
            driver = Driver(running.url, session)
            if not restarted:
                other = await second(driver)
                kept = {
                    "team": other.team,
                    "token": (await other.post("install"))["token"],
                }
                await other.say("kept")
            other = Team(driver, kept["team"])
            assert (await web_client(running, kept["token"]).auth_test())[
                "team_id"
            ] == other.team
            assert [one["text"] for one in await other.messages()] == ["kept"]
            assert await driver.messages() == []
            assert [
                one["installed"] for one in (await driver.state())["workspaces"]
            ] == [True] * 2
