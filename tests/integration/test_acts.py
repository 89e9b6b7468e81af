"""What a person can do, on every surface on which they can do it: each act has its effect."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias, get_args
from uuid import uuid4

import pytest

from bot.acts.kinds import (
    Answer,
    ButtonAct,
    ChangePromise,
    DeleteData,
    Edit,
    Export,
    Forget,
    Keep,
    Move,
    Open,
    Position,
    Rate,
    Remember,
    Snooze,
    Switch,
    TakeBack,
    Undo,
)
from bot.acts.kinds import Place as CommandPlace
from bot.acts.phrases import Request
from bot.acts.receipt import Click
from bot.commands.commands import carry_out
from bot.locale import say
from bot.off.switches import turn_off, turn_on
from bot.people import read_memory_state
from memory import (
    DM,
    PUBLIC,
    PersonMessage,
    Selection,
    add_memories,
    forget,
    list_changes,
    open_questions,
)
from memory.model import PROMISE_KIND
from memory.postgres import person_transaction
from memory.store.questions import ask
from tests.integration.app import App, receiving
from tests.integration.person import SlackPerson
from tests.person import Place, acts_in, elements, sections, shown
from tests.waiting import until

pytestmark = pytest.mark.own_slack


@pytest.fixture
async def ann(app: App) -> AsyncIterator[SlackPerson]:
    """A person who likes ramen and sushi."""
    async with receiving(app):
        ann = SlackPerson(app)
        await ann.remember("ramen", "sushi")
        yield ann


OpenPanel: TypeAlias = Callable[[SlackPerson], Awaitable[Place]]


async def _panel_of_command(ann: SlackPerson) -> Place:
    place: Place = await ann.panel("/memories")
    return place


async def _panel_of_words(ann: SlackPerson) -> Place:
    """Ask in plain words, and press the button below the newest that opens the panel."""
    message = await ann.say("Show me my memories")
    listed = await _below(ann, message.ts, "panel_title")
    await ann.press({**listed, "channel": "dm"}, "show")
    place: Place = await ann.panel_opens()
    return place


async def _below(ann: SlackPerson, thread: str, key: str) -> Place:
    """Wait for a message of the app in a thread that says a sentence."""
    place = ann.sentence("place_dm")
    text = ann.sentence(key, what="{", until="{", where=place).split("{")[0]

    async def found() -> Place | None:
        seen = [one for one in await ann.seen() if one.get("thread_ts") == thread]
        those = [one for one in seen if text in shown(one)]
        return {**those[-1], "channel": "dm"} if those else None

    return await until(found)


SURFACES: dict[str, OpenPanel] = {
    "Home": SlackPerson.open_home,
    "command": _panel_of_command,
    "plain words": _panel_of_words,
}


async def see(ann: SlackPerson, panel: Place) -> None:
    """The panel lists what is remembered."""
    assert "Likes ramen" in shown(panel)
    assert "Likes sushi" in shown(panel)


async def search(ann: SlackPerson, panel: Place) -> None:
    """Words leave what has them; *All Memories* leads back."""
    found = await ann.search(panel, "ramen")
    assert "Likes ramen" in shown(found)
    assert "Likes sushi" not in shown(found)
    assert "Likes sushi" in shown(await ann.click(found, "show", list=None))


async def forget_one_and_undo(ann: SlackPerson, panel: Place) -> None:
    """A row's menu forgets it; *Undo* brings it back."""
    memory = await ann.memory("ramen")
    panel = await ann.click(panel, "forget", keys=memory.key)
    assert ann.sentence("forgotten", what="Likes ramen") in shown(panel)
    assert await ann.foods() == ["sushi"]
    panel = await ann.click(panel, "undo", what="forgetting")
    assert "Likes ramen" in shown(panel)
    assert await ann.foods() == ["ramen", "sushi"]


