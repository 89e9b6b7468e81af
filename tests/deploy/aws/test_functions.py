"""The functions on Lambda: real PostgreSQL, the stand-in model, Secrets Manager by moto."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from itertools import product
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from psycopg.conninfo import conninfo_to_dict

from bot.conversation.inbox import ANSWER, store_message
from bot.conversation.turns import FORM_MEMORIES
from bot.runtime.ask import DATABASE_AWAY
from bot.runtime.problems import Problem
from deploy.aws import ask, migration
from memory import DM, Person
from tests.conftest import Server
from tests.databases import login_of, owner_rows
from tests.integration.messages import message
from tests.loopback import free_port
from tests.memories import put_memory
from tests.waiting import wait_until

TOKEN = "token-of-the-callers"
CLOUD = "クラウドサービス全般に興味があり、特にAWS、Azureの基本的な知識を徐々に深めていきたいです"
TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"


def _secret(name: str, content: dict[str, Any]) -> None:
    boto3.client("secretsmanager").create_secret(
        Name=name, SecretString=json.dumps(content)
    )


def _database(conninfo: str) -> dict[str, Any]:
    """Return what Amazon RDS writes into a secret."""
    parts = conninfo_to_dict(conninfo)
    return {
        "host": parts["host"],
        "port": int(parts.get("port") or 5432),
        "username": parts["user"],
        "password": "unused",
        "dbname": parts["dbname"],
    }


@pytest.fixture
def on_lambda(
    monkeypatch: pytest.MonkeyPatch, stand_in: Server
) -> Iterator[pytest.MonkeyPatch]:
    """The variables and secrets of the functions, but for the database's."""
    root, level, handlers = logging.getLogger(), logging.getLogger().level, None
    handlers = [*root.handlers]
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "MODEL_SECRET": "model",
        "DATABASE_SECRET": "login",
        **stand_in.model_settings,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OPENAI_API_KEY")
    ask._settings.cache_clear()
    with (
        mock_aws(),
        patch.dict("os.environ"),
    ):  # the functions switch telemetry off in it
        _secret("model", {"OPENAI_API_KEY": "stand-in", "KIOKU_API_TOKEN": TOKEN})
        yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)


