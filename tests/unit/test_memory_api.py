"""The public API of `memory`."""

import os
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest

import memory
from tests.conftest import ROOT


def test_every_public_name_can_be_imported() -> None:
    """Each name in ``__init__.pyi`` is a name of the module it is listed with; they are few."""
    named = [getattr(memory, name) for name in memory.__all__]
    assert None not in named
    assert sum(not isinstance(one, ModuleType) for one in named) <= 60


def test_stable_names_need_no_other_import_than_memory() -> None:
    """Each name in the tutorial's table is one of `memory`, or of a module that it imports."""
    page = (ROOT / "docs/tutorials/memory-library.md").read_text("utf-8")
    _, _, table = page.partition("| name | what it is |")
    names = re.findall(r"`([\w.]+)`", table)
    assert "store.expire_due" in names
    for name in names:
        assert name.partition(".")[0] in memory.__all__
        attrgetter(name)(memory)


def test_an_unknown_name_is_refused() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="remember_everything"):
        getattr(memory, "remember_" + "everything")


def test_another_memory_before_ours_ends_a_command_with_one_sentence(
    tmp_path: Path,
) -> None:
    """A user's own folder of that name, on PYTHONPATH, is named, and no traceback is shown."""
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = Path(sys.executable).with_name("kioku")
    done = subprocess.run(
        [command, "--version"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("kioku: Python finds another `memory` before Kioku's")
    assert len(done.stderr.splitlines()) == 1


def test_importing_memory_loads_no_client() -> None:
    """Importing `memory` loads neither the OpenAI client nor LangGraph nor LangMem."""
    program = "import memory, sys; print({'openai', 'langgraph', 'langmem'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_a_thread_that_warms_up_does_not_load_what_the_client_looks_for() -> None:
    """`Former.warm_up` loads no httpx, for which OpenAI's client looks at each request."""
    program = (
        "import sys, memory.formation.former\n"
        "before = set(sys.modules)\n"
        "import openai.resources.responses, memory.formation.langmem_model\n"
        "loaded = set(sys.modules) - before\n"
        "print('langmem' in loaded, 'httpx' in loaded)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True False"
