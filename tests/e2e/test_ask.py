"""`POST /ask`, as the second article's curl calls it: a person of its own, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import App, own_app
from tests.e2e.messages import Json, error_sentences, told
from tests.e2e.signed import JSON
from tests.e2e.world import World

TOKEN = "kioku-token-1234"
CLOUD = (
    "クラウドサービス全般に興味があり、"
    "特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています"
)
AGENTS = (
    "新しく気になる技術として、AIエージェントを活用した取り組みにも強い興味を持つようになりました"
)
TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"


class Caller:
    """Somebody with curl."""

    def __init__(self, world: World) -> None:
        self.world = world

    def post(
        self, body: bytes, *, token: bytes | None = b"Bearer " + TOKEN.encode(), kind: str = JSON
    ) -> tuple[int, str]:
        """Post a body; returns status and text."""
        headers = {"content-type": kind}
        if token is not None:
            headers["authorization"] = token.decode("latin-1")
        return self.world.app.post("/ask", body, headers)

    def ask(self, user_id: str, prompt: str) -> str:
        """Ask as the article does; returns the text of the answer."""
        self.world.spoken.append(prompt)
        status, text = self.post(json.dumps({"user_id": user_id, "prompt": prompt}).encode())
        assert status == 200, text
        return text

    def memories(self, user_id: str) -> list[Json]:
        """Wait until all that this user said is taken up; return their memories."""
        self.world.until(
            lambda: self.world.rows(
                "SELECT 1 FROM turns WHERE team_id = 'API' AND user_id = %s"
                " HAVING bool_and(formed_at IS NOT NULL)",
                user_id,
            ),
            "a formation of every turn",
        )
        return self.world.rows(
            "SELECT prefix, key, value FROM store WHERE starts_with(prefix, %s)"
            " ORDER BY created_at",
            f"chat.API.{user_id}.",
        )

    def everything(self) -> list[Any]:
        """Return all that is stored."""
        return [
            self.world.rows("SELECT * FROM store ORDER BY prefix, key"),
            self.world.rows("SELECT * FROM turns ORDER BY id"),
            self.world.rows("SELECT * FROM inbox_events ORDER BY id"),
        ]


@pytest.fixture(scope="module")
def asking_app(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """An app with `/ask`, in a workspace and with a database of its own."""
    log = tmp_path_factory.mktemp("asking") / "log"
    with own_app(postgres, log, KIOKU_API_TOKEN=TOKEN) as app:
        yield app


@pytest.fixture
def caller(asking_app: App) -> Iterator[Caller]:
    """Somebody with curl and the token; nothing they say is logged."""
    with closing(World(asking_app)) as world:
        world.calm()
        yield Caller(world)
        world.calm()
        world.settled()
        assert world.leaks() == []


def test_as_in_the_article(caller: Caller) -> None:
    """Two statements, then a question: answered with both, and generally for somebody else."""
    assert caller.ask("MZ0001", CLOUD)
    assert caller.ask("MZ0001", AGENTS)
    kept = {row["value"]["content"]["topic"] for row in caller.memories("MZ0001")}
    assert {"AWS", "Azure"} <= kept
    assert any("AIエージェント" in topic for topic in kept)
    personal = caller.ask("MZ0001", TOPICS)
    assert any(topic in personal for topic in kept)
    general = caller.ask("MZ0002", TOPICS)
    assert general
    assert not [topic for topic in kept if f"**{topic}**" in general]
    assert caller.memories("MZ0002") == []
    [prompt] = [p for p in caller.world.prompts(TOPICS) if p["answer"]["text"] == general]
    assert "AWS" not in told(prompt)


def test_a_statement_is_known_before_it_is_formed(caller: Caller) -> None:
    """What was said a moment ago is known, formed or not."""
    caller.ask("MZ0003", "I love ramen")
    assert "ramen" in caller.ask("MZ0003", "What shall I eat?")


def test_a_namespace_of_its_own(caller: Caller) -> None:
    """Memories lie in chat.API.<user_id>.dm, their sources in no Slack channel."""
    caller.ask("MZ0004", "I love ramen")
    [row] = caller.memories("MZ0004")
    assert row["prefix"] == "chat.API.MZ0004.dm"
    assert row["value"]["sources"][0]["channel"] == "APIMZ0004"


def test_a_caller_reaches_no_person_of_slack(caller: Caller) -> None:
    """With a Slack person's id as user_id nothing of that person is known, nor the other way."""
    world = caller.world
    ann = world.human()
    world.ask(ann, "I love tempura")
    before = world.formed(ann)
    assert len(before) == 1
    assert "tempura" not in caller.ask(ann.id, "What shall I eat?")
    caller.ask(ann.id, "I love pizza")
    [stored] = caller.memories(ann.id)
    assert stored["prefix"] == f"chat.API.{ann.id}.dm"
    assert world.memories(ann) == before
    assert "pizza" not in world.ask(ann, "What shall I eat?").text
    assert "pizza" not in json.dumps(world.command(ann, "/memories"))
    for prompt in world.prompts("What shall I eat?"):
        assert ("tempura" in told(prompt)) != ("tempura" not in prompt["answer"]["text"])


