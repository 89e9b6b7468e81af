"""What the database holds, read as its owner."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from tests.databases import owner_rows
from tests.e2e.messages import Human, Json, Said

VECTOR = "[1" + ",0" * 255 + "]"


class Stored:
    """The rows of one installation."""

    def __init__(self, conninfo: str, team: str) -> None:
        self._conninfo = conninfo
        self.team = team

    def rows(self, statement: LiteralString, *parameters: object) -> list[Json]:
        """Ask the database; raises `psycopg.OperationalError` while it is away."""
        return owner_rows(self._conninfo, statement, *parameters)

    def prefix(self, human: Human, audience: str = "") -> str:
        """Return the prefix of the rows of a person's memories."""
        return f"chat.{self.team}.{human.id}.{audience}"

    def inbox(self, said: Said) -> list[Json]:
        """Return what is stored of a message."""
        return self.rows(
            "SELECT * FROM messages WHERE team_id = %s AND channel_id = %s AND ts = %s",
            self.team,
            said.channel,
            said.ts,
        )

    def turns(self, said: Said) -> list[Json]:
        """Return the turns of a message."""
        return [row for row in self.inbox(said) if row["begun_at"]]

    def stored_of(self, human: Human) -> int:
        """Return how many messages of a person were ever stored."""
        [row] = self.rows(
            "SELECT count(*) AS n FROM messages WHERE team_id = %s AND user_id = %s",
            self.team,
            human.id,
        )
        return int(row["n"])

    def memories(self, human: Human) -> list[Json]:
        """Return a person's rows of `store`, oldest first."""
        return self.rows(
            "SELECT prefix, key, value, created_at, updated_at FROM store"
            " WHERE starts_with(prefix, %s) ORDER BY created_at, key",
            self.prefix(human),
        )

    def contents(self, human: Human) -> list[Json]:
        """Return the contents of a person's memories, oldest first."""
        return [row["value"]["content"] for row in self.memories(human)]

    def vectors(self, human: Human) -> list[Json]:
        """Return a person's rows of `store_vectors`: prefix, key, size of the vector."""
        return self.rows(
            "SELECT prefix, key, vector_dims(embedding) AS size FROM store_vectors"
            " WHERE starts_with(prefix, %s) ORDER BY key",
            self.prefix(human),
        )

    def remember(self, human: Human, *foods: str, audience: str = "dm") -> None:
        """Give a person memories of foods, each a second newer than the one before."""
        first = datetime.now(UTC) - timedelta(days=1)
        for number, food in enumerate(foods):
            content = {"food_name": food, "preference": 80}
            at = first + timedelta(seconds=number)
            self.store(human, "UserFoodPreference", content, at, audience)

    def store(
        self, human: Human, kind: str, content: Json, at: datetime, audience: str = "dm"
    ) -> None:
        """Give a person a memory that was learned at a moment."""
        self.rows(
            "WITH made AS (INSERT INTO store (prefix, key, value, created_at, updated_at)"
            " VALUES (%s, gen_random_uuid()::text, %s, %s, %s) RETURNING prefix, key)"
            " INSERT INTO store_vectors (prefix, key, field_name, embedding)"
            " SELECT prefix, key, 'content', %s FROM made RETURNING key",
            self.prefix(human, audience),
            json.dumps({"kind": kind, "content": content, "sources": []}),
            *(at, at, VECTOR),
        )
