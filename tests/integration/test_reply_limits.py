"""A model without limits: an answer has an end, and what cannot be read is one failure."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.messages.ai import UsageMetadata

from bot.answering.filters import LOOP_CHARACTERS
from bot.answering.streamed_answer import MAX_ANSWER, MAX_ITEMS
from bot.answering.web_search import SEARCH_TOOL, search_web
from bot.delivery.reply_sink import reply_text
from bot.locale import Localizer
from bot.models.failures import ReplyFailed
from memory.formation.chat_model import tokens_used
from tests.conftest import Server
from tests.integration.responses_server import (
    ALICE,
    DONE,
    LIMITS,
    POSITION,
    PROMPT,
    Answer,
    LookTool,
    Replier,
    ResponsesServer,
    Send,
    Shown,
    call,
    counted_tokens,
    create_replier,
    delta,
    requests,
    script,
)


@pytest.mark.parametrize(
    "piece", ["Lorem {} ipsum dolor sit amet. ", "むかし{}むかし、", "x{}"]
)
async def test_an_answer_without_an_end_is_ended(piece: str) -> None:
    """It ends at a word, says so, and the request is left."""

    async def endless(send: Send, number: int) -> None:
        for at in itertools.count(0, 40):
            await send(delta("".join(piece.format(at + one) for one in range(40))))

    model = ResponsesServer(endless)
    shown = Shown()
    reply = await model.reply(shown=shown)
    await asyncio.wait_for(model.left.wait(), 60)
    assert reply.cut == "cut_short"
    assert MAX_ANSWER - 10 < len(reply.text) < MAX_ANSWER + 20
    assert reply.text == shown.text
    assert " " not in piece or reply.text.endswith(" ")
    assert reply_text(Localizer("en"), reply).endswith("Ask me to continue._")
    assert model.requests[0]["max_output_tokens"] == LIMITS["max_output_tokens"]
    assert len(model.requests) == 1


async def test_an_answer_that_repeats_itself_is_ended() -> None:
    """It ends after 2,000 characters of the same, is marked, and the block is kept once."""

    async def looping(send: Send, number: int) -> None:
        await send(delta("My answer is this.\n\n"))
        while True:
            await send(delta("I'm happy to share that. "))

    model = ResponsesServer(looping)
    shown = Shown()
    reply = await model.reply(shown=shown)
    await asyncio.wait_for(model.left.wait(), 60)
    assert reply.cut == "cut_loop"
    assert reply.text == "My answer is this.\n\nI'm happy to share that."
    assert LOOP_CHARACTERS < len(shown.text) < LOOP_CHARACTERS + 600


THOUGHTS: list[tuple[list[str], str]] = [
    (["<think>\nLet me ", "see.\n</think>\n\nRamen."], "Ramen."),
    (["<th", "ink>Let me see.</thi", "nk>", "Ramen."], "Ramen."),
    (["Let me see.\n", "</think>\n\n", "Ramen."], "Ramen."),
    (["Ramen. ", "<think>Or sushi?</think>", "Or sushi."], "Ramen. Or sushi."),
    (["Ramen. ", "<think>Or sushi?"], "Ramen. "),
    (["Write `<think>` and `</think>`."], "Write `<think>` and `</think>`."),
    (["1 <", " 2"], "1 < 2"),
]


@pytest.mark.parametrize(("pieces", "text"), THOUGHTS, ids=str)
@pytest.mark.parametrize("streamed", [True, False])
async def test_thoughts_are_no_part_of_an_answer(
    pieces: list[str], text: str, streamed: bool
) -> None:
    """Neither while it is written, nor where only its end says what it was."""
    whole = {
        "type": "message",
        "content": [{"type": "output_text", "text": "".join(pieces)}],
    }
    events = [delta(piece) for piece in pieces] if streamed else []
    done = {"type": "response.completed", "response": {"output": [whole]}}
    shown = Shown()
    reply = await ResponsesServer([*events, done]).reply(shown=shown)
    assert reply.text == shown.text == text


async def test_a_thought_that_ends_late_takes_back_its_own_message_only() -> None:
    """What an earlier message of the answer said stays; thoughts do not go back to the model."""
    second = {**POSITION, "output_index": 1}

    async def answer(send: Send, number: int) -> None:
        if number == 1:
            await send(delta("One moment."))
            first = message({"type": "output_text", "text": "One moment."})
            await send(whole(first))
            await send({**delta("Let me see. "), **second})
            await send({**delta("</think>I look."), **second})
            said = [{"type": "output_text", "text": "Let me see. </think>I look."}]
            item = {"type": "message", "content": said}
            await send({"type": "response.output_item.done", "item": item})
            await send(call("look", "{}"))
        else:
            await send(delta("<think>So</think>Done."))
        await send({"type": "response.completed", "response": {"output": []}})

    model = ResponsesServer(answer)
    shown = Shown()
    reply = await model.reply(shown=shown, tools=LookTool())
    assert reply.text == shown.text == "One moment.\n\nI look.\n\nDone."
    said = model.requests[1]["input"][-3]
    assert (said["role"], said["content"]) == ("assistant", "One moment.\n\nI look.")


async def test_an_answer_that_is_all_thought_is_empty() -> None:
    """The person is told that there was none."""
    with pytest.raises(ReplyFailed) as raised:
        await ResponsesServer([delta("<think>Hm, let me"), DONE]).reply()
    assert raised.value.cause == "model_empty"


async def test_what_takes_too_long_while_others_are_answered_is_slow() -> None:
    """The person is told so at once: another attempt would take as long."""

    async def late(send: Send, number: int) -> None:
        # The probe may come first: on a busy machine the time is over before the question is sent.
        if PROMPT.question in str(model.requests[number - 1]):
            await asyncio.Event().wait()
        await send(DONE)

    model = ResponsesServer(late)
    with pytest.raises(ReplyFailed) as raised:
        await model.reply(first_event_seconds=0.05)
    assert (raised.value.cause, raised.value.passes) == ("model_slow", False)


async def test_waiting_for_the_first_event_has_a_limit_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that answers nobody within it is away: the message waits."""
    monkeypatch.setattr("bot.models.model.PROBE_ANSWER_SECONDS", 0.05)

    async def late(send: Send, number: int) -> None:
        await asyncio.Event().wait()

    with pytest.raises(ReplyFailed) as raised:
        await ResponsesServer(late).reply(first_event_seconds=0.05)
    assert (raised.value.passes, raised.value.silent) == (True, True)


