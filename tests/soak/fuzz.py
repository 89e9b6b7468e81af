"""Mutated payloads at every HTTP entry point: signed as Slack signs, and at ``/ask``.

What the app is really sent is recorded: people write, type every command, click every button and
submit every form in the playground, and a relay keeps each request. Requests are made of these by
dropping, duplicating and retyping fields, and by NULs, lone surrogates, huge texts, deep nesting,
foreign ids and broken encodings. A seed repeats the choices.
"""

from __future__ import annotations

import asyncio
import copy
import io
import json
import random
import re
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import aiohttp
import psycopg
from psycopg.rows import dict_row

from slack_playground.http_delivery import sign
from tests.e2e.app import App
from tests.e2e.messages import Human, Json
from tests.e2e.workspace import Workspace
from tests.event_shapes import DEEP, encoded, places
from tests.loopback import Handler, ThreadServer, fetched
from tests.soak.table import Table, tell

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
API_TOKEN = "token-of-the-fuzz"
SETTINGS = {"KIOKU_API_TOKEN": API_TOKEN}
SECRET_WORD = "xylophone"
SENDERS = 4
RETRIES = 4
SETTLE_SECONDS = 120.0
_COMMANDS = (
    *("/memories", "/memories  ", "/memories ramen", "/memories nothing", "/memories help"),
    *("/memories settings", "/memories pause", "/memories resume", "/memories incognito"),
    *("/forget", "/forget ramen", "/forget everything"),
)
_WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, 1e308, "", " ", "\x00", "\ud800", "a\ud83d", "\u202e"),
    *([], {}, [[]], [None], {"": None}, ["\x00"], {"\x00": "\ud800"}, DEEP),
    *("U0000000000", "T0000000000", "C0000000000", "../..", "%", "{}", "<@U1>", "1.2.3", "nan"),
    *("block_actions", "view_submission", "message", "app_mention", "im", "home", "modal"),
)


@dataclass(frozen=True)
class Sent:
    """One request: the entry point, the content type and the body."""

    path: str
    kind: str
    body: bytes


class Relay:
    """An HTTP server between the playground and the app, which keeps what passes."""

    def __init__(self, target: str) -> None:
        self.sent: list[Sent] = []
        sent = self.sent

        class Relaying(Handler):
            def respond(self) -> None:
                body = self.body()
                sent.append(Sent(self.path, self.headers["content-type"], body))
                headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                status, answered, text = fetched(target, body, headers)
                self.answer(status, answered.get("content-type", "text/plain"), text)

        server = ThreadServer(Relaying)
        self.url = f"{server.url}/slack/events"
        self.close = server.close


class Visit:
    """One person who uses every command, button and form."""

    def __init__(self, workspace: Workspace, human: Human) -> None:
        self._workspace = workspace
        self._human = human
        self._clicked: set[str] = set()

    def all(self) -> None:
        """Write, command, click and submit."""
        for text in ("I love ramen", "what do you remember about me?", "remember that I like tea"):
            self._workspace.say(self._human, text)
        channel = self._workspace.channel("public", self._human)
        root = self._workspace.say(self._human, "<@BOT> hello", channel=channel)
        self._workspace.say(self._human, "and again", under=root)
        self._act("messages/edit", {"channel": channel, "ts": root.ts, "text": "<@BOT> edited"})
        shortcut = {"callback_id": "remember_this", "channel": channel, "ts": root.ts}
        self._act("shortcuts", shortcut)
        self._settle()
        for command in _COMMANDS:
            name, _, text = command.partition(" ")
            self._act("commands", {"channel": "dm", "command": name, "text": text})
            self._settle()
            self._click_all()
        for tab in ("messages", "home"):
            self._act("home/open", {"tab": tab})
        self._settle()
        self._click_all()

    def _act(self, path: str, body: Json) -> None:
        try:
            self._workspace.playground(path, {"user": self._human.id, **body})
        except urllib.error.HTTPError as refused:
            refused.close()

    def _settle(self) -> None:
        end = time.monotonic() + 20
        while self._workspace.playground("state")["deliveries_waiting"] and time.monotonic() < end:
            threading.Event().wait(0.05)
        threading.Event().wait(0.3)

    def _get(self, path: str) -> Json:
        return self._workspace.playground(f"{path}?as={self._human.id}")

    def _click_all(self) -> None:
        for message in self._get("channels/dm/messages")["messages"]:
            where = {"channel": "dm", "message_ts": message["ts"]}
            self._click(message.get("blocks", []), where)
        self._submit_all()
        home = self._get("home")["view"]
        if home:
            self._click(home["blocks"], {"view_id": home["id"]})
        self._submit_all()

    def _click(self, blocks: Sequence[Json], where: Json) -> None:
        for block in blocks:
            held = [block.get("accessory"), block.get("element"), *(block.get("elements") or ())]
            for element in filter(None, held):
                action = element.get("action_id", "")
                if not action or action in self._clicked:
                    continue
                self._clicked.add(action)
                options = element.get("options") or [{}]
                for value in {str(one.get("value")) for one in options[:6]}:
                    chosen = {} if value == "None" else {"value": value}
                    self._act("actions", {**where, "action_id": action, **chosen})
                    self._settle()
                    self._submit_all()

    def _submit_all(self) -> None:
        for _ in range(4):
            views = self._get("views")["views"]
            if not views:
                return
            view = views[-1]
            self._click(view["blocks"], {"view_id": view["id"]})
            texts = {
                block["block_id"]: "ramen"
                for block in view["blocks"]
                if block["type"] == "input" and block["element"]["type"] == "plain_text_input"
            }
            for values in (texts, {}):
                self._act("views/submit", {"view_id": view["id"], "values": values})
                self._settle()
            self._act("views/close", {"view_id": view["id"]})


