"""How the request for an answer is reduced when the model fails it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from bot.answering.context import Thread
from bot.answering.prompt import Prompt
from bot.answering.tools import Toolbox
from bot.models.failures import Cause, ReplyFailed
from memory import Memory
from memory.recall import Recalled

Step: TypeAlias = Literal[
    "repeat", "files", "others", "earlier", "memories", "all_memories", "tools"
]

_STEPS: Final[Mapping[Cause, tuple[Step, ...]]] = {
    "model_too_long": ("files", "earlier", "memories"),
    "model_policy": ("others", "earlier", "all_memories"),
    "model_failed": ("files", "tools", "earlier", "memories"),
    "model_this_message": ("files", "repeat", "tools"),
}


class Reduction:
    """The request for one answer, reduced in steps to what the model can answer.

    ::

        whole ─┬─ too long ───────────────▶ without files ─▶ without thread and history
               │                              ─▶ with few memories ─▶ given up
               ├─ the content is refused ─▶ without others' words ────────▶ without history
               │                              ─▶ without memories ─▶ given up
               ├─ refused ────────────────▶ without files ─▶ tools ─▶ thread and history
               │                              ─▶ with few memories ─▶ given up
               ├─ failed as the only one
               │  of several ─────────────▶ without files ─▶ the same once more
               │                              ─▶ without tools ─▶ given up
               └─ broken off half-way ────▶ the same once more ─▶ given up

    Each step is taken once, and only if it takes something away or repeats the request. `left_out`
    names what the answer must say was left out, except files, which the prompt itself names.
    `declined` are the memories with which the content was refused.
    """

    def __init__(
        self, prompt: Prompt, tools: Toolbox | None, *, may_search: bool
    ) -> None:
        self.prompt = prompt
        self.tools = tools
        self.may_search = may_search
        self.left_out: list[Step] = []
        self.declined: Sequence[Memory] = ()
        self._repeated = False

    def reduce(self, failed: ReplyFailed, *, half_done: bool) -> bool:
        """Reduce the request after a failure; return False if there is nothing more to try.

        `half_done`: text was shown, or tools have changed something.
        """
        may_pass = failed.passes or failed.cause == "model_this_message"
        steps = _STEPS.get(failed.cause, ())
        if half_done and may_pass:
            steps = ("repeat", *steps)
        for step in steps:
            if not self._take(step, failed.cause):
                continue
            if step not in ("files", "repeat"):
                self.left_out.append(step)
            return True
        return False

    def _take(self, step: Step, cause: Cause) -> bool:
        """Take one thing out of the request, or repeat it; return whether that was possible."""
        prompt = self.prompt
        match step:
            case "repeat":
                is_first = not self._repeated
                self._repeated = True
                return is_first
            case "tools":
                had_tools = self.tools is not None or self.may_search
                self.tools = None
                self.may_search = False
                return had_tools
            case "files":
                too_long = cause == "model_too_long"
                self.prompt = prompt.without_files(too_long=too_long)
            case "others":
                self.prompt = prompt.without_others()
            case "earlier":
                self.prompt = replace(
                    prompt, thread=Thread(), exchanges=(), recent_words=()
                )
            case "memories":
                self.prompt = prompt.with_fewer_memories()
            case "all_memories":
                self.declined = prompt.recalled.memories
                self.prompt = replace(prompt, recalled=Recalled())
        return self.prompt.input != prompt.input
