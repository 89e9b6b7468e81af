"""Tools for a person's memory, used as a language model would: by schema and by what is said.

A tool is known by its parameters (a `query`; an `action` with an `id`; none at all) and its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from playground.model import control_use, fill, formation, reply
from playground.model.answer import Call
from playground.model.lexicon import is_japanese, normalise, singular
from playground.model.prompt import Prompt, Tool, ToolResult
from playground.model.statements import Statement, read_statements, sentences, without_marks

_ASKED: Final = (
    r"^(?:(?:please|can you|could you|would you|will you|i want you to|i'd like you to|hey|kioku|"
    r"ok|okay|and|so|well|also|now|just)[,:]? +)*"
)
_EVERYTHING: Final = re.compile(
    _ASKED + r"(?:(?:forget|delete|erase|remove|wipe|clear)\b.*?\b(?:everything|all(?: of)?)\b"
    r"(?:.*\b(?:about me|know|remember|memor(?:y|ies)|told|said|stored|of it)\b|\W*$)"
    r"|forget me\b|(?:wipe|clear|erase) (?:your|my) memor)"
    r"|(?:全部|すべて|全て|ぜんぶ|何もかも|一切)[^。]*(?:忘れて|消して|削除して|消去して)",
    re.IGNORECASE,
)
_LIST: Final = re.compile(
    r"\b(?:what|which things|everything|all)\b.*\byou(?:'ve| have| do| can)?(?: \w+)?"
    r" (?:remember|know|recall|learn(?:ed|t)|stored?|saved?|remembered)\b.*\b(?:about )?me\b"
    r"|\b(?:what (?:do|have) you (?:remember|remembered|recall))\W*$"
    r"|\b(?:show|list|see|display)\b.*\b(?:(?:my|your) memories|remember)\b"
    r"|(?:私|わたし|僕|ぼく|俺|自分)(?:について|に関して|に関する|のこと).*(?:覚えて|知って|記憶)"
    r"|(?:何|なに|どんなこと|どんな事)(?:を|が|か)?.{0,4}(?:覚えて|記憶して)(?:い)?(?:る|ます)"
    r"|(?:覚えて(?:い)?る(?:こと|もの)|記憶)(?:の一覧)?(?:を|は).{0,4}(?:見せて|教えて|表示|一覧|全部)",
    re.IGNORECASE,
)
_REMEMBER_EN: Final = re.compile(
    _ASKED + r"(?:remember|note|keep in mind|make a note|save|(?:don't|do not|never) forget)"
    r"(?: this| down)?(?: that|:|,)? (?P<rest>.+)$",
    re.IGNORECASE,
)
_REMEMBER_JA: Final = re.compile(
    r"(?:覚えて(?:おいて|て|ください|ほしい|下さい|ね)|忘れないで|記憶して|記録して|メモして)"
)
_AROUND_JA: Final = re.compile(
    r"^(?:覚えておいて|覚えて|メモして)(?:ください|ね)?[、。：:\s]+"
    r"|(?:(?:なの|だ|である|な)?(?:という|って|と)?(?:の|こと)?(?:を|は|も)?、?"
    r"(?:覚えて|忘れないで|記憶して|記録して|メモして).*)$"
)
_AT_ONCE: Final = 3


@dataclass(frozen=True, kw_only=True)
class _Tools:
    search: Tool | None
    manage: Tool | None
    show: Tool | None
    erase: Tool | None


def calls_for(prompt: Prompt) -> list[Call]:
    """The next calls for what was asked; none when it is time for words."""
    tools, text = _sorted(prompt.tools), prompt.last_user_text
    done = {result.name for result in prompt.fresh_results}
    if control := control_use.wanted(prompt.tools, text):
        tool, arguments = control
        return [] if tool.name in done else [_call(tool, arguments)]
    if tools.erase and _EVERYTHING.search(without_marks(text)):
        return [] if tools.erase.name in done else [_call(tools.erase, {})]
    if tools.search and tools.manage and (wanted := _to_forget(text)):
        return _forget(tools.search, tools.manage, wanted, prompt)
    if tools.manage and tools.manage.name not in done and (said := _to_remember(text)):
        return _remember(tools.manage, said)
    if tools.show and tools.show.name not in done and _LIST.search(text):
        return [_call(tools.show, {})]
    if tools.search and tools.search.name not in done and _has_to_search(tools, prompt):
        return [_call(tools.search, {"query": without_marks(text)})]
    return []


def _has_to_search(tools: _Tools, prompt: Prompt) -> bool:
    """Whether the answer is in memories that nothing but the search tool can bring."""
    brought = tools.show is not None or "<memories>" in prompt.instructions
    return tools.manage is not None and not brought and reply.is_about_the_person(prompt)


def words_for(prompt: Prompt) -> str:
    """What to say after the calls, by their outputs; ``""`` where there were none of ours."""
    for result in prompt.fresh_results:
        if said := control_use.told(result.name, _json(result.output), prompt.last_user_text):
            return said
    outcomes = {one for result in prompt.fresh_results if (one := _outcome(result))}
    if outcomes == {"found"} and not _to_forget(prompt.last_user_text):
        return ""
    language = 0 if is_japanese(prompt.last_user_text) else 1
    told = [words[language] for one, words in _SENTENCES.items() if one in outcomes]
    # To find something is no answer yet, unless nothing came of it.
    return "\n".join(told[:-1] if len(told) > 1 and "found" in outcomes else told)


_Outcome = Literal["failed", "shown", "proposed", "done", "forgotten", "found"]
_SENTENCES: Final[dict[_Outcome, tuple[str, str]]] = {
    "failed": (
        "できませんでした。何も変わっていません。",
        "I could not do that; nothing was changed.",
    ),
    "shown": (
        "覚えていることをお見せします。あなたにだけ表示されます。",
        "Here is what I remember about you. Only you can see it.",
    ),
    "proposed": (
        "忘れてよければ、ボタンを押してください。まだ何も忘れていません。",
        "Please press the button if I should forget it. Nothing is forgotten yet.",
    ),
    "done": ("覚えました。", "Done, I will remember that."),
    "forgotten": ("忘れました。", "Done, I have forgotten that."),
    "found": (
        "それについて覚えていることは見つかりませんでした。",
        "I found nothing like that in my memory.",
    ),
}


def _outcome(result: ToolResult) -> _Outcome | None:
    """What came of a call, None if it was not one for memories."""
    called, output = _json(result.arguments), _json(result.output)
    ours = isinstance(called, dict) and bool({"action", "query"} & set(called))
    if isinstance(output, dict):
        if output.get("error"):
            return "failed" if ours else None
        if output.get("proposed"):
            return "proposed"
        return "shown" if any(name.startswith("shown") for name in output) else None
    if not ours:
        return None
    if "query" in called:
        return "found"
    return "forgotten" if called.get("action") == "delete" else "done"


def _sorted(tools: tuple[Tool, ...]) -> _Tools:
    def first(fits: Any) -> Tool | None:
        return next((tool for tool in tools if fits(tool)), None)

    def bare(tool: Tool, pattern: str) -> bool:
        return not tool.parameters.get("properties") and bool(re.search(pattern, tool.name, re.I))

    return _Tools(
        search=first(lambda tool: fill.accepts(tool.parameters, "query", "string")),
        manage=first(
            lambda tool: "delete" in json.dumps(_property(tool, "action")) and _property(tool, "id")
        ),
        show=first(lambda tool: bare(tool, r"list|show")),
        erase=first(lambda tool: bare(tool, r"(?:forget|delete|erase).*(?:everything|all)")),
    )


def _property(tool: Tool, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tool.parameters.get("properties", {}).get(name) or {}
    return found


def _to_forget(text: str) -> list[Statement]:
    return [one for one in read_statements(text) if one.stance == "forget"]


def _forget(search: Tool, manage: Tool, wanted: list[Statement], prompt: Prompt) -> list[Call]:
    results = prompt.fresh_results
    if any(result.name == manage.name for result in results):
        return []
    found = [_json(result.output) for result in results if result.name == search.name]
    if not found:
        return [_call(search, {"query": one.subject}) for one in wanted[:_AT_ONCE]]
    entries = [
        entry for output in found if isinstance(output, list) for entry in output if _id(entry)
    ]
    ids = dict.fromkeys(_id(entry) for one in wanted for entry in _about(one.subject, entries))
    return [_call(manage, {"action": "delete", "id": one}) for one in list(ids)[:_AT_ONCE]]


def _about(subject: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    name = singular(subject)
    named = [one for one in entries if any(singular(text) == name for text in _texts(one))]
    return named or [one for one in entries if name in normalise(" ".join(_texts(one)))]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _id(entry: Any) -> str:
    return str(entry.get("id") or entry.get("key") or "") if isinstance(entry, dict) else ""


def _to_remember(text: str) -> list[Statement]:
    said: list[Statement] = []
    for sentence in sentences(text):
        rest = _rest(sentence)
        if rest:
            said += read_statements(rest) or [
                Statement(stance="fact", subject=rest, strength=100, quote=rest, detail=rest)
            ]
    return said


def _rest(sentence: str) -> str:
    """What is to be remembered, as a statement."""
    if is_japanese(sentence):
        if not _REMEMBER_JA.search(sentence) or re.search(r"(?:か|の)[？?]*$", sentence):
            return ""
        return _AROUND_JA.sub("", without_marks(sentence)).strip()
    match = _REMEMBER_EN.match(without_marks(sentence))
    return match["rest"].strip() if match else ""


def _remember(manage: Tool, said: list[Statement]) -> list[Call]:
    schema = _property(manage, "content")
    kinds = [
        Tool(name=_kind(branch), description="", parameters=branch) for branch in _objects(schema)
    ]
    contents: list[Any] = (
        formation.contents_for(kinds, said)
        if kinds
        else [without_marks(one.detail) for one in said]
    )
    return [_call(manage, {"action": "create", "content": content}) for content in contents]


def _objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("anyOf", "oneOf"):
        for branch in schema.get(name) or []:
            yield from _objects(branch)
    if schema.get("properties"):
        yield schema


def _kind(schema: dict[str, Any]) -> str:
    kind = schema["properties"].get("kind", {})
    return str(kind.get("const") or schema.get("title") or "Memory")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _call(tool: Tool, arguments: dict[str, Any]) -> Call:
    return Call(name=tool.name, arguments=json.dumps(arguments, ensure_ascii=False))
