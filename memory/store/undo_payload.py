"""Undo data of a forgetting: compressed and encrypted with a key that is not stored."""

from __future__ import annotations

import json
import os
import struct
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from memory.model.errors import UndoExpired
from memory.store.row_copies import RowCopy

_KEY_BITS = 256
_NONCE_BYTES = 12
_SIZE = struct.Struct(">q")
# The fastest level shrinks text to a fifth. Vectors do not shrink and are not compressed.
_LEVEL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPayload:
    """Deleted rows of each table.

    `texts` and `quotes` are JSON values of `memory.store.forgetting.BlankTexts` and
    `memory.store.quotations`.
    """

    rows: dict[str, list[RowCopy]] = field(default_factory=dict)
    texts: list[dict[str, Any]] = field(default_factory=list)
    quotes: list[dict[str, Any]] = field(default_factory=list)


def new_key() -> str:
    """Return a random key as a string that fits into a button's value."""
    return urlsafe_b64encode(AESGCM.generate_key(_KEY_BITS)).decode()


def encrypt(payload: UndoPayload, key: str) -> bytearray:
    """Return `payload` compressed and encrypted by AES-256-GCM; takes seconds for 10,000 rows.

    Encrypts in pieces: peak memory is the size of `payload` plus that of the result.
    """
    compressor = zlib.compressobj(_LEVEL)
    parts = [compressor.compress(line.encode() + b"\n") for line in _lines(payload)]
    parts.append(compressor.flush())
    vectors = (vector for rows in payload.rows.values() for _, vector in rows if vector)
    ciphertext = bytearray(os.urandom(_NONCE_BYTES))
    encryptor = Cipher(AES(urlsafe_b64decode(key)), GCM(bytes(ciphertext))).encryptor()
    for piece in chain([_SIZE.pack(sum(map(len, parts)))], parts, vectors):
        ciphertext += encryptor.update(piece)
    ciphertext += encryptor.finalize()
    ciphertext += encryptor.tag
    return ciphertext


def decrypt(ciphertext: bytes | bytearray, key: str) -> UndoPayload:
    """Return the payload that `encrypt` has encrypted; raises `UndoExpired`."""
    nonce, encrypted = ciphertext[:_NONCE_BYTES], memoryview(ciphertext)[_NONCE_BYTES:]
    try:
        plain = memoryview(AESGCM(urlsafe_b64decode(key)).decrypt(nonce, encrypted, None))
    except (InvalidTag, ValueError):
        raise UndoExpired("The Undo is malformed.") from None
    size = _SIZE.size
    start = size + _SIZE.unpack(plain[:size])[0]
    payload = UndoPayload()
    for line in zlib.decompress(plain[size:start]).decode().split("\n")[:-1]:
        section, length, text = line.split(" ", 2)
        if section == "text":
            payload.texts.append(json.loads(text))
        elif section == "quote":
            payload.quotes.append(json.loads(text))
        else:
            end = start + int(length or 0)
            payload.rows.setdefault(section, []).append((text, bytes(plain[start:end]) or None))
            start = end
    return payload


def _lines(payload: UndoPayload) -> Iterator[str]:
    """Yield one line per value: its table, the length of its vector, its JSON."""
    for table, rows in payload.rows.items():
        for line, vector in rows:
            yield f"{table} {len(vector or b'')} {line}"
    for section, values in (("text", payload.texts), ("quote", payload.quotes)):
        for value in values:
            yield f"{section}  {json.dumps(value, default=str)}"