def test_a_caller_gets_no_memory_tools(caller: Caller) -> None:
    """There is nobody to press a button: a web search is all that is offered."""
    caller.ask("MZ0005", "forget everything about me")
    [prompt] = caller.world.prompts("forget everything about me")
    assert [tool["name"] for tool in prompt["body"].get("tools", [])] == ["search_web"]


@pytest.mark.parametrize(
    "token",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Bearer " + TOKEN[:-1].encode(),
        b"Bearer " + TOKEN.encode() + b"x",
        b"Bearer " + TOKEN.upper().encode(),
        b"Basic " + TOKEN.encode(),
        TOKEN.encode(),
        b"Bearer \xff\xfe",
        "Bearer トークン".encode(),
    ],
)
def test_a_wrong_bearer(caller: Caller, token: bytes | None) -> None:
    """Without the right token the answer is 401 in one sentence, and nothing is done."""
    before = caller.everything()
    body = json.dumps({"user_id": "MZ0001", "prompt": "hello"}).encode()
    status, text = caller.post(body, token=token)
    assert (status, text.count(".")) == (401, 1)
    assert caller.everything() == before
    assert caller.world.journal() == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_in_any_case(caller: Caller, scheme: str) -> None:
    """The scheme's name is read in any case, as HTTP has it."""
    body = json.dumps({"user_id": "MZ0006", "prompt": "ok thanks"}).encode()
    assert caller.post(body, token=f"{scheme} {TOKEN}".encode())[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"MZ0001"',
        b"\xff\xfe",
        b"[" * 5_000,
        b"user_id=MZ0001&prompt=hello",
        *(
            json.dumps(one).encode()
            for one in (
                {},
                {"user_id": "MZ0001"},
                {"prompt": "hello"},
                {"user_id": "MZ0001", "prompt": ""},
                {"user_id": "MZ0001", "prompt": "  "},
                {"user_id": "MZ0001", "prompt": 7},
                {"user_id": "MZ0001", "prompt": None},
                {"user_id": "MZ0001", "prompt": "\x00"},
                {"user_id": 7, "prompt": "hello"},
                {"user_id": None, "prompt": "hello"},
                {"user_id": "", "prompt": "hello"},
                {"user_id": "mz0001", "prompt": "hello"},
                {"user_id": "MZ 0001", "prompt": "hello"},
                {"user_id": "MZ0001\n", "prompt": "hello"},
                {"user_id": "MZ.0001", "prompt": "hello"},
                {"user_id": "%", "prompt": "hello"},
                {"user_id": "../U1", "prompt": "hello"},
                {"user_id": "ＭＺ０００１", "prompt": "hello"},
                {"user_id": "A" * 65, "prompt": "hello"},
                {"user_id": ["MZ0001"], "prompt": "hello"},
            )
        ),
    ],
)
def test_a_bad_request(caller: Caller, body: bytes) -> None:
    """A bad id, a missing prompt or no JSON is 400 with one sentence that shows what to send."""
    before = caller.everything()
    status, text = caller.post(body)
    assert status == 400
    assert "user_id" in text
    assert text.strip().count("\n") == 0
    assert caller.everything() == before


def test_an_unknown_charset(caller: Caller) -> None:
    """A charset that nobody knows is a bad request like any other."""
    status, _ = caller.post(b"{}", kind=f"{JSON}; charset=klingon")
    assert status == 400


def test_without_the_model_the_caller_is_told(caller: Caller) -> None:
    """While the model is away the answer is 503 with the sentence people read, and no secret."""
    caller.world.model_fault(status=500, times=-1, kind="reply")
    body = json.dumps({"user_id": "MZ0007", "prompt": "hello there"}).encode()
    status, text = caller.post(body)
    assert status == 503
    assert text in error_sentences("model_down")


@pytest.mark.one_mode
def test_off_without_a_token(world: World) -> None:
    """Where no token is set there is no such page, whatever is sent."""
    caller = Caller(world)
    body = json.dumps({"user_id": "MZ0001", "prompt": "hello"}).encode()
    for token in (None, b"Bearer " + TOKEN.encode(), b"Bearer ", b"Bearer None"):
        assert caller.post(body, token=token)[0] == 404


def test_only_post(caller: Caller) -> None:
    """Nothing can be read there with a GET."""
    assert caller.world.app.get("/ask")[0] == 405
