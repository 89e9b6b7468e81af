"""The front and the worker together: stories, a sleeping database, a rotated secret, kills."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from bot.locale import say
from bot.views.home import HOME_PAUSE_ACTION
from bot.views.modal_triggers import ADD_ACTION
from memory import EmbeddedPostgres
from playground.http_delivery import sign
from tests.collector import TRUE_NAMES, Collector
from tests.deploy.aws.conftest import API_TOKEN, WORKER_SECONDS, Aws, asleep
from tests.e2e.messages import Human, error_sentences
from tests.e2e.test_changes_shown import PersonScreen
from tests.e2e.test_offboarding import left_of
from tests.e2e.world import World

INTERESTS = (
    "クラウドサービス全般に興味があり、特にAWS、Azureの基本的な知識を徐々に深めていきたいと思っています",
    "新しく気になる技術として、AIエージェントを活用した取り組みにも強い興味を持つようになりました",
)
TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"


def call(aws: Aws, user: str, prompt: str, token: str = API_TOKEN) -> tuple[int, str]:
    """Make the article's call; return status and text."""
    request = urllib.request.Request(
        aws.cloud.url + "/",
        json.dumps({"user_id": user, "prompt": prompt}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_articles_call(aws: Aws) -> None:
    """Two statements over the Function URL, then a personal third answer, and a generic one."""
    for statement in INTERESTS:
        assert call(aws, "MZ0001", statement)[0] == 200
    status, personal = call(aws, "MZ0001", TOPICS)
    _, generic = call(aws, "MZ0002", TOPICS)
    assert status == 200
    assert all(topic in personal for topic in ("AWS", "Azure", "AIエージェント"))
    assert "生成AI" in generic
    assert "Azure" not in generic
    rows = aws.world.rows("SELECT value FROM store WHERE prefix = 'chat.API.MZ0001.dm'")
    assert {row["value"]["kind"] for row in rows} == {"UserTechInterest"}
    assert call(aws, "MZ0001", TOPICS, token="guessed")[0] == 401
    assert call(aws, "mz 1", TOPICS)[0] == 400
    aws.let_go()


def test_stories_with_repeated_and_reordered_deliveries(aws: Aws) -> None:
    """Food and technology are told, answered once each and built on, however Slack delivers."""
    world = aws.world
    world.playground("delivery", {"deliveries": [1, 3], "jitter_ms": 300})
    aki = world.human("Aki", locale="ja-JP")
    for statement in ("ラーメンが大好きです!!", "パスタも好きです", *INTERESTS):
        world.ask(aki, statement)
        aws.quiet()
    world.ask(aki, "パスタは嫌いになりました")
    aws.quiet()
    answer = world.ask(aki, TOPICS).text
    aws.quiet()
    assert all(topic in answer for topic in ("AWS", "Azure"))
    foods = [
        row["value"]["content"]["food_name"]
        for row in world.memories(aki)
        if row["value"]["kind"] == "UserFoodPreference"
    ]
    assert foods == ["ラーメン"]
    assert "ラーメン" in world.command(aki, "/memories")["text"]
    aws.quiet()
    aws.let_go()


def test_while_aurora_sleeps(aws: Aws) -> None:
    """The front answers in time, the person is told, one reply comes and one memory is formed."""
    world = aws.world
    world.ask(world.human("Warm"), "hello")  # cold starts are another matter
    aws.quiet()
    aws.cloud.front_seconds.clear()
    before = len(world.calls("assistant.threads.setStatus"))
    with (
        tempfile.TemporaryDirectory(prefix="k") as folder,
        asleep(aws.database, Path(folder), 15.0) as through,
    ):
        aws.write_database_secret(through)
        aws.worker.end_idle()  # a cold start reads the secret
        mia = world.human("Mia")
        said = world.say(mia, "I'm vegetarian")
        reply = world.reply(said, 60)
        aws.quiet()
    shown = [c["args"]["status"] for c in world.calls("assistant.threads.setStatus")[before:]]
    assert any("starting up" in status for status in shown)
    assert reply.text
    assert len(world.memories(mia)) == 1
    deliveries = world.playground("deliveries?since=0")["deliveries"]
    assert {delivery["outcome"] for delivery in deliveries} == {"acked"}
    assert max(aws.cloud.front_seconds) < 3.0, "Slack would have delivered it again."
    aws.let_go()


@pytest.fixture
def rotating(aws: Aws, postgres: EmbeddedPostgres) -> Iterator[Callable[[], None]]:
    """A login whose password counts; calling what is yielded rotates it as Secrets Manager does."""
    login = f"login_{uuid4().hex[:8]}"
    with psycopg.connect(aws.database, autocommit=True) as owner:
        rules = Path(owner.execute("SHOW hba_file").fetchall()[0][0])
        kept = rules.read_text()
        rules.write_text(f"local all {login} scram-sha-256\n{kept}")

        def rotate() -> None:
            password = uuid4().hex
            owner.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(login), sql.Literal(password)
                )
            )
            aws.write_database_secret(
                psycopg.conninfo.make_conninfo(aws.database, user=login, password=password)
            )

        for statement in (
            "CREATE ROLE {} LOGIN",
            "GRANT kioku_app TO {} WITH INHERIT FALSE",
            "GRANT kioku_queue TO {}",
        ):
            owner.execute(sql.SQL(statement).format(sql.Identifier(login)))
        owner.execute("SELECT pg_reload_conf()")
        try:
            yield rotate
        finally:
            rules.write_text(kept)
            owner.execute("SELECT pg_reload_conf()")
            aws.quiet()
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_the_secret_rotates_in_mid_flight(aws: Aws, rotating: Callable[[], None]) -> None:
    """A password that changes while a turn runs, and between turns, fails no turn."""
    world = aws.world
    rotating()
    ann = world.human()
    world.ask(ann, "I like ramen")
    aws.quiet()
    rotating()
    world.ask(ann, "I like tempura")
    world.pace(first_token_ms=1_500)
    said = world.say(ann, "What else is there?")
    world.until(lambda: world.prompts("What else is there?") or None, "a request to the model")
    rotating()
    world.reply(said)
    world.pace(first_token_ms=0)

    def formed() -> bool:
        aws.run_schedule()
        return len(world.memories(ann)) == 2

    world.until(formed, "two memories", 60)
    [turn] = world.turns(said)
    assert turn["status"] == "answered"