async def forget_all_shown(ann: SlackPerson, panel: Place) -> None:
    """What a search shows is forgotten at once, and *Undo* stands there."""
    await ann.remember("salmon sushi")
    found = await ann.search(panel, "sushi")
    keys = [(await ann.memory(one)).key for one in ("salmon sushi", "'sushi'")]
    panel = await ann.click(found, "forget", keys=keys)
    assert await ann.foods() == ["ramen"]
    await ann.click(panel, "undo", what="forgetting")
    assert await ann.foods() == ["ramen", "salmon sushi", "sushi"]


async def forget_everything_and_undo(ann: SlackPerson, panel: Place) -> None:
    """Everything is forgotten, and *Undo* brings it back: until then Home has one, too."""
    await ann.press(panel, "open", form="settings")
    settings = await ann.form_opens()
    settings = await ann.click(settings, "forget", everything=True)
    assert await ann.foods() == []
    assert "Forgotten: 2 memories" in shown(settings)
    assert ann.sentence("panel_none").split("*")[1] in shown(await ann.changed(panel))
    assert ann.sentence("forgotten", what="2 memories") in shown(await ann.open_home())
    await ann.click(settings, "undo", what="forgetting")
    assert await ann.foods() == ["ramen", "sushi"]
    assert ann.sentence("undo_button") not in shown(await ann.open_home())


async def edit_and_undo(ann: SlackPerson, panel: Place) -> None:
    """The sentence is written anew, and formed: the same memory says it."""
    memory = await ann.memory("ramen")
    await ann.press(panel, "edit", key=memory.key)
    form = await ann.form_opens()
    await ann.submit(form, sentence="I love udon")
    panel = await ann.changed(panel)
    await ann.remembers("sushi", "udon")
    udon = await ann.memory("udon")
    assert (udon.key, udon.sources[-1]["evidence"]) == (memory.key, "I love udon")
    assert udon.audience == memory.audience
    await ann.click(panel, "undo", what="changes")
    await ann.remembers("ramen", "sushi")


async def edit_in_vain(ann: SlackPerson, panel: Place) -> None:
    """A sentence of which nothing is formed changes nothing, and the panel says so."""
    memory = await ann.memory("ramen")
    await ann.press(panel, "edit", key=memory.key)
    await ann.submit(await ann.form_opens(), sentence="What time is it?")
    panel = await ann.changed(panel)
    assert ann.sentence("no_changes") in shown(panel)
    ann.app.fault(kind="formation", status=503, times=-1)
    await ann.press(panel, "edit", key=memory.key)
    await ann.submit(await ann.form_opens(), sentence="I love udon")
    told = shown(await ann.changed(panel))
    assert ann.sentence("edit_not_read", what="I love udon") in told
    await ann.remembers("ramen", "sushi")


async def use_everywhere_and_only_here_again(ann: SlackPerson, panel: Place) -> None:
    """A row's menu moves a memory at once, and says where it is used now, with *Undo*."""
    memory = await ann.memory("ramen")
    panel = await ann.click(panel, "move", key=memory.key, to="public")
    assert (await ann.memory("ramen")).audience == PUBLIC
    assert ann.sentence("audience_public") in shown(panel)
    panel = await ann.click(panel, "undo", what="changes")
    assert (await ann.memory("ramen")).audience == DM
    panel = await ann.click(panel, "move", key=memory.key, to="public")
    await ann.click(panel, "move", key=memory.key, to="dm")
    assert (await ann.memory("ramen")).audience == DM


async def see_history(ann: SlackPerson, panel: Place) -> None:
    """A window has the changes of one memory; what is undone there goes from the list below."""
    memory = await ann.memory("ramen")
    await ann.press(panel, "show", of=memory.key)
    history = await ann.form_says("Remembered: Likes ramen")
    assert "sushi" not in shown(history)
    await ann.click(history, "undo", what="changes")
    assert "ramen" not in shown(await ann.changed(panel))


async def undo_a_change(ann: SlackPerson, panel: Place) -> None:
    """In the list of changes each has its *Undo*."""
    changes = await ann.click(panel, "show", list="changes")
    assert "Remembered: Likes ramen" in shown(changes)
    await ann.click(changes, "undo", what="changes")
    assert await ann.foods() == ["ramen"]