def thinking(words: str = "") -> Answer:
    """Return a model that says these words and then thinks without an end."""

    async def answer(send: Send, number: int) -> None:
        if words:
            await send(delta(words))
        while True:
            await send({"type": "response.reasoning_summary_text.delta", "delta": "hm"})
            await asyncio.sleep(0.05)

    return answer


async def test_an_answer_that_takes_too_long_is_ended() -> None:
    """A model that does not stop is left when the time for an answer is over."""
    model = ResponsesServer(thinking("It begins "))
    reply = await asyncio.wait_for(model.reply(answer_seconds=0.6), 60)
    await asyncio.wait_for(model.left.wait(), 60)
    assert (reply.text, reply.cut) == ("It begins ", "cut_short")


MALFORMED: list[Sequence[str | dict[str, Any]]] = [
    ['{"type": oops'],
    ["[1, 2]"],
    ["null"],
    ["5"],
    ["[" * 100_000],
    [{"type": "response.output_text.delta"}],
    [{"type": "response.output_text.delta", "delta": 5}],
    [{"type": "response.refusal.delta", "delta": None}],
    [{"type": "response.output_item.done"}],
    [{"type": "response.output_item.done", "item": {}}, DONE],
    [{"type": "response.output_item.done", "item": {"type": "function_call"}}, DONE],
    [call("look", "{}", number) for number in range(MAX_ITEMS + 1)],
    [delta("Half of it "), "{"],
]