def mutated(seed: Sent, chance: random.Random) -> Sent:
    """Return a request made of `seed`: its fields changed, or its bytes."""
    if chance.random() < 0.12:
        return _broken(seed, chance)
    payload, wrap = _opened(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        payload = _changed(payload, chance)
    if isinstance(payload, dict) and "event_id" in payload and chance.random() < 0.9:
        payload["event_id"] = f"Ev{chance.getrandbits(48):X}"
    return Sent(seed.path, seed.kind, wrap(payload))


def _opened(seed: Sent) -> tuple[Any, Callable[[Any], bytes]]:
    if not seed.kind.startswith(FORM):
        return json.loads(seed.body), encoded
    form = dict(parse_qsl(seed.body.decode(), keep_blank_values=True))
    if "payload" in form:
        return json.loads(form["payload"]), lambda one: urlencode(
            {"payload": encoded(one)}
        ).encode()
    return form, _form


def _form(payload: Any) -> bytes:
    if not isinstance(payload, dict):
        return encoded(payload)
    return urlencode(
        {str(k).encode(errors="surrogatepass"): _text(v) for k, v in payload.items()}
    ).encode()


def _text(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="surrogatepass")


def _broken(seed: Sent, chance: random.Random) -> Sent:
    body = bytearray(seed.body)
    kind = seed.kind
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(body) + 1)
        match chance.randrange(7):
            case 0:
                del body[at:]
            case 1:
                body[at:at] = chance.choice(
                    (b"\xff\xfe", b"\x00", b"%00", b"%", b"%FF", b"\\ud800")
                )
            case 2:
                body[at : at + chance.randrange(40)] = b""
            case 3:
                body[at:at] = bytes(body[: chance.randrange(200)])
            case 4:
                kind = chance.choice((JSON, FORM, "", "text/plain", f"{JSON}; charset=klingon"))
            case 5:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                body = bytearray(chance.choice((b"", b"{}", b"[]", b"null", b"payload=", b"0")))
    return Sent(seed.path, kind, bytes(body))


def _changed(payload: Any, chance: random.Random) -> Any:
    found = list(places(payload))
    if not found:
        return copy.deepcopy(chance.choice(_WRONG))
    holder, key = chance.choice(found)
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1:
            holder[key] = "ア" * 10 ** chance.randint(2, 4)
        case 2:
            holder[key] = [holder[key], holder[key]]
        case 3:
            holder[key] = {"value": holder[key]}
        case 4 if isinstance(holder[key], str):
            holder[key] += chance.choice(("\x00", "\ud800", "x" * 3_000, " everything", "-1"))
        case 5:
            other, name = chance.choice(found)
            holder[key] = json.loads(json.dumps(other[name]))
        case _:
            # A copy: a later change would alter the list of wrong values, or nest it in itself.
            holder[key] = copy.deepcopy(chance.choice(_WRONG))
    return payload


