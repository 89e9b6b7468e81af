"""Finds the links, images and code spans of a line of Markdown with markdown-it-py.

Source: https://spec.commonmark.org/0.31.2/#inlines
"""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.helpers import parseLinkLabel
from markdown_it.rules_inline import StateInline, autolink, backtick, image, link
from markdown_it.token import Token

_MAX_MARKS = 80  # the parser takes quadratic time for more, and a level of recursion for each
_KINDS = ("link_open", "image", "code_inline")


def spans(text: str, *, code: bool = True) -> list[Token]:
    """Return the links, images and code spans of a line, in order, also those within labels.

    The `meta` of each has its ``start`` and ``end`` in the text, and ``label_end``. Without `code`,
    a backtick is a character like any other. A line with too many marks has none of them.
    """
    tokens: list[Token] = []
    read = text if code else text.replace("`", "'")
    if 0 < sum(map(read.count, "[<`")) <= _MAX_MARKS:
        _PARSER.inline.parse(read, _PARSER, {}, tokens)
    return [token for token in tokens if token.type in _KINDS]


class _Parser(MarkdownIt):
    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.disable(["html_inline", "emphasis"])
        for name, rule in zip(
            ("link", "image", "autolink", "backticks"),
            (link, image, autolink, backtick),
            strict=True,
        ):
            self.inline.ruler.at(name, _located(rule))

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's name
        """Keep an address as it is written."""
        return url

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - the parser's name
        """Find links of every scheme."""
        return True


def _located(rule: Any) -> Any:
    """Return an inline rule that stores in its token where the token's text starts and ends."""

    def run(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        for token in [] if silent else state.tokens[before:]:
            if token.type in _KINDS and not token.meta:
                bracket = start + (token.type == "image")
                label_end = parseLinkLabel(state, bracket, token.type != "image")
                token.meta = {"start": start, "end": state.pos, "label_end": label_end}
                break
        return True

    return run


_PARSER = _Parser()