async def turn_off_and_on(ann: SlackPerson, panel: Place) -> None:
    """One select switches memory off and on."""
    app = ann.app

    async def off() -> bool:
        async with person_transaction(app.pool, ann.person) as transaction:
            state = await read_memory_state(transaction, "D1", "0", "notice")
            return state.off is not None

    for act in ({"to": "off"}, {"to": "off", "minutes": 60}, {"to": "tomorrow"}):
        panel = await ann.click(panel, "switch", **act)
        assert await off()
        panel = await ann.click(panel, "switch", to="on")
        assert not await off()


async def add(ann: SlackPerson, panel: Place) -> None:
    """Each line of the form is formed; the panel says what was remembered, with *Undo*."""
    await ann.press(panel, "open", form="add")
    form = await ann.form_opens()
    await ann.submit(form, lines="- I love udon\n- I love curry")
    panel = await ann.changed(panel)
    await ann.remembers("curry", "ramen", "sushi", "udon")
    await ann.click(panel, "undo", what="notice")
    await ann.remembers("ramen", "sushi")


async def choose_settings(ann: SlackPerson, panel: Place) -> None:
    """The form stores what is chosen; its language counts at once.

    What is said of memory follows it: only what the person asks for is remembered then.
    """
    await ann.press(panel, "open", form="settings")
    form = await ann.form_opens()
    await ann.submit(
        form, language="ja", notices="off", retention="30", eagerness="asked"
    )
    panel = await ann.changed(panel)
    assert "保存しました" in shown(panel)
    assert say("ja", "panel_on") in shown(panel)
    settings = await ann.app.core.people.settings(ann.person)
    assert (settings.language, settings.notices) == ("ja", False)
    assert (settings.retention_days, settings.eagerness) == (30, "asked")


async def export(ann: SlackPerson, panel: Place) -> None:
    """The files come in the direct messages."""
    await ann.press(panel, "open", form="settings")
    settings = await ann.click(await ann.form_opens(), "export")
    assert ann.sentence("exported") in shown(settings)
    [sent] = [message for message in await ann.seen() if message.get("files")]
    assert [file["name"].rpartition(".")[2] for file in sent["files"]] == [
        "md",
        "json",
    ]


async def delete_all(ann: SlackPerson, panel: Place) -> None:
    """A typed word deletes everything; the form becomes the receipt. A copy is offered before."""
    await ann.press(panel, "open", form="settings")
    form = await ann.click(await ann.form_opens(), "open", form="delete")
    assert ann.sentence("delete_ask") in shown(form)
    form = await ann.click(form, "export")
    assert ann.sentence("exported") in shown(form)
    refused = await ann.submit(form, word="yes")
    assert "DELETE" in str(refused)
    await ann.submit(form, word="DELETE")
    await ann.form_says("All your data is deleted.")
    assert await ann.foods() == []
    assert (
        ann.app.rows("SELECT scope FROM memory_off WHERE user_id = %s", ann.user) == []
    )


ACTS = (
    see,
    search,
    forget_one_and_undo,
    forget_all_shown,
    forget_everything_and_undo,
    edit_and_undo,
    edit_in_vain,
    use_everywhere_and_only_here_again,
    see_history,
    undo_a_change,
    turn_off_and_on,
    add,
    choose_settings,
    export,
    delete_all,
)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: str(act.__name__))
async def test_act_on_surface_has_its_effect(
    ann: SlackPerson, surface: str, act: Callable[[SlackPerson, Place], Awaitable[None]]
) -> None:
    """Each act of the panel works in Home, in a command's answer, and opened by plain words."""
    await act(ann, await SURFACES[surface](ann))


TYPED: dict[str, tuple[str, str]] = {
    "/forget ramen": ("forget_ask", "Forget “Likes ramen”?"),
    "/forget Likes": ("panel_no_match", "Search"),
    "/memories help": ("help", "/forget everything"),
    "/memories pause": ("off", "Turn Memory On"),
    "/memories pause until the fair": ("off", "Turn Memory On"),
    "/memories 停止": ("off", "Turn Memory On"),
    "/memories ？": ("help", "/forget everything"),
    "/memories ｏｆｆ": ("off", "Turn Memory On"),
    "/memories resume": ("panel_on", "Turn Memory Off"),
    "/memories incognito": ("off_here", "Turn Memory On"),
    "/forget everything": ("forget_everything_ask", "Forget"),
}