def post(
    prompt: object,
    user_id: str = "MZ0001",
    token: str = TOKEN,
    handler: Any = ask.handler,
) -> tuple[int, str]:
    """Call the function as its URL does; Lambda encodes a body now and then."""
    body = json.dumps({"user_id": user_id, "prompt": prompt}).encode()
    event = {
        "version": "2.0",
        "headers": {"authorization": f"Bearer {token}"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    answer = handler(event, None)
    return answer["statusCode"], answer["body"]


def test_ask_remembers_as_in_the_article(
    on_lambda: pytest.MonkeyPatch, database: str, stand_in: Server
) -> None:
    """What somebody said is in the store when the call ends, and in their next answer alone."""
    _secret("login", _database(login_of(database)))
    assert post(CLOUD)[0] == 200
    kept = owner_rows(
        database, "SELECT prefix, value->'content'->>'topic' AS topic FROM store"
    )
    assert {row["prefix"] for row in kept} == {"chat.API.MZ0001.dm"}
    assert {"AWS", "Azure"} <= {row["topic"] for row in kept}
    # PostgreSQL ends its side of a closed connection a moment later.
    connected = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE usename = 'kioku_login' AND datname = current_database()"
    )
    wait_until(
        lambda: not owner_rows(database, connected), "a database that could pause"
    )
    status, personal = post(TOPICS)
    assert (status, "AWS" in personal) == (200, True)
    status, general = post(TOPICS, "MZ0002")
    assert (status, "AWS" in general) == (200, False)


def test_an_answer_is_returned_although_no_memory_can_be_formed(
    on_lambda: pytest.MonkeyPatch, database: str, stand_in: Server
) -> None:
    """Its words stay, and a later call forms memories from them."""
    _secret("login", _database(login_of(database)))
    for endpoint, kind in product(("responses", "chat"), ("formation", "probe")):
        broken = {"endpoint": endpoint, "kind": kind, "status": 500, "times": -1}
        stand_in.call("/_model/faults", broken)
    try:
        assert post(CLOUD)[0] == 200
    finally:
        stand_in.call("/_model/faults", method="DELETE")
    assert owner_rows(database, "SELECT 1 FROM store") == []
    owner_rows(database, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    assert post(TOPICS)[0] == 200
    assert owner_rows(database, "SELECT 1 FROM store WHERE value::text LIKE '%AWS%'")


def test_an_answer_is_returned_although_the_queue_cannot_be_worked(
    on_lambda: pytest.MonkeyPatch, database: str
) -> None:
    """As when PostgreSQL is lost: asked again, the model would give another answer."""
    _secret("login", _database(login_of(database)))
    owner_rows(
        database, "REVOKE ALL ON procrastinate_workers FROM kioku_queue, kioku_app"
    )
    assert post(CLOUD)[0] == 200
    owner_rows(database, "GRANT ALL ON procrastinate_workers TO kioku_queue, kioku_app")
    assert post(TOPICS)[0] == 200
    assert owner_rows(database, "SELECT 1 FROM store WHERE value::text LIKE '%AWS%'")


async def _store_message_in_slack() -> None:
    async with ask._open_app(ask._settings()) as app:
        assert await store_message(app, message())


def test_a_call_beside_the_service_runs_none_of_its_jobs(
    on_lambda: pytest.MonkeyPatch, database: str
) -> None:
    """A message in Slack would be lost: the function has no token to answer it."""
    _secret("login", _database(login_of(database)))
    asyncio.run(_store_message_in_slack())
    assert post(CLOUD, handler=ask.handler_beside_service)[0] == 200
    jobs = owner_rows(
        database,
        "SELECT task_name, status, attempts FROM procrastinate_jobs ORDER BY 1",
    )
    assert [tuple(job.values()) for job in jobs] == [
        (ANSWER, "todo", 0),
        (FORM_MEMORIES, "todo", 0),
    ]


def test_the_upkeep_deletes_what_is_past_its_retention(
    on_lambda: pytest.MonkeyPatch, database: str
) -> None:
    """Without the service no worker does it: the function's hourly call does."""
    _secret("login", _database(login_of(database)))
    assert post(CLOUD)[0] == 200
    old = "UPDATE messages SET begun_at = begun_at - interval '31 days' RETURNING question"
    assert owner_rows(database, old)[0]["question"] != ""
    ask.keep_up_handler({}, None)
    assert owner_rows(database, "SELECT question FROM messages") == [{"question": ""}]


@pytest.mark.usefixtures("on_lambda")
def test_a_database_that_cannot_be_reached_is_a_503() -> None:
    """With a sentence, as from the service."""
    port = free_port()
    login = {
        "host": "127.0.0.1",
        "port": port,
        "username": "x",
        "password": "x",
        "dbname": "x",
    }
    _secret("login", login)
    assert post("Hello") == (503, DATABASE_AWAY)


@pytest.mark.parametrize(
    ("prompt", "token", "status"),
    [("Hello", "wrong", 401), ("", TOKEN, 400), (7, TOKEN, 400)],
)
def test_a_refused_call_does_not_wake_the_database(
    on_lambda: pytest.MonkeyPatch, prompt: object, token: str, status: int
) -> None:
    """There is no database here: the answer comes before anything is opened."""
    _secret(
        "login",
        {"host": "::", "port": 1, "username": "x", "password": "x", "dbname": "x"},
    )
    assert post(prompt, token=token)[0] == status


@pytest.fixture
def as_owner(on_lambda: pytest.MonkeyPatch, empty_database: str) -> str:
    """An empty database, whose owner's secret the migration function has."""
    on_lambda.setenv("DATABASE_OWNER_SECRET", "owner")
    _secret("owner", _database(empty_database))
    _secret("login", _database(login_of(empty_database)))
    return empty_database


@pytest.mark.usefixtures("as_owner")
def test_the_migration_creates_the_tables_and_the_user_that_serves() -> None:
    """It alone has the owner's secret; a second deployment applies nothing."""
    assert migration.handler({}, None)["applied"]
    assert migration.handler({}, None)["applied"] == []
    assert post(CLOUD)[0] == 200


def test_another_embedding_model_takes_a_call_of_the_migration_by_hand(
    on_lambda: pytest.MonkeyPatch, as_owner: str
) -> None:
    """A deployment with it ends with a sentence, and embeds nothing."""
    on_lambda.setenv("KIOKU_EMBEDDING_MODEL", "text-embedding-3-small")
    assert migration.handler({}, None)["applied"]
    fact = {"kind": "UserFact", "content": {"fact": "I live in Osaka"}}
    namespace = Person("API", "MZ0001").namespace(DM)
    vector = "[1" + ",0" * 1_535 + "]"
    put_memory(as_owner, namespace, fact, vector=vector)
    assert migration.handler({}, None)["applied"] == []
    on_lambda.setenv("KIOKU_EMBEDDING_MODEL", "text-embedding-3-large")
    with pytest.raises(Problem, match="kioku migrate --yes"):
        migration.handler({}, None)
    migration.handler({"embed_again": True}, None)
    sizes = "SELECT vector_dims(embedding) AS size FROM store_vectors"
    assert owner_rows(as_owner, sizes) == [{"size": 3072}]
