"""The model and the PostgreSQL of the examples: yours, or a script and a temporary one."""

from __future__ import annotations

import atexit
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langchain_openai import OpenAIEmbeddings
from langgraph.store.base import IndexConfig

MEMORY_MODEL = os.environ.get("KIOKU_MEMORY_MODEL") or "gpt-6-luna"
REPLY_MODEL = os.environ.get("KIOKU_REPLY_MODEL") or "gpt-6-luna"
EMBEDDING_MODEL = os.environ.get("KIOKU_EMBEDDING_MODEL") or "text-embedding-3-small"
_ROOT = Path(__file__).resolve().parents[2]


def use_model() -> None:
    """Set OPENAI_API_KEY and OPENAI_BASE_URL, which the clients read, if they are not set."""
    if os.environ.get("OPENAI_API_KEY"):
        return
    if not os.environ.get("OPENAI_BASE_URL"):
        os.environ["OPENAI_BASE_URL"] = _start_stand_in()
    os.environ["OPENAI_API_KEY"] = "not-needed"


def _start_stand_in() -> str:
    """Start the stand-in model until this program ends; return its OpenAI base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kioku_stand_in"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    atexit.register(process.communicate)
    atexit.register(process.terminate)  # runs first: the last one registered
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("The stand-in model did not start: see the error above.")
    return str(json.loads(line)["openai_base_url"])


def vector_index() -> IndexConfig:
    """Return how a LangGraph store embeds; with a name, LangChain would download a tokenizer."""
    # It recommends NumPy, which a dozen memories do not need.
    logging.getLogger("langgraph.store.memory").setLevel(logging.ERROR)
    embeddings = OpenAIEmbeddings(
        model=EMBEDDING_MODEL, check_embedding_ctx_length=False
    )
    return {"dims": len(embeddings.embed_query("dimensions")), "embed": embeddings}


@contextmanager
def database() -> Iterator[str]:
    """Yield the address of a PostgreSQL with pgvector: DATABASE_URL, or a temporary one."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
    else:
        from memory import EmbeddedPostgres

        with (
            tempfile.TemporaryDirectory() as folder,
            EmbeddedPostgres(Path(folder)) as postgres,
        ):
            yield postgres.dsn()
