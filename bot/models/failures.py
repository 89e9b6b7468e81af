"""Why a model gave no whole answer: for the person, for the next request, for the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from bot.logs import fault
from memory.metrics import count
from memory.model import ErrorCause, ModelError, model_error

log = logging.getLogger(__name__)

Cause: TypeAlias = Literal[
    ErrorCause,
    "model_this_message",
    "model_empty",
    "model_malformed",
    "model_slow",
]

_SAID_AS: Final[Mapping[Cause, Cause]] = {
    "model_busy": "model_down",
    "model_this_message": "model_failed",
    "model_malformed": "model_empty",
}


class ReplyFailed(Exception):
    """The model gave no whole answer; `cause` names the sentence that the person gets.

    `error` is what the model's server said, if it said something. `silent`: it did not answer in
    time.
    """

    def __init__(
        self, cause: Cause, error: ModelError | None = None, *, silent: bool = False
    ) -> None:
        super().__init__(f"The model gave no whole answer: {cause}.")
        self.cause: Cause = cause
        self.error = error
        self.silent = silent

    @property
    def sentence(self) -> str:
        """The key of the sentence for the person; causes with the same remedy share one."""
        return _SAID_AS.get(self.cause, self.cause)

    @property
    def cause_alone(self) -> Cause:
        """The cause if the model answers others meanwhile."""
        if self.cause == "model_down":
            return "model_slow" if self.silent else "model_this_message"
        return self.cause

    @property
    def passes(self) -> bool:
        """Whether the same request can succeed later."""
        return self.cause in ("model_down", "model_busy")

    @property
    def status(self) -> int | None:
        """The HTTP status of a refusal."""
        return self.error.status if self.error else None

    @property
    def named(self) -> str:
        """What the server named, then the cause, for the log: no text of a person."""
        told = self.error.told if self.error else ""
        return ", ".join(filter(None, (told, self.cause)))


def failed_by(error: ModelError) -> ReplyFailed:
    """Return the failure that an error of a model's server is."""
    cause: Cause = "model_malformed" if error.is_unreadable else error.cause
    return ReplyFailed(cause, error, silent=error.silent)


def failure_of(error: Exception) -> ReplyFailed:
    """Return what an error means that a model's package raised."""
    return failed_by(model_error(error))


def lacks_endpoint(failed: ReplyFailed) -> bool:
    """Return whether the server has no such path, as opposed to no such model."""
    if failed.error is None or failed.status not in (404, 405):
        return False
    words = failed.error.words.lower()
    return not ("model" in words or "deployment" in words)


def log_failure(model: str, failed: ReplyFailed) -> None:
    """Log and count that a model gave no whole answer."""
    count("errors", kind=failed.cause)
    if lacks_endpoint(failed):
        log.error(
            "ALERT: the server of the model %s has no such path: look at OPENAI_BASE_URL, and"
            " write openai-chat: before the model's name if it has only /chat/completions",
            model,
        )
    elif failed.cause in ("model_quota", "model_refused"):
        log.error(
            "ALERT: the model %s refuses every request (%s): check its key, name and quota",
            model,
            failed.named,
        )
    log.warning(
        "the model %s did not answer (%s): %s",
        model,
        failed.named,
        fault(failed.__cause__ or failed),
    )
