"""What people see of changes: below the reply, to them alone, and in the panel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.locale import say
from bot.slack.client import NOTICE_METADATA
from tests.e2e.messages import Human, Json, Said, buttons, shown
from tests.e2e.world import World, place

pytestmark = pytest.mark.slow


def button(message: Json, action: str) -> dict[str, str]:
    """Return what names the first button of an action for a click."""
    found = next(one for one in buttons(message) if one["action_id"] == action)
    return {"action_id": found["action_id"], "block_id": found["block_id"]}


class PersonScreen:
    """The DM and the forms of one person: what they do and what is shown."""

    def __init__(self, world: World, human: Human) -> None:
        self.world = world
        self.human = human

    def below(self, said: Said, text: str) -> Json:
        """Wait until a message in the thread of `said` that is no answer shows `text`."""

        def there() -> Json | None:
            found = [m for m in self.notices(said) if text in shown(m)]
            return found[-1] if found else None

        return self.world.until(there, f"{text!r} below the reply")

    def notice_after(self, old: Json, said: Said) -> None:
        """Wait until the notices below `said` are no more what one of them was."""
        self.world.until(lambda: old not in self.notices(said) or None, "a new notice")

    def notices(self, said: Said) -> list[Json]:
        """Return the messages in the thread of `said` that are no answer."""
        return [m for m in self.world.notices(said) if m.get("thread_ts") == said.thread_ts]

    def form(self) -> Json:
        """Wait until a form is open; return it."""

        def there() -> Json | None:
            views = self.world.playground(f"views?as={self.human.id}")["views"]
            return views[-1] if views else None

        return self.world.until(there, "a form")

    def alone(self, text: str, channel: str = "dm") -> Json:
        """Wait for a message that only this person sees, with `text`."""

        def there() -> Json | None:
            seen = self.world.seen(self.human, channel)
            return next((m for m in seen if m.get("is_ephemeral") and text in shown(m)), None)

        return self.world.until(there, f"{text!r} for one person alone")

    def click(self, on: Json, channel: str = "dm", **action: str) -> None:
        """Click in a message."""
        where = {"user": self.human.id, "channel": channel, "message_ts": on["ts"]}
        done = self.world.playground("actions", {**where, **action})
        assert done["ok"], done

    def submit(self, view: Json, **values: Any) -> Json:
        """Submit a form; return how that was answered."""
        body = {"view_id": view["id"], "user": self.human.id, "values": values}
        return dict(self.world.playground("views/submit", body))


def test_changes_are_shown_below_the_reply(world: World) -> None:
    """In a DM a message below the reply shows a change, with Undo, which restores the bytes."""
    ann = PersonScreen(world, world.human())
    said = world.say(ann.human, "I like ramen")
    first = world.reply(said)
    message = ann.below(said, "Remembered: Likes ramen")
    assert message["metadata"] == NOTICE_METADATA
    [before] = world.memories(ann.human)
    again = world.say(ann.human, "I love ramen")
    world.reply(again)
    changed = ann.below(again, "Updated: Likes ramen")
    assert "(was: Likes ramen" in shown(changed)
    ann.click(changed, **button(changed, "undo"))
    world.until(lambda: world.memories(ann.human) == [before] or None, "what was there before")
    ann.notice_after(changed, again)
    ann.click(message, action_id="show")  # in blocks that are new since the change and its Undo
    assert "Remembered: Likes ramen" in shown(ann.alone(say("en", "changes_title")))
    assert [m["ts"] for m in ann.notices(again)] == [changed["ts"]]
    assert world.answers(said) == first.messages


def test_memories_follow_their_message(world: World) -> None:
    """An edited message is remembered again, a deleted one is not remembered; both are told."""
    ann = PersonScreen(world, world.human())
    said = world.say(ann.human, "I love ramen")
    world.reply(said)
    ann.below(said, "Remembered: Likes ramen")
    world.edit(said, "I love udon")
    changed = ann.below(said, say("en", "notice_changed", count=2))
    ann.click(changed, **button(changed, "show"))
    details = shown(ann.alone(say("en", "changes_title")))
    assert "Remembered: Likes udon" in details
    assert "Forgotten: Likes ramen" in details
    assert [c["food_name"] for c in world.formed_contents(ann.human)] == ["udon"]
    world.playground("messages/delete", place(said))
    world.until(lambda: not world.memories(ann.human) or None, "an empty memory")
    ann.notice_after(changed, said)
    gone = ann.below(said, say("en", "notice_changed", count=2))
    assert "Remembered" not in shown(gone)
    [turn] = world.turns(said)
    assert (turn["question"], turn["words"]) == ("", "")


def test_a_notice_in_a_channel_is_for_one(world: World) -> None:
    """In a channel only the person sees what was remembered, in the thread; Undo replaces it."""
    ann, bo = PersonScreen(world, world.human()), world.human("Bo")
    general = world.channel("public", ann.human, bo)
    said = world.say(ann.human, "<@BOT> I love sushi", channel=general)
    world.reply(said)
    notice = ann.alone("Remembered: Likes sushi", general)
    assert notice["thread_ts"] == said.thread_ts
    assert not [m for m in world.seen(bo, general) if "Remembered" in json.dumps(m)]
    ann.click(notice, general, **button(notice, "undo"))
    world.until(lambda: not world.memories(ann.human) or None, "an empty memory")
    ann.alone("Forgotten: Likes sushi", general)
    assert "Remembered" not in shown(world.answers(said)[-1])


def test_an_answer_that_its_thread_does_not_take_is_shown_beside_it(world: World) -> None:
    """Where the app may not write in the thread, a click is answered at the channel's root."""
    ann, bo = PersonScreen(world, world.human()), PersonScreen(world, world.human())
    general = world.channel("public", ann.human, bo.human)
    said = world.say(ann.human, "<@BOT> hello", channel=general)
    message = world.reply(said).messages[-1]
    [block] = [b for b in message["blocks"] if b["type"] == "context_actions"]
    [rating] = block["elements"]
    world.slack_fault("chat.postEphemeral", error="not_in_channel")
    rate = {"action_id": rating["action_id"], "block_id": block["block_id"]}
    bo.click(message, general, **rate, value="positive")
    assert "thread_ts" not in bo.alone(say("en", "feedback_others"), general)


