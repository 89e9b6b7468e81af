"""The stand-in: what it replies, and which tools it calls, over Kioku's prompts."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from kioku_stand_in.learning import learn
from kioku_stand_in.memories import Memory
from kioku_stand_in.script import SCRIPT
from kioku_stand_in.sentences import clauses_in

MODEL = "gpt-6-luna"
HONEST_EN, _ = SCRIPT["replies"]["unknown"]
NOW = "It is Friday, 2026-11-20T19:58+09:00, in the time zone Asia/Tokyo."
OFF = "Memory is off for this message: the person has switched it off."
TEXT = {"type": "string"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "memory_search": {"query": TEXT},
    "memory_change": {
        "action": TEXT,
        "evidence": TEXT,
        "id": TEXT,
        "content": {"type": "object"},
    },
}
TOOLS: list[Any] = [
    {
        "type": "function",
        "name": name,
        "strict": False,
        "parameters": {"type": "object", "properties": properties},
    }
    for name, properties in PARAMETERS.items()
]


def food(name: str, preference: int = 100, description: str = "") -> str:
    """A memory of a dish, as a line of the prompt."""
    detail = f"; description: {description}" if description else ""
    return f"20 UserFoodPreference: {name}; preference: {preference}{detail}"


def fact(text: str, topic: str | None = None) -> str:
    """A memory of a fact."""
    return f"20 {text}; topic: {topic}" if topic else f"20 {text}"


def promise(text: str) -> str:
    """A memory of a promise."""
    return f"20 Promise: {text}; to: Mia; state: open"


async def respond(
    client: openai.AsyncOpenAI,
    *conversation: Any,
    known: Any = (),
    tools: Any = TOOLS,
    memory: str = "",
) -> Any:
    """The next response to a conversation, in which texts are the person's."""
    lines = [NOW, memory, "<memories>", "2026-11", *known, "</memories>"]
    items: list[Any] = [{"role": "system", "content": "\n".join(lines)}]
    items += [
        {"role": "user", "content": c} if isinstance(c, str) else c
        for c in conversation
    ]
    return await client.responses.create(model=MODEL, input=items, tools=tools)


def said(response: Any) -> str:
    """The text of a reply or of a refusal."""
    [message] = [one for one in response.output if one.type == "message"]
    [part] = message.content
    return str(part.refusal if part.type == "refusal" else part.text)


