"""From a prompt to an answer: formation, a verdict, a search, a structured answer, or a reply."""

from __future__ import annotations

import json
from typing import Any

from kioku_stand_in import extraction, fill, langmem, optimizing, replies, tool_use, verdicts
from kioku_stand_in.lexicon import is_japanese
from openai_double.answer import Answer, Call, call
from openai_double.prompt import VERDICTS_TOOL, Prompt

NOTHING_TO_REMEMBER = "There is nothing here to remember."


def answer_to(prompt: Prompt) -> Answer:
    """Return the scripted answer to `prompt`."""
    if optimizing.is_wanted(prompt):
        return _better_prompt(prompt)
    if prompt.kind == "verdict":
        judged = verdicts.verdicts_for(prompt)
        if any(tool.name == VERDICTS_TOOL for tool in prompt.tools):
            return Answer(calls=(call(VERDICTS_TOOL, judged),))
        return Answer(text=_json(judged))
    if prompt.kind == "search":
        return _found(prompt.last_user_text)
    if prompt.tools and prompt.tool_choice != "none":
        about_memories = _is_about_memories(prompt)
        read = langmem.calls_for if about_memories else tool_use.calls_for
        calls = read(prompt) or ([] if prompt.tool_choice == "auto" else [_something(prompt)])
        if calls:
            return Answer(calls=tuple(calls if prompt.parallel else calls[:1]))
        if about_memories:
            return Answer(text=NOTHING_TO_REMEMBER)
    if prompt.wants_sentences:
        return Answer(text=_json({"memory": extraction.memories_for(prompt.last_user_text)}))
    if prompt.schema is not None:
        said = langmem.spoken(prompt.last_user_text)
        return Answer(text=_json(fill.fill(prompt.schema, said) if prompt.schema else {}))
    text = tool_use.words_for(prompt) or replies.reply_to(prompt)
    # A sentence that it does not understand is no answer: it is neither rated nor made of memories.
    return Answer(text=text, refuses=text == replies.texts_for(prompt)["unknown"])


def _found(query: str) -> Answer:
    """Return a web search that says it searched nothing, with a citation in the API's format."""
    text = replies.SAY["searched"][is_japanese(query)]
    place = {"start_index": 0, "end_index": len(text)}
    cited = {"url": "https://example.com/", "title": query, **place}
    return Answer(text=text, annotations=(cited,), web_search=True)


def _better_prompt(prompt: Prompt) -> Answer:
    if not prompt.tools:
        return Answer(text=_json(optimizing.fields_for(prompt, prompt.schema or {})))
    tool = optimizing.tool_for(prompt)
    return Answer(calls=(call(tool.name, optimizing.fields_for(prompt, tool.parameters)),))


def _is_about_memories(prompt: Prompt) -> bool:
    return prompt.kind == "formation" or any(tool.name == "PatchDoc" for tool in prompt.tools)


def _something(prompt: Prompt) -> Call:
    """A call where one is demanded and nothing was said: no change, if there is such a call."""
    tools = {tool.name: tool for tool in prompt.tools}
    documents = [key for key, *_ in langmem.INSTANCE.findall(prompt.instructions)]
    if documents and "PatchDoc" in tools and "Done" not in tools:
        unchanged = {"json_doc_id": documents[0], "planned_edits": "", "patches": []}
        return call("PatchDoc", unchanged)
    tool = tools.get(prompt.tool_choice) or tools.get("Done") or prompt.tools[0]
    said = langmem.spoken(prompt.last_user_text).strip()
    return call(tool.name, fill.fill(tool.parameters, said))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
