"""What people see of changes: below the reply, to them alone, and in the panel."""

from __future__ import annotations

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
