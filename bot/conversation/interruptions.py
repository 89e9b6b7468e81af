"""Exceptions that end a running answer because its message changed."""

from __future__ import annotations


class Interrupted(Exception):
    """The running answer must end."""


class Stopped(Interrupted):
    """The person pressed Stop; the text written so far is kept."""


class Withdrawn(Interrupted):
    """The person deleted the message; its answer is deleted, too."""


class Edited(Interrupted):
    """The person edited the message; the answer is written again for the new text."""


class Superseded(Interrupted):
    """Another worker took the message over; this one must write nothing more."""