@pytest.mark.parametrize("events", MALFORMED, ids=lambda events: str(events)[:60])
async def test_what_cannot_be_read_is_one_failure(
    events: Sequence[str | dict[str, Any]],
) -> None:
    """A malformed stream fails at the first attempt, with its own sentence."""
    model = ResponsesServer(events)
    with pytest.raises(ReplyFailed) as raised:
        await model.reply()
    assert (raised.value.cause, raised.value.passes) == ("model_malformed", False)
    assert len(model.requests) == 1


UNKNOWN: list[dict[str, Any]] = [
    {"type": "response.never_heard.delta", "delta": 5},
    {"type": 7, "delta": "no"},
    {"no": "type"},
    {"_fields_set": 5},
    {"type": "response.created", "response": "r1"},
    {"type": "response.content_part.added", "part": {"type": "hologram"}},
    {"type": "response.reasoning_text.delta", "delta": None},
    {"type": "response.output_item.added", "item": None},
    {
        "type": "response.output_item.added",
        "item": {"type": "hologram", "phase": "commentary"},
    },
    {
        "type": "response.output_item.done",
        "item": {"type": "hologram", "content": [{"a": []}]},
    },
    {
        "type": "response.output_item.done",
        "item": {"type": "hologram", "_fields_set": 5},
    },
    {
        "type": "response.output_item.done",
        "item": {"type": "reasoning", "id": 7, "content": "hm"},
    },
]
USAGES: list[Any] = [
    None,
    5,
    [],
    {"output_tokens": "3"},
    {"output_tokens_details": "few"},
]


@pytest.mark.parametrize("event", UNKNOWN, ids=str)
async def test_what_is_unknown_does_not_end_an_answer(event: dict[str, Any]) -> None:
    """An event, item or field that the SDK has not heard of says nothing."""
    reply = await ResponsesServer(
        [event, delta("It "), event, delta("rains."), DONE]
    ).reply()
    assert (reply.text, reply.cut) == ("It rains.", None)


@pytest.mark.parametrize("usage", USAGES, ids=str)
async def test_tokens_that_are_not_counted_do_not_end_an_answer(usage: Any) -> None:
    """A last event of another shape is an end like any other."""
    response = {"output": [], "usage": usage, "incomplete_details": "none", "status": 7}
    last = {"type": "response.completed", "response": response}
    reply = await ResponsesServer([delta("It rains."), last]).reply()
    assert (reply.text, reply.cut) == ("It rains.", None)


def message(*parts: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return a whole message of the model."""
    return {"type": "message", "role": "assistant", "content": [*parts], **more}


def completed(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a last event with the whole response."""
    return {"type": "response.completed", "response": {"output": [*items], **more}}


SAID = message({"type": "output_text", "text": "It rains."})
REFUSED = message({"type": "refusal", "refusal": "I cannot."})
COMMENT = message({"type": "output_text", "text": "Looking."}, phase="commentary")


def whole(item: dict[str, Any]) -> dict[str, Any]:
    """Return the event of a whole item."""
    return {"type": "response.output_item.done", "item": item}


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([whole(SAID), DONE], "It rains."),
        ([whole(COMMENT), whole(SAID), whole(SAID), DONE], "It rains.\n\nIt rains."),
        ([whole(REFUSED), DONE], "I cannot."),
        ([completed(REFUSED)], "I cannot."),
        ([delta("It rains."), whole(SAID), completed(SAID)], "It rains."),
        ([delta("It rains."), completed(SAID)], "It rains."),
    ],
)
async def test_an_answer_that_comes_whole_is_shown_once(
    events: Sequence[dict[str, Any]], text: str
) -> None:
    """A server need not send it in pieces, or may send it in both ways."""
    shown = Shown()
    reply = await ResponsesServer(events).reply(shown=shown)
    assert reply.text == shown.text == text
    assert reply.is_refusal is (text == "I cannot.")


