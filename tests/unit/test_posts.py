"""Which of the messages in a thread are a turn's own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from bot.delivery.record import messages_of_turn, turn_metadata
from bot.slack.posting import notice_metadata

TURN = UUID(int=1)
OTHER = UUID(int=2)
SINCE = 1_000.0


def found(
    ts: str, *, by: str = "UBOT", metadata: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a message as Slack shows it in a thread."""
    return {"ts": ts, "user": by, **({"metadata": metadata} if metadata else {})}


def own(*messages: dict[str, Any], recorded: frozenset[str] = frozenset()) -> list[str]:
    """Ask which of these are the turn's."""
    return messages_of_turn(
        messages, bot_user_id="UBOT", turn_id=TURN, since=SINCE, recorded=recorded
    )


def test_a_message_with_the_turns_metadata_is_its_own() -> None:
    """What says of which turn it is belongs to it, however old, and nothing else does then."""
    mine = found("500.1", metadata=turn_metadata(TURN))
    assert own(mine, found("1001.0")) == ["500.1"]


@pytest.mark.parametrize(
    "metadata", [turn_metadata(OTHER), notice_metadata(), {"event_type": "x"}], ids=str
)
def test_what_says_that_it_is_another_thing_is_not_taken(
    metadata: dict[str, Any],
) -> None:
    """Another turn's message, and one that is no reply, are left alone."""
    assert own(found("1001.0", metadata=metadata)) == []


def test_a_stream_without_metadata_is_the_one_begun_when_it_was_intended() -> None:
    """Of those that say nothing the one nearest to the intention is taken, and no second one."""
    assert own(found("990.0"), found("1001.0"), found("1200.0")) == ["1001.0"]
    assert own(found("999.9")) == ["999.9"]


def test_people_and_other_turns_keep_theirs() -> None:
    """Nobody else's message is taken, nor one that another turn has recorded."""
    assert own(found("1001.0", by="UANN"), found("1001.1")) == ["1001.1"]
    assert own(found("1001.0", by="UANN", metadata=turn_metadata(TURN))) == []
    assert own(found("1001.0"), recorded=frozenset({"1001.0"})) == []