@pytest.mark.parametrize("step", ["before the model", "in the stream", "before the end", "forming"])
@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message", because="the killed worker left its stream live"
)
def test_a_worker_killed_by_its_time_limit(aws: Aws, step: str) -> None:
    """Whatever it was doing, the next invocation finishes it: one reply, one memory."""
    world = aws.world
    ann = world.human()
    text = "I love green tea tempura"
    with psycopg.connect(aws.database) as holder:
        if step == "before the model":
            holder.execute("LOCK TABLE turns IN EXCLUSIVE MODE")
        if step == "in the stream":
            world.pace(first_token_ms=0, token_ms=600, chunk_chars=4)
        if step == "forming":
            holder.execute("LOCK TABLE store IN SHARE MODE")
        said = world.say(ann, text)
        if step == "before the model":
            world.until(lambda: world.inbox(said) or None, "a stored message")
        elif step == "in the stream":
            world.until(lambda: [m for m in world.answers(said) if m.get("streaming")], "a stream")
        elif step == "before the end":
            world.until(lambda: world.turns(said) or None, "a turn")
            holder.execute("LOCK TABLE turns IN SHARE MODE")
            world.until(lambda: world.prompts(text) or None, "a request to the model")
        else:
            world.until(lambda: world.journal("formation") or None, "a formation")
        assert aws.worker.kill_all() >= 1
        holder.rollback()
    world.pace(first_token_ms=0, token_ms=0, chunk_chars=12)

    def done() -> bool:
        aws.run_schedule()
        return bool(world.memories(ann)) and not aws.schedules()

    world.until(done, "an end of all that was left", 60)
    world.reply(said)
    assert len(world.answers(said)) == 1
    assert len(world.memories(ann)) == 1
    aws.let_go()


def test_an_answer_that_does_not_end_is_cut_before_the_work_ends(aws: Aws) -> None:
    """A model that writes on and on is not asked again by one invocation after the other."""
    world = aws.world
    ann = world.human()
    world.ask(ann, "hello")  # cold starts are another matter
    aws.quiet()
    world.script("Once upon a time there was a person who liked ramen. " * 40)
    world.pace(first_token_ms=0, token_ms=400, chunk_chars=4)
    aws.worker.seconds = 30.0  # of which twenty are kept for the end
    try:
        said = world.say(ann, "Tell me a story")
        reply = world.reply(said, 25)
        aws.quiet()
    finally:
        aws.worker.seconds = WORKER_SECONDS
    assert say("en", "cut_slow") in reply.text
    assert [row["attempts"] for row in world.inbox(said)] == [1]


