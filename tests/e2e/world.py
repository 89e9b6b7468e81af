"""A workspace with the real app in it: what people do there, and what is to be seen of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

from tests.e2e.app import App
from tests.e2e.messages import Json, Reply, footers, is_notice
from tests.e2e.stored import Stored
from tests.person import Person, Said
from tests.playground import Playground
from tests.waiting import SECONDS, wait_until

T = TypeVar("T")


class World(Playground, Stored):
    """The workspace of one test. All waiting is for the thing, with a deadline."""

    def __init__(self, app: App) -> None:
        Playground.__init__(self, app.slack.url, app.slack.info)
        self.forget_calls()
        Stored.__init__(self, app.conninfo, self.team_id)
        self.app = app
        self.spoken: list[str] = []
        self._log_start = app.log.stat().st_size

    # What can be controlled

    def script(self, text: str, **where: Any) -> None:
        """Say what the model replies next."""
        where.setdefault("kind", "reply")
        self.model(
            "script", {"endpoint": "responses", "output": {"text": text}, **where}
        )

    def pace(self, **settings: float) -> None:
        """Say how fast the model is."""
        self.model("settings", settings)

    def calm(self) -> None:
        """Let everything work again, at once."""
        super().calm()
        self.model("script", method="DELETE")
        self.pace(first_token_ms=0, token_ms=0, embedding_ms=0, chunk_chars=12)

    # What people do

    def human(self, **profile: Any) -> Person:
        """Return a new person, whose messages are answered by the app's process."""
        return Person(self, self.reply, **profile)

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Make a control call, and note what a person types by it: it must not be logged."""
        if body and path in ("messages", "commands"):
            self.spoken.append(body.get("text", "").replace("<@BOT>", "").strip())
        return super().control(path, body, method)

    # What there is to see

    def until(
        self, check: Callable[[], T | None], what: str, seconds: float = SECONDS
    ) -> T:
        """Wait until `check` returns something; the app must not end meanwhile."""

        def found() -> T | None:
            with suppress(
                psycopg.OperationalError
            ):  # PostgreSQL is being restarted by the test
                if thing := check():
                    return thing
            assert self.app.runs(), f"The app ended while waiting for {what}."
            return None

        return wait_until(found, what, seconds)

    def answers(self, said: Said) -> list[Json]:
        """Return the bot's messages in the thread of `said` that came after it."""
        return [one for one in said.below() if not is_notice(one)]

    def session(self, said: Said) -> str:
        """Return the status of the session of a message's thread, "" where there is none."""
        seen = self.control(f"channels/{said.channel}/messages?user={said.person.id}")
        return next(
            (one["session"] for one in seen["threads"] if one["ts"] == said.ts), ""
        )

    def notices(self, said: Said) -> list[Json]:
        """Return what the app shows the author of `said` besides its answer."""
        return [
            message
            for message in said.person.seen(said.channel)
            if message["user"] == self.bot_user_id
            and message["ts"] > said.ts
            and is_notice(message)
        ]

    def handled(self, said: Said, seconds: float = SECONDS) -> Json:
        """Wait until the app is done with a message; return what is stored of it."""
        return self.until(
            lambda: next((r for r in self.inbox(said) if r["ended_at"]), None),
            "an end of the turn",
            seconds,
        )

    def reply(self, said: Said, seconds: float = SECONDS) -> Reply:
        """Wait until `said` has been handled; return the answer: one, whole and at rest."""
        self.handled(said, seconds)
        messages = self.answers(said)
        assert messages, "There was no reply."
        assert not [m for m in messages if m.get("streaming")], "A reply still streams."
        assert [len(footers(m)) for m in messages] == [0] * (len(messages) - 1) + [1]
        return Reply(messages)

    def formed(self, human: Person) -> list[Json]:
        """Wait until all that a person said has been taken up; return their memories."""

        def taken_up() -> list[Json]:
            self._hurry()
            return self.rows(
                "SELECT count(*) AS n FROM messages WHERE team_id = %s AND user_id = %s"
                " AND begun_at IS NOT NULL HAVING bool_and(formed_at IS NOT NULL)",
                self.team,
                human.id,
            )

        self.until(taken_up, "a formation of every turn")
        return self.memories(human)

    def formed_contents(self, human: Person) -> list[Json]:
        """Wait until all that a person said has been taken up; return what is remembered."""
        return [row["value"]["content"] for row in self.formed(human)]

    def _hurry(self) -> None:
        # What was put off after a fault need not be waited for.
        self.rows(
            "UPDATE procrastinate_jobs SET scheduled_at = now()"
            " WHERE status = 'todo' AND scheduled_at > now() + interval '3 s' RETURNING id"
        )

    def settled(self) -> None:
        """Wait until nothing is on its way and no work is left; what is to wait is hurried."""
        self.all_delivered()

        def none_left() -> bool:
            self._hurry()
            return not self.rows(
                "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                " UNION ALL SELECT 1 FROM messages WHERE ended_at IS NULL"
            )

        self.until(none_left, "an end of all work")

    def leaks(self) -> list[str]:
        """Return the beginnings and ends of what was said or remembered that were logged."""
        log = self.app.said(self._log_start)
        texts = [
            *self.spoken,
            *(
                str(value)
                for row in self.rows("SELECT value FROM store")
                for value in _texts(row)
            ),
        ]
        return [piece for text in texts for piece in _pieces(text) if _in(piece, log)]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key in value if key != "kind" for text in _texts(value[key])]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return (
        [value]
        if isinstance(value, str) and not value.startswith(("C", "D", "2", "1"))
        else []
    )


def _pieces(text: str) -> set[str]:
    size = 12 if text.isascii() else 6
    return {text[:size], text[-size:]} if len(text) >= size else set()


def _in(piece: str, log: str) -> bool:
    return any(
        form in log for form in (piece, json.dumps(piece)[1:-1], repr(piece)[1:-1])
    )
