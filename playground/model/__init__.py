"""A stand-in for OpenAI's API on loopback: scripted rules, not a language model.

It speaks the Responses API (plain and server-sent events), chat completions with
tools, embeddings and models, checks every request against the `openai` package's own
types, and is steered through ``/_model/`` (docs/reference/stand-in-model.md).
"""

from playground.model.server import add_model_routes, create_model_app

__all__ = ["add_model_routes", "create_model_app"]
