"""What people see of changes: below the reply, to them alone, in modals; and what they do there."""

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


def menu(place: Json, about: str) -> dict[str, str]:
    """Return what names the menu beside the memory that says `about`."""
    [block] = [
        block
        for block in place["blocks"]
        if block.get("accessory", {}).get("type") == "overflow" and about in block["text"]["text"]
    ]
    options = {o["value"].split()[0]: o["value"] for o in block["accessory"]["options"]}
    return {"action_id": block["accessory"]["action_id"], "block_id": block["block_id"], **options}


class PersonScreen:
    """The DM and the modals of one person: what they do and what is shown."""

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

    def modal(self, text: str) -> Json:
        """Wait until the modal on top shows `text`; return it."""
        wanted = json.dumps(text, ensure_ascii=False)[1:-1]

        def there() -> Json | None:
            views = self.world.playground(f"views?as={self.human.id}")["views"]
            return views[-1] if views and wanted in shown(views[-1]) else None

        return self.world.until(there, f"a modal with {text!r}")

    def alone(self, text: str, channel: str = "dm") -> Json:
        """Wait for a message that only this person sees, with `text`."""

        def there() -> Json | None:
            seen = self.world.seen(self.human, channel)
            return next((m for m in seen if m.get("is_ephemeral") and text in shown(m)), None)

        return self.world.until(there, f"{text!r} for one person alone")

    def click(self, on: Json, channel: str = "dm", **action: str) -> None:
        """Click in a message or a modal."""
        where = {"channel": channel, "message_ts": on["ts"]} if "ts" in on else {}
        where = where or {"view_id": on["id"]}
        named = {k: v for k, v in action.items() if k in ("action_id", "block_id", "value")}
        done = self.world.playground("actions", {"user": self.human.id, **where, **named})
        assert done["ok"], done

    def types(self, text: str) -> None:
        """Type `/memories`, for what opens a modal."""
        typed = {"user": self.human.id, "channel": "dm", "command": "/memories", "text": text}
        done = self.world.playground("commands", typed)
        assert done["ok"], done

    def submit(self, view: Json, **values: Any) -> Json:
        """Submit a modal; return how that was answered."""
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
    ann.click(changed, **button(changed, "undo_change"))
    back = ann.below(again, say("en", "change_undone", line=""))
    assert world.memories(ann.human) == [before]
    assert "undo_change" not in shown(back)
    ann.click(message, **button(message, "view_changes"))
    assert say("en", "by_message") in shown(ann.modal("Remembered: Likes ramen"))
    assert [m["ts"] for m in world.notices(again)] == [changed["ts"]]
    assert world.answers(said) == first.messages


def test_memories_follow_their_message(world: World) -> None:
    """An edited message is remembered again, a deleted one is not remembered; both are told."""
    ann = PersonScreen(world, world.human())
    said = world.say(ann.human, "I love ramen")
    world.reply(said)
    ann.below(said, "Remembered: Likes ramen")
    world.edit(said, "I love udon")
    changed = ann.below(said, say("en", "notice_changed", count=2))
    ann.click(changed, **button(changed, "view_changes"))
    details = ann.modal("Remembered: Likes udon")
    assert "Forgotten: Likes ramen" in shown(details)
    assert [c["food_name"] for c in world.formed_contents(ann.human)] == ["udon"]
    world.playground("messages/delete", place(said))
    world.until(lambda: not world.memories(ann.human) or None, "an empty memory")
    ann.notice_after(changed, said)
    gone = ann.below(said, say("en", "notice_changed", count=2))
    assert "Remembered" not in shown(gone)
    ann.click(gone, **button(gone, "view_changes"))
    ann.modal("Forgotten: Likes udon")
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
    ann.click(notice, general, **button(notice, "undo_change"))
    ann.alone(say("en", "change_undone", line=""), general)
    assert world.memories(ann.human) == []
    assert "Remembered" not in shown(world.answers(said)[-1])


def test_an_answer_that_its_thread_does_not_take_is_shown_beside_it(world: World) -> None:
    """Where the app may not write in the thread, a click is answered at the channel's root."""
    ann, bo = PersonScreen(world, world.human()), PersonScreen(world, world.human())
    general = world.channel("public", ann.human, bo.human)
    said = world.say(ann.human, "<@BOT> hello", channel=general)
    message = world.reply(said).messages[-1]
    [block] = [b for b in message["blocks"] if b["type"] == "context_actions"]
    world.slack_fault("chat.postEphemeral", error="not_in_channel")
    rate = {"action_id": "feedback", "block_id": block["block_id"]}
    bo.click(message, general, **rate, value="positive")
    assert "thread_ts" not in bo.alone(say("en", "feedback_others"), general)


