"""The double of both models: it remembers every sentence, and keeps the newest prompt."""

from __future__ import annotations

import json
import re

from bot.answering.prompt import REPLY_INSTRUCTIONS
from openai_double.answer import Answer, Call, make_answer, make_call
from openai_double.prompt import Prompt

_CONTEXT = re.compile(r"<context>\n.*?</context>\n\n", re.S)
_PROPOSALS = re.compile(r"<proposals>\n(.*?)\n</proposals>", re.S)
_SPOKEN = re.compile(
    r"^=+ Human Message =+$\n(.*?)(?=^=+ \w+ Message =+$|^</session_)", re.M | re.S
)
_SENTENCE_END = re.compile(
    r"(?<=[.!?。！？])\s+(?=[A-Z0-9\"'(]|[^\x00-\x7f])|\n+|(?<=[。！？])"
)
_APPROVED = {
    "supported": True,
    "about": "speaker",
    "modality": "asserted",
    "valid_until": None,
    "conflict": "replaces",
    "sensitive": "none",
}


def statements(text: str) -> list[str]:
    """Return the sentences of a text that are no questions."""
    found: list[str] = []
    for part in _SENTENCE_END.split(text):
        sentence = part.strip()
        if sentence and not sentence.rstrip("\"')").endswith(("?", "？")):
            found.append(sentence)
    return found


class Model:
    """Proposes every statement as a fact and approves each: the most that can be remembered.

    `prompt` is the newest request for a reply. `calls` are tools that the next reply calls.
    `not_formed`: requests to delete something; of one that is formed alone nothing is proposed.
    """

    def __init__(self) -> None:
        self.prompt = Prompt()
        self.calls: list[Call] = []
        self.not_formed: set[str] = set()

    def answer(self, prompt: Prompt) -> Answer:
        """Answer any request of the app."""
        names = {tool.name for tool in prompt.tools}
        if "RepeatWord" in names:
            return make_answer("", make_call("RepeatWord", {"word": "tea"}))
        if "MemoryVerdicts" in names:
            return make_answer("", _approval(prompt))
        if "UserFact" in names:
            return make_answer("", *self._proposals(prompt))
        self.prompt = prompt
        if self.calls and not prompt.fresh_results:
            calls, self.calls = self.calls, []
            return make_answer("", *calls)
        return make_answer("Noted.")

    def _proposals(self, prompt: Prompt) -> list[Call]:
        facts: dict[str, None] = {}
        for spoken in _SPOKEN.findall(prompt.last_user_text):
            if spoken.strip() not in self.not_formed:
                facts.update(dict.fromkeys(statements(spoken)))
        return [
            make_call("UserFact", {"fact": fact, "evidence": fact}) for fact in facts
        ]


def _approval(prompt: Prompt) -> Call:
    [lines] = _PROPOSALS.findall(prompt.last_user_text)
    verdicts = [
        {"index": json.loads(line)["index"], **_APPROVED} for line in lines.splitlines()
    ]
    return make_call("MemoryVerdicts", {"verdicts": verdicts})


def shown(prompt: Prompt) -> str:
    """Return what a request shows, but for the fixed instructions and the newest question."""
    texts = [prompt.instructions.replace(REPLY_INSTRUCTIONS, "")]
    texts += [turn.text for turn in prompt.turns[:-1]]
    texts += _CONTEXT.findall(prompt.last_user_text)
    return "\n".join(texts)
