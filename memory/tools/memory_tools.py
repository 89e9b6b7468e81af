"""Memory tools for a model that replies to one person: injected ids, checked writes.

They are LangMem's ``create_search_memory_tool`` and ``create_manage_memory_tool``
(https://langchain-ai.github.io/langmem/reference/tools/) with shorter definitions, evidence and a
verdict; a deletion is only proposed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError

from memory.formation.commit import FormationResult
from memory.formation.former import Former
from memory.formation.proposal import Reason, Refusal
from memory.model.errors import FormationUnavailable, Overtaken
from memory.model.namespace import MemoryView
from memory.model.person_message import PersonMessage
from memory.model.schemas import level, with_evidence
from memory.model.text import Json
from memory.recall.lines import memories_within
from memory.recall.search import search_memories
from memory.store.changes import Change
from memory.store.memories import Memory, find_in_view
from memory.store.questions import Question
from memory.store.statements import InCommit, do_nothing
from memory.tools.arguments import read_arguments
from memory.tools.definitions import CHANGE_TOOL, SEARCH_TOOL, memory_tools

if TYPE_CHECKING:
    from langchain_core.tools import StructuredTool

JUDGED_WITHIN = 8.0  # seconds to wait for the verdict on a memory that a tool stores
SEARCH_LIMIT = 20
SEARCH_TOKENS = 2_000  # of the lines of the memories that a search returns

_ASKED = (
    "The person is asked by buttons whether to store this: say so, and do not claim that anything"
    " was changed."
)
_LATER = (
    "Checking it was not possible now: the person's words wait and are remembered later. Say so,"
    " and do not claim that it is remembered already."
)
_NOT_NOW = (
    "Checking it was not possible now, and nothing was stored: say so, and that the person can ask"
    " again."
)
_REFUSED = (
    "The person is shown the reason privately and can store it anyway: say so in a few words, and"
    " do not claim that you remembered it."
)
_NO_EVIDENCE = (
    "The quote is not in the person's message: if they did say it, call again with their exact"
    " words. Else do not claim that you remembered it."
)
_CREDENTIALS = "It holds a password, key or number that is never stored: say so."
# What the model reads of a refusal, by the reason; `_REFUSED` for any other.
_SHOWN_FOR: Mapping[Reason, str] = {
    "no_evidence": _NO_EVIDENCE,
    "secret": _CREDENTIALS,
}


@dataclass(eq=False)
class MemoryTools:
    """The tools for one message of one person.

    `view` determines which memories are readable; a tool stores only what `message` says. The model
    refers to memories only by id. `in_commit` is awaited, with the result, inside each transaction
    that writes; `Overtaken` raised there, or because the person is not in `epoch` any more, rolls
    it back. `batch_id` is the notice's batch. With
    `off` every call is an error. `words_wait`: what could not be judged now is formed later, from
    the message's words.

    `shown` are the memories that searches have shown to the model, by key, as they were read last,
    `to_forget` the keys of those whose deletion is proposed, `changes` what was stored, `questions`
    what the person is asked after the reply, and `refused` the refused proposals, except those of
    kinds that a later call stored.
    """

    former: Former
    view: MemoryView
    message: PersonMessage
    _: KW_ONLY
    batch_id: UUID | None = None
    epoch: int | None = None
    in_commit: InCommit[FormationResult] = do_nothing
    off: bool = False
    words_wait: bool = True
    shown: dict[str, Memory] = field(default_factory=dict, init=False)
    to_forget: list[str] = field(default_factory=list, init=False)
    changes: tuple[Change, ...] = field(default=(), init=False)
    questions: tuple[Question, ...] = field(default=(), init=False)
    refused: tuple[Refusal, ...] = field(default=(), init=False)

    async def call(self, name: str, given: Json) -> Json | list[Json]:
        """Run one function call of the model; return its output, which may be an error for it.

        The output is a JSON value. `given` are the arguments, as `read_arguments` returns them.
        Raises `psycopg.OperationalError` if the database is unreachable, and `InvalidNamespace`
        should it ever return a row outside `view`.
        """
        if name not in (SEARCH_TOOL, CHANGE_TOOL):
            return _error(f"There is no tool {name[:40]!r}.")
        if self.off:
            return _error("Memory is switched off: nothing is read or stored. Say so.")
        if name == SEARCH_TOOL:
            return await self._search(given)
        return await self._change(given)

    def langchain(self) -> list[StructuredTool]:
        """Return the tools for an agent of LangChain, such as ``create_agent``.

        Each returns the JSON of what `call` returns.
        """
        definitions = memory_tools(tuple(self.former.kinds.values()))
        return [self._langchain_tool(one) for one in definitions]

    def _langchain_tool(self, definition: Json) -> StructuredTool:
        # Most callers need none.
        from langchain_core.tools import StructuredTool

        async def run(**given: Any) -> str:
            output = await self.call(definition["name"], given)
            return json.dumps(output, ensure_ascii=False)

        return StructuredTool.from_function(
            coroutine=run,
            name=definition["name"],
            description=definition["description"],
            args_schema=definition["parameters"],
        )

    async def _search(self, given: Json) -> list[Json]:
        query = str(given.get("query") or " ")
        former = self.former
        found = await search_memories(
            former.pool, former.embedder, self.view, query, SEARCH_LIMIT
        )
        kept = memories_within(found, SEARCH_TOKENS) or found[:1]
        output: list[Json] = []
        for memory in kept:
            self.shown[memory.key] = memory
            shown = {
                "id": memory.key,
                "kind": memory.kind,
                "content": memory.content,
                "since": memory.said_on,
            }
            output.append(shown)
        return output

    async def _change(self, given: Json) -> Json:
        action = given.get("action")
        if action == "create":
            return await self._store(given, None)
        if action not in ("update", "delete"):
            return _error("`action` is create, update or delete.")
        key = str(given.get("id"))
        found = await find_in_view(self.former.pool, self.view, [key])
        target = found.get(key)
        if target is None:
            return _error(
                "There is no memory with that id. Search first and use its id."
            )
        if action == "update":
            return await self._store(given, target)
        if key not in self.to_forget:
            self.to_forget.append(key)
        return {"proposed": True, "done": False, "id": key}

    async def _store(self, given: Json, target: Memory | None) -> Json:
        """Store a new memory, or what changes in `target`."""
        kept = target.content if target else {}
        value = self._value(given, kept)
        if isinstance(value, str):
            return _error(value)
        try:
            outcome = await self.former.form_proposed(
                self.view,
                self.message,
                value,
                target=target,
                batch=self.batch_id,
                epoch=self.epoch,
                in_commit=self.in_commit,
                deadline=JUDGED_WITHIN,
            )
        except Overtaken:
            return _error(
                "Nothing was stored: the person has switched memory off, or has edited, deleted or"
                " forgotten something. Say so."
            )
        except FormationUnavailable:
            if self.words_wait:
                return {"done": False, "later": _LATER}
            return _error(_NOT_NOW)
        self.changes += outcome.changes
        self.questions += outcome.questions
        return self._report(outcome)

    def _value(self, given: Json, kept: Json) -> Json | str:
        """Return the value to write, with its evidence, or an error message.

        `kept` are the fields of the memory that it changes: those that are left out stay.
        """
        content = given.get("content")
        evidence = given.get("evidence")
        if not isinstance(evidence, str) or not evidence.strip():
            return (
                "`evidence` is empty: quote the person's own words from this message."
            )
        if isinstance(content, str):
            content = read_arguments(content)  # some models write it as a text
        if not isinstance(content, dict):
            content = {}
        kinds = self.former.kinds
        kind = str(content.get("kind"))
        schema = kinds.get(kind)
        if schema is None:
            names = ", ".join(kinds)
            return f"`content` is an object with `kind`, one of {names}, and the fields of it."
        whole = {**kept, **content, "evidence": evidence}
        try:
            written = with_evidence(schema).model_validate(whole)
        except ValidationError as problem:
            faults = problem.json(include_url=False, include_input=False)
            return f"`content` is not valid for {kind}: {faults[:300]}"
        valid = written.model_dump(mode="json")
        if level(kind, valid) == 0:
            # Level 0 removes a memory, and only a click by the person may do that.
            return "To forget a memory use the action delete. A dislike is a low score above 0."
        return {"kind": kind, "content": valid}

    def _report(self, outcome: FormationResult) -> Json:
        if outcome.changes:
            stored = {change.kind for change in outcome.changes}
            self.refused = tuple(one for one in self.refused if one.kind not in stored)
            # Not what changed: others than this conversation may know it.
            ids = [change.key for change in outcome.changes]
            return {"done": True, "ids": ids}
        if outcome.questions:
            return {"done": False, "asked": _ASKED}
        if not outcome.refused:
            # The memory already says so, and has this message as a source.
            return {"done": "confirmed"}
        self.refused += tuple(one for one in outcome.refused if one not in self.refused)
        reason = outcome.refused[0].reason
        shown = _SHOWN_FOR.get(reason, _REFUSED)
        return {"done": False, "refused": reason, "shown": shown}


def _error(sentence: str) -> Json:
    return {"error": sentence}
