"""A credential in a text, and its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

CredentialKind: TypeAlias = Literal[
    "access_key",
    "bank_account",
    "card_number",
    "id_number",
    "my_number",
    "password",
    "private_key",
    "security_code",
]


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential in a text: its kind, and its start and end offsets in characters."""

    kind: CredentialKind
    start: int
    end: int
