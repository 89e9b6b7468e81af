"""How the request for an answer is reduced when the model fails it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from bot.pipeline.prompt import Prompt
from bot.pipeline.tools import Toolbox
from bot.reply_models.failures import Cause, ReplyFailed

Step: TypeAlias = Literal[
    "files", "file texts", "thread", "history", "memories", "tools"
]

_STEPS: Final[Mapping[Cause, tuple[Step, ...]]] = {
    "model_too_long": ("files", "file texts", "thread", "history", "memories"),
    "model_images": ("files",),
    "model_failed": ("files", "tools"),
    "model_this_message": ("files", "tools"),
}


class Reduction:
    """The request for one answer, reduced in steps to what the model can answer.

    ::

        whole ─┬─ too long ───────────────▶ without files ─▶ thread ─▶ history
               │                              ─▶ with few memories ─▶ given up
               ├─ an image is refused ────▶ without files ─▶ given up
               ├─ refused, or failed as the
               │  only one of several ────▶ without files ─▶ tools ─▶ given up
               └─ broken off half-way ────▶ the same once more ─▶ given up

    Each step is taken once, and only if it takes something away. Images and documents go first,
    then the texts of text files. `left_out` names what the answer must say was left out, except
    files and their texts, which the prompt itself names.
    """

    def __init__(
        self, prompt: Prompt, tools: Toolbox | None, *, may_search: bool
    ) -> None:
        self.prompt = prompt
        self.tools = tools
        self.may_search = may_search
        self.left_out: list[Literal["earlier", "memories", "tools"]] = []
        self._repeated = False

    def after(self, failed: ReplyFailed, *, half_done: bool) -> bool:
        """Reduce the request after a failure; return False if there is nothing more to try.

        `half_done`: text was shown or tools were called before.
        """
        may_pass = failed.passes or failed.cause == "model_this_message"
        if half_done and may_pass and not self._repeated:
            self._repeated = True
            return True
        # The first step that takes something away is the only one.
        return any(map(self._take, _STEPS.get(failed.cause, ())))

    def _take(self, step: Step) -> bool:
        """Take one thing out of the request; return whether it was in it."""
        if step == "tools":
            had_tools = self.tools is not None or self.may_search
            self.tools = None
            self.may_search = False
            if had_tools:
                self.left_out.append("tools")
            return had_tools
        reduced = _without(self.prompt, step)
        if reduced is None:
            return False
        self.prompt = reduced
        if step in ("thread", "history") and "earlier" not in self.left_out:
            self.left_out.append("earlier")
        elif step == "memories":
            self.left_out.append(step)
        return True


def _without(prompt: Prompt, step: Step) -> Prompt | None:
    """Return a prompt without what a step takes out, or None if there is nothing to take out."""
    if step == "files" and prompt.shows_files:
        return prompt.without_files()
    if step == "file texts" and any(file.text for file in prompt.files):
        return prompt.without_file_texts()
    if step == "thread" and prompt.thread:
        return replace(prompt, thread=())
    if step == "history" and (prompt.exchanges or prompt.recent_words):
        return replace(prompt, exchanges=(), recent_words=())
    if step == "memories":
        return prompt.with_fewer_memories()
    return None
