"""Kioku's stand-in model: scripted rules on top of the OpenAI double, not a language model.

It answers Kioku's own prompts without a key, for `kioku up` and for the tests
(docs/reference/stand-in-model.md).
"""

from typing import Any, Final, get_args

from aiohttp import web

from kioku_stand_in.answers import Kind, answer_to, kind_of
from openai_double import add_routes, create_app

__all__ = ["add_model_routes", "create_model_app"]

_ROUTES: Final[dict[str, Any]] = {
    "kind_of": kind_of,
    "kinds": get_args(Kind),
    "models": {"kioku-stand-in": 0, "kioku-stand-in-embedding": 256},
}


def create_model_app() -> web.Application:
    """An application with nothing but the stand-in model."""
    return create_app(answer_to, **_ROUTES)


def add_model_routes(app: web.Application, *, paced: bool = False) -> None:
    """Add the stand-in model to `app`; see `openai_double.add_routes`."""
    add_routes(app, answer_to, paced=paced, **_ROUTES)
