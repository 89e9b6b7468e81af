"""What people see of changes: below the reply, to them alone, in modals; and what they do there."""

from __future__ import annotations

import json

from bot.locale import say
from tests.e2e.messages import Human, Json, Said, buttons
from tests.e2e.world import World


def shown(message: Json) -> str:
    """Return all that a message of blocks says."""
    return json.dumps(message["blocks"], ensure_ascii=False)


def button(message: Json, action: str) -> Json:
    """Return the first button of an action."""
    return next(one for one in buttons(message) if one["action_id"] == action)


def reply_with(world: World, said: Said, text: str) -> Json:
    """Wait until the reply to `said` shows `text` below it; return it."""

    def there() -> Json | None:
        found = [m for m in world.answers(said) if text in shown(m)]
        return found[-1] if found else None

    return world.until(there, f"{text!r} below the reply")


def view(world: World, human: Human, text: str) -> Json:
    """Wait until the modal on top shows `text`; return it."""

    def there() -> Json | None:
        views = world.playground(f"views?as={human.id}")["views"]
        return views[-1] if views and text in json.dumps(views[-1], ensure_ascii=False) else None

    return world.until(there, f"a modal with {text!r}")


def click(world: World, human: Human, place: Json, **action: str) -> Json:
    """Click on an element of a message or a modal."""
    done = world.playground("actions", {"user": human.id, **place, **action})
    assert done["ok"], done
    return done


def test_a_notice_stands_below_the_reply(world: World) -> None:
    """In a DM what was remembered stands below the reply, with Undo that restores the bytes."""
    ann = world.human()
    said = world.say(ann, "I love ramen")
    world.reply(said)
    message = reply_with(world, said, "Remembered: Likes ramen")
    assert len(world.answers(said)) == 1
    assert message["metadata"]["event_type"] == "kioku_turn"
    [before] = world.memories(ann)
    again = world.say(ann, "I hate ramen now")
    world.reply(again)
    changed = reply_with(world, again, "Updated: ")
    assert "(was: Likes ramen" in shown(changed)
    undo = button(changed, "undo_change")
    click(world, ann, {"channel": "dm", "message_ts": changed["ts"]}, **_named(undo))
    reply_with(world, again, say("en", "change_undone", line=""))
    [after] = world.memories(ann)
    assert after == before
    assert len(world.notices(again)) == 0


def _named(element: Json) -> dict[str, str]:
    return {"action_id": element["action_id"], "block_id": element["block_id"]}