def calls(response: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a response: name and arguments."""
    found = [item for item in response.output if item.type == "function_call"]
    return [(item.name, json.loads(item.arguments)) for item in found]


def output(response: Any, value: Any) -> dict[str, Any]:
    """The output of the single call in `response`."""
    (call,) = response.output
    return {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": json.dumps(value),
    }


QUOTES_EN, QUOTES_JA = SCRIPT["replies"]["quote"]
NOTHING_EN, NOTHING_JA = SCRIPT["replies"]["nothing"]


@pytest.mark.parametrize(
    ("question", "known", "quoted"),
    [
        (
            "what shall I eat?",
            [
                food("soba", 90),
                food("natto", 5),
                fact("I'm allergic to peanuts", "allergy"),
            ],
            ["I like soba", "I don't like natto", "I'm allergic to peanuts"],
        ),
        (
            "今日は何を食べよう？",
            [food("ラーメン", 100, "味噌ラーメン")],
            ["味噌ラーメンが大好きです"],
        ),
        (
            "what do you know about me?",
            [food("natto", 5), fact("I live in Osaka")],
            ["I don't like natto", "I live in Osaka"],
        ),
        (
            "Who is my manager?",
            [
                fact("My manager is Sarah"),
                fact("I live in Osaka"),
                fact("I hate meetings at 9"),
            ],
            ["My manager is Sarah"],
        ),
        (
            "上司は誰？",
            [fact("上司は佐藤さんです"), fact("猫を飼っています")],
            ["上司は佐藤さんです"],
        ),
        (
            "What did I promise?",
            [promise("the Q3 figures"), fact("I live in Osaka")],
            ["the Q3 figures, for Mia"],
        ),
        (
            "What did I promise?",
            [
                "20 Promise: call the dentist; due: 2026-11-21; due_time: 09:00; state: open"
            ],
            ["call the dentist"],
        ),
    ],
)
async def test_an_answer_quotes_the_memories(
    client: openai.AsyncOpenAI, question: str, known: list[Any], quoted: list[str]
) -> None:
    """A known question is answered with the memories of its kind, any other with the nearest.

    Where there are none, the answer says so, or that memory is off.
    """
    is_japanese = question.endswith("？")
    quotes = (QUOTES_JA if is_japanese else QUOTES_EN).format(
        "\n".join(f"- {one}" for one in quoted)
    )
    assert said(await respond(client, question, known=known, tools=[])) == quotes
    nothing = NOTHING_JA if is_japanese else NOTHING_EN
    assert said(await respond(client, question, tools=[])) == nothing
    off = SCRIPT["replies"]["off"][is_japanese]
    assert said(await respond(client, question, tools=[], memory=OFF)) == off


@pytest.mark.parametrize(
    ("text", "language"), [("I like elephants", 0), ("象が好きです", 1)]
)
async def test_what_is_told_while_memory_is_off_is_not_repeated(
    client: openai.AsyncOpenAI, text: str, language: int
) -> None:
    """The reply says only that it is not remembered."""
    reply = said(await respond(client, text, memory=OFF))
    assert reply == SCRIPT["replies"]["said_off"][language]


async def test_a_reply_uses_what_was_said_before_it(client: openai.AsyncOpenAI) -> None:
    """Words of the conversation count as memories; of two, the newer one."""
    told = [
        "I like natto. I hate Emacs. I live in Osaka",
        "I don't like natto. I moved to Tokyo",
    ]
    answer = await respond(client, *told, "what do you remember about me?", tools=[])
    lines = "- I don't like natto\n- I hate Emacs\n- I moved to Tokyo"
    assert answer.output_text.endswith(lines)


Q3 = "I promised Mia the Q3 figures by Friday noon"


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (["My manager is Sarah", "I meant Tom, not Sarah"], ["My manager is Tom"]),
        (["My manager is Sarah", "It's Tom, not Sarah."], ["My manager is Tom"]),
        (["My manager is Sarah", "No wait, it's Tom"], ["My manager is Tom"]),
        (["席は5階です", "あ、間違えた、6階です"], ["席は6階です"]),
        (
            ["I sit on the third floor", "Sorry, fourth floor, not third"],
            ["I sit on the fourth floor"],
        ),
        (["My manager is Sarah", "Actually, my manager is Tom"], ["my manager is Tom"]),
        (
            ["My manager is Tom", "wait no, my manager is Sarah, after all!"],
            ["my manager is Sarah"],
        ),
        (
            ["上司は佐藤さんです", "いや、待って、上司は田中さんです、やっぱり"],
            ["上司は田中さんです"],
        ),
        (
            ["上司は佐藤さんです", "佐藤さんじゃなくて、田中さんです"],
            ["上司は田中さんです"],
        ),
        (["I like ramen", "I meant miso ramen, not ramen"], ["I like miso ramen"]),
        (
            ["そばは苦手ですが、うどんは大好きです"],
            ["そばは苦手ですが", "うどんは大好きです"],
        ),
        (["そばが苦手で、うどんが好きです"], ["そばが苦手で", "I like うどん"]),
        (
            ["I like model4021 cars", "I like model4022 cars"],
            ["I like model4021 cars", "I like model4022 cars"],
        ),
        (["I like ramen", "I don't like ramen any more"], []),
        (["I play chess on Mondays", "I no longer play chess on Mondays"], []),
        (["ラーメンが好きです", "ラーメンは嫌いになりました"], []),
        (["ラーメンが好きです", "ミアさんはラーメンが苦手です"], ["I like ラーメン"]),
        (["I live in Osaka", "I live in Tokyo now"], ["I live in Tokyo now"]),
        *(
            ([Q3, said], ["the Q3 figures, for Mia (done)"])
            for said in (
                "I sent Mia the figures",
                "I've already given the figures to Mia today.",
            )
        ),
        *(
            ([Q3, said], ["the Q3 figures, for Mia"])
            for said in (
                "I sent Tom the figures",
                "I sent Mia the Q4 figures",
                "I gave Mia a cat",
                "I sent it to Mia",
                "I sent Mia the figures?",
            )
        ),
        (
            ["Remind me to send Mia the minutes tomorrow", "I sent Mia the minutes"],
            ["send Mia the minutes (done)"],
        ),
        *(
            (["金曜までにミアさんに第3四半期の数字を送ると約束しました", said], known)
            for said, known in (
                (
                    "ミアさんに数字を送りました",
                    ["第3四半期の数字を送る, for ミア (done)"],
                ),
                (
                    "さっき第3四半期の数字を送ったよ",
                    ["第3四半期の数字を送る, for ミア (done)"],
                ),
                ("トムさんに数字を送りました", ["第3四半期の数字を送る, for ミア"]),
                ("ミアさんに数字を送りましたか？", ["第3四半期の数字を送る, for ミア"]),
            )
        ),
    ],
)
def test_a_correction_changes_what_is_known(told: list[str], known: list[str]) -> None:
    """The new words take the place of the old; a promise that was kept is done."""
    memories: dict[str, Memory] = {}
    learn(memories, "\n".join(told))
    say = {name: text[0] for name, text in SCRIPT["replies"].items()}
    assert [one.text(say) for one in memories.values()] == known


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Is Rust hard?", NOTHING_EN),
        ("明日の天気は？", NOTHING_JA),
        ("It rains.", HONEST_EN),
        ("My password is hunter2", SCRIPT["replies"]["secret"][0]),
        ("暗証番号は1234です", SCRIPT["replies"]["secret"][1]),
        (
            "I have a ThinkPad. What laptop does Ben use?",
            f"Understood.\n\n{NOTHING_EN}",
        ),
        (
            "会議が好きです。Ayaさんはどんな会議が好き？",
            f"わかりました。\n\n{NOTHING_JA}",
        ),
        ("Hi, I'm Ben from design", "Understood."),
        ("わかりました", SCRIPT["replies"]["ok"][1]),
        ("Can you write me a status update?", SCRIPT["replies"]["cannot"][0]),
        ("I sent Mia the figures", HONEST_EN),
        (f"{Q3}. I sent Mia the figures", "Understood."),
        ("Remind me to call Ben", "Understood."),
        ("Can you remind me today to call Ben?", "Understood."),
        ("今日、電話するのをリマインドして", "わかりました。"),
        ("<@U1> hello", SCRIPT["replies"]["hello"][0]),
        *((alone, "OK.") for alone in ("no", "???", "👍", ":+1:", "hmm")),
        ("うん", "はい。"),
        ("I love ramen. It rains.", "Understood."),
        ("I love ramen, just so you know", "Understood."),
        ("そばが好きです。ありがとう", "わかりました。\n\nどういたしまして！"),
    ],
)
async def test_what_it_does_not_understand_gets_one_honest_sentence(
    client: openai.AsyncOpenAI, message: str, reply: str
) -> None:
    """Alone, the sentence is a refusal and not an answer, so that it is not rated."""
    response = await respond(client, message)
    assert said(response) == reply
    refused = response.output[0].content[0].type == "refusal"
    assert refused is (reply == HONEST_EN)


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        (
            "remember that I live in Osaka",
            "memory_change",
            {
                "action": "create",
                "evidence": "remember that I live in Osaka",
                "content": {
                    "kind": "UserFact",
                    "fact": "I live in Osaka",
                    "topic": "home",
                },
            },
        ),
    ],
)
async def test_a_request_calls_the_tool_that_is_for_it(
    client: openai.AsyncOpenAI, text: str, tool: str, arguments: dict[str, Any]
) -> None:
    """The groups of its phrase are the arguments."""
    assert calls(await respond(client, text)) == [(tool, arguments)]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"error": "Memory is off."}, "couldn’t"),
        ({"done": False, "asked": "…"}, "Please confirm"),
        ({"done": True}, "Done"),
    ],
)
async def test_the_words_fit_what_came_of_it(
    client: openai.AsyncOpenAI, value: Any, words: str
) -> None:
    """The reply says what the tool did, and an older output says nothing of newer words."""
    text = "remember that I live in Osaka"
    called = await respond(client, text)
    told = [text, *called.output, output(called, value)]
    answer = await respond(client, *told)
    assert calls(answer) == []
    assert words in answer.output_text
    assert (await respond(client, *told, "ok thanks")).output_text == "You're welcome!"


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("I love ramen and I write Rust.", ["ramen", "Rust"]),
        ("I like soba, but I don't like natto", ["soba", "natto"]),
        ("I like ramen very much and I like udon a lot", ["ramen", "udon"]),
        ("I like ramen very much, and soba", ["ramen", "soba"]),
        ("I love a lot of spicy food", ["spicy food"]),
        ("I love ramen and my manager is Sarah", ["ramen", "my manager is Sarah"]),
        (
            "I like soba and my wife and I live in Kyoto",
            ["soba", "my wife and I live in Kyoto"],
        ),
        ("I love my dog and my cat", ["I love my dog and my cat"]),
        ("I live with my wife and my kids", ["I live with my wife and my kids"]),
        ("I like a lot of ramen", ["ramen"]),
        ("I love ramen but hate natto", ["ramen", "hate natto"]),
        ("Remind me in 10 minutes to call the dentist", ["call the dentist"]),
        ("ラーメンが好きで、Rustを勉強しています", ["ラーメン", "Rust"]),
        ("AWSを勉強していて、大阪に住んでいます", ["AWS", "大阪に住んでいます"]),
        ("Remind me tomorrow at 9 to call the dentist", ["call the dentist"]),
        ("Can you remind me to water the plants tomorrow?", ["water the plants"]),
        ("Remind me to plan the morning", ["plan the morning"]),
        ("remind me about the meeting on Friday", ["the meeting"]),
        ("Remind me what I said", []),
        ("Remind me every Monday to call Ben", []),
        ("明日の9時に歯医者に電話するのをリマインドして", ["歯医者に電話する"]),
        ("明日9時に歯医者に電話することを思い出させて", ["歯医者に電話する"]),
        ("水をやるようにリマインドしてくれますか？", ["水をやる"]),
        ("金曜日の会議をリマインドして", ["会議"]),
        ("上司の名前を思い出させて", []),
        ("毎週月曜日に電話するようリマインドして", []),
    ],
)
def test_each_fact_of_a_sentence_is_understood(text: str, subjects: list[str]) -> None:
    """Each is a separate memory that quotes the whole sentence."""
    clauses = clauses_in(text)
    found: list[str] = []
    for clause in clauses:
        assert clause.quote == text
        found += [memory.name for memory in clause.memories]
    assert found == subjects


LINE = "The staging database is orion, and the on-call rota lives in PagerDuty"
RELATED = (
    "which staging database do we have?",
    "What is the staging database?",
    "Where does the on-call rota live?",
    "is orion the staging database?",
    "Which database is for staging?",
    "Where is the on-call rota?",
    "tell me about the staging database",
    "Do we have a staging database?",
    "what is orion?",
    "Where is our rota?",
)
UNRELATED = (
    "where do I live?",
    "what should I call you?",
    "what did I promise?",
    "who is my manager?",
    "What shall I eat today?",
    "when is the release?",
    "where do rivers end?",
    "Who covers for me on Wednesdays?",
    "what is the wifi name?",
    "Which number should we call?",
    "how do I brew tea?",
    "what time is it in Tokyo?",
    "Is the office open on Sunday?",
    "which bus goes to the office?",
    "What do you remember about me?",
    "what is the budget for travel?",
    "who wrote the design?",
    "When does the shop close?",
    "how many people are in the team?",
    "what do I like?",
)


@pytest.mark.parametrize("question", [*RELATED, *UNRELATED])
async def test_a_line_of_others_is_cited_only_where_it_answers(
    client: openai.AsyncOpenAI, question: str
) -> None:
    """One word in common is not enough, and a question about oneself is none for others' lines."""
    line = json.dumps({"mark": "k1", "from": "@Ben", "on": "2026-11-20", "text": LINE})
    frame = f"<kept>\n{line}\n</kept>"
    answer = said(await respond(client, frame, question, tools=[]))
    assert ("[k1]" in answer) == (question in RELATED)


@pytest.mark.parametrize("told", [(), ("my manager is Sarah",)])
async def test_a_quoted_memory_is_cited(
    client: openai.AsyncOpenAI, told: tuple[str, ...]
) -> None:
    """With the mark of its line, and no other, also where it was told in this conversation."""
    known = ["m1 20 my manager is Sarah", "m2 20 UserFoodPreference: ramen"]
    answer = said(await respond(client, *told, "Who is my manager?", known=known))
    assert answer == QUOTES_EN.format("- my manager is Sarah [m1]")
