"""The reduced copy of OpenAI's published schemas, schemas.json."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from openai_double.types import Json


@cache
def published() -> Json:
    """Return the copy: its ``origin``, the ``schemas`` by name, and the ``bodies`` by path.

    Each path maps ``request``, ``object`` and ``event`` to the names of their schemas.
    """
    copy: Json = json.loads(
        files(__package__).joinpath("schemas.json").read_text("utf-8")
    )
    return copy
