"""Kioku installed in a whole organisation: one token, every workspace of it is served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from memory import Pool
from tests.conftest import Server, oauth_playground, owner_rows
from tests.integration.test_several_workspaces import Slack, remembered, running, tokens
from tests.waiting import until

SAID = {"One": "I am interested in AWS.", "Two": "I love ramen"}
LISTS = "users.conversations"
WORDS = {"One": "AWS", "Two": "ramen"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A playground whose app can be installed in an organisation."""
    with oauth_playground(tmp_path_factory.mktemp("manifest"), org_deploy_enabled=True) as one:
        yield one


@pytest.fixture
def workspaces(server: Server) -> dict[str, Slack]:
    """Two workspaces of one organisation, each seen by a person of its own."""
    found = {}
    for name in SAID:
        added = {"name": name, "organisation": "Acme"}
        team = server.call("/_playground/workspaces", added)["team_id"]
        users = server.call(f"/_playground/state?team={team}")["users"]
        user = next(one["id"] for one in users if not one["is_bot"])
        found[name] = Slack(server, (team, team), user)
    return found


async def test_an_organisation_is_served_by_one_token(
    workspaces: dict[str, Slack], stand_in: Server, database: str, pool: Pool
) -> None:
    """Every workspace is answered, also after an outage, and remembered; all goes with it."""
    one = workspaces["One"]
    enterprise = one.call(one.teams[0], "state")["enterprise_id"]
    async with running(one, stand_in, database) as app:
        await app.install(one.teams[0])
        assert [row["team_id"] for row in tokens(database)] == [enterprise]
        for name, slack in workspaces.items():
            said = slack.say(slack.teams[0], SAID[name])
            await until(lambda: slack.replies(slack.teams[0], said))  # noqa: B023
            found = await remembered(pool, enterprise, slack.user)
            assert WORDS[name] in found[0]
            command = {"user": slack.user, "channel": "dm", "command": "/memories"}
            assert (await asyncio.to_thread(slack.call, slack.teams[0], "commands", command))["ok"]
            slack.call(slack.teams[0], "home/open", {"user": slack.user})
            home = f"home?as={slack.user}"
            await until(lambda: slack.call(slack.teams[0], home)["view"])  # noqa: B023
        teams = {slack.teams[0] for slack in workspaces.values()}
        ours = [call for call in one.calls() if call["team_id"] in teams]
        assert {call["team_id"] for call in ours if call["method"] == "views.publish"} == teams
        await until(lambda: {call["outcome"] for call in one.calls()} == {"ok"})
    missed = {name: slack.say(slack.teams[0], "Hello") for name, slack in workspaces.items()}
    owner_rows(
        database,
        "INSERT INTO listening VALUES (%s, now() - interval '1 hour')"
        " ON CONFLICT (team_id) DO UPDATE SET heard_at = excluded.heard_at",
        enterprise,
    )
    async with running(one, stand_in, database):
        for name, slack in workspaces.items():
            await until(lambda: slack.replies(slack.teams[0], missed[name]))  # noqa: B023
        await until(lambda: {c["args"].get("team_id") for c in one.calls(LISTS)} == teams)
        await until(lambda: not owner_rows(database, "SELECT 1 FROM catching_up"))
        # The rows of a turn that still runs are deleted by the second purge, after ten minutes.
        open_turns = "SELECT 1 FROM turns WHERE reply IS NULL"
        await until(lambda: not owner_rows(database, open_turns))
        one.call(one.teams[0], "uninstall", {})
        await until(lambda: not tokens(database))
        await until(lambda: not owner_rows(database, "SELECT 1 FROM store"))
        await until(lambda: not owner_rows(database, "SELECT 1 FROM turns"))