@pytest.mark.parametrize("typed", TYPED)
async def test_typed_command_is_answered(ann: SlackPerson, typed: str) -> None:
    """The few words after a command do what they say; ``/forget`` asks about what has others."""
    key, text = TYPED[typed]
    answer = await ann.command(typed)
    where = ann.sentence("place_dm")
    said = ann.sentence(key, words=typed.split()[1], where=where, what="Likes ramen")
    beginning = said.split("{")[0].split("\n")[0]
    assert beginning in answer["text"] + shown(answer).replace('\\"', '"')
    assert text in shown(answer)


@pytest.mark.failed_calls(
    "conversations.info: channel_not_found",
    because="the app is in no direct message between two people",
)
@pytest.mark.parametrize("is_slack_away", [False, True])
async def test_incognito_between_two_people_is_not_said_to_hold_with_the_app(
    ann: SlackPerson, is_slack_away: bool
) -> None:
    """The playground has no such conversation, so the command is given to what answers it.

    While Slack does not tell where the app is, memory is switched off.
    """
    if is_slack_away:
        ann.app.slack.fault("conversations.info", error="internal_error", times=None)
    localizer = await ann.app.core.people.localizer(ann.person)
    place = CommandPlace(channel="D0123456789")
    click = Click(person=ann.person, localizer=localizer, place=place)
    told = await carry_out(ann.app.core, click, Request(what="here"))
    assert (told["text"] == ann.sentence("off_not_here")) is not is_slack_away
    switches = ann.app.rows("SELECT scope FROM memory_off WHERE user_id = %s", ann.user)
    assert [one["scope"] for one in switches] == [place.channel] * is_slack_away


@pytest.mark.parametrize("typed", ["/memories ramen", "/memories", "/forget"])
async def test_command_opens_panel_and_leaves_no_message(
    ann: SlackPerson, typed: str
) -> None:
    """The panel is a modal: nothing of it stays in the conversation. Words narrow it.

    What a search finds is in the acknowledgement: Slack may apply an update of the view before it.
    """
    words = typed.partition(" ")[2]
    panel = await ann.panel(typed)
    assert "Likes ramen" in shown(panel)
    assert ("Likes sushi" in shown(panel)) is (not words)
    searched = await ann.submit(panel, **{f"search-{words}": "zebras"})
    assert ann.sentence("panel_no_match", words="zebras") in shown(
        searched["ack"]["view"]
    )
    assert await ann.seen() == []


async def test_forget_with_several_matches_forgets_one_or_all(ann: SlackPerson) -> None:
    """A window with a row each, which stay after a click, and one button for all.

    What a click did, or why it did nothing, stands where the row stood.
    """
    await ann.remember("curry ramen", "miso ramen", "soba", "shio ramen")
    asked = await ann.panel("/forget ramen")
    assert "soba" not in shown(asked)
    assert ann.sentence("forget_all", count=4) in shown(asked)
    middle = await ann.memory("miso ramen")
    after = await ann.click(asked, "forget", keys=middle.key)
    which, first, receipt, *others = sections(after)
    assert which == ann.sentence("forget_which")
    assert (first, others) == ("Likes shio ramen", ["Likes curry ramen", "Likes ramen"])
    assert "Forgotten: " in receipt
    shio = await ann.memory("shio")
    await forget(ann.app.pool, ann.person, Selection(keys=[shio.key]))
    after = await ann.click(after, "forget", keys=shio.key)
    assert sections(after)[1:] == [ann.sentence("memory_gone"), *others]
    one = await ann.click(after, "forget", keys=(await ann.memory("curry")).key)
    assert "Forgotten: " in sections(one)[0]
    assert sections(one)[1] == ann.sentence("forget_ask", what="Likes ramen")
    back = await ann.click(one, "undo", what="forgetting")
    keys = [json.loads(one["value"])["keys"] for one in acts_in(back, "forget")]
    none = await ann.click(back, "forget", keys=keys[-1])
    assert await ann.foods() == ["soba", "sushi"]
    assert ann.sentence("panel_no_match", words="ramen") in sections(none)


