"""Everything that people see: Slack takes it, it holds no markup of theirs, and it can be heard."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel

from bot.acts.blocks import (
    Block,
    Payload,
    SlackView,
    bulleted,
    button,
    escaped,
    fitted,
    payload,
    section,
)
from bot.acts.buttons import consent_question, forget_button, on_button, open_done
from bot.acts.kinds import (
    ACT,
    QUERY_LIMIT,
    SEARCH,
    AddLines,
    Answer,
    ButtonAct,
    ChangePromise,
    DeleteData,
    Edit,
    Forget,
    FormAct,
    List,
    Move,
    Place,
    Position,
    Rate,
    Remember,
    SaveMemory,
    SaveSettings,
    Snooze,
    Switch,
    Undo,
    clicked_act,
    panel_position,
    read_act,
)
from bot.acts.lines import (
    change_line,
    memory_line,
    off_line,
    own_line,
    question_line,
    summary_lines,
)
from bot.acts.receipt import Receipt, blocks_above, replaced_in, with_receipt
from bot.config import STAND_IN_MODEL, Settings
from bot.data.person import export_markdown
from bot.forgetting.forgetting import MAX_KEYS, forget_question
from bot.locale import LANGUAGES, Localizer
from bot.notices.payload import notice_payload
from bot.off.switches import off_done, on_done
from bot.panel.content import data_handling
from bot.panel.forms import (
    add_form,
    delete_form,
    edit_form,
    final_view,
    receipt_text,
    settings_form,
)
from bot.panel.rows import PanelContent, memory_row
from bot.panel.views import (
    PAGE_SIZE,
    home_view,
    loading_view,
    panel_view,
    view_as_it_was,
)
from bot.people import Eagerness, Off, PersonSettings
from bot.promises.rows import reminder_payload
from bot.remembering.adding import refusal_done
from bot.slack.messages import storable
from bot.types import FILES_ALONE, FORWARDED_ALONE, PersonErased
from memory import SCHEMAS, Change, Memory, Question
from memory.model import PROMISE_KIND
from slack_playground.block_kit import LIMITS, limit
from slack_playground.blocks import block_errors, characters, elements_of, view_errors
from slack_playground.guidance import block_advice, message_advice, view_advice
from tests.unit.memories import (
    NOON,
    PERSON,
    REASONS,
    Dog,
    memory,
    promise,
    question,
    refusal,
)

VIEW_BYTES = 250_000
LINK = "https://example.slack.com/archives/C0123456789/p1795737600000100"
TURN = UUID("0b0e5a52-7c2f-4d0e-9a55-1c2d3e4f5a6b")

# --- whatever a person may have said -----------------------------------------------------------

_TOKENS = [
    *(
        "<!channel>",
        "<!here|x>",
        "<@U2>",
        "<#C1|general>",
        "<https://evil.example|here>",
        "<",
        ">",
    ),
    *(
        "&",
        "&amp;",
        "&lt;!channel&gt;",
        "<!date^1^{date}|now>",
        "<@U04ABCD12>",
        "*b*",
        "_i_",
        "`c`",
    ),
    *(
        "~s~",
        "```",
        "|",
        "\n",
        "\u2028",
        "\t",
        " ",
        "ramen",
        "味噌ラーメン",
        "。",
        "👍🏽",
        ":smile:",
    ),
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(_TOKENS), min_size=1, max_size=30).map("".join),
    st.text(min_size=1, max_size=400),
    st.sampled_from(_TOKENS).flatmap(
        lambda token: st.integers(1, 500).map(token.__mul__)
    ),
    st.sampled_from(["x" * 3_000, "あ" * 3_000, "👍🏽" * 1_000, "a b " * 700]),
)
READERS = st.sampled_from([Localizer(language) for language in LANGUAGES])
MOMENTS = st.datetimes(
    datetime(2001, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
AUDIENCES = st.sampled_from(["dm", "public", "C0123456789"])
_SCALARS = st.one_of(TEXTS, st.none(), st.integers(-10, 10**12), st.booleans())
_KINDS: list[type[BaseModel]] = [*SCHEMAS, Dog]
_FIELDS = {kind.__name__: [*kind.model_fields] for kind in _KINDS}


def contents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return stored contents of a kind, also of another version of its schema."""
    return st.dictionaries(st.sampled_from(_FIELDS[kind]), _SCALARS)


