"""After an outage longer than Slack's retries nobody is left without an answer."""

from __future__ import annotations

import pytest

from tests.e2e.answers import UNDERSTOOD
from tests.e2e.world import World

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("own_world", [{}], indirect=True)
def test_what_nobody_received_is_answered_after_the_outage(own_world: World) -> None:
    """Messages whose events were given up while the app was away are read and answered once."""
    world = own_world
    ann = world.human()
    general = world.channel("public", ann.id)
    known = ann.say("<@BOT> I love tea", channel=general)
    world.reply(known)
    world.control("settings", {"retry_delays": [0.05]})
    world.app.kill()
    missed = [
        ann.say("I love ramen"),
        ann.say("I love sushi", under=known),
        ann.say("<@BOT> I love curry", channel=general),
    ]
    ann.say("I love it here", channel=general)
    assert world.control("settle", {"seconds": 50})["settled"]
    assert [world.inbox(said) for said in missed] == [[], [], []]
    world.rows(
        "UPDATE installation SET heard_at = now() - interval '1 hour' RETURNING 1"
    )
    world.app.start()
    # An event that comes before the time since the last one is read hides nothing.
    missed.append(ann.say("I love soba"))
    for said in missed:
        assert world.reply(said).text == UNDERSTOOD
    world.settled()
    assert [len(world.answers(said)) for said in missed] == [1, 1, 1, 1]
    assert world.stored_of(ann) == 5
