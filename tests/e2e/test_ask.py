"""`POST /ask`, as the second article's curl calls it: a person of its own, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import own_app
from tests.e2e.messages import Json, error_sentences, told
from tests.e2e.world import World

TOKEN = "kioku-token-1234"
CLOUD = (
    "クラウドサービス全般に興味があり、"
    "特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています"
)
TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"


@pytest.fixture(scope="module")
def world(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A workspace whose app answers `/ask`; no prompt is logged."""
    log = tmp_path_factory.mktemp("asking") / "log"
    with own_app(postgres, log, KIOKU_API_TOKEN=TOKEN) as app:
        lived_in = World(app)
        lived_in.calm()
        yield lived_in
        lived_in.calm()
        lived_in.settled()
        assert lived_in.leaks() == []


def post(
    world: World, user_id: str, prompt: str, token: str = TOKEN
) -> tuple[int, str]:
    """Ask as the article does; return status and text."""
    world.spoken.append(prompt)
    body = json.dumps({"user_id": user_id, "prompt": prompt}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    return world.app.post("/ask", body, headers)


def memories(world: World, user_id: str) -> list[Json]:
    """Wait until all that this user said is formed; return their memories."""
    formed = "SELECT 1 FROM messages WHERE user_id = %s HAVING bool_and(formed_at IS NOT NULL)"
    world.until(lambda: world.rows(formed, user_id), "a formation of every turn")
    of_them = "SELECT prefix, value FROM store WHERE starts_with(prefix, %s)"
    return world.rows(of_them, f"chat.API.{user_id}.")


def test_statement_is_remembered_and_answers_build_on_it(world: World) -> None:
    """A user's statement is in their next answer, and in nobody else's."""
    assert post(world, "MZ0001", CLOUD)[0] == 200
    rows = memories(world, "MZ0001")
    assert {"AWS", "Azure"} <= {row["value"]["content"]["topic"] for row in rows}
    assert {row["prefix"] for row in rows} == {"chat.API.MZ0001.dm"}
    assert "AWS" in post(world, "MZ0001", TOPICS)[1]
    status, general = post(world, "MZ0002", TOPICS)
    [prompt] = [p for p in world.prompts(TOPICS) if p["answer"]["text"] == general]
    assert (status, "AWS" in told(prompt)) == (200, False)
    assert [tool["name"] for tool in prompt["body"].get("tools", [])] == ["search_web"]


def test_slack_person_and_caller_with_one_id_are_apart(world: World) -> None:
    """With a Slack person's id as user_id nothing of that person is known, nor the other way."""
    ann = world.human()
    ann.ask("I love tempura")
    assert len(world.formed(ann)) == 1
    assert "tempura" not in post(world, ann.id, "What shall I eat?")[1]
    post(world, ann.id, "I love pizza")
    assert [row["prefix"] for row in memories(world, ann.id)] == [
        f"chat.API.{ann.id}.dm"
    ]
    assert "pizza" not in ann.ask("What shall I eat?").text


def test_wrong_requests_are_refused(world: World) -> None:
    """A wrong token is 401, a wrong body 400, a model that is away 503; GET is not allowed."""
    assert post(world, "MZ0003", "hello", token="wrong")[0] == 401
    assert post(world, "mz 3", "hello")[0] == 400
    assert world.app.get("/ask")[0] == 405
    assert world.rows("SELECT 1 FROM messages WHERE user_id = 'MZ0003'") == []
    world.model_fault(status=500, times=-1, kind="reply")
    status, text = post(world, "MZ0003", "hello there")
    assert status == 503
    assert text in error_sentences("model_down")
