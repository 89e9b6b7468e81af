"""A double of OpenAI's API on loopback: Responses, chat completions, embeddings and models.

It checks every request against the `openai` package's own types, answers from scripts, and is
controlled through ``/_model/``: scripts, faults, settings, a journal of what was asked.
"""

from openai_double.answer import Answer, make_answer
from openai_double.prompt import Prompt
from openai_double.server import add_routes, create_app

__all__ = ["Answer", "Prompt", "add_routes", "create_app", "make_answer"]
