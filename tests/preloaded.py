"""What the processes of the tests have imported before they are forked: see `tests.fork_server`."""

from __future__ import annotations

import gc
import threading
from importlib import import_module

import openai.types
from langchain_openai import ChatOpenAI
from openai.types import responses
from pydantic import BaseModel, SecretStr

from openai_double import request_types

for _module in (
    "bot.runtime.service",
    "bot.runtime.local",
    "slack_playground.server",
    "openai_double.server",
    "memory.formation.langmem_model",
):
    import_module(_module)
request_types.load()
# The models of OpenAI's and LangChain's clients are otherwise built on first use, in each process.
for _types in (openai.types, responses):
    for _model in vars(_types).values():
        if isinstance(_model, type) and issubclass(_model, BaseModel):
            _model.model_rebuild(raise_errors=False)
ChatOpenAI(model="none", api_key=SecretStr("none"), base_url="http://127.0.0.1:9")
assert threading.active_count() == 1, "A process with threads cannot be forked."
gc.collect()
gc.freeze()
