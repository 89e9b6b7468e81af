"""What the bench measures without a stack."""

from __future__ import annotations

from bench.front_import import measure


def test_the_front_is_imported_in_a_fresh_process() -> None:
    """Its time and its own memory are told, not the memory of whatever process starts it."""
    ballast = bytearray(b"x" * 300_000_000)
    metrics = measure(rounds=1).metrics()
    assert metrics["front_import_s"] > 0
    assert 0 < metrics["front_import_mb"] < len(ballast) / 1e6, "It is the memory of the bench."