async def test_edit_of_one_of_two_that_a_sentence_tells_of(ann: SlackPerson) -> None:
    """It is written anew for one; the other stays."""
    origin = PersonMessage(actor="command", text="I love soba. I love natto.")
    given = [
        ({"food_name": food, "preference": 80}, origin) for food in ("soba", "natto")
    ]
    namespace = ann.person.namespace(DM)
    await add_memories(
        ann.app.pool, ann.app.embedder, namespace, "UserFoodPreference", given
    )
    natto = await ann.memory("natto")
    await ann.press(await ann.panel(), "edit", key=natto.key)
    await ann.submit(await ann.form_opens(), sentence="I love soba. I love udon.")
    await ann.remembers("ramen", "soba", "sushi", "udon")
    assert (await ann.memory("udon")).key == natto.key


async def test_a_receipt_that_stays_in_slack_quotes_nothing(ann: SlackPerson) -> None:
    """Below a message it counts what was forgotten, with *Undo*; the answer to a command quotes."""
    message = await ann.say("forget what I said about ramen")
    asked = await _below(ann, message.ts, "forget_ask")
    after = await ann.click(asked, "forget")
    counted = ann.sentence("counted_memories", count=1)
    assert ann.sentence("forgotten", what=counted) in shown(after)
    assert "ramen" not in shown(after)
    assert acts_in(after, "undo")


@pytest.mark.parametrize("foods", [["soba"], ["soba", "udon"]], ids=len)
async def test_forget_shows_the_sentence_in_which_it_found_the_words(
    ann: SlackPerson, foods: list[str]
) -> None:
    """“Likes soba” alone would not say why `/forget asakusa` asks for it."""
    sentence = "The noodles that they make in Asakusa are the best"
    origin = PersonMessage(actor="command", text=sentence)
    given = [({"food_name": food, "preference": 80}, origin) for food in foods]
    namespace = ann.person.namespace(DM)
    await add_memories(
        ann.app.pool, ann.app.embedder, namespace, "UserFoodPreference", given
    )
    asked = await (ann.panel if foods[1:] else ann.command)("/forget asakusa")
    quoted = ann.sentence("row_said", what=sentence)
    assert sum(quoted in text for text in sections(asked)) == len(foods)


@pytest.mark.parametrize("surface", ["Home", "command"])
async def test_result_of_click_in_row_stands_in_its_place(
    ann: SlackPerson, surface: str
) -> None:
    """Between its neighbours, with *Undo*, whose result stands there again."""
    await ann.remember("soba", "udon", "curry")
    panel = await SURFACES[surface](ann)

    def lines(place: Place) -> list[str]:
        shown = [text.split(" · ")[0].splitlines()[0] for text in sections(place)]
        return [
            line
            for line in shown
            if line.split()[0] in ("Likes", "Forgotten:", "Restored:")
        ]

    listed = ["Likes curry", "Likes udon", "Likes soba", "Likes sushi", "Likes ramen"]
    assert lines(panel) == listed
    panel = await ann.click(panel, "forget", keys=(await ann.memory("soba")).key)
    gone = ann.sentence("forgotten", what="Likes soba")
    assert lines(panel) == [
        "Likes curry",
        "Likes udon",
        gone,
        "Likes sushi",
        "Likes ramen",
    ]
    panel = await ann.click(panel, "undo", what="forgetting")
    restored = ann.sentence("restored", what="Likes soba")
    listed.insert(2, restored)
    assert lines(panel) == listed


async def test_memory_of_somebody_is_found_and_forgotten_by_name(
    ann: SlackPerson,
) -> None:
    """A memory has the name that Ann read; *Edit* shows it as it is."""
    await ann.remember("the soup of @Mia Tanaka")
    for typed in ("/memories mia", "/memories @Mia Tanaka"):
        panel = await ann.panel(typed)
        assert "the soup of @Mia Tanaka" in shown(panel)
        assert "Likes ramen" not in shown(panel)
    memory = await ann.memory("soup")
    await ann.press(panel, "edit", key=memory.key)
    assert "the soup of @Mia Tanaka" in shown(await ann.form_opens())
    asked = await ann.command("/forget mia")
    assert asked["text"] == ann.sentence(
        "forget_ask", what="Likes the soup of @Mia Tanaka"
    )
    await ann.click(asked, "forget")
    assert await ann.foods() == ["ramen", "sushi"]


