"""The payload of an Undo: what is encrypted comes back, with little memory besides it."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from memory import UndoExpired
from memory.store.undo_payload import UndoPayload, decrypt, encrypt, new_key

_VECTOR_BYTES = 6_148  # 1,536 dimensions in pgvector's binary format


def payload(count: int) -> UndoPayload:
    """Return so many memories with their vectors; one has none."""
    return UndoPayload(
        rows={
            "store": [(f'{{"key": "k{number}"}}', None) for number in range(count)],
            "store_vectors": [
                (f'{{"key": "k{number}"}}', os.urandom(_VECTOR_BYTES) if number else None)
                for number in range(count)
            ],
        },
        texts=[{"words": "覚えて"}],
        quotes=[{"key": "k0"}],
    )


def test_what_is_encrypted_comes_back() -> None:
    """With its key only, and only unchanged."""
    stored, key = payload(3), new_key()
    ciphertext = encrypt(stored, key)
    assert decrypt(bytes(ciphertext), key) == stored
    with pytest.raises(UndoExpired):
        decrypt(bytes(ciphertext), new_key())
    ciphertext[-20] ^= 1
    with pytest.raises(UndoExpired):
        decrypt(bytes(ciphertext), key)


def test_encrypting_copies_once() -> None:
    """The peak is the ciphertext and a part of it, not several copies of a long history."""
    stored, key = payload(3_000), new_key()
    tracemalloc.start()
    try:
        ciphertext = encrypt(stored, key)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.6 * len(ciphertext)
