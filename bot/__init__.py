"""The Slack application: from a stored event to a delivered reply."""

from importlib.util import find_spec
from pathlib import Path

VERSION = "0.1.0"  # as in pyproject.toml
DISTRIBUTION = "kioku-slack"
"""The name of the installed package; on PyPI `kioku` is another project."""

_memory = find_spec("memory")
if _memory is None or _memory.origin != str(
    Path(__file__).parents[1] / "memory" / "__init__.py"
):
    raise SystemExit(
        "kioku: Python finds another `memory` before Kioku's own: rename it, or take its folder out"
        " of PYTHONPATH."
    )