PLAIN = {
    "Turn memory off": "off",
    "Show me my memories": "panel_title",
    "Show me the history of your memory": "changes_title",
    "Open my settings": "open_line",
    "Turn incognito on": "off_here",
    "Forget ramen": "forget_ask",
    "Forget what I said today": "forget_these",
    "Forget everything about me": "forget_everything_ask",
}


@pytest.mark.parametrize("words", PLAIN)
async def test_plain_words_do_or_propose(ann: SlackPerson, words: str) -> None:
    """What can be undone is done; the rest is a question, and the click decides.

    One message says it.
    """
    await ann.app.form(await ann.say("I love curry"))
    before = await ann.foods()
    message = await ann.say(words)
    below = await _below(ann, message.ts, PLAIN[words])
    assert await ann.foods() == before
    if "forget" in PLAIN[words]:
        await ann.click(below, "forget")
        assert await ann.foods() != before
    assert len(ann.app.shown(message)) == 1


MORE: Sequence[tuple[str, dict[str, str | None], str]] = (
    ("show", {"list": None}, "panel_title"),
    ("show", {"list": "forget"}, "forget_which"),
    ("open", {"form": "help"}, "help"),
    ("switch", {"to": "off"}, "off"),
)


@pytest.mark.parametrize(("act", "fields", "key"), MORE)
async def test_a_message_that_is_not_understood_offers_what_may_be_meant(
    ann: SlackPerson, act: str, fields: dict[str, str | None], key: str
) -> None:
    """Four buttons below the model's refusal, in place of a rating; the answer stays as it is."""
    message = await ann.say("Colourless ideas sleep furiously")
    [answer] = ann.app.shown(message)
    labels = [one["text"]["text"] for one in elements(answer)]
    assert labels == ["See Memories", "Forget…", "Pause", "Help"]
    await ann.press({**answer, "channel": "dm"}, act, **fields)
    if key == "off":
        told = await _below(ann, message.ts, key)
        assert told["is_ephemeral"]
        assert acts_in(told, "switch", to="on")
    elif key == "help":
        assert sections(await ann.form_opens()) == [ann.sentence(key)]
    else:
        panel = await ann.panel_opens()
        assert "Likes ramen" in shown(panel)
        assert (ann.sentence("forget_which") in shown(panel)) is (key == "forget_which")
    assert ann.app.shown(message)[0] == answer


async def test_memory_turned_on_in_words_is_on_and_said_once(ann: SlackPerson) -> None:
    """The message has the button for the opposite, and nothing says that memory is off."""
    await ann.command("/memories pause")
    message = await ann.say("Turn memory on")
    [told] = ann.app.shown(message)
    assert told["text"] == f"{ann.sentence('panel_on')}\n{ann.sentence('on_means')}"
    assert (
        ann.app.rows("SELECT scope FROM memory_off WHERE user_id = %s", ann.user) == []
    )
    await ann.click({**told, "channel": "dm"}, "switch", to="off")
    assert (
        len(ann.app.rows("SELECT scope FROM memory_off WHERE user_id = %s", ann.user))
        == 1
    )


async def test_who_deletes_everything_while_memory_is_off_keeps_it_off(
    ann: SlackPerson,
) -> None:
    """The form says so before, the receipt and the panel after; nothing else is kept."""
    await ann.command("/memories pause")
    panel = await ann.panel()
    await ann.press(panel, "open", form="settings")
    form = await ann.click(await ann.form_opens(), "open", form="delete")
    assert ann.sentence("delete_ask") in shown(form)
    await ann.submit(form, word="DELETE")
    receipt = await ann.form_says("All your data is deleted.")
    assert ann.sentence("stays_off") in shown(receipt)
    after = shown(await ann.changed(panel))
    assert "*Memory is off" in after
    assert ann.sentence("panel_none") in after
    await ann.publish_home()
    assert "*Memory is off" in shown(await ann.home())
    assert await ann.foods() == []


