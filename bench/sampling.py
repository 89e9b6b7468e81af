"""Sampling profiler: the stacks of a process while it works."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from functools import partial
from types import FrameType
from typing import Any, Final

INTERVAL_SECONDS: Final = 0.001
_DEEPEST: Final = 60


class Sampler:
    """Counts stacks, outermost frame first and joined by ``;``, per millisecond of CPU time.

    By the process's own CPU clock: waiting is not in it. For the main thread only.
    """

    def __init__(self) -> None:
        self.stacks: Counter[str] = Counter()
        self._names: dict[object, str] = {}

    def start(self) -> None:
        """Begin to count; raises `ValueError` in any but the main thread.

        To be called before an event loop handles signals. Python writes every signal to asyncio's
        wakeup descriptor, which fills up while the loop is busy: that is not reported.
        """
        quietly: Any = partial(signal.set_wakeup_fd, warn_on_full_buffer=False)
        signal.set_wakeup_fd = quietly
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self) -> None:
        """Count no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _take(self, _: int, frame: FrameType | None) -> None:
        names: list[str] = []
        while frame is not None and len(names) < _DEEPEST:
            names.append(self._name(frame))
            frame = frame.f_back
        self.stacks[";".join(reversed(names))] += 1

    def _name(self, frame: FrameType) -> str:
        code = frame.f_code
        name = self._names.get(code)
        if name is None:
            module = frame.f_globals.get("__name__", "?")
            qualified = getattr(code, "co_qualname", code.co_name)
            name = self._names[code] = sys.intern(f"{module}.{qualified}".replace(";", ","))
        return name
