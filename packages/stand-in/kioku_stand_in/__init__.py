"""Kioku's stand-in model: scripted rules on top of the OpenAI double, not a language model.

It answers Kioku's own prompts without a key, for `kioku up` and for the tests
(docs/reference/stand-in-model.md).
"""

from aiohttp import web

from kioku_stand_in.answers import KINDS, answer_to, kind_of
from openai_double import add_routes

__all__ = ["add_model_routes", "create_model_app"]


def create_model_app() -> web.Application:
    """An application with nothing but the stand-in model."""
    app = web.Application()
    add_model_routes(app)
    return app


def add_model_routes(app: web.Application, *, paced: bool = False) -> None:
    """Add the stand-in model to `app`; see `openai_double.add_routes`."""
    models = {"kioku-stand-in": 0, "kioku-stand-in-embedding": 256}
    add_routes(app, answer_to, kind_of=kind_of, kinds=KINDS, models=models, paced=paced)