class Fuzz:
    """One run against an app that is served over HTTP."""

    def __init__(self, app: App, seed: int) -> None:
        self.app = app
        self.seed = seed
        self.workspace = Workspace(app.slack)
        self.address = f"http://127.0.0.1:{app.port}"
        self.secret = str(app.slack.info["signing_secret"])
        self.answers = Counter[str]()
        self.failures: list[str] = []

    def run(self, table: Table, count: int) -> None:
        """Record, send `count` mutated requests, and say what was found."""
        chance = random.Random(self.seed)
        [bystander] = self.workspace.people(1)
        self.workspace.say(bystander, f"I love {SECRET_WORD} music")
        seeds = self._seeds()
        names = Counter(_name(one) for one in seeds)
        tell(f"     {len(seeds)} requests of {len(names)} kinds recorded")
        self._settle()
        theirs = self._rows_of(bystander)
        begin, logged = time.monotonic(), len(self.app.said())
        kinds = sorted(names)
        by_kind = {kind: [one for one in seeds if _name(one) == kind] for kind in kinds}
        requests = (
            mutated(chance.choice(by_kind[chance.choice(kinds)]), chance) for _ in range(count)
        )
        asyncio.run(self._send(requests))
        table.fact("kinds of requests", len(names))
        table.fact("mutated requests", f"{count} in {time.monotonic() - begin:.0f} s")
        table.fact("answers", dict(self.answers.most_common()))
        table.check("answers of 500 and more, or none", self.failures)
        self._settle()
        errors = Counter(
            _where(line) for line in self.app.said()[logged:].splitlines() if _bad(line)
        )
        table.check("errors logged", [f"{n} × {line}" for line, n in errors.most_common()])
        table.check("an end of the process", [] if self.app.runs() else ["it ended"])
        table.check("rows of somebody who sent nothing", self._changed_rows(bystander, theirs))
        table.check("an ordinary message unanswered", self._unanswered())

    def _seeds(self) -> list[Sent]:
        with closing(Relay(f"{self.address}/slack/events")) as relay:
            before = {"mode": "http", "url": f"{self.address}/slack/events"}
            self.workspace.playground("delivery", {"mode": "http", "url": relay.url})
            [human] = self.workspace.people(1)
            Visit(self.workspace, human).all()
            self.workspace.playground("delivery", before)
            seeds = list(relay.sent)
        challenge = {"type": "url_verification", "challenge": "c", "token": "t"}
        seeds.append(Sent("/slack/events", JSON, json.dumps(challenge).encode()))
        call = {"user_id": "MZ0001", "prompt": "I love ramen"}
        seeds.append(Sent("/ask", JSON, json.dumps(call).encode()))
        return seeds

    async def _send(self, requests: Iterator[Sent]) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:

            async def sender() -> None:
                for one in requests:
                    await self._one(session, one)

            await asyncio.gather(*(sender() for _ in range(SENDERS)))

    async def _one(self, session: aiohttp.ClientSession, sent: Sent) -> None:
        for _ in range(RETRIES):
            status = await self._status(session, sent)
            # PostgreSQL was too busy to store it in time: Slack sends it again, too.
            if status != "503":
                break
        self.answers[status] += 1
        if not status.isdigit() or int(status) >= 500:
            self.failures.append(f"{status} {_name(sent)} {sent.body[:300]!r}")

    async def _status(self, session: aiohttp.ClientSession, sent: Sent) -> str:
        at = str(int(time.time()))
        headers = {
            "content-type": sent.kind,
            "x-slack-request-timestamp": at,
            "x-slack-signature": sign(self.secret, at, sent.body),
            "authorization": f"Bearer {API_TOKEN}",
        }
        try:
            url = f"{self.address}{sent.path}"
            async with session.post(url, data=io.BytesIO(sent.body), headers=headers) as answer:
                await answer.read()
                return str(answer.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__

    def _settle(self) -> None:
        end = time.monotonic() + SETTLE_SECONDS
        with psycopg.connect(self.app.conninfo, autocommit=True) as owner:
            while time.monotonic() < end:
                row = owner.execute(
                    "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                    " AND queue_name = 'replies' AND scheduled_at IS NULL"
                ).fetchone()
                if row == (0,):
                    return
                threading.Event().wait(0.5)

    def _rows_of(self, human: Human) -> dict[str, list[Any]]:
        with psycopg.connect(self.app.conninfo, row_factory=dict_row) as owner:
            turns = owner.execute(
                "SELECT question, reply, status FROM messages WHERE user_id = %s", (human.id,)
            ).fetchall()
            inbox = owner.execute(
                "SELECT event_id, ts FROM messages WHERE user_id = %s", (human.id,)
            ).fetchall()
        return {"turns": turns, "inbox": inbox}

    def _changed_rows(self, human: Human, before: dict[str, list[Any]]) -> list[str]:
        now = self._rows_of(human)
        found = [f"{table} changed" for table in now if now[table] != before[table]]
        with psycopg.connect(self.app.conninfo) as owner:
            others = owner.execute(
                "SELECT count(*) FROM messages t WHERE strpos(t::text, %s) > 0 AND user_id <> %s",
                (SECRET_WORD, human.id),
            ).fetchone()
        return found if others == (0,) else [*found, f"{others} turns of others quote them"]

    def _unanswered(self) -> list[str]:
        [human] = self.workspace.people(1)
        said = self.workspace.say(human, "I love tempura")
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            path = f"channels/{said.channel}/messages?as={human.id}"
            found = self.workspace.playground(path)["messages"]
            if any(m.get("thread_ts") == said.ts and not m.get("streaming") for m in found):
                return []
            threading.Event().wait(0.2)
        return ["no answer"]


def _name(sent: Sent) -> str:
    """Return what kind of request it is, as far as its body can be read."""
    try:
        payload, _ = _opened(sent)
        if sent.path == "/ask":
            return "ask"
        if "command" in payload:
            words = str(payload.get("text")).split() or [""]
            return f"{payload['command']} {words[0]}"
        if "event" in payload:
            event = payload["event"]
            return f"event {event.get('type')} {event.get('subtype')}"
        action = (payload.get("actions") or [{}])[0]
        where = (payload.get("view") or {}).get("callback_id")
        return f"{payload['type']} {action.get('action_id')} {payload.get('callback_id')} {where}"
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return "unreadable"


_ERROR = re.compile(r"^\d\d:\d\d:\d\d (?:error|critical)\s+(.*)$")


def _bad(line: str) -> bool:
    return _ERROR.match(line) is not None or "Traceback" in line or "never retrieved" in line


def _where(line: str) -> str:
    found = _ERROR.match(line)
    return (found[1] if found else line)[:160]
