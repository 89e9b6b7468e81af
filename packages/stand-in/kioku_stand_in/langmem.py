"""Memory formation in LangMem's format: its transcript, its tools, and the tool calls.

LangMem's store manager sends the conversation between ``<session_…>`` tags and the existing
memories as ``<instance id=… schema_type="…">`` with a Python dict. It offers one tool per kind of
memory, `PatchDoc` and `RemoveDoc` (langmem 0.0.30, trustcall 0.0.39).
"""

from __future__ import annotations

import ast
import re
from typing import Final

from kioku_stand_in.formation import Document, Memories
from openai_double.answer import Call, call
from openai_double.prompt import Prompt

INSTANCE: Final = re.compile(r'<instance id=(\S+) schema_type="([^"]+)">\n(\{.*\})\n</instance>')


def calls_for(prompt: Prompt) -> list[Call]:
    """Return the tool calls for a formation request; none if there is nothing to remember."""
    said = spoken(prompt.last_user_text)
    documents = [
        Document(kind=kind, content=ast.literal_eval(doc), key=key, before=ast.literal_eval(doc))
        for key, kind, doc in INSTANCE.findall(prompt.instructions)
    ]
    memories = Memories(prompt.tools, documents)
    memories.hear(said)
    chosen = {"auto", "required"} & {prompt.tool_choice}
    return [one for one in _calls(memories.documents) if chosen or one.name == prompt.tool_choice]


def spoken(text: str) -> str:
    """Return the person's messages in LangMem's transcript, or `text` if it is no transcript."""
    session = re.search(r"<session_([\w-]+)>\n?(.*?)\n?</session_\1>", text, re.S)
    parts = re.split(r"^=+ (\w+) Message =+$", session[2] if session else text, flags=re.M)
    said = zip(parts[1::2], parts[2::2], strict=True)
    return "\n".join(words.strip() for who, words in said if who == "Human") or parts[0]


def _calls(documents: list[Document]) -> list[Call]:
    """Return the changes as tool calls."""
    made = []
    for one in documents:
        if one.key and one.removed:
            made.append(call("RemoveDoc", {"json_doc_id": one.key}))
        elif one.key and one.content != one.before:
            made.append(_patch(one))
        elif not one.key and not one.removed:
            made.append(call(one.kind, one.content))
    return made


def _patch(document: Document) -> Call:
    patches = [
        {"op": "replace" if name in document.before else "add", "path": f"/{name}", "value": value}
        for name, value in document.content.items()
        if name not in document.before or document.before[name] != value
    ]
    planned = "Change it as the person said."
    given = {"json_doc_id": document.key, "planned_edits": planned, "patches": patches}
    return call("PatchDoc", given)
