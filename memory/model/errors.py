"""Exceptions of this package."""

from __future__ import annotations

from collections.abc import Mapping

from memory.model.embedding_space import EmbeddingSpace
from memory.model.model_errors import ErrorCause, ModelError


class KiokuMemoryError(Exception):
    """Base class of this package's exceptions; the message is for the operator."""


def logged(error: BaseException) -> str:
    """Return what a log says of an error: the message of this package's own, or else the type."""
    return str(error) if isinstance(error, KiokuMemoryError) else type(error).__name__


class InvalidNamespace(KiokuMemoryError):
    """A team, user or audience id is not of capital letters and digits."""


class DatabaseNotReady(KiokuMemoryError):
    """The database lacks migrations that this version needs: run `kioku migrate`."""


class EmbeddingSpaceMismatch(KiokuMemoryError):
    """The stored vectors come from another embedding model or have other dimensions.

    `stored` is the space of the stored vectors; `empty` is true if there are none yet.
    """

    def __init__(self, message: str, stored: EmbeddingSpace, *, empty: bool) -> None:
        super().__init__(message)
        self.stored = stored
        self.empty = empty


class EmbeddingsUnavailable(KiokuMemoryError):
    """The embedding model did not answer."""


class FormationUnavailable(KiokuMemoryError):
    """The memory model did not answer; the messages remain queued and are formed later."""


class MemoryModelRefused(FormationUnavailable):
    """The memory model refuses every request (wrong configuration); the messages remain queued.

    `error` is what its server said; None if it answers, but calls no tools.
    """

    def __init__(self, model: str, why: str, error: ModelError | None = None) -> None:
        self.error = error
        super().__init__(
            f"The memory model {model} refuses requests ({why}): the words stay waiting until the"
            " setup is corrected; `kioku doctor` says how."
        )


class WordsUnreadable(FormationUnavailable):
    """The memory model answers other requests, but not these words.

    `cause` is what its server's error means, if there was one, else None.
    """

    def __init__(self, why: str, cause: ErrorCause | None = None) -> None:
        self.cause = cause
        super().__init__(f"The memory model cannot read these words: {why}.")

    @property
    def may_pass(self) -> bool:
        """Whether it may read them another time: it refused neither the content nor its length."""
        return self.cause not in ("model_policy", "model_too_long")


class Overtaken(KiokuMemoryError):
    """While a model was asked for a person, something was forgotten, edited or switched off."""


class ChangeGone(KiokuMemoryError):
    """A change, question or forgetting has expired, or was already undone or answered.

    Also raised for a memory that was forgotten.
    """


class ChangedSince(KiokuMemoryError):
    """The memory has changed since that change or question."""


class MemoryFull(KiokuMemoryError):
    """The person has as many memories as are allowed; the new one is not stored."""


class InvalidSchemas(KiokuMemoryError):
    """A configured kind of memory cannot be used."""


class InvalidContent(KiokuMemoryError):
    """The content of a memory is invalid.

    `codes` has the reason by field name: ``missing``, ``number`` (it is none), ``range``,
    ``long``, ``secret`` or ``invalid``.
    """

    def __init__(self, codes: Mapping[str, str]) -> None:
        self.codes = dict(codes)
        super().__init__(
            f"These fields cannot be stored as written: {', '.join(sorted(codes))}."
        )
