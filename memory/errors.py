"""What can go wrong with memory, each said in one sentence."""

from __future__ import annotations


class KiokuMemoryError(Exception):
    """Every error this package raises on purpose; its text is for the operator."""


class InvalidNamespace(KiokuMemoryError):
    """A team, user or audience id is missing or not one of Slack's ids."""


class DatabaseNotReady(KiokuMemoryError):
    """The database is not migrated to what this version needs: run `kioku migrate`."""


class EmbeddingSpaceMismatch(KiokuMemoryError):
    """The stored vectors were made by another embedding model or in another size."""


class EmbeddingsUnavailable(KiokuMemoryError):
    """The embedding model did not answer."""


class FormationUnavailable(KiokuMemoryError):
    """The memory model did not answer; the words stay waiting and are formed later."""


class MemoryOff(KiokuMemoryError):
    """The person has switched memory off: nothing was read or written."""