async def test_who_has_nothing_is_not_asked_what_to_forget(ann: SlackPerson) -> None:
    """There is nothing to forget by words, which is said with a button for the search."""
    bo = SlackPerson(ann.app)
    answer = await bo.command("/forget ramen")
    assert answer["text"] == bo.sentence("panel_no_match", words="ramen")
    assert [one["text"]["text"] for one in elements(answer)] == ["Search"]


NAMING_NOTHING = {Export, Open, Rate, Switch}
"""The acts that name nothing that a person has; `acts_of` has every other."""


async def acts_of(ann: SlackPerson) -> list[ButtonAct]:
    """Return an act of each kind that names something of Ann's."""
    app = ann.app
    message = await ann.say("I love curry")
    await app.form(message)
    memory = await ann.memory("ramen")
    [change, *_] = await list_changes(app.pool, ann.person, key=memory.key)
    gone = await forget(
        app.pool, ann.person, Selection(keys=[(await ann.memory("sushi")).key])
    )
    assert change.batch is not None
    assert gone.id is not None
    return [
        Undo(what="changes", ids=(change.id,)),
        Undo(what="notice", ids=(change.batch,)),
        Undo(what="forgetting", ids=(gone.id,)),
        Forget(keys=(memory.key,)),
        Forget(messages=((message.channel_id, message.ts),)),
        Edit(key=memory.key),
        Move(key=memory.key, to="public"),
        ChangePromise(key=memory.key, to="done"),
        Snooze(key=memory.key),
        Position(list="changes", of=memory.key),
        Answer(question=change.id, answer="yes"),
        Remember(text="I love curry", channel=message.channel_id, ts=message.ts),
        Keep(channel=message.channel_id, ts=message.ts),
        TakeBack(id=change.id),
    ]


OLD_VALUES = (
    "show a-memory",
    "-",
    "{}",
    '{"act":"cook"}',
    '{"act":"edit"}',
    DeleteData().value,
)


@pytest.mark.parametrize("value", OLD_VALUES)
async def test_a_button_that_cannot_be_read_is_said_to_be_old(
    ann: SlackPerson, value: str
) -> None:
    """A value of another version opens no form and changes nothing, nor does that of a form."""
    before = await ann.app.memories(ann.person)
    answer = await ann.app.click(ann.person, value)
    assert (answer.line, answer.form) == (ann.sentence("old_button"), None)
    assert await ann.app.memories(ann.person) == before


async def test_a_question_that_is_no_longer_there_is_said_to_be_closed(
    ann: SlackPerson,
) -> None:
    """Why it is closed is not known: another answer, an edit, a deletion or the time ended it."""
    answer = await ann.app.click(ann.person, Answer(question=uuid4(), answer="yes"))
    assert (answer.line, answer.replaces) == (ann.sentence("ask_gone"), False)


async def test_an_answer_is_told_and_undone_without_the_rest_of_its_message(
    ann: SlackPerson,
) -> None:
    """What else the message said was remembered before, and stays."""
    app = ann.app
    for said in ("My manager is Sarah", "I have two cats. My manager is Tom"):
        await app.form(await ann.say(said))
    [question] = await open_questions(app.pool, ann.person)
    done = await app.click(ann.person, Answer(question=question.id, answer="yes"))
    told = "Updated: My manager is Tom (was: My manager is Sarah)"
    assert (done.line, done.replaces) == (told, True)
    await app.click(ann.person, done.undo)
    left = {one.content.get("fact") for one in await app.memories(ann.person)}
    assert left == {None, "I have two cats", "My manager is Sarah"}