def post(aws: Aws, body: bytes) -> int:
    """Send the front a body, signed as Slack signs it; return the status."""
    at = str(int(time.time()))
    request = urllib.request.Request(
        f"{aws.cloud.url}/slack/events",
        body,
        {
            "content-type": "application/json",
            "x-slack-request-timestamp": at,
            "x-slack-signature": sign(str(aws.world.slack.info["signing_secret"]), at, body),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.failed_calls(
    "auth.test: account_inactive",
    "assistant.threads.setStatus: account_inactive",
    because="The token is dead, maybe before the last status of the answer is set.",
)
def test_a_cold_start_handles_an_uninstall(aws: Aws) -> None:
    """Though the token is dead when the event arrives, nothing of the workspace is left."""
    world, installed_at = aws.world, int(time.time())
    ann = world.human("Ann")
    world.ask(ann, "I love ramen")
    aws.quiet()
    assert world.memories(ann)
    aws.worker.end_idle()
    world.playground("uninstall", {"events": ["app_uninstalled"]})
    try:
        world.until(lambda: not left_of(world, world.team) or None, "the purge")
        aws.quiet()
        assert aws.schedules()
        # Nor is an event that is delivered late an error, though the token is dead.
        aws.worker.end_idle()
        message = {"type": "message", "channel": "D0123456789", "channel_type": "im"}
        message |= {"user": ann.id, "text": "I love tea"}
        callback = {
            "type": "event_callback",
            "team_id": world.team,
            "event_id": "EvLate",
            "event_time": installed_at,
            "event": {
                **message,
                "ts": f"{installed_at}.000100",
                "event_ts": f"{installed_at}.000100",
            },
        }
        assert post(aws, json.dumps(callback).encode()) == 200
        aws.quiet()
        aws.worker.end_idle()
        aws.run_schedule()
        assert aws.worker.dead_letters == []
        assert left_of(world, world.team) == {}
        assert aws.schedules()
        # The app is installed again, but the secret has the old token: no message is dropped.
        callback |= {"event_id": "EvNew", "event_time": installed_at + 3600}
        assert post(aws, json.dumps(callback).encode()) == 200
        aws.quiet()
        [kept] = aws.worker.dead_letters
        assert "EvNew" in json.dumps(kept)
        aws.worker.dead_letters.clear()
    finally:
        world.playground("install", {})
    world.rows("UPDATE workspaces SET purge_started_at = now() - interval '1 h' RETURNING 1")
    aws.worker.end_idle()
    aws.run_schedule()
    world.ask(ann, "I love sushi")
    aws.quiet()
    assert len(world.memories(ann)) == 1
    aws.let_go()


def test_without_the_queue_events_come_again_and_people_are_told(aws: Aws) -> None:
    """An event comes again; who types a command, or clicks in a modal or Home, is told."""
    world = aws.world
    ann = world.human()
    assert world.playground("home/open", {"user": ann.id, "tab": "home"})
    home = world.until(lambda: _home(world, ann), "a Home")
    aws.quiet()
    front = aws.cloud.functions["front"]
    front.end_idle()
    front.variables = {**front.variables, "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9"}
    shown = world.command(ann, "/memories")
    assert shown["text"] in error_sentences("command_failed")
    clicked = {"user": ann.id, "view_id": home["id"]}
    world.playground("actions", {**clicked, "action_id": HOME_PAUSE_ACTION, "value": "hour"})
    above = world.until(lambda: _home(world, ann, after=home["hash"]), "the Home that says so")
    pause = next(n for n, one in enumerate(above["blocks"]) if HOME_PAUSE_ACTION in str(one))
    assert above["blocks"][pause + 1]["text"]["text"] in error_sentences("command_failed")
    world.playground("actions", {**clicked, "action_id": ADD_ACTION})
    PersonScreen(world, ann).modal(say("en", "command_failed"))
    said = world.say(ann, "I like ramen")
    world.until(lambda: aws.cloud.answered.count(503) > 0 or None, "a refused event")
    front.variables = {**front.variables, "AWS_ENDPOINT_URL_LAMBDA": aws.cloud.url}
    front.end_idle()
    world.reply(said)
    aws.quiet()


def _home(world: World, human: Human, after: str = "") -> dict[str, Any] | None:
    """Return a person's Home, if it is another one than that of this hash."""
    view = world.playground(f"home?as={human.id}")["view"]
    return dict(view) if view and view["hash"] != after else None


@pytest.mark.failed_calls("chat.startStream: feature_disabled", because="no stream ends it")
def test_the_session_of_the_last_answer_is_ended(aws: Aws) -> None:
    """A status call that is still under way when no work is left is waited for, and ended."""
    world = aws.world
    world.ask(world.human(), "hello")  # cold starts are another matter
    aws.quiet()
    # An answer waits two seconds for the call, and so does the end of the work.
    world.slack_fault("agents.sessions.setStatus", delay_ms=3_500)
    world.slack_fault("chat.startStream", error="feature_disabled")
    said = world.say(world.human(), "hello")
    world.reply(said)
    aws.quiet()

    def carried_out() -> bool:
        calls = world.calls("agents.sessions.setStatus")
        mine = [one for one in calls if one["args"]["thread_ts"] == said.ts]
        return [one["args"]["status"] for one in mine if one["executed"]] == [
            "processing",
            "active",
        ]

    world.until(carried_out, "both calls")
    assert world.session(said) == "active"


def test_modals_are_opened_by_the_front(aws: Aws) -> None:
    """A form opens within Slack's time, comes back with what is wrong in it, and is stored."""
    world = aws.world
    ann = PersonScreen(world, world.human())
    typed = {"user": ann.human.id, "channel": "dm", "command": "/memories", "text": "add"}
    assert world.playground("commands", typed)["ok"]
    form = ann.modal(say("en", "field_fact"))
    opened = world.calls("views.open")
    assert [call["executed"] for call in opened] == [True]
    assert ann.submit(form, **{"field.fact": "my password is hunter2hunter2"})["ok"]
    returned = ann.modal("hunter2hunter2")
    assert returned["id"] == form["id"]
    assert ":warning:" in json.dumps(returned["blocks"])
    assert ann.submit(returned, **{"field.fact": "I live in Osaka"})["ok"]
    ann.modal("Remembered: I live in Osaka")
    aws.quiet()
    assert [c["fact"] for c in world.contents(ann.human)] == ["I live in Osaka"]


def test_malformed_payloads_are_acknowledged(aws: Aws) -> None:
    """A malformed payload is acknowledged, what is no payload answered 400; no invocation fails."""
    world = aws.world
    deep = b"[" * 100_000 + b"]" * 100_000
    click = {"type": "block_actions", "user": {"id": world.human().id}, "team": {"id": world.team}}
    callback = {"type": "event_callback", "team_id": world.team, "event_id": "Ev1"}
    message = {"type": "message", "channel": "D1", "channel_type": "im", "ts": "1.2", "text": "a"}
    for body, expected in (
        (b'{"type": "event_callback", "event": ' + deep + b"}", {200}),
        (b"[]", {400}),
        (b"\xff\xfe", {401}),
        (json.dumps({**click, "actions": 7}).encode(), {200}),
        (json.dumps({**click, "view": "x"}).encode(), {200}),
        (json.dumps({**callback, "event": [message]}).encode(), {200}),
        (json.dumps({**callback, "event": {**message, "user": "../U1"}}).encode(), {200}),
        (json.dumps({**callback, "event": message, "authorizations": 7}).encode(), {200}),
        (json.dumps({**click, "actions": [{"action_id": 7}]}).encode(), {200}),
        (json.dumps({**callback, "event": {"type": "reaction_added"}}).encode(), {200}),
    ):
        assert post(aws, body) in expected, body[:80]
    aws.quiet()
    assert aws.worker.dead_letters == []
    assert world.ask(world.human(), "I love ramen").text


def test_no_name_switches_tracing_on(aws: Aws) -> None:
    """With every name of LangSmith's set, a turn and a formation of the functions send nothing."""
    functions = aws.cloud.functions.values()
    before = {function.name: function.variables for function in functions}
    with closing(Collector()) as collector:
        try:
            for function in functions:
                function.end_idle()
                function.variables = {**function.variables, **collector.settings(*TRUE_NAMES)}
            ann = aws.world.human()
            aws.world.ask(ann, "I love ramen")
            assert len(aws.world.formed(ann)) == 1
        finally:
            aws.quiet()
            for function in functions:
                function.end_idle()
                function.variables = before[function.name]
        assert collector.requests == []