@pytest.mark.parametrize("kind", ["mcp_call", "custom_tool_call"])
@pytest.mark.parametrize(
    ("said", "text", "requests"), [([], "Done.", 2), ([SAID], "It rains.", 1)]
)
async def test_calls_of_others_tools_alone_are_no_answer(
    kind: str, said: Sequence[dict[str, Any]], text: str, requests: int
) -> None:
    """The model is asked once more, without tools; with an answer beside them it is not."""
    foreign = {"type": kind, "id": "m1", "call_id": "c1", "name": "look"}

    async def answer(send: Send, number: int) -> None:
        for item in [foreign, *said] if number == 1 else []:
            await send(whole(item))
        if number == 2:
            await send(delta("Done."))
        await send(DONE)

    model = ResponsesServer(answer)
    tool = LookTool()
    reply = await model.reply(tools=tool)
    assert (reply.text, len(model.requests), tool.calls) == (text, requests, [])
    assert bool(model.requests[-1]["tools"]) is (requests == 1)


@pytest.mark.parametrize("given", [{"at": 1}, None], ids=str)
async def test_a_call_is_read_however_it_is_written(given: object) -> None:
    """Arguments as an object or null, as llama.cpp wrote them once, and without a call_id."""

    async def answer(send: Send, number: int) -> None:
        called = call("look", "")
        called["item"]["arguments"] = given
        del called["item"]["call_id"]
        await send(called if number == 1 else delta("Done."))
        await send(DONE)

    look = LookTool()
    reply = await ResponsesServer(answer).reply(tools=look)
    assert reply.text == "Done."
    assert look.calls == [json.dumps(given or {})]


@pytest.mark.parametrize(
    ("reason", "cut"),
    [("max_output_tokens", "cut_short"), ("content_filter", "cut_filtered")],
)
async def test_a_completed_response_can_be_incomplete(reason: str, cut: str) -> None:
    """Some servers write it into the response, and not into the name of the event."""
    last = completed(status="incomplete", incomplete_details={"reason": reason})
    reply = await ResponsesServer([delta("Half of"), last]).reply()
    assert (reply.text, reply.cut) == ("Half of", cut)


async def test_characters_that_cannot_be_stored_are_left_out() -> None:
    """NULs and escapes go, halves of a character are joined across pieces or replaced."""

    async def answer(send: Send, number: int) -> None:
        for piece in ("a\x00b\x1b[1m ", "\ud83c", "\udf5c ", "lone \ud800", " c"):
            await send(delta(piece))
        await send(
            {"type": "response.completed", "response": {"usage": {"total_tokens": "5"}}}
        )

    reply = await ResponsesServer(answer).reply()
    assert reply.text == "ab[1m 🍜 lone \ufffd c"


FOUND: dict[str, list[dict[str, Any]]] = {
    "output": [
        {"type": "web_search_call", "id": "w1", "status": "completed"},
        {
            "type": "message",
            "content": [
                {
                    "type": "output_text",
                    "text": "It rains.\x00",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url": "https://city.site/k(1)",
                            "title": "K\x00",
                        },
                        {
                            "type": "url_citation",
                            "url": "https://evil.com/a\n- [b](https://c.d)",
                        },
                        {"type": "url_citation", "url": "https://evil.com/<x>"},
                        {"type": "url_citation", "url": "https://"},
                        {"type": "url_citation", "url": "javascript:alert(1)"},
                        {
                            "type": "url_citation",
                            "url": f"https://evil.com/{'x' * 3_000}",
                        },
                        {"type": "url_citation", "url": 5},
                        "nonsense",
                    ],
                }
            ],
        },
    ]
}


def searching(query: str) -> Answer:
    """Return a model that searches first and then answers."""

    async def answer(send: Send, number: int) -> None:
        if number == 1:
            await send(call(SEARCH_TOOL, json.dumps({"query": query}), 0))
        else:
            await send(delta("See https://city.site/k%281%29 and https://evil.com/a."))
        await send(DONE)

    return answer


async def test_only_addresses_that_were_searched_for_are_citations() -> None:
    """A citation is one whole web address, and comes with a search that took place."""
    page = "https://city.site/k%281%29"
    taken_apart = "https:/ /city. site/k%281%29"
    nobodys = "https:/ /evil. com/a"
    for found, cited, shown in (
        (FOUND, [page], f"See {page} and {nobodys}."),
        ({"output": FOUND["output"][1:]}, [], f"See {taken_apart} and {nobodys}."),
        (
            {
                "output": [
                    {**FOUND["output"][0], "status": "failed"},
                    *FOUND["output"][1:],
                ]
            },
            [],
            f"See {taken_apart} and {nobodys}.",
        ),
    ):
        model = ResponsesServer(searching("weather"), found)
        reply = await model.reply(web_search=True)
        assert [citation.url for citation in reply.citations] == cited
        assert reply.text == shown
        output = model.requests[-1]["input"][-1]["output"]
        assert ("It rains." in output) is (cited != [])


