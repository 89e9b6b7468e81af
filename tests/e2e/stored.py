"""What the database holds, read as its owner."""

from __future__ import annotations

from typing import LiteralString

import memory
from tests.databases import owner_rows
from tests.e2e.messages import Json
from tests.memories import put_memory
from tests.person import Person, Said


class Stored:
    """The rows of one installation."""

    def __init__(self, conninfo: str, team: str) -> None:
        self._conninfo = conninfo
        self.team = team

    def rows(self, statement: LiteralString, *parameters: object) -> list[Json]:
        """Ask the database; raises `psycopg.OperationalError` while it is away."""
        return owner_rows(self._conninfo, statement, *parameters)

    def prefix(self, human: Person) -> str:
        """Return the prefix of a person's memories, as direct messages know them: all of them."""
        return f"chat.{self.team}.{human.id}.dm"

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

    def stored_of(self, human: Person) -> int:
        """Return how many messages of a person were ever stored."""
        [row] = self.rows(
            "SELECT count(*) AS n FROM messages WHERE team_id = %s AND user_id = %s",
            self.team,
            human.id,
        )
        return int(row["n"])

    def memories(self, human: Person) -> list[Json]:
        """Return a person's memories, oldest first."""
        return self.rows(
            "SELECT prefix, key, value, created_at, updated_at FROM store"
            " WHERE prefix = %s ORDER BY created_at, key",
            self.prefix(human),
        )

    def vectors(self, human: Person) -> list[Json]:
        """Return the vectors of a person's memories: prefix, key, size of the vector."""
        return self.rows(
            "SELECT prefix, key, vector_dims(embedding) AS size FROM store_vectors"
            " WHERE prefix = %s ORDER BY key",
            self.prefix(human),
        )

    def remember(self, human: Person, food: str) -> None:
        """Give a person a memory of a food."""
        value = {
            "kind": "UserFoodPreference",
            "content": {"food_name": food},
            "sources": [],
        }
        person = memory.Person(self.team, human.id)
        put_memory(self._conninfo, person.namespace("dm"), value)