async def test_no_yes_stores_anything_while_memory_is_off(ann: SlackPerson) -> None:
    """It says so, as adding does; the question stays open, and one about a removal is answered."""
    app = ann.app
    for fact in ("My manager is Sarah", "My manager is Tom"):
        await app.form(await ann.say(fact))
    [question] = await open_questions(app.pool, ann.person)
    sushi = await ann.memory("sushi")
    asked = replace(question.said, key=sushi.key, act="remove", content=None)
    async with person_transaction(app.pool, ann.person, locked=True) as transaction:
        await ask(transaction, [replace(asked, evidence="No sushi")])
    [_, removal] = await open_questions(app.pool, ann.person)
    store = Answer(question=question.id, answer="yes")
    remove = Answer(question=removal.id, answer="yes")

    await turn_off(app.core, ann.person)
    held = await app.click(ann.person, store)
    assert (held.line, held.replaces) == (ann.sentence("off"), False)
    await app.click(ann.person, remove)
    memories = await app.memories(ann.person)
    assert sushi.key not in {one.key for one in memories}
    facts = {one.content.get("fact") for one in memories}
    assert facts == {None, "My manager is Sarah"}
    [still] = await open_questions(app.pool, ann.person)
    assert still.id == question.id
    await turn_on(app.core, ann.person)
    await app.click(ann.person, store)
    facts = {one.content.get("fact") for one in await app.memories(ann.person)}
    assert facts == {None, "My manager is Tom"}


async def _clicked_twice(ann: SlackPerson) -> dict[ButtonAct, str]:
    """Return acts of Ann's, with a sentence that a second click is answered with beside it."""
    app = ann.app
    for fact in ("My manager is Sarah", "My manager is Tom"):
        await app.form(await ann.say(fact))
    [question] = await open_questions(app.pool, ann.person)
    namespace = ann.person.namespace(DM)
    source = PersonMessage(actor="command", text="Remind me to call the dentist")
    [kept, put_off] = await add_memories(
        app.pool,
        app.embedder,
        namespace,
        PROMISE_KIND,
        [({"promise": what}, source) for what in ("the figures", "the minutes")],
    )
    memory = await ann.memory("ramen")
    [change] = await list_changes(app.pool, ann.person, key=put_off.key)
    kept_line = ann.sentence("reminder_line_done", what="the figures")
    return {
        Answer(question=question.id, answer="yes"): ann.sentence("ask_gone"),
        Remember(text="I love cats"): ann.sentence("add_known"),
        Move(key=memory.key, to="public"): ann.sentence("changed_meanwhile"),
        ChangePromise(key=kept.key, to="done"): kept_line,
        Snooze(key=put_off.key): "",
        Undo(what="changes", ids=(change.id,)): ann.sentence("undo_gone"),
        Forget(keys=(memory.key,)): ann.sentence("memory_gone"),
    }


async def test_a_second_click_leaves_the_undo_of_the_first(ann: SlackPerson) -> None:
    """It does nothing more, and says what is so beside the line of the first, or the same line.

    A reminder of what was kept since cannot be put off, which is not said to be forgotten.
    """
    acts = await _clicked_twice(ann)
    for act, beside in acts.items():
        first = await ann.app.click(ann.person, act)
        second = await ann.app.click(ann.person, act)
        assert (first.line, first.replaces) != (beside, False), act
        expected = (beside, False) if beside else (first.line, True)
        assert (second.line, second.replaces) == expected, act
    [kept] = [act.key for act in acts if isinstance(act, ChangePromise)]
    late = await ann.app.click(ann.person, Snooze(key=kept))
    assert (late.line, late.replaces) == (ann.sentence("changed_meanwhile"), False)


async def test_click_with_an_act_of_another_person_reads_and_changes_nothing(
    ann: SlackPerson,
) -> None:
    """An act names a memory, never a person: it is looked for among those of who clicks."""
    bo = SlackPerson(ann.app)
    acts = await acts_of(ann)
    assert set(get_args(ButtonAct)) - {*map(type, acts)} == NAMING_NOTHING
    before = await ann.app.memories(ann.person)
    for act in acts:
        answer = await ann.app.click(bo.person, act)
        said = f"{answer} {shown(await bo.open_home())}"
        assert not any(food in said for food in ("Likes ramen", "sushi", "curry")), (
            act,
            said,
        )
    assert await ann.app.memories(ann.person) == before
