"""Named SQL statements, read from files of a package.

A file holds statements that each begin with a line ``-- name: NAME``; further comments say what
the statement does. Placeholders are psycopg's, such as ``%(team)s``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Any, LiteralString, cast

from psycopg.types.json import Jsonb

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_statements(package: str, file: str) -> Mapping[str, LiteralString]:
    """Return the statements of ``sql/FILE.sql`` in `package`, by name.

    The files are part of the program, so their text is a literal.
    """
    path = files(package) / "sql" / f"{file}.sql"
    _, *parts = _NAME.split(path.read_text("utf-8"))
    names = parts[::2]
    texts = parts[1::2]
    statements: dict[str, str] = {}
    for name, text in zip(names, texts, strict=True):
        statements[name] = text.strip().removesuffix(";")
    return cast(Mapping[str, LiteralString], statements)


def column_parameters(
    names: Sequence[str], rows: Collection[Sequence[Any]]
) -> dict[str, list[Any]]:
    """Return rows as parameters for ``unnest``: a list for each column, under these names.

    PostgreSQL knows the length of these lists when it plans a statement. For rows in JSON it
    assumes a hundred, and may then read a whole table to find one row.
    """
    columns: dict[str, list[Any]] = {}
    for place, name in enumerate(names):
        columns[name] = [row[place] for row in rows]
    return columns


def rows_parameter(rows: Iterable[Mapping[str, Any]]) -> Jsonb:
    """Return rows as a parameter for ``jsonb_to_recordset``, with ids and dates as text."""
    return Jsonb(list(rows), dumps=partial(json.dumps, default=str))
