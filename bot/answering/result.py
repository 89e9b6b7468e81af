"""What a turn ends with: its result, and the answer that is delivered because of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.acts.blocks import Payload, one_line
from bot.answering.attachments import trouble_lines
from bot.answering.links import filter_links, links_in
from bot.answering.prompt import Prompt
from bot.answering.tools import Toolbox
from bot.app import App
from bot.conversation.inbox import Outcome
from bot.conversation.turns import Turn
from bot.delivery.reply_sink import ReplySink
from bot.kept.blocks import quote
from bot.locale import Localizer
from memory import Memory
from memory.store import KeptLine

ACKNOWLEDGEMENT = 80
"""Characters of an answer that may only acknowledge what was said, and is not rated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The reply to a message, the model's `prompt`, and the `tools` it could call.

    `is_answer`: a model's answer to the question is in `text`, or, with `is_refusal`, why it does
    not answer. `links`: the addresses and mentions that stay links in it. `left_out`: sentences
    that say what was left out of the request, and `declined` memories with which the model's
    provider refused it. `is_left_out`: the author asked for the message to be left out of memory.
    `cited`: the marks of what the answer rests on.
    """

    outcome: Outcome
    text: str
    prompt: Prompt
    tools: Toolbox
    is_answer: bool = False
    is_refusal: bool = False
    links: frozenset[str] = frozenset()
    refused: bool = False
    left_out: Sequence[str] = ()
    declined: Sequence[Memory] = ()
    is_left_out: bool = False
    cited: Sequence[str] = ()

    @property
    def memories(self) -> list[Memory]:
        """The memories that the answer rests on."""
        by_mark = self.prompt.memories_by_mark
        return [by_mark[mark] for mark in self.cited if mark in by_mark]

    @property
    def lines(self) -> list[KeptLine]:
        """The kept lines that the answer rests on."""
        by_mark = self.prompt.lines_by_mark
        return [by_mark[mark] for mark in self.cited if mark in by_mark]


def with_unread(localizer: Localizer, result: Result) -> str:
    """Return the text of a result, and sentences about files and messages that were not read.

    Returns "" if there is neither.
    """
    if result.outcome != "answered":
        return result.text
    prompt = result.prompt
    unread = trouble_lines(localizer, prompt.files)
    if prompt.unread:
        unread.append(localizer.say("parts_unread", count=prompt.unread))
    if prompt.thread.trouble:
        unread.append(localizer.say(prompt.thread.trouble))
    cut = [localizer.say(f"cut_{one}") for one in prompt.cut]
    cut += [f"`{file.name}`" for file in prompt.files if file.is_cut]
    if cut:
        what = localizer.listed(cut)
        unread.append(localizer.say("read_in_part", what=what))
    unread += result.left_out
    text = "\n\n".join(filter(None, [result.text, *unread]))
    # What was streamed is not changed by this; the rest has names of files, and titles of pages.
    return filter_links(text, result.links)


async def _quotes(
    app: App, team_id: str, result: Result, localizer: Localizer
) -> list[str]:
    """Return the kept lines that an answer rests on, quoted with authors, days and links."""
    prompt = result.prompt
    lines = {str(one.id): one for one in result.lines}
    sources = {key: one.message for key, one in lines.items()}
    links = await app.slack.permalinks(team_id, sources)
    shown = []
    for key, one in lines.items():
        what = filter_links(one_line(one.text), links_in([one.text]))
        who = filter_links(prompt.names[one.user_id])
        shown.append(quote(localizer, one, what, who, links.get(key)))
    return shown


def told_instead(
    turn: Turn, result: Result, sink: ReplySink, answer: str
) -> Payload | None:
    """Return the message of a tool call that is the whole answer; None if there is another."""
    if not sink.interactive or result.outcome == "stopped":
        return None
    if answer or _is_redacted(turn):
        return None
    return result.tools.answer


def _is_redacted(turn: Turn) -> bool:
    """Return whether something that the person wrote, such as a password, is not stored."""
    return bool(turn.removed) and turn.memory_state.on_record


async def deliver(
    app: App,
    turn: Turn,
    result: Result,
    sink: ReplySink,
    answer: str,
    told: Payload | None,
) -> str:
    """Deliver the answer and what stands below it, or what takes its place; return its text."""
    if result.outcome == "stopped":
        return await sink.stop()
    if told is not None:
        return await sink.tell(told)
    localizer = await sink.localizer()
    text = answer
    if not text:
        key = "nothing_said"
        if result.tools.suffice:
            key = "noted"
        if result.tools.shows_something:
            key = "answered_privately"
        text = localizer.say(key)
    quotes = await _quotes(app, turn.message.team_id, result, localizer)
    shown = "\n\n".join([text, *quotes])
    for note in _notes(turn, result):
        shown = f"{shown.rstrip()}\n\n{localizer.say(note)}"
    is_acknowledgement = len(result.text) <= ACKNOWLEDGEMENT and not result.cited
    await sink.finish(
        shown,
        can_be_rated=result.is_answer and not is_acknowledgement,
        offers_more=result.is_refusal and turn.memory_state.on_record,
        cited=len(result.memories),
    )
    return text


def _notes(turn: Turn, result: Result) -> list[str]:
    """Return the keys of the notes below an answer: what of the message or memories is not used."""
    notes = []
    if result.outcome == "answered" and result.prompt.recalled.newest_only:
        notes.append("newest_only")
    if result.is_left_out and result.outcome == "answered":
        notes.append("not_remembered")
    if _is_redacted(turn):
        notes.append("left_out")
    if turn.is_cut:
        notes.append("words_cut")
    return notes