KEYS = st.uuids().map(str)
KINDS = st.sampled_from([*_FIELDS])
CONTENTS = KINDS.flatmap(contents)
VALUES = KINDS.flatmap(
    lambda kind: st.fixed_dictionaries(
        {"kind": st.just(kind), "content": contents(kind)},
    )
)
MEMORIES = st.builds(
    Memory,
    namespace=AUDIENCES.map(PERSON.namespace),
    key=KEYS,
    value=VALUES,
    created_at=MOMENTS,
    updated_at=MOMENTS,
)
CHANGES = st.builds(
    Change,
    id=st.uuids(),
    audience=AUDIENCES,
    key=KEYS,
    kind=KINDS,
    action=st.sampled_from(
        ["remembered", "updated", "confirmed", "removed", "moved"],
    ),
    before=st.none() | CONTENTS,
    after=st.none() | CONTENTS,
    at=MOMENTS,
    batch=st.just(TURN),
    said=CONTENTS,
    readers=st.tuples(AUDIENCES, AUDIENCES),
    expires_at=st.none() | MOMENTS,
    undone_at=st.none() | MOMENTS,
)
QUESTIONS = st.builds(
    Question,
    id=st.uuids(),
    asks=st.sampled_from(["replace", "older", "remove", "store"]),
    before=st.none() | CONTENTS,
    after=st.none() | CONTENTS,
    said=st.builds(
        replace,
        st.just(question("store").said),
        kind=KINDS,
        audience=AUDIENCES,
        key=KEYS,
    ),
    said_on=st.dates(date(2001, 1, 1), date(2099, 12, 31)).map(date.isoformat),
    readers=AUDIENCES,
)
SCOPES = st.sampled_from(["", "C0123456789", "D0123456789"])
OFFS = st.builds(Off, until=st.none() | MOMENTS, scope=SCOPES)
POSITIONS = st.builds(
    Position,
    list=st.sampled_from(get_args(List)),
    of=TEXTS.map(lambda text: text[:QUERY_LIMIT]) | st.just(""),
    page=st.integers(1, 10**6),
)
SETTINGS = st.builds(
    PersonSettings,
    notices=st.booleans(),
    eagerness=st.sampled_from(get_args(Eagerness)),
    language=st.sampled_from([None, *LANGUAGES]),
    retention_days=st.none() | st.integers(1, 36_500),
)


def handling(
    localizer: Localizer,
    *,
    model: str = "some-model",
    web_search: bool = True,
    searches: bool = True,
) -> list[str]:
    """Return what Home says of where data goes."""
    settings = Settings(
        web_search=web_search,
        openai_base_url="https://api.example.com/v1",
        reply_model=model,
        memory_model=f"openai:{model}-3",
        embedding_model=f"{model}-4",
        embedding_base_url="https://vectors.example.com/v1",
    )
    app: Any = SimpleNamespace(
        settings=settings, model=SimpleNamespace(searches=searches)
    )
    return data_handling(app, localizer, PersonSettings(retention_days=90))