def test_a_memory_is_edited_moved_and_forgotten_in_modals(world: World) -> None:
    """A menu opens a form; what is wrong is said at its field; what is right can be undone."""
    ann = PersonScreen(world, world.human())
    world.remember(ann.human, "ramen")
    listed = world.command(ann.human, "/memories")
    beside = menu(listed, "ramen")
    ann.click(listed, **{**beside, "value": beside["edit"]})
    form = ann.modal(say("en", "field_food_name"))
    asked = [block["label"]["text"] for block in form["blocks"]]
    assert asked == [say("en", "field_food_name"), say("en", "field_preference")]
    refused = ann.submit(form, **{"field.food_name": "my password is hunter2hunter2"})
    assert refused["ack"]["errors"] == {
        "field.food_name": say("en", "form_secret", what="a password")
    }
    assert ann.submit(form, **{"field.food_name": "miso ramen", "field.preference": "95"})["ok"]
    result = ann.modal("Updated: Likes miso ramen very much")
    assert [c["food_name"] for c in world.contents(ann.human)] == ["miso ramen"]
    ann.click(result, **button(result, "undo_change"))
    ann.modal(say("en", "change_undone", line=""))
    assert [c["food_name"] for c in world.contents(ann.human)] == ["ramen"]

    ann.click(listed, **{**beside, "value": beside["place"]})
    place = ann.modal(say("en", "place_now", where=say("en", "place_dm")))
    missing = ann.submit(place, **{"place.where": "channel"})
    assert missing["ack"]["errors"] == {"place.channel": say("en", "place_channel_missing")}
    assert ann.submit(place, **{"place.where": "public"})["ok"]
    ann.modal("Now used everywhere in this workspace")
    [row] = world.memories(ann.human)
    assert row["prefix"].endswith(".public")

    listed = world.command(ann.human, "/memories")
    beside = menu(listed, "ramen")
    ann.click(listed, **{**beside, "value": beside["history"]})
    assert "Updated: Likes miso ramen" in shown(ann.modal("Now used everywhere"))
    ann.click(listed, **{**beside, "value": beside["forget"]})
    assert ann.submit(ann.modal(say("en", "forget_confirm_text")))["ok"]
    gone = ann.modal("Forgotten: Likes ramen")
    assert world.memories(ann.human) == []
    ann.click(gone, **button(gone, "undo_forget"))
    ann.modal(say("en", "undone", count=1))
    assert len(world.memories(ann.human)) == 1


def test_a_form_keeps_what_changed_meanwhile(world: World) -> None:
    """A form changes what its person changed in it; what was learned while it was open stays."""
    ann = PersonScreen(world, world.human())
    world.ask(ann.human, "I like ramen")
    world.formed(ann.human)
    listed = world.command(ann.human, "/memories")
    beside = menu(listed, "ramen")
    ann.click(listed, **{**beside, "value": beside["edit"]})
    form = ann.modal(say("en", "field_food_name"))
    [before] = world.contents(ann.human)
    world.ask(ann.human, "I love ramen")
    world.until(lambda: world.contents(ann.human) != [before] or None, "what was learned")
    [learned] = world.contents(ann.human)
    assert learned["preference"] > before["preference"]
    assert ann.submit(form, **{"field.food_name": "miso ramen"})["ok"]
    ann.modal("Updated: Likes miso ramen very much")
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
    history = world.command(ann.human, "/memories", "history")
    assert "Which should I remember?" in shown(history)
    ann.click(asked, **button(asked, "answer_question_yes"))
    world.until(lambda: "Tokyo" in str(world.contents(ann.human)) or None, "the answer")
    world.until(
        lambda: "Which should I remember?" not in json.dumps(ann.notices(said)) or None,
        "a settled notice",
    )
    assert [c["fact"] for c in world.contents(ann.human)] == ["I live in Tokyo"]
    ann.below(said, "Updated: I live in Tokyo (was: I live in Osaka)")
    ann.click(history, **button(history, "answer_question_no"))
    ann.alone(say("en", "ask_gone"))
    assert [c["fact"] for c in world.contents(ann.human)] == ["I live in Tokyo"]


def test_where_to_use_a_memory_in_plain_words(world: World) -> None:
    """Asked to use something in a channel, the app proposes it; the click moves it, undoably."""
    ann = PersonScreen(world, world.human())
    secret = world.channel("private", ann.human)
    world.remember(ann.human, "ramen")
    world.ask(ann.human, "<@BOT> You may use ramen here", channel=secret)
    asked = ann.alone("Use It There", secret)
    assert world.memories(ann.human)[0]["prefix"].endswith(".dm")
    ann.click(asked, secret, **button(asked, "move_memory"))
    moved = ann.alone("Now used in <#", secret)
    assert world.memories(ann.human)[0]["prefix"].endswith(f".{secret}")
    ann.click(moved, secret, **button(moved, "undo_change"))
    ann.alone(say("en", "change_undone", line=""), secret)
    assert world.memories(ann.human)[0]["prefix"].endswith(".dm")
    ja = PersonScreen(world, world.human("Aki", locale="ja-JP"))
    world.remember(ja.human, "ラーメン")
    said = world.say(ja.human, "ラーメンはどこでも使っていいです")
    world.reply(said)
    world.until(lambda: world.notices(said), "a proposal")
    assert say("ja", "move_public_button") in shown(world.notices(said)[-1])
