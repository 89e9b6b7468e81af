"""A text as the rules read it: in plain ASCII forms, without characters that hide a credential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import regex

Found: TypeAlias = tuple[str, int, int]
"""What a rule has found in a text: its kind, its start and its end."""

# Full-width ASCII, hyphens, quotation marks and spaces as one ASCII character each.
_ASCII: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **dict.fromkeys((0x2018, 0x2019), "'"),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x3000), " "),
}
# Invisible characters (zero-width spaces, soft hyphens, tags, controls), and the asterisks of bold
# text within a word or a number.
_HIDDEN = regex.compile(
    r"[[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}]--\s]+"
    r"|(?<=[A-Za-z0-9_+/=.:-])\*+(?=[A-Za-z0-9_+/=.-])"
    r"|(?<=[0-9])\*+(?= [0-9])|(?<=[0-9] )\*+(?=[0-9])",
    regex.V1,
)


@dataclass(frozen=True, slots=True)
class Readable:
    """A text without hidden characters, with the offset of each character in the text as typed."""

    text: str
    offsets: list[int]

    @classmethod
    def of(cls, typed: str) -> Self:
        """Return `typed` as the rules read it."""
        # Each character is replaced by one, so offsets stay valid.
        plain = typed if typed.isascii() else typed.translate(_ASCII)
        parts: list[str] = []
        offsets: list[int] = []
        end = 0
        for hidden in _HIDDEN.finditer(plain):
            parts.append(plain[end : hidden.start()])
            offsets.extend(range(end, hidden.start()))
            end = hidden.end()
        parts.append(plain[end:])
        offsets.extend(range(end, len(plain)))
        return cls("".join(parts), offsets)

    def as_typed(self, start: int, end: int) -> tuple[int, int]:
        """Return the start and end of a non-empty part in the text as typed."""
        return self.offsets[start], self.offsets[end - 1] + 1
