"""The commands of `kioku` that an operator runs in the worker, which alone reaches the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

_HERE = frozenset(
    (
        *("audit", "doctor", "erase", "export", "failed", "feedback"),
        *("improve", "policy", "purge", "status", "usage"),
    )
)
_OF_THE_OWNER = frozenset(("forgotten", "migrate"))
# A synchronous invocation answers with 6 MB at most.
# Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_ANSWER_BYTES = 6_000_000


def run_command(arguments: object, seconds: float) -> dict[str, Any]:
    """Run ``kioku ARGUMENTS…``; return its ``exitCode``, ``output`` and ``errors``.

    It has a process of its own, because a command sets up logs and settings of its own, and
    ends after `seconds`. Nothing of what it prints is logged.
    """
    if not (isinstance(arguments, list) and all(isinstance(one, str) for one in arguments)):
        return _refused('arguments is a list of words, such as ["usage", "--days", "30"].')
    name = arguments[0] if arguments else ""
    if name in _OF_THE_OWNER:
        return _refused(f"kioku {name} needs the database's owner, and the worker is not.")
    if name not in _HERE:
        return _refused(f"The worker runs {', '.join(sorted(_HERE))}.")
    try:
        done = subprocess.run(  # noqa: S603 - Kioku's own command, without a shell
            [sys.executable, "-m", "bot", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _refused(f"kioku {name} was stopped: it had not ended after {seconds:.0f} seconds.")
    answer = {"exitCode": done.returncode, "output": done.stdout, "errors": done.stderr}
    if len(json.dumps(answer)) > _ANSWER_BYTES:
        return _refused("The output is larger than the 6 MB that Lambda answers with.")
    return answer


def _refused(sentence: str) -> dict[str, Any]:
    return {"exitCode": 1, "output": "", "errors": f"kioku: {sentence}\n"}
