"""The public API of `memory`."""

import ast
import subprocess
import sys

import pytest

import memory
from tests.conftest import ROOT

FOR_APPLICATIONS = {"checked_schemas"}
"""Names that no package here needs."""
MOST = 60


def test_every_public_name_can_be_imported() -> None:
    """Each name in ``__init__.pyi`` is a name of the module it is listed with."""
    assert all(getattr(memory, name) is not None for name in memory.__all__)


def test_every_public_name_is_needed() -> None:
    """Each is used outside of `memory`, so that what nobody uses is no part of the API."""
    tops = ("bot", "bench", "docs/examples")
    paths = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    used: set[str] = set()
    for node in (node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))):
        match node:
            case ast.ImportFrom(module="memory", names=names):
                used |= {alias.name for alias in names}
            case ast.Attribute(value=ast.Name(id="memory"), attr=name):
                used.add(name)
    assert set(memory.__all__) <= used
    assert len(memory.__all__) <= MOST


def test_an_unknown_name_is_refused() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="remember_everything"):
        getattr(memory, "remember_" + "everything")


def test_importing_memory_loads_no_client() -> None:
    """Importing `memory` loads neither the OpenAI client nor LangGraph nor LangMem."""
    program = "import memory, sys; print({'openai', 'langgraph', 'langmem'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
