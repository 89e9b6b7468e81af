"""Rewrites parts of an answer that arrives in pieces, and leaves its code as it is."""

from __future__ import annotations

import regex

CODE = r"(?P<fence>`+|~{3,}+)|(?P<line>\n)"
"""A part of a pattern: what begins and ends code."""
_CODE_AT_END = r"(?<!`)`{1,64}+|(?<!~)~{1,64}+"


class OutsideCode:
    """Rewrites each match of a pattern, which has `CODE` as an alternative, outside of code.

    `begun` is a pattern of what may be the beginning of a match at the end of a piece. However the
    text is cut into pieces, the output as a whole is the same.
    """

    def __init__(self, pattern: regex.Pattern[str], begun: str) -> None:
        self._pattern = pattern
        self._begun = regex.compile(rf"(?:{begun}|{_CODE_AT_END})\Z", regex.VERSION1)
        self._held = ""
        self._last = ""
        self._open_code = ""

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        text = self._held + piece
        begun = self._begun.search(text)
        end = len(text)
        if begun:
            end = begun.start()
        self._held = text[end:]
        return self._read(text[:end])

    def flush(self) -> str:
        """Return the held text; the answer, or a part of it, has ended."""
        rest = self._held
        self._held = ""
        return self._read(rest)

    def rewritten(self, match: regex.Match[str]) -> str:
        """Return what takes the place of a match outside of code."""
        raise NotImplementedError

    def _read(self, text: str) -> str:
        before = self._last
        self._last = (before + text)[-1:]
        # What stands before a match decides, too: "a@Mia" has no name.
        shown = self._pattern.sub(self._shown, before + text, pos=len(before))
        return str(shown)[len(before) :]

    def _shown(self, match: regex.Match[str]) -> str:
        fence = match["fence"]
        if fence:
            is_longer = len(fence) >= len(self._open_code)
            if not self._open_code:
                self._open_code = fence
            elif fence[0] == self._open_code[0] and is_longer:
                self._open_code = ""
            return match[0]
        if match["line"]:
            # A span of code ends with its line, a block does not.
            if len(self._open_code) < 3:
                self._open_code = ""
            return match[0]
        return match[0] if self._open_code else self.rewritten(match)
