"""One row of each table for a person."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from memory import Person
from memory.embeddings.embedder import literal
from tests.databases import SPACE

ROWS: tuple[LiteralString, ...] = (
    "INSERT INTO store (prefix, key, value) VALUES (%(prefix)s, 'k', %(value)s)",
    "INSERT INTO store_vectors (prefix, key, field_name, embedding)"
    " VALUES (%(prefix)s, 'k', 'content.text', %(vector)s)",
    "INSERT INTO messages (team_id, user_id, channel_id, thread, audience, ts, question, words)"
    " VALUES (%(team)s, %(user)s, %(channel)s, %(thread)s, 'dm', '1.0', 'q', 'w')",
    "INSERT INTO person_settings (team_id, user_id) VALUES (%(team)s, %(user)s)",
    "INSERT INTO memory_off (team_id, user_id, scope) VALUES (%(team)s, %(user)s, %(channel)s)",
    "INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content,"
    " subject, evidence, said_at, zone, batch) VALUES (gen_random_uuid(), %(team)s, %(user)s, 'k',"
    " 'dm', 'UserFact', 'say', 'formation', '{}', '', 'words', now(), 'UTC', gen_random_uuid())",
    "INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, subject,"
    " evidence, said_at, zone, batch, state, open_until) VALUES (gen_random_uuid(), %(team)s,"
    " %(user)s, 'k', 'dm', 'UserFact', 'remove', 'formation', '', 'words', now(), 'UTC',"
    " gen_random_uuid(), 'asked', now() + interval '1 hour')",
    "INSERT INTO forgotten (id, team_id, user_id, what, channels, times)"
    " VALUES (gen_random_uuid(), %(team)s, %(user)s, 'forgetting', '{D1}', '{1.0}')",
    "INSERT INTO reminders (team_id, user_id, key, dated, zone, at)"
    " VALUES (%(team)s, %(user)s, 'k', gen_random_uuid(), 'UTC', now())",
    "INSERT INTO kept (team_id, user_id, channel_id, ts, thread_ts, text, decision)"
    " VALUES (%(team)s, %(user)s, %(channel)s, '1.0', '1.0', 'words', false)",
)


def values_of(person: Person, number: int = 0) -> dict[str, Any]:
    """Return the parameters of `ROWS` for a person, in a channel of that number."""
    prefix = person.namespace("dm").prefix
    content = {"kind": "UserFoodPreference", "content": {"food_name": prefix}}
    vector = literal([1.0] + [0.0] * (SPACE.dimensions - 1))
    values = {"prefix": prefix, "vector": vector, "value": Jsonb(content)}
    values |= {"team": person.team_id, "user": person.user_id, "channel": f"D{number}"}
    return values | {"thread": f"{person.team_id}.D{number}.1.0"}


def fill(owner: psycopg.Connection[Any], person: Person, number: int = 0) -> None:
    """Put a row of this person into each table, as the owner, in a channel of that number."""
    for statement in ROWS:
        owner.execute(statement, values_of(person, number))
