"""Peer systems of the benchmark: each in its own process, driven by JSON lines."""
