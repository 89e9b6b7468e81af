"""From a prompt to an answer: formation, a verdict, a search, a structured answer, or a reply."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Literal

from kioku_stand_in import memories, replies, tool_use
from kioku_stand_in.memories import fill
from kioku_stand_in.optimizing import improved
from kioku_stand_in.sentences import REPLIES, is_japanese, statements, without_marks
from kioku_stand_in.verdicts import verdicts_for
from openai_double.answer import Answer, Call, call, said
from openai_double.prompt import Prompt

Kind = Literal["reply", "formation", "verdict", "search"]
_VERDICTS: Final = "MemoryVerdicts"
_MEM0: Final = "## New Messages\n"


def kind_of(prompt: Prompt) -> Kind:
    """Return what Kioku or LangMem asks for, by which faults and scripts choose requests."""
    if prompt.tool_choice == _VERDICTS or _VERDICTS in prompt.instructions:
        return "verdict"
    if prompt.searches_only and not prompt.instructions:
        return "search"
    formed = bool(prompt.tools) and "<session_" in prompt.last_user_text
    return "formation" if formed or _is_mem0(prompt) else "reply"


def _is_mem0(prompt: Prompt) -> bool:
    return prompt.schema == {} and _MEM0 in prompt.last_user_text


def answer_to(prompt: Prompt) -> Answer:
    """Return the scripted answer to `prompt`."""
    kind, words = kind_of(prompt), prompt.last_user_text
    if better := improved(prompt):
        return better
    if kind == "verdict":
        judged = verdicts_for(words)
        return said("", call(_VERDICTS, judged)) if prompt.tools else said(_json(judged))
    if kind == "search":
        return _found(words)
    if prompt.tools and prompt.tool_choice != "none":
        forms = kind == "formation" or any(tool.name == "PatchDoc" for tool in prompt.tools)
        calls = memories.formed(prompt) if forms else tool_use.calls_for(prompt)
        calls = calls or ([] if prompt.tool_choice == "auto" else [_something(prompt)])
        if calls:
            return said("", *(calls if prompt.parallel else calls[:1]))
        if forms:
            return said("There is nothing here to remember.")
    if _is_mem0(prompt):
        return said(_json({"memory": _for_mem0(words)}))
    if prompt.schema is not None:
        return said(_json(fill(prompt.schema, words) if prompt.schema else {}))
    if text := tool_use.outcome_of(prompt):
        return said(text)
    # A sentence that it does not understand is no answer: it is neither rated nor made of memories.
    text, unknown = replies.reply_to(prompt)
    return said(text, refuses=unknown)


def _found(query: str) -> Answer:
    """Return a web search that says it searched nothing, with a citation in the API's format."""
    text = REPLIES["searched"][is_japanese(query)]
    place = {"start_index": 0, "end_index": len(text)}
    cited = {"url": "https://example.com/", "title": query, **place}
    return said(text, annotations=(cited,), web_search=True)


def _something(prompt: Prompt) -> Call:
    """A call where one is demanded and nothing was said: no change, if there is such a call."""
    tools = {tool.name: tool for tool in prompt.tools}
    documents = [key for key, *_ in memories.INSTANCE.findall(prompt.instructions)]
    if documents and "PatchDoc" in tools and "Done" not in tools:
        return call("PatchDoc", {"json_doc_id": documents[0], "planned_edits": "", "patches": []})
    tool = tools.get(prompt.tool_choice) or tools.get("Done") or prompt.tools[0]
    return call(tool.name, fill(tool.parameters, memories.spoken(prompt.last_user_text).strip()))


def _for_mem0(request: str) -> list[dict[str, str]]:
    """Return what mem0 2.2 should add: the person's new statements, verbatim."""
    new_words = request.partition(_MEM0)[2].partition("\n## ")[0]
    known = request.partition("## Existing Memories\n")[2].partition("\n## ")[0]
    words = re.findall(r"^user: (.*)$", new_words, re.M)
    told = dict.fromkeys(without_marks(one.quote) for one in statements("\n".join(words)))
    new = [text for text in told if json.dumps(text, ensure_ascii=False) not in known]
    return [{"id": str(n), "text": text, "attributed_to": "user"} for n, text in enumerate(new)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
