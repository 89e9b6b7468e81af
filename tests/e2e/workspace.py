"""A playground that is the workspace of processes, with the stand-in model beside it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.e2e.messages import Json, is_notice
from tests.integration.playground_slack import PlaygroundSlack
from tests.person import Person, Said


class Workspace(PlaygroundSlack):
    """What people do; may be used by several threads."""

    def model(
        self, path: str, body: Json | None = None, method: str | None = None
    ) -> Json:
        """Make a call of the stand-in model's controls."""
        answer: Json = self.server.call(f"/_model/{path}", body, method)
        return answer

    def calm(self) -> None:
        """Let everything work again."""
        self.clear()
        self.model("faults", method="DELETE")
        self.control("delivery", {"deliveries": [1, 1], "jitter_ms": 0})

    def people(self, count: int) -> list[Person]:
        """Return new people."""
        return [Person(self) for _ in range(count)]

    def app_messages(self, said: Sequence[Said]) -> list[Json]:
        """Return the app's messages where these were said, each with its `channel`.

        Without those that are a list or a question of the app's own.
        """
        places: dict[str, Person] = {}
        for one in said:
            places.setdefault(one.channel, one.person)
        return [
            {**message, "channel": channel}
            for channel, person in places.items()
            for message in person.seen(channel)
            if message["user"] == self.bot_user_id and not is_notice(message)
        ]
