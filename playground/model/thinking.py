"""From a prompt to an answer: formation, a structured answer, or a reply."""

from __future__ import annotations

import json

from playground.model import extraction, fill, formation, optimizing, reply, tool_use
from playground.model.answer import Answer, Call
from playground.model.prompt import Prompt, Tool
from playground.model.statements import without_marks

NOTHING_TO_REMEMBER = "There is nothing here to remember."


def answer_to(prompt: Prompt) -> Answer:
    """What the rules make of `prompt`."""
    if optimizing.is_wanted(prompt):
        return _better_prompt(prompt)
    if prompt.tools and prompt.tool_choice != "none":
        calls = (
            formation.calls_for(prompt)
            if _is_about_memories(prompt)
            else tool_use.calls_for(prompt)
        )
        if not calls and prompt.tool_choice != "auto":
            calls = [_something(prompt)]
        if calls:
            return Answer(calls=tuple(calls if prompt.parallel else calls[:1]))
        if _is_about_memories(prompt):
            return Answer(text=NOTHING_TO_REMEMBER)
    if prompt.wants_sentences:
        memories = {"memory": extraction.memories_for(prompt)}
        return Answer(text=json.dumps(memories, ensure_ascii=False))
    if prompt.schema is not None:
        said = formation.spoken(prompt.last_user_text)
        filled = fill.fill(prompt.schema, subject=said, clause=said, quote=said)
        return Answer(text=json.dumps(filled if prompt.schema else {}, ensure_ascii=False))
    said = tool_use.words_for(prompt) if prompt.kind == "reply" else ""
    return Answer(text=said or reply.reply_to(prompt))


def _better_prompt(prompt: Prompt) -> Answer:
    if not prompt.tools:
        fields = optimizing.fields_for(prompt, prompt.schema or {})
        return Answer(text=json.dumps(fields, ensure_ascii=False))
    tool = optimizing.tool_for(prompt)
    fields = optimizing.fields_for(prompt, tool.parameters)
    return Answer(calls=(Call(name=tool.name, arguments=json.dumps(fields, ensure_ascii=False)),))


def _is_about_memories(prompt: Prompt) -> bool:
    names = {tool.name for tool in prompt.tools}
    return prompt.kind == "formation" or bool(names & {"PatchDoc", "PatchFunctionErrors"})


def _something(prompt: Prompt) -> Call:
    """A call where one is demanded and nothing was said: no change, if there is such a call."""
    chosen = next((one for one in prompt.tools if one.name == prompt.tool_choice), None)
    tool = chosen or _harmless(prompt.tools)
    said = formation.spoken(prompt.last_user_text).strip()
    arguments = fill.fill(
        tool.parameters, subject=without_marks(said) or said, clause=said, quote=said
    )
    if tool.name in {"PatchDoc", "PatchFunctionErrors"}:
        documents = formation.existing_ids(prompt)
        arguments["json_doc_id"] = documents[0] if documents else ""
        arguments["patches"] = []
    return Call(name=tool.name, arguments=json.dumps(arguments, ensure_ascii=False))


def _harmless(tools: tuple[Tool, ...]) -> Tool:
    order = ("Done", "PatchDoc", "PatchFunctionErrors")
    return next((one for name in order for one in tools if one.name == name), tools[0])
