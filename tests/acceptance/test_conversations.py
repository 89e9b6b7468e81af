"""The conversations of the text files beside this one; `conversation.py` says what a line means."""

from __future__ import annotations

import pytest

from tests.acceptance.conversation import Conversation, Script, read_scripts
from tests.kioku import Kioku


def scripts(*files: str) -> pytest.MarkDecorator:
    """Let a test have each conversation of some files."""
    found = [one for name in files for one in read_scripts(name)]
    return pytest.mark.parametrize("script", found, ids=[one.title for one in found])


@scripts("answering", "remembering", "controlling", "together")
@pytest.mark.failed_calls(
    "views.update: not_found",
    "conversations.replies: thread_not_found",
    because="A command that is typed again takes the place of a modal, and the thread of a"
    " deleted message is looked at.",
)
def test_conversation(kioku: Kioku, script: Script) -> None:
    """Other people have it in other channels, with one Kioku."""
    Conversation(kioku, script).have(script)


@pytest.mark.slow
@scripts("failing", "waiting")
@pytest.mark.failed_calls("*", because="It is killed while it calls.")
def test_conversation_with_a_kioku_of_its_own(own_kioku: Kioku, script: Script) -> None:
    """Kioku fails, or its clock is set forward."""
    Conversation(own_kioku, script).have(script)
