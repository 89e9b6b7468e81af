"""Why the application cannot start."""

from __future__ import annotations

import os


class StartError(Exception):
    """The application cannot start; the message says what to do."""


def cannot_open(port: int, error: OSError) -> StartError:
    """Return what to tell when `port` cannot be listened on."""
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return StartError(f"Port {port} cannot be opened ({why}): set PORT to a free one.")
