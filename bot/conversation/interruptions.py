"""Why a running answer is not to go on."""

from __future__ import annotations


class Interrupted(Exception):
    """The answer is not to go on as it was begun."""


class Stopped(Interrupted):
    """The person pressed Stop: what has come of the answer stays."""


class Withdrawn(Interrupted):
    """The person deleted the message: its answer goes too."""


class Edited(Interrupted):
    """The person edited the message: it is answered as it reads now, in the same place."""


class Superseded(Interrupted):
    """Another worker has taken the message over: this one ends, and touches nothing more."""
