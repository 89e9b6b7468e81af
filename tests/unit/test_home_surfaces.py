"""App Home, checked against Slack's limits by the playground's rules of Block Kit."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from bot.locale import LANGUAGES, Language, say
from bot.types import MemoryOffReason, PersonSettings, Policy
from bot.ui.blocks import Block, section
from bot.ui.home import (
    HOME_PAUSE_ACTION,
    DataFlow,
    DataHandling,
    HomePage,
    home_view,
)
from bot.ui.home_list import (
    HOME_ALL_ACTION,
    HOME_KIND_ACTION,
    HOME_PAGE_ACTION,
    HOME_PAGE_SIZE,
    HOME_SEARCH_ACTION,
    WORDS_LIMIT,
    Listing,
    ListPosition,
    position_of,
    searched_words,
)
from bot.ui.memory_state import AGREE_ACTION, REFUSE_ACTION, RESUME_ACTION
from bot.ui.modal_triggers import HOME_MORE_ACTION, MENU_ACTION
from bot.ui.views import SlackView, blocks_up_to_click, home_with_banner, is_banner
from playground.blocks import view_errors
from tests.unit.memories import LANGUAGE, NOON, TEXTS, entry, memory, question, value

VIEW_BYTES = 250_000


def fullest(text: str, words: str = "") -> HomePage:
    """Return a Home with the most of everything, all of it about `text`."""
    memories = [
        memory(n, kind=f"{'Kind' * 30}{n}", audience="C1", fact=text or "-")
        for n in range(HOME_PAGE_SIZE)
    ]
    link = "https://example.com/archives/C1/p" + "1" * 200
    entries = [entry("updated", value(text), value(f"{text}!"), number=n) for n in range(9)]
    return HomePage(
        settings=PersonSettings(time_zone="Asia/Tokyo"),
        listing=Listing(
            position=ListPosition(kind=memories[3].kind, page=7, words=words[:WORDS_LIMIT]),
            memories=memories,
            kinds={f"{'Kind' * 30}{number}": 1_000 for number in range(120)},
            found=1_000,
        ),
        changes=entries,
        questions=[question("replace", text, f"{text}!")] * 9,
        links=dict.fromkeys([*(m.key for m in memories), *(str(e.id) for e in entries)], link),
        handling=DataHandling(
            flows=[
                DataFlow(purpose=purpose, model="m" * 100, host="h" * 250)
                for purpose in ("replies", "fallback", "memories", "search")
            ],
            days=30,
            policy=Policy(channels=frozenset(f"C{number:09}" for number in range(200))),
        ),
    )


def elements(view: SlackView) -> dict[str, Block]:
    """Return everything that can be clicked, by its action id."""
    return {one["action_id"]: one for block in view["blocks"] for one in inside(block)}


def inside(block: Block) -> list[Block]:
    """Return what can be clicked in a block."""
    found = [block.get("accessory"), block.get("element")]
    found += block["elements"] if block["type"] == "actions" else []
    return [one for one in found if one]


@settings(max_examples=40)
@given(language=LANGUAGE, text=TEXTS, words=TEXTS)
def test_the_fullest_home_fits(language: Language, text: str, words: str) -> None:
    """Whatever it holds, Slack takes it: a hundred blocks, and every text within its limit."""
    view = home_view(language, fullest(text, words), [section(text[:2_000] or "-")] * 30)
    assert view_errors(view) == []
    assert len(view["blocks"]) <= 100
    assert len(json.dumps(view)) < VIEW_BYTES
    assert len(view["private_metadata"]) <= 3_000
    assert position_of(view).words == words[:WORDS_LIMIT]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("off", [None, "paused", "refused", "not_agreed", "deactivated"])
def test_each_standing_has_its_switch(language: Language, off: MemoryOffReason | None) -> None:
    """What would change the state of memory is offered, and nothing that would not."""
    chosen = PersonSettings(paused=True, paused_until=NOON + timedelta(hours=1))
    view = home_view(language, HomePage(settings=chosen, off=off))
    assert view_errors(view) == []
    switches = {HOME_PAUSE_ACTION, RESUME_ACTION, AGREE_ACTION, REFUSE_ACTION}
    offered = {
        None: {HOME_PAUSE_ACTION},
        "paused": {RESUME_ACTION},
        "refused": {AGREE_ACTION},
        "not_agreed": {AGREE_ACTION, REFUSE_ACTION},
        "deactivated": set(),
    }
    assert switches & elements(view).keys() == offered[off]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_not_let_in_is_told_so(language: Language) -> None:
    """Nothing can be switched or added there; what is kept can still be taken along and removed."""
    view = home_view(language, HomePage(refusal="policy_person"))
    assert say(language, "policy_person") in json.dumps(view, ensure_ascii=False)
    assert HOME_PAUSE_ACTION not in elements(view)
    menu = [one["value"] for one in elements(view)[HOME_MORE_ACTION]["options"]]
    assert menu == ["export", "forget"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_empty_home_teaches_by_example(language: Language) -> None:
    """Where nothing is remembered there is nothing to search, and three examples are shown."""
    view = home_view(language, HomePage())
    assert view_errors(view) == []
    text = json.dumps(view, ensure_ascii=False)
    for key in ("home_none", "home_example_fact", "home_example_food", "home_example_answer"):
        assert say(language, key) in text
    assert not {HOME_SEARCH_ACTION, HOME_KIND_ACTION} & elements(view).keys()


def test_pages_are_turned_within_what_is_found() -> None:
    """There is a way on and a way back, and none beyond the first page or the last."""
    memories = [memory(number) for number in range(HOME_PAGE_SIZE)]
    for page, others in ((1, {2}), (2, {1, 3}), (3, {2})):
        position = ListPosition(page=page)
        listing = Listing(memories=memories, kinds={"UserFact": 41}, found=41, position=position)
        found = elements(home_view("en", HomePage(listing=listing)))
        turns = {action for action in found if action.startswith(HOME_PAGE_ACTION)}
        assert turns == {f"{HOME_PAGE_ACTION}_{other}" for other in others}


def test_other_words_are_another_field() -> None:
    """Slack keeps what was typed in a field of the same id: for other words it is another one."""

    def block(words: str) -> Block:
        listing = Listing(position=ListPosition(words=words), kinds={"UserFact": 1})
        blocks = home_view("en", HomePage(listing=listing))["blocks"]
        return next(one for one in blocks if one["type"] == "input")

    assert block("ramen")["block_id"] != block("")["block_id"]
    assert block("ramen")["element"]["initial_value"] == "ramen"
    assert "initial_value" not in block("")["element"]


def test_the_way_back_from_a_filter() -> None:
    """Show All is there while a kind or words leave something out."""
    for where, there in (
        (ListPosition(), False),
        (ListPosition(kind="UserFact"), True),
        (ListPosition(words="x"), True),
    ):
        listing = Listing(position=where, kinds={"UserFact": 1})
        assert (HOME_ALL_ACTION in elements(home_view("en", HomePage(listing=listing)))) is there


def test_what_was_typed_counts() -> None:
    """The content of the search counts, entered or not; where there is no search, what was kept."""
    state = {"values": {"b": {HOME_SEARCH_ACTION: {"type": "plain_text_input", "value": " a  b "}}}}
    view = {"private_metadata": ListPosition(words="kept").metadata("en")}
    assert searched_words({**view, "state": state}) == "a b"
    state["values"]["b"][HOME_SEARCH_ACTION] = {"type": "plain_text_input", "value": None}  # type: ignore[dict-item]
    assert searched_words({**view, "state": state}) == ""
    assert searched_words(view) == "kept"


def clicked(view: SlackView, action: str) -> dict[str, Any]:
    """Return the payload of a click in a published view: Slack has given each block an id."""
    blocks = [{"block_id": f"b{n}", **block} for n, block in enumerate(view["blocks"])]
    [block] = [one for one in blocks if any(e["action_id"] == action for e in inside(one))]
    return {"view": {**view, "blocks": blocks}, "actions": [{"block_id": block["block_id"]}]}


@pytest.mark.parametrize(
    ("action", "after"),
    [
        (RESUME_ACTION, "home.title"),
        ("answer_question_yes", "home.summary"),
        (HOME_KIND_ACTION, "home.filters..False"),
    ],
)
def test_what_is_said_is_shown_where_the_click_was(action: str, after: str) -> None:
    """The answer is below the clicked block, or below the nearest one above it that is left."""
    listing = Listing(memories=[memory(1)], kinds={"UserFact": 1}, found=1)
    before = HomePage(off="paused", questions=[question("replace")], listing=listing)
    body = clicked(home_view("en", before), action)
    below = blocks_up_to_click(body)
    # The page that follows has neither the button of the pause nor the question.
    view = home_view("en", HomePage(listing=listing), [section("Done.")], below)
    ids = [block.get("block_id") for block in view["blocks"]]
    first = ids.index(after) + 1
    assert view["blocks"][first]["text"]["text"] == "Done."
    said = [is_banner(block) for block in view["blocks"]]
    assert said == [first <= place < first + 2 for place in range(len(said))]
    assert not any(is_banner(block) for block in home_view("en", before)["blocks"])
    # Where nothing can be looked up: in the page that is there, instead of what was said before.
    again = home_with_banner({**view, "blocks": body["view"]["blocks"]}, [section("No.")], below)
    again = home_with_banner(again, [section("Later.")], below)
    place = [block["block_id"] for block in again["blocks"]].index(below[0]) + 1
    assert again["blocks"][place]["text"]["text"] == "Later."
    assert len(again["blocks"]) == len(body["view"]["blocks"]) + 2
    assert view_errors(again) == []


def test_without_a_click_it_is_said_at_the_top() -> None:
    """A page of which no block is known has it first."""
    view = home_view("en", HomePage(), [section("Done.")])
    assert view["blocks"][0]["text"]["text"] == "Done."
    assert blocks_up_to_click({"view": view}) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 3, 40])
@pytest.mark.parametrize("off", [None, "paused", "refused", "not_agreed", "deactivated"])
@pytest.mark.parametrize("where", [ListPosition(), ListPosition(kind="UserFact", words="x")])
def test_at_most_eight_controls_before_the_memories(
    language: Language, count: int, off: MemoryOffReason | None, where: ListPosition
) -> None:
    """Above the first memory are at most eight, also with questions and while searching."""
    memories = [memory(number) for number in range(min(count, HOME_PAGE_SIZE))]
    listing = Listing(
        position=where, memories=memories, kinds={"UserFact": count} if count else {}, found=count
    )
    for questions in ([], [question("replace")] * 3):
        page = HomePage(off=off, listing=listing, questions=questions)
        view = home_view(language, page)
        assert view_errors(view) == []
        controls = 0
        for block in view["blocks"]:
            if any(one["action_id"] == MENU_ACTION for one in inside(block)):
                break
            controls += len(inside(block))
        assert 0 < controls <= 8


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_receives_what_is_said(language: Language) -> None:
    """Each purpose names its model and host; with the stand-in nothing leaves the machine."""
    flows = [DataFlow(purpose="memories", model="some-model", host="api.example.com")]
    text = json.dumps(home_view(language, HomePage(handling=DataHandling(flows=flows))))
    assert "some-model" in text
    assert "api.example.com" in text
    stand_in = DataHandling(flows=flows, stand_in=True, policy=Policy(web_search=True))
    view = home_view(language, HomePage(handling=stand_in))
    assert "some-model" not in json.dumps(view)
    assert say(language, "home_flow_stand_in") in json.dumps(view, ensure_ascii=False)
    assert say(language, "home_policy_web") not in json.dumps(view, ensure_ascii=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_applies_is_said(language: Language) -> None:
    """The channels that are open, and the web search are named."""
    policy = Policy(channels=frozenset({"C1", "C2"}), web_search=False)
    text = json.dumps(
        home_view(language, HomePage(handling=DataHandling(policy=policy))), ensure_ascii=False
    )
    assert "<#C1>" in text
    for key in ("home_policy_no_web",):
        assert say(language, key) in text
    assert say(language, "home_policy_everywhere") not in text
