"""What `memory` offers at its door."""

import subprocess
import sys

import pytest

import memory


def test_every_public_name_is_there() -> None:
    """Each name of `__all__` can be had, and the door offers no other."""
    assert {name for name in memory.__all__ if getattr(memory, name) is not None} == set(
        memory._HOME
    )


def test_an_unknown_name_is_refused() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="remember_everything"):
        getattr(memory, "remember_" + "everything")


def test_the_door_is_cheap() -> None:
    """Importing `memory` loads neither the OpenAI client nor LangGraph nor LangMem."""
    program = "import memory, sys; print({'openai', 'langgraph', 'langmem'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
