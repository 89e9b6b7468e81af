"""Task updates of a streamed answer: what the model is doing, in plain words."""

from __future__ import annotations

from typing import Any, TypeAlias

from bot.locale import Language, say
from bot.tasks import WEB_SEARCH, State, Task

Chunk: TypeAlias = dict[str, Any]

_TITLES = {
    WEB_SEARCH: "task_web_search",
    "search_memory": "task_recall",
    "list_memories": "task_recall",
    "show_history": "task_recall",
    "show_preview": "task_recall",
    "manage_memory": "task_note",
    "read_current_context": "task_look",
    "be_quiet_in_thread": "task_thread",
}


def task_chunk(language: Language, task: Task) -> Chunk:
    """Return the chunk of a stream that shows a task, or changes how it is shown.

    Source: https://docs.slack.dev/reference/methods/chat.appendStream
    """
    title = say(language, _TITLES.get(task.name, "task_memory"))
    return {"type": "task_update", "id": task.id, "title": title, "status": task.state}


def ended(chunk: Chunk, state: State) -> Chunk:
    """Return a task's chunk as it is shown when the answer is over."""
    return {**chunk, "status": state}