async def test_a_search_may_take_longer_than_an_answer_to_begin() -> None:
    """Nothing of it comes before it is whole, so KIOKU_MODEL_TIMEOUT does not end it."""
    seconds: list[float | None] = []

    async def found(request: httpx2.Request) -> httpx2.Response:
        seconds.append(request.extensions["timeout"]["read"])
        return httpx2.Response(200, json=FOUND)

    http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(found))
    async with openai.AsyncOpenAI(
        api_key="k", timeout=1.0, http_client=http_client
    ) as client:
        model = create_replier(client).model
        await search_web(model, "weather", identifier="a", zone="")
    assert seconds == [None]


async def test_tokens_are_counted_once_by_kind() -> None:
    """Input from the cache and into it is counted apart, in replies and in formation."""
    details = {"cached_tokens": 200, "cache_write_tokens": 600}
    usage = {"input_tokens": 1_000, "output_tokens": 100, "total_tokens": 1_100}
    done = {"usage": {**usage, "input_tokens_details": details}}
    events = [delta("Hello."), {"type": "response.completed", "response": done}]
    with counted_tokens() as spent:
        await ResponsesServer(events).reply(model="gpt-5.6-luna")
    kinds = {"input": 200, "cached": 200, "cache_write": 600, "output": 100}
    assert {kind: tokens for (_, kind), tokens in spent.items()} == kinds
    reported = UsageMetadata(
        input_tokens=1_000,
        output_tokens=100,
        total_tokens=1_100,
        input_token_details={"cache_read": 200, "cache_creation": 600},
    )
    assert tokens_used("gpt-5.6-luna", reported) == spent


LOOK_UP = {"type": "message", "text": "Let me look that up.", "phase": "commentary"}
CALL = {"type": "function_call", "name": "look", "arguments": {"a": 1}}


async def test_commentary_is_no_part_of_the_answer(
    replier: Replier, stand_in: Server
) -> None:
    """Commentary, a search and the answer: the answer alone is streamed and returned."""
    final = {
        "type": "message",
        "text": "The release is on Monday.",
        "phase": "final_answer",
    }
    script(
        stand_in, items=[{"type": "reasoning"}, LOOK_UP, {"type": "web_search"}, final]
    )
    shown = Shown()
    reply = await replier.reply(ALICE, PROMPT, shown)
    assert reply.text == shown.text == "The release is on Monday."


async def test_commentary_goes_back_with_its_phase(
    replier: Replier, stand_in: Server
) -> None:
    """The next request of the turn holds the messages with their phases, then the calls."""
    said = {"type": "message", "text": "One moment.", "phase": "final_answer"}
    script(stand_in, items=[LOOK_UP, said, CALL])
    script(stand_in, text="Monday.")
    shown = Shown()
    reply = await replier.reply(ALICE, PROMPT, shown, LookTool())
    assert reply.text == shown.text == "One moment.\n\nMonday."
    first, second = requests(stand_in)
    comment, message, call, output = second["input"][len(first["input"]) :]
    assert comment == {
        "type": "message",
        "role": "assistant",
        "content": "Let me look that up.",
        "phase": "commentary",
    }
    assert (message["content"], message["phase"]) == ("One moment.", "final_answer")
    assert (call["type"], output["type"]) == ("function_call", "function_call_output")


async def test_commentary_alone_is_no_answer(
    replier: Replier, stand_in: Server
) -> None:
    """A response that consists of commentary only is an empty answer."""
    script(stand_in, items=[LOOK_UP])
    with pytest.raises(ReplyFailed) as raised:
        await replier.reply(ALICE, PROMPT, Shown())
    assert raised.value.cause == "model_empty"
