"""A text as the rules read it: plain ASCII characters, and nothing that hides a credential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import regex

# Full-width ASCII, hyphens, quotation marks and spaces as one ASCII character each.
_ASCII: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **dict.fromkeys((0x2018, 0x2019), "'"),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x3000), " "),
}
# Characters that nobody sees (zero-width spaces, soft hyphens, tags, controls), and the asterisks
# of bold text within a word or a number.
_HIDDEN = regex.compile(
    r"[[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}]--\s]+"
    r"|(?<=[A-Za-z0-9_+/=.:-])\*+(?=[A-Za-z0-9_+/=.-])"
    r"|(?<=[0-9])\*+(?= [0-9])|(?<=[0-9] )\*+(?=[0-9])",
    regex.V1,
)


@dataclass(frozen=True, slots=True)
class Readable:
    """A text without hidden characters, and where each of its characters is in the text as typed.

    `offsets` is None where no character was left out: both texts then have the same offsets.
    """

    text: str
    offsets: list[int] | None = None

    @classmethod
    def of(cls, typed: str) -> Self:
        """Return `typed` as the rules read it."""
        # One character for each: the offsets stay.
        plain = typed if typed.isascii() else typed.translate(_ASCII)
        kept: list[str] = []
        offsets: list[int] = []
        end = 0
        for hidden in _HIDDEN.finditer(plain):
            kept.append(plain[end : hidden.start()])
            offsets.extend(range(end, hidden.start()))
            end = hidden.end()
        if end == 0:
            return cls(plain)
        kept.append(plain[end:])
        offsets.extend(range(end, len(plain)))
        return cls("".join(kept), offsets)

    def as_typed(self, start: int, end: int) -> tuple[int, int]:
        """Return the offsets in the text as typed of a part that is not empty."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1
