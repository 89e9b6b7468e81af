"""A PostgreSQL that is there and says nothing, as one that resumes, or hangs, or was cut off."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil  # type: ignore[import-untyped]
import psycopg

from memory import EmbeddedPostgres


@contextmanager
def frozen(server: EmbeddedPostgres) -> Iterator[None]:
    """Stop every process of `server` where it is; they go on afterwards as if nothing had been."""
    with psycopg.connect(server.dsn()) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    processes = [postmaster, *postmaster.children(recursive=True)]
    try:
        _send(processes, signal.SIGSTOP)
        yield
    finally:
        _send(processes, signal.SIGCONT)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        # Those that had nothing left to do have ended.
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
