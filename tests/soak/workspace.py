"""People in a playground, and what Slack shows them and records."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.conftest import Server
from tests.e2e.messages import Human, Json, Said, asked, buttons, is_notice, told

T = TypeVar("T")

ORDERED = frozenset(
    {
        "ratelimited",
        "internal_error",
        "message_not_in_streaming_state",
        "status 500",
        "dropped before",
        "dropped after",
    }
)
_WRITES = ("chat.postMessage", "chat.update", "chat.appendStream", "chat.stopStream")
_ENDS = ("chat.postMessage", "chat.stopStream")
_names = itertools.count(1)


class Workspace:
    """What people do; may be used by several threads."""

    def __init__(self, slack: Server) -> None:
        self.slack = slack
        self.bot = str(slack.info["bot_user_id"])

    def post(self, path: str, body: Json | None = None, method: str | None = None) -> Json:
        """Make a call of the playground's control API."""
        answer: Json = self.slack.call(f"/_playground/{path}", body, method)
        return answer

    def model(self, path: str, body: Json | None = None, method: str | None = None) -> Json:
        """Make a call of the stand-in model's controls."""
        answer: Json = self.slack.call(f"/_model/{path}", body, method)
        return answer

    def calm(self) -> None:
        """Let everything work again."""
        self.post("faults", method="DELETE")
        self.model("faults", method="DELETE")
        self.post("delivery", {"deliveries": 1, "jitter_ms": 0})

    def people(self, count: int) -> list[Human]:
        """Return new people."""
        made = [self.post("users", {"name": f"Person{next(_names)}"}) for _ in range(count)]
        return [Human(one["id"], one["name"]) for one in made]

    def channel(self, kind: str, members: Sequence[Human]) -> str:
        """Return a new conversation; the app is in it."""
        ids = [member.id for member in members]
        return str(self.post("channels", {"kind": kind, "members": ids})["id"])

    def say(
        self, human: Human, text: str, *, channel: str = "dm", under: Said | None = None
    ) -> Said:
        """Let somebody write, in the thread of `under` if given."""
        place = {"channel": channel}
        if under is not None:
            place = {"channel": under.channel, "thread_ts": under.thread_ts}
        made = self.post("messages", {"user": human.id, "text": text, **place})
        return Said(
            human, made["channel"], made["ts"], under.thread_ts if under else made["ts"], text
        )

    def seen(self, human: Human, channel: str) -> list[Json]:
        """Return a conversation as one person sees it."""
        messages: list[Json] = self.post(f"channels/{channel}/messages?as={human.id}")["messages"]
        return messages

    def answers(self, said: Sequence[Said]) -> list[Json]:
        """Return the app's messages where these were said, each with its `channel`.

        Without those that are a list or a question of the app's own.
        """
        places: dict[str, Human] = {}
        for one in said:
            places.setdefault(one.channel, one.human)
        return [
            {**message, "channel": channel}
            for channel, human in places.items()
            for message in self.seen(human, channel)
            if message["user"] == self.bot and not is_notice(message)
        ]

    def memories(self, human: Human) -> str:
        """Return what `/memories` shows somebody, all its pages."""
        known = {message["ts"] for message in self.seen(human, "dm")}
        place = {"user": human.id, "channel": "dm"}
        self.post("commands", {**place, "command": "/memories", "text": ""})

        def shown() -> Json | None:
            new = [m for m in self.seen(human, "dm") if m["ts"] not in known]
            return next((m for m in new if m.get("is_ephemeral")), None)

        page = until(shown, "an answer to /memories")
        texts = [_whole(page)]
        while following := _following(page, len(texts) + 1):
            click = {"action_id": following["action_id"], "block_id": following["block_id"]}
            self.post("actions", {**place, "message_ts": page["ts"], **click})
            before = page

            def turned(before: Json = before) -> Json | None:
                now = next(m for m in self.seen(human, "dm") if m["ts"] == before["ts"])
                return now if now != before else None

            page = until(turned, "the next page")
            texts.append(_whole(page))
        return "\n".join(texts)


def _whole(message: Json) -> str:
    texts = [b["text"]["text"] for b in message.get("blocks", []) if b["type"] == "section"]
    return "\n".join([*texts, "" if texts else str(message.get("text"))])


def _following(page: Json, number: int) -> Json | None:
    wanted = [b for b in buttons(page) if b["action_id"] == f"memories_page_{number}"]
    return wanted[0] if wanted else None


def until(check: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """Wait until `check` returns something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        threading.Event().wait(0.02)
    raise AssertionError(f"There was not {what} within {seconds:g} seconds.")


class Record:
    """What the playground has recorded so far of calls and model requests."""

    def __init__(self, workspace: Workspace, *, prompts: bool = False) -> None:
        self._workspace = workspace
        self._prompts = prompts
        self._calls = int(workspace.post("calls?since=999999999")["last"])
        self._requests = int(workspace.model("journal?since=999999999")["last"])
        self.outcomes: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.limited: Counter[str] = Counter()
        self.model: Counter[str] = Counter()
        self.asked: list[tuple[str, str]] = []
        self.newest: list[str] = []
        self.ended: set[tuple[str, str]] = set()
        self._stands: dict[tuple[str, str], float] = {}

    def read(self) -> int:
        """Read on; returns how many calls of Slack were new."""
        calls = self._workspace.post(f"calls?since={self._calls}")
        self._calls = calls["last"]
        if calls["calls"]:
            self.newest = [call["method"] for call in calls["calls"]]
        for call in calls["calls"]:
            self.outcomes[str(call["outcome"])] += 1
            self.done[call["method"]] += bool(call["executed"])
            self.limited[call["method"]] += call["outcome"] == "ratelimited"
            if call["executed"] and call["method"] in _WRITES:
                place = call["result"] or {}
                ts = place.get("ts") or call["args"].get("ts")
                channel = place.get("channel") or call["args"].get("channel")
                self._stands[channel, ts] = call["time"] + call["ms"] / 1000
                if call["method"] in _ENDS:
                    self.ended.add((channel, ts))
        if self._prompts:
            self._read_prompts()
        return len(calls["calls"])

    def _read_prompts(self) -> None:
        journal = self._workspace.model(f"journal?since={self._requests}")
        self._requests = journal["last"]
        for entry in journal["entries"]:
            self.model["good" if entry["status"] == 200 else "failed"] += 1
            # A process that was killed may have sent the beginning of a request only.
            if entry["kind"] == "reply" and entry["endpoint"] == "responses" and entry["body"]:
                self.asked.append((asked(entry), told(entry)))

    def ready(self, message: Json) -> float:
        """Return when a message of the app stood whole, in seconds since 1970."""
        return self._stands.get((message["channel"], message["ts"]), float(message["ts"]))

    @property
    def refused(self) -> int:
        """How many calls failed on order."""
        return sum(n for outcome, n in self.outcomes.items() if outcome in ORDERED)

    @property
    def made(self) -> int:
        """How many calls there were."""
        return sum(self.outcomes.values())
