"""The chunks of a streamed answer: its text, and task updates that say what the model does."""

from __future__ import annotations

from typing import Any, TypeAlias

from bot.locale import Language, say
from bot.types import COMMENTARY, WEB_SEARCH, Task, TaskState

Chunk: TypeAlias = dict[str, Any]

_DETAIL_LIMIT = 200

_TITLES = {
    WEB_SEARCH: "task_web_search",
    COMMENTARY: "task_commentary",
    "memory_search": "task_recall",
    "memory_change": "task_note",
    "read_current_view": "task_look",
}


def text_chunk(text: str) -> Chunk:
    """Return the chunk of a stream that adds Markdown."""
    return {"type": "markdown_text", "text": text}


def task_chunk(language: Language, task: Task) -> Chunk:
    """Return the chunk of a stream that shows a task, or changes how it is shown.

    Source: https://docs.slack.dev/reference/methods/chat.appendStream
    """
    title = say(language, _TITLES.get(task.name, "task_memory"))
    chunk = {"type": "task_update", "id": task.id, "title": title, "status": task.state}
    return {**chunk, "details": _shortened(task.detail)} if task.detail else chunk


def _shortened(text: str) -> str:
    return text if len(text) <= _DETAIL_LIMIT else f"{text[: _DETAIL_LIMIT - 1].rstrip()}…"


def finished_chunk(chunk: Chunk, state: TaskState) -> Chunk:
    """Return a task's chunk as it is shown when the answer is over."""
    return {**chunk, "status": state}
