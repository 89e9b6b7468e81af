"""The sink of an answer that Slack does not show, such as one to POST /ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from bot.acts.blocks import Payload
from bot.locale import Localizer, language_of


class CollectedReply:
    """The reply to `prompt`, as a context manager: there are no buttons, and no Stop."""

    interactive = False

    def __init__(self, prompt: str) -> None:
        self._localizer = Localizer(language_of(None, prompt))
        self.text = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close nothing: nothing is open."""

    async def localizer(self) -> Localizer:
        """Return the localizer for the language of the prompt."""
        return self._localizer

    async def write(self, piece: str) -> None:
        """Take a piece of the reply."""
        self.text += piece

    def start_over(self) -> None:
        """Discard the text so far."""
        self.text = ""

    async def finish(self, text: str, **_: int) -> None:
        """Take the whole reply."""
        self.text = text

    async def tell(self, payload: Payload) -> str:
        """Raise `NotImplementedError`: the model is offered no tools that show something."""
        raise NotImplementedError

    async def stop(self) -> str:
        """Return the text so far."""
        return self.text

    async def show(self, messages: Sequence[Payload]) -> None:
        """Do nothing: only the reply is returned."""
