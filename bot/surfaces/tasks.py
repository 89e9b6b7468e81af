"""Task updates of a streamed answer: what the model is doing, in plain words."""

from __future__ import annotations

from typing import Any, TypeAlias

from bot.locale import Language, say
from bot.tasks import WEB_SEARCH, State, Task

Chunk: TypeAlias = dict[str, Any]

_DETAIL_LIMIT = 200

_TITLES = {
    WEB_SEARCH: "task_web_search",
    "memory_search": "task_recall",
    "memory_change": "task_note",
    "read_current_view": "task_look",
}


def task_chunk(language: Language, task: Task) -> Chunk:
    """Return the chunk of a stream that shows a task, or changes how it is shown.

    Source: https://docs.slack.dev/reference/methods/chat.appendStream
    """
    title = say(language, _TITLES.get(task.name, "task_memory"))
    chunk = {"type": "task_update", "id": task.id, "title": title, "status": task.state}
    return {**chunk, "details": task.detail[:_DETAIL_LIMIT]} if task.detail else chunk


def ended(chunk: Chunk, state: State) -> Chunk:
    """Return a task's chunk as it is shown when the answer is over."""
    return {**chunk, "status": state}