HANDLING = st.builds(
    handling,
    READERS,
    model=st.just(STAND_IN_MODEL) | TEXTS.map(lambda text: text[:100]),
    web_search=st.booleans(),
    searches=st.booleans(),
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    """Return what an act did: lines about words of the person, and perhaps a button."""
    localizer = draw(READERS)
    lines = draw(st.lists(TEXTS, min_size=1, max_size=50))
    button = draw(st.none() | st.sampled_from(["", "C1"]))
    return Receipt(
        line="\n".join(
            localizer.say("forgotten", what=escaped(line)) for line in lines
        ),
        button=None if button is None else on_button(localizer, button),
    )


@st.composite
def panels(draw: st.DrawFn) -> PanelContent:
    """Return what a panel shows, and much of it."""
    memories = draw(st.lists(MEMORIES, max_size=3, unique_by=lambda one: one.key))
    if draw(st.booleans()):
        memories = _many(memories)
    changes = draw(st.lists(CHANGES, max_size=3, unique_by=lambda one: one.id))
    if draw(st.booleans()):
        changes = _many(changes)
    links = {} if draw(st.booleans()) else {one.key: LINK for one in memories}
    return PanelContent(
        position=draw(POSITIONS),
        off=draw(st.none() | OFFS),
        asks=draw(st.booleans()),
        off_in=[f"C{n:010}" for n in range(draw(st.integers(0, 20)))],
        refusal=draw(st.none() | st.just("policy_person")),
        memories=memories,
        changes=changes,
        found=draw(st.integers(len(memories), 10**4)),
        questions=draw(st.lists(QUESTIONS, max_size=3)),
        links=links | {str(one.id): LINK for one in changes if links},
        unformed=draw(st.integers(0, 100)),
        handling=draw(st.just([]) | HANDLING),
        to_forget=forget_question(draw(READERS), memories) if memories else None,
    )


def _many(some: Sequence[Any]) -> list[Any]:
    """Return a full page of the same memories or changes, each with a name of its own."""
    ids = (UUID(int=number) for number in range(PAGE_SIZE))
    return [
        replace(some[number % len(some)], **_named(some[0], next(ids)))
        for number in range(PAGE_SIZE if some else 0)
    ]


def _named(one: Memory | Change, number: UUID) -> dict[str, Any]:
    return {"id": number} if isinstance(one, Change) else {"key": str(number)}


# --- what is true of everything that is shown ----------------------------------------------------

# What the app itself writes in mrkdwn: names of people and channels, links to messages.
_OURS = re.compile(
    r"<@[UW][A-Z0-9]{7,20}>|<#C\d+>|<https://example\.slack\.com/[^<>|]+\|[^<>|]+>"
)
_ESCAPES = re.compile("&(?:amp|lt|gt);")


def fits(blocks: Sequence[Block]) -> None:
    """Check what is true of the blocks of every message and view."""
    assert [error for error in block_advice(list(blocks), "") if error] == []
    for block in blocks:
        for text in mrkdwn(block):
            holds_no_markup(text)
        for element in elements_of(block):
            _fits(element)
    heard(blocks)


def _fits(element: Block) -> None:
    name = re.sub("_[0-9]+$", "", str(element.get("action_id", "value")))
    assert name in (ACT, SEARCH, "value")
    if name == ACT:
        choices = [element, *element.get("options", [])]
        choices += [
            one for side, one in element.items() if side.endswith("tive_button")
        ]
        acts = [
            clicked_act({"value": one["value"]}) for one in choices if "value" in one
        ]
        assert acts
        assert None not in acts
    begun = element.get("initial_value", "")
    if element["type"] == "plain_text_input":
        assert len(begun) <= element["max_length"]
        assert element["max_length"] <= limit(
            "typed", "plain_text_input", "initial_value"
        )


def message_fits(payload: Payload) -> None:
    """Check that Slack takes a message, and that it has at most three buttons in a row."""
    assert block_errors(payload["blocks"]) == []
    assert characters(payload["blocks"]) <= LIMITS["message_characters"]
    assert message_advice({**payload}) == []
    assert 0 < len(payload["text"]) <= LIMITS["updated_text"]
    holds_no_markup(payload["text"])
    assert all(
        len(one["elements"]) <= 3
        for one in payload["blocks"]
        if one["type"] == "actions"
    )
    fits(payload["blocks"])


def view_fits(view: SlackView) -> None:
    """Check that Slack takes a form or a Home."""
    assert view_errors(view) == []
    assert view_advice(view) == []
    assert len(json.dumps(view)) < VIEW_BYTES
    fits(view["blocks"])


def mrkdwn(node: object) -> Iterable[str]:
    """Return every text in a block that Slack reads markup in."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for value in node.values():
            yield from mrkdwn(value)
    elif isinstance(node, list):
        for value in node:
            yield from mrkdwn(value)


def holds_no_markup(text: str) -> None:
    """Check that a text pings nobody and leads nowhere but where the app says."""
    rest = _ESCAPES.sub("", _OURS.sub("", text))
    assert not re.search("[<&]", rest), text


def heard(blocks: Sequence[Block]) -> None:
    """Check that a screen reader says plain words, and what each of several like buttons does."""
    buttons = [
        one for block in blocks for one in elements_of(block) if one["type"] == "button"
    ]
    names = [one["text"]["text"] for one in buttons]
    for one, name in zip(buttons, names, strict=True):
        label = one.get("accessibility_label", "")
        assert label or names.count(name) == 1, name
        assert "\n" not in label


@settings(max_examples=50)
@given(READERS, panels(), st.none() | receipts(), st.integers(0, 30))
def test_every_panel_fits(
    localizer: Localizer, content: PanelContent, said: Receipt | None, number: int
) -> None:
    """Whatever is remembered, changed, asked and searched for: in Home and in a modal.

    A receipt is said once, where the clicked block stood, and what the panel shows comes back with
    each click in it. The receipt of a click in the receipt stands there again.
    """
    bare = replace(content, handling=[])
    before = panel_view(localizer, bare)["blocks"]
    clicked = str(before[number % len(before)].get("block_id"))
    above = blocks_above(before, clicked)
    modal = panel_view(localizer, bare, said, above)
    for view in (home_view(localizer, content, said, above), modal):
        view_fits(view)
        assert panel_position(view) == content.position
        texts = [block.get("text") for block in view["blocks"]]
        line = section(said.line)["text"] if said else None
        assert texts.count(line) == 1 or said is None
    if said:
        assert modal["blocks"].index(with_receipt([], said, 0)[0]) == above
        assert blocks_above(modal["blocks"], "receipt") == above
    again = view_as_it_was(modal, Receipt(line="Done."), above)
    view_fits(again)
    assert again["blocks"][above]["text"]["text"] == "Done."
    assert len(again["blocks"]) == len(before) + 1


def test_the_panel_is_opened_in_both_languages() -> None:
    """Before the database has said who reads it."""
    view_fits(loading_view(Position()))


PLACES = st.builds(
    Place,
    url=st.sampled_from(["", f"https://hooks.slack.com/{'x' * 200}"]),
    view=st.sampled_from(["", "V0123456789"]),
    position=st.none() | POSITIONS,
    above=st.integers(0, 99),
    channel=st.sampled_from(["", "C0123456789"]),
)
ACTS: st.SearchStrategy[ButtonAct | FormAct] = st.one_of(
    POSITIONS,
    *(st.builds(act, key=KEYS) for act in (Edit, Snooze)),
    st.builds(Move, key=KEYS, to=st.sampled_from(["dm", "public"])),
    st.builds(Switch, scope=st.sampled_from(["", "C0123456789"])),
    st.builds(Answer, question=st.uuids()),
    st.builds(Undo, ids=st.lists(st.uuids(), min_size=1, max_size=9).map(tuple)),
    st.builds(ChangePromise, key=KEYS),
    st.builds(Remember, text=TEXTS),
    st.builds(Rate),
    st.builds(SaveMemory, place=PLACES, key=KEYS, seen=MOMENTS),
    *(st.builds(act, place=PLACES) for act in (AddLines, SaveSettings, DeleteData)),
)


@given(ACTS)
def test_an_act_survives_the_value_of_a_button(act: ButtonAct | FormAct) -> None:
    """Slack returns the value of a button or form, and it is the same act again."""
    assert read_act(act.value) == act


@given(st.none() | TEXTS | st.recursive(_SCALARS, st.lists).map(json.dumps))
def test_any_other_value_is_no_act(value: str | None) -> None:
    """It is none of an error either: the person is told that the button is old."""
    assert read_act(value) is None


@given(
    READERS,
    MEMORIES,
    CHANGES,
    QUESTIONS,
    OFFS,
    st.lists(CHANGES, min_size=1, max_size=9),
    AUDIENCES,
)
def test_everything_is_one_line(
    localizer: Localizer,
    memory: Memory,
    change: Change,
    question: Question,
    off: Off,
    several: list[Change],
    audience: str,
) -> None:
    """A memory, a change, a question, off: one line each, without markup of a person's.

    So is what may be heard of a change or a question where the memory may not be read.
    """
    for line in (
        memory_line(localizer, memory),
        change_line(localizer, change),
        change_line(localizer, change.heard_in(audience)),
        *summary_lines(localizer, several),
        question_line(localizer, question),
        question_line(localizer, question.heard_in(audience)),
        off_line(localizer, off),
    ):
        assert len(line.splitlines()) <= 1
        assert len(line) <= 1_000
        holds_no_markup(line)


PROMISES = st.builds(
    Memory,
    namespace=st.just(PERSON.namespace("dm")),
    key=KEYS,
    value=st.fixed_dictionaries(
        {"kind": st.just("Promise"), "content": contents("Promise")}
    ),
    created_at=MOMENTS,
    updated_at=MOMENTS,
)


@given(
    READERS,
    st.lists(CHANGES, max_size=4),
    st.lists(QUESTIONS, max_size=3),
    st.lists(st.tuples(PROMISES, st.none() | MOMENTS), max_size=2),
)
def test_every_notice_fits(
    localizer: Localizer,
    changes: list[Change],
    questions: list[Question],
    promises: list[tuple[Memory, datetime | None]],
) -> None:
    """Whatever was remembered and is asked."""
    notice = notice_payload(localizer, TURN, changes, questions, promises)
    if notice["blocks"]:
        message_fits(notice)


@given(READERS, st.lists(PROMISES, min_size=1, max_size=20), receipts())
def test_every_reminder_fits(
    localizer: Localizer, promises: list[Memory], said: Receipt
) -> None:
    """Each promise has its row and buttons; a receipt takes the place of one of them alone."""
    message = reminder_payload(localizer, promises)
    message_fits(message)
    rows = [one["block_id"] for one in message["blocks"] if one["type"] == "actions"]
    assert len(rows) == min(len(promises), 15)
    for clicked in rows[:2]:
        answered = replaced_in(message, clicked, said)
        message_fits(answered)
        left = [one["block_id"] for one in answered["blocks"] if "block_id" in one]
        assert left == [row for row in rows if row != clicked]
        assert len(answered["blocks"]) == len(message["blocks"]) - 1
        assert replaced_in({}, clicked, said) == said.payload


@given(READERS, receipts(), TEXTS, OFFS, MEMORIES)
def test_every_other_message_fits(
    localizer: Localizer, said: Receipt, text: str, off: Off, memory: Memory
) -> None:
    """What was done, what is asked, and what is offered."""
    everything = forget_button(localizer, Forget(everything=True))
    lines = bulleted([memory_line(localizer, memory)] * 5)
    for shown in (
        said.payload,
        consent_question(localizer),
        off_done(localizer, off).payload,
        on_done(localizer, off.scope).payload,
        payload(localizer.say("forget_everything_ask"), everything),
        forget_question(localizer, _many([memory] * 3)),
        forget_question(localizer, [memory]),
        payload(lines, button(localizer.say("show_all"), Position(of=text))),
        open_done(localizer, Position(list="changes")),
    ):
        message_fits(shown)


@given(READERS, st.sampled_from(REASONS), TEXTS)
def test_every_refusal_fits(localizer: Localizer, reason: Any, text: str) -> None:
    """Its button holds the sentence and the message it was said in, if it has room for them."""
    refused = refusal(reason, text)
    receipt = refusal_done(localizer, refused, facts=True)
    message_fits(receipt.payload)
    remember = Remember(text=text, channel="C0123456789", ts="1795737600.000100")
    assert receipt.button is None or clicked_act(receipt.button) == remember
    # What is never stored, and what is no memory, have no button.
    short = refusal_done(localizer, refusal(reason, "password: hunter2"), facts=True)
    assert bool(short.button) == (reason not in ("secret", "sensitive", "full"))
    assert reason != "secret" or "hunter2" not in str(short)
    bare = refusal_done(localizer, refusal(reason, None), facts=True)
    kindless = refusal_done(localizer, refused, facts=False)
    assert (bare.button, kindless.button) == (None, None)


@given(
    st.one_of(
        st.just(Forget(everything=True)),
        st.lists(KEYS, min_size=1, max_size=MAX_KEYS).map(
            lambda keys: Forget(keys=tuple(keys))
        ),
        st.builds(Forget, since=MOMENTS, until=MOMENTS),
        st.just(Forget(messages=(("C0123456789", "1795737600.000100"),))),
    )
)
def test_a_button_holds_what_it_forgets(forget: Forget) -> None:
    """What a button selects is read from its value again."""
    value = forget.value
    assert read_act(value) == forget
    assert len(value) <= limit("interactive", "button", "value")


@given(
    READERS,
    st.sampled_from(_KINDS).flatmap(
        lambda schema: st.tuples(st.just(schema), _stored(schema), AUDIENCES)
    ),
    SETTINGS,
    TEXTS,
    st.dictionaries(
        st.sampled_from(["store", "statements", "turns"]), st.integers(0, 10**6)
    ),
)
def test_every_form_fits(
    localizer: Localizer,
    stored: tuple[type[BaseModel], dict[str, Any], str],
    chosen: PersonSettings,
    text: str,
    counts: dict[str, int],
) -> None:
    """Each form opens, whatever is stored, by whatever version, with where it came from."""
    schema, content, audience = stored
    memory = Memory(
        namespace=PERSON.namespace(audience),
        key=str(TURN),
        value={"kind": schema.__name__, "content": content},
        created_at=NOON,
        updated_at=NOON,
    )
    place = Place(
        url=f"https://hooks.slack.com/{'x' * 200}",
        view="V1",
        position=Position(of=text),
    )
    erased = PersonErased(
        counts=counts,
        left={"turns": 1},
        memories=len(counts),
        at=NOON,
        never_formed_messages=len(counts),
        switches=len(counts),
    )
    forms = [
        edit_form(localizer, memory, place),
        add_form(localizer, place),
        *(
            settings_form(localizer, chosen, most, place)
            for most in (chosen.retention_days, None)
        ),
        delete_form(localizer, place),
        final_view(localizer, "delete_title", receipt_text(localizer, erased)),
        final_view(localizer, "panel_title", localizer.say("help")),
    ]
    for view in forms:
        view_fits(view)
        metadata = view.get("private_metadata", "")
        assert len(metadata) <= limit("views", "modal", "private_metadata")


def _stored(schema: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(
        st.sampled_from([*schema.model_fields]),
        _SCALARS | st.lists(st.text()) | st.floats(),
    )


def remembered(
    content: dict[str, Any],
    kind: str,
    evidence: str = "",
    audience: str = "dm",
    day: str = "",
) -> Memory:
    """Return a memory with the sentence that it comes from."""
    said_on = day or NOON.date().isoformat()
    value = {
        "kind": kind,
        "content": content,
        "said_on": said_on,
        "sources": [{"actor": "formation", "evidence": evidence, "said_on": said_on}],
    }
    return Memory(
        namespace=PERSON.namespace(audience),
        key=str(TURN),
        value=value,
        created_at=NOON,
        updated_at=NOON,
    )


LONG = "I like ramen, " + "and that is so " * 9
OWN = {
    LONG: LONG.strip(),
    "I like ramen, but not at night": "I like ramen, but not at night",
    "I like  ramen!": "I like ramen!",
    "ramen": "Likes ramen",
    "": "Likes ramen",
}


@pytest.mark.parametrize("sentence", OWN)
def test_a_row_is_the_persons_own_sentence(sentence: str) -> None:
    """Not what was only typed into a form, and not a sentence that other rows have, too."""
    localizer = Localizer("en")
    known = remembered(RAMEN, "UserFoodPreference", sentence)
    known.value["sentence"] = sentence
    assert own_line(localizer, known) == OWN[sentence]
    assert memory_row(localizer, known, None)["text"]["text"].count("\n") == 0
    soba = remembered(RAMEN | {"food_name": "soba"}, "UserFoodPreference", sentence)
    soba.value["sentence"] = sentence
    content = PanelContent(memories=[known, soba], found=2)
    blocks = panel_view(localizer, content)["blocks"]
    rows = [one for one in blocks if str(one.get("block_id")).startswith("memory-")]
    lines = [one["text"]["text"].split(" · ")[0] for one in rows]
    assert lines == ["Likes ramen", "Likes soba"]


def test_what_may_be_forgotten_is_listed_in_the_persons_own_sentences() -> None:
    """One is asked about, and of several each has its row."""
    localizer = Localizer("en")
    known = []
    for number, food in enumerate(("ramen", "soba")):
        sentence = f"I like {food} at night"
        one = remembered(RAMEN | {"food_name": food}, "UserFoodPreference", sentence)
        one.value["sentence"] = sentence
        known.append(replace(one, key=str(number)))
    [asked, _] = forget_question(localizer, known[:1])["blocks"]
    assert asked["text"]["text"] == "Forget “I like ramen at night”?"
    _, *rows, _ = forget_question(localizer, known)["blocks"]
    lines = [row["text"]["text"] for row in rows]
    assert lines == ["I like ramen at night", "I like soba at night"]


def test_the_row_of_a_promise_says_when_it_is_due() -> None:
    """In the sentence "Friday" may be any; that a promise is kept its line says."""
    localizer = Localizer("en")
    given = {"promise": "notes", "to": "Mia", "due": "2099-11-27", "state": "open"}
    sentence = "I promised Mia notes by Friday"
    known = remembered(given, PROMISE_KIND, sentence)
    known.value["sentence"] = sentence
    assert own_line(localizer, known) == f"{sentence} (by Fri, Nov 27, 2099)"
    known.value["content"] = given | {"to": None}
    line = f"{sentence} (Fri, Nov 27, 2099)"
    assert own_line(localizer, known) == line
    # What nobody waits for is due when it is reminded of.
    reminder = datetime(2099, 11, 27, 9, tzinfo=UTC)
    row = memory_row(localizer, known, None, reminder)
    assert row["text"]["text"] == line
    known.value["content"] = given | {"state": "done"}
    assert own_line(localizer, known).startswith("Promise kept: notes")


RAMEN = {"food_name": "ramen", "preference": 70}
MORNING = {"fact": "I hate meetings before 10am"}


@pytest.mark.parametrize(
    ("content", "evidence", "more"),
    [
        (RAMEN, "I like ramen", ""),
        (RAMEN, "ラーメン", "\n“ラーメン”"),
        (RAMEN, "I like ramen, but not at night", "\n“I like ramen, but not at night”"),
        (MORNING, "I hate meetings before 10am.", ""),
        (MORNING, "i hate meetings before 10AM！", ""),
        (
            MORNING,
            "Mondays are bad, and I hate meetings before 10am",
            "\n“Mondays are bad, and",
        ),
        (MORNING, "", ""),
    ],
)
def test_a_row_quotes_what_says_more(
    content: dict[str, Any], evidence: str, more: str
) -> None:
    """The sentence of a memory is shown where it is not the memory in other punctuation."""
    kind = "UserFact" if "fact" in content else "UserFoodPreference"
    row = memory_row(Localizer("en"), remembered(content, kind, evidence), None)
    first, quote, rest = row["text"]["text"].partition("\n")
    assert first.startswith(memory_line(Localizer("en"), remembered(content, kind)))
    assert f"{quote}{rest}".startswith(more)
    assert bool(quote) is bool(more)


def test_a_row_says_no_default() -> None:
    """Where a memory is used is said of an exception, a year of another one; a source is a link."""
    localizer = Localizer("en")
    year = datetime.now(UTC).year
    now = memory_row(
        localizer, remembered(RAMEN, "UserFoodPreference", day=f"{year}-03-02"), LINK
    )
    line = now["text"]["text"]
    assert str(year) not in line
    assert line.endswith(f" · <{LINK}|message>")
    assert line.count(" · ") == 2
    kept = remembered(
        {"promise": "notes", "due": f"{year}-05-04", "state": "open"}, "Promise"
    )
    promised = memory_row(localizer, kept, LINK)["text"]["text"]
    assert promised.count(" · ") == 1, "its day is that on which it is due"
    assert "May 4" in promised
    old = remembered(
        RAMEN, "UserFoodPreference", audience="public", day=f"{year - 1}-03-02"
    )
    text = memory_row(localizer, old, None)["text"]["text"]
    assert str(year - 1) in text
    assert text.endswith("Used everywhere in this workspace")


@pytest.mark.parametrize(
    ("audience", "where"),
    [
        ("dm", ""),
        ("C1", " · Used in <#C1> and in your direct messages with me"),
        ("public", " · Used everywhere in this workspace"),
    ],
)
def test_a_row_says_where_a_memory_is_used(audience: str, where: str) -> None:
    """That it is used in direct messages alone is the default, and not said."""
    known = remembered(MORNING, "UserFact", audience=audience)
    text = memory_row(Localizer("en"), known, None)["text"]["text"]
    before, mark, after = text.partition(" · Used")
    assert f"{mark}{after}" == where
    assert before.startswith(memory_line(Localizer("en"), known))


def test_the_panel_has_a_heading_for_each_group() -> None:
    """Wishes about answers are apart from what is about the person."""
    wish = remembered({"instruction": "answer briefly"}, "UserInstruction")
    food = replace(remembered(RAMEN, "UserFoodPreference"), key="food")
    localizer = Localizer("en")

    def headings(*memories: Memory) -> list[str]:
        content = PanelContent(memories=memories, found=len(memories))
        blocks = panel_view(localizer, content)["blocks"]
        return [
            one["block_id"]
            for one in blocks
            if one.get("block_id", "").endswith("_title")
        ]

    assert headings(wish, food) == ["instructions_title", "about_title"]
    assert headings(food) == ["about_title"]
    assert headings(wish) == ["instructions_title"]


def test_an_open_promise_says_when_it_is_reminded_of_next() -> None:
    """It has its menu and no buttons; a time is shown if one was said."""
    now = datetime.now(UTC)
    later = datetime(2099, 11, 27, 9, tzinfo=UTC)
    days = {
        (later, ""): "Fri, Nov 27, 2099",
        (datetime.combine(now, time(9), UTC) + timedelta(days=1), ""): "tomorrow",
        (datetime.combine(now, time(9), UTC), "11:00"): "today at 9:00 AM",
    }
    for (moment, due_time), said in days.items():
        known = memory(
            kind=PROMISE_KIND, **promise(due="2099-11-27", due_time=due_time)
        )
        content = PanelContent(memories=[known], found=1, reminders={known.key: moment})
        view = home_view(Localizer("en"), content)
        [row] = [
            block
            for block in view["blocks"]
            if str(block.get("block_id")).startswith("memory-")
        ]
        assert row["text"]["text"].endswith(f"· Next reminder: {said}")
        acts = [clicked_act(one) for one in row["accessory"]["options"]]
        options = [getattr(act, "to", act.act) for act in acts if act]
        assert options == ["done", "edit", "forget", "show", "dropped"]


# fmt: off
_MARKDOWN = (
    "# ", "a", " ", "\n", "\n\n", "    ", "\t", "- ", "+ ", "1. ", "2) ", "> ", "```", "~~~", "---",
    "===", "|a|\n|-|\n", "*", "_", "`", "[a](b)", "![", "[a]: b", "<b>", "<!--", "&lt;", "\\",
)
# fmt: on
_WRITTEN = TEXTS | st.lists(st.sampled_from(_MARKDOWN), min_size=1).map("".join)
WRITTEN = _WRITTEN.map(storable)
EXPORTS = st.fixed_dictionaries(
    {
        "memories": st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.just("UserFact"),
                    "content": st.fixed_dictionaries({"fact": WRITTEN}),
                    "said_on": st.just("2026-11-26"),
                    "sources": st.just([])
                    | st.lists(st.fixed_dictionaries({"evidence": WRITTEN})),
                }
            ),
            max_size=3,
        ),
        "messages": st.lists(
            st.fixed_dictionaries(
                {
                    "ts": st.just("1795737600.000100"),
                    "question": WRITTEN,
                    "reply": st.none() | WRITTEN,
                }
            ),
            max_size=3,
        ),
    }
)


def markdown_tokens(text: str) -> list[Token]:
    """Return what a reader of Markdown finds, also tables and text that is struck out."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found: list[Token] = []
    for token in reader.parse(text):
        found += [token, *(token.children or ())]
    return found


@given(READERS, EXPORTS)
def test_the_text_of_an_export_holds_words_and_no_markup_of_theirs(
    localizer: Localizer, document: dict[str, Any]
) -> None:
    """Everything that was said and answered is text: only ours makes headings and lists."""
    tokens = markdown_tokens(export_markdown(localizer, document))
    kinds = Counter(token.type for token in tokens)
    asked = [one for one in document["messages"] if one["question"]]
    answered = [one for one in asked if one["reply"] and one["reply"].strip()]
    sections = bool(document["memories"]) + bool(asked)
    assert kinds["heading_open"] == 1 + sections + len(asked)
    assert kinds["list_item_open"] == len(document["memories"])
    assert kinds["blockquote_open"] >= len(answered)
    ours = {"inline", "text", "hardbreak"}
    for block in ("heading", "paragraph", "bullet_list", "list_item", "blockquote"):
        ours |= {f"{block}_open", f"{block}_close"}
    assert kinds.keys() <= ours
    texts = [token.content for token in tokens if token.type == "text"]
    shown = "".join("".join(texts).split())
    for one in asked:
        assert "".join(one["question"].split()) in shown
        assert "".join((one["reply"] or "").split()) in shown


@pytest.mark.parametrize("localizer", [Localizer(language) for language in LANGUAGES])
def test_the_text_of_an_export_says_what_is_stored_as_a_mark(
    localizer: Localizer,
) -> None:
    """What came with a question: in the text's language."""
    question = f"Who?\n{FORWARDED_ALONE}\n{FILES_ALONE}"
    message = {"ts": "1795737600.000100", "question": question, "reply": ""}
    text = export_markdown(localizer, {"memories": [], "messages": [message]})
    marks = [localizer.say("asked_forwarded"), localizer.say("asked_files")]
    assert "  \n".join(["Who?", *marks]) in text


# --- a few words about looks --------------------------------------------------------------------


@pytest.mark.parametrize("localizer", [Localizer(language) for language in LANGUAGES])
def test_where_data_goes_is_said(localizer: Localizer) -> None:
    """Each model and host is named; with the stand-in nothing leaves the machine.

    That the web is searched is said only if the model can and the settings let it.
    """
    text = "\n".join(handling(localizer, web_search=False))
    assert text.count("some-model") == 3
    assert "api.example.com" in text
    assert "some-model-4 (vectors.example.com)" in text
    assert localizer.say("home_policy_web") not in text
    assert localizer.say("home_policy_web") in handling(localizer, web_search=True)
    assert localizer.say("home_policy_web") not in handling(localizer, searches=False)
    alone = handling(localizer, model=STAND_IN_MODEL)
    assert "some-model" not in "".join(alone)
    assert localizer.say("home_flow_stand_in") in alone
    assert localizer.say("home_policy_web") not in alone


@given(st.text(f"ab <&> {chr(12354)}", max_size=600), st.integers(10, 300))
def test_escaped_text_is_cut_between_characters(text: str, limit: int) -> None:
    """Escaped text fits, holds no markup, and never ends within an escape."""
    shown = escaped(text, limit)
    assert len(shown) <= limit
    assert not re.search("[<>]|&(?!(?:amp|lt|gt);)", shown)
    assert html.unescape(shown) == text or text.startswith(
        html.unescape(shown).removesuffix("…")
    )


@given(st.text("ab\n", max_size=300), st.integers(10, 300))
def test_a_long_text_is_cut_between_lines(text: str, limit: int) -> None:
    """What fits is whole lines, so that no date or name is cut in two."""
    shown = fitted(text, limit)
    assert len(shown) <= limit
    assert shown == text or text.startswith(shown.removesuffix("…").rstrip())
