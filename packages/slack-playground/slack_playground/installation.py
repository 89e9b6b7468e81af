"""The app's installation in one workspace: the scopes granted to it, and its tokens.

Sources: docs.slack.dev, "Installing with OAuth", "Using token rotation".
"""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from slack_playground.records import Json, Token, new_number

ACTIVE_TOKENS = 2


@dataclass(kw_only=True)
class Installation:
    """Whether the app is installed in a workspace, with its scopes and tokens."""

    installed: bool = False
    granted: frozenset[str] = frozenset()
    tokens: dict[str, Token] = field(default_factory=dict)

    def _add(
        self, value: str, kind: Literal["bot", "refresh"], seconds: float | None
    ) -> None:
        expires = None if seconds is None else time.time() + seconds
        self.tokens[value] = Token(value=value, kind=kind, expires=expires)

    def restore(self, scopes: Iterable[str], value: str) -> None:
        """Install the app with exactly these scopes and one token that does not expire."""
        self.installed = True
        self.granted = frozenset(scopes)
        self._add(value, "bot", None)

    @property
    def active(self) -> list[Token]:
        """The bot tokens that work, oldest first."""
        tokens = [token for token in self.tokens.values() if token.kind == "bot"]
        return [token for token in tokens if not token.error]

    def install(self, scopes: Iterable[str], *, seconds: float | None) -> Json:
        """Install the app, or add scopes if it is installed; return its credentials.

        With token rotation, a token lives for `seconds`. Without it, `seconds` is None, and a token
        that still works is given again.
        """
        if not self.installed:
            self.granted = frozenset()
        self.granted = self.granted.union(scopes)
        self.installed = True
        if seconds is not None:
            return self._issue_pair(seconds)
        for token in self.active:
            if token.expires is None:
                return {"access_token": token.value}
        value = f"xoxb-{new_number()}-{new_number()}-{secrets.token_hex(12)}"
        self._add(value, "bot", None)
        return {"access_token": value}

    def _issue_pair(self, seconds: float) -> Json:
        """Issue a new pair; only the two newest bot tokens keep working."""
        access = f"xoxe.xoxb-1-{secrets.token_hex(40)}"
        refresh = f"xoxe-1-{secrets.token_hex(36)}"
        self._add(access, "bot", seconds)
        self._add(refresh, "refresh", None)
        rotating = [token for token in self.active if token.expires is not None]
        for token in rotating[:-ACTIVE_TOKENS]:
            token.ended = "token_revoked"
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": round(seconds),
        }

    def refresh(self, token: Token, *, seconds: float, grace: float) -> Json:
        """Issue a new pair for a refresh token, which works for another `grace` seconds."""
        if token.expires is None:
            token.expires = time.time() + grace
        return self._issue_pair(seconds)

    def uninstall(self) -> None:
        """End the installation and all its tokens."""
        self.installed = False
        for token in self.tokens.values():
            token.ended = "account_inactive"