def test_a_form_keeps_what_changed_meanwhile(world: World) -> None:
    """A form changes what its person changed in it; what was learned while it was open stays."""
    ann = PersonScreen(world, world.human())
    world.ask(ann.human, "I like ramen")
    world.formed(ann.human)
    listed = world.command(ann.human, "/memories")
    [row] = [b for b in listed["blocks"] if b.get("accessory", {}).get("type") == "overflow"]
    menu = {"action_id": row["accessory"]["action_id"], "block_id": row["block_id"]}
    ann.click(listed, **menu, value=row["accessory"]["options"][0]["value"])
    form = ann.form()
    [before] = world.contents(ann.human)
    world.ask(ann.human, "I love ramen")
    world.until(lambda: world.contents(ann.human) != [before] or None, "what was learned")
    [learned] = world.contents(ann.human)
    assert learned["preference"] > before["preference"]
    assert ann.submit(form, **{"field.food_name": "miso ramen"})["ok"]
    ann.alone("Updated: Likes miso ramen very much")
    assert world.contents(ann.human) == [{**learned, "food_name": "miso ramen"}]


def test_what_words_do_not_settle_is_asked(world: World) -> None:
    """A conflict is a question below the reply; the answer is done once, and shown there."""
    ann = PersonScreen(world, world.human())
    world.ask(ann.human, "I live in Osaka")
    world.formed(ann.human)
    said = world.say(ann.human, "I live in Tokyo")
    world.reply(said)
    asked = ann.below(said, "Which should I remember?")
    assert [c["fact"] for c in world.contents(ann.human)] == ["I live in Osaka"]
    panel = world.command(ann.human, "/memories")
    assert "Which should I remember?" in shown(panel)
    ann.click(asked, **button(asked, "answer_0"))
    world.until(lambda: "Tokyo" in str(world.contents(ann.human)) or None, "the answer")
    world.until(
        lambda: "Which should I remember?" not in json.dumps(ann.notices(said)) or None,
        "a settled notice",
    )
    assert [c["fact"] for c in world.contents(ann.human)] == ["I live in Tokyo"]
    ann.below(said, "Updated: I live in Tokyo (was: I live in Osaka)")
    ann.click(panel, **button(panel, "answer_2"))
    ann.alone(say("en", "ask_gone"))
    assert [c["fact"] for c in world.contents(ann.human)] == ["I live in Tokyo"]
