"""Names and ids in an answer: whom it mentions, and how Slack's ids are kept from view.

A model reads names (`bot.slack.names`) and writes names. ``@Mia Tanaka`` becomes a mention again if
the person has mentioned her in the message that is answered: an answer notifies no one else,
whatever a thread or a memory says. All other names stay text, and so do groups and ``@channel``. An
id that a model writes nevertheless, invented or from a file, becomes the name, or a placeholder.
"""

from __future__ import annotations

from collections.abc import Collection

import regex

from bot.slack.names import UNKNOWN_CHANNEL, UNKNOWN_GROUP, UNKNOWN_PERSON
from memory.model import References, names_pattern

# `LinkFilter` puts a space between "<" and what follows it. An end of line is no such space: "<" is
# shown before the next line comes.
_BEGIN = r"(?:<[^\S\n]?)?"
_ID = (
    rf"{_BEGIN}(?P<sign>[@#]|!\s?subteam\^)?(?<![A-Za-z0-9_])(?P<id>[A-Z][A-Z0-9]++)(?![a-z_])"
    r"(?:\|[^<>\n]{0,80}>)?>?"
)
_CODE = r"(?P<ticks>`+)|(?P<line>\n)"
# An id of the form that Slack's have, and what stands for an unknown one.
_MADE_ID = regex.compile(r"[CGSUW](?=[A-Z]*\d)[A-Z0-9]{7,20}")
_UNKNOWN = {"C": UNKNOWN_CHANNEL, "G": UNKNOWN_CHANNEL, "S": UNKNOWN_GROUP}
_LONGEST_ID = 22


class AnswerNames:
    """Turns names into mentions and ids into names, in an answer that arrives in pieces.

    `mentioned` are the references to the people who may be mentioned. Code has no mentions, because
    clients show a reference there as it is written. However the text is cut into pieces, the output
    as a whole is the same.
    """

    def __init__(self, references: References, mentioned: Collection[str] = ()) -> None:
        self._names = references.names
        self._mentioned = mentioned
        self._by_name = {
            name: one for one, name in self._names.items() if name[0] == "@"
        }
        self._by_id = {_id_of(one): one for one in self._names}
        self._pattern = self._names_and_ids()
        longest = max([_LONGEST_ID, *map(len, self._by_name)])
        # The beginning of a name, of an id or of a run of backticks, at the end of a piece.
        begun = (
            rf"@[^\n@]{{0,{longest}}}|#[A-Z0-9]{{0,64}}+"
            r"|!\s?(?:[a-z]{0,7}\^?[A-Z0-9]{0,64}+)?"
        )
        run = r"(?<![A-Za-z0-9])[A-Z0-9]{1,64}+"
        self._open = regex.compile(
            rf"(?:{_BEGIN}(?:{begun}|{run})|<[^\n>]{{0,119}}|(?<!`)`{{1,64}}+)\Z"
        )
        self._held = ""
        self._last = ""
        self._open_code = ""

    def feed(self, piece: str) -> str:
        """Take a piece; return the text that can be shown now."""
        text = self._held + piece
        opened = self._open.search(text)
        end = opened.start() if opened else len(text)
        self._held = text[end:]
        return self._read(text[:end])

    def flush(self) -> str:
        """Return the held text; the answer, or a part of it, has ended."""
        rest = self._held
        self._held = ""
        return self._read(rest)

    def without_ids(self, text: str) -> str:
        """Return another text with names in the place of ids, without mentions."""
        return str(self._pattern.sub(self._name_of, text))

    def _names_and_ids(self) -> regex.Pattern[str]:
        names = ""
        if self._by_name:
            names = rf"{_BEGIN}(?P<name>{names_pattern(self._by_name)})>?|"
        # The cache would keep the names of hundreds of answers; those of one may take megabytes.
        return regex.compile(
            f"(?=[<@#!`A-Z\\n])(?:{names}{_ID}|{_CODE})",
            regex.VERSION1,
            cache_pattern=False,
        )

    def _read(self, text: str) -> str:
        before = self._last
        self._last = (before + text)[-1:]
        # A name must not follow a letter directly: "a@Mia" has none.
        shown = self._pattern.sub(self._shown, before + text, pos=len(before))
        return str(shown)[len(before) :]

    def _shown(self, match: regex.Match[str]) -> str:
        if match["ticks"]:
            self._note_ticks(match["ticks"])
        elif match["line"] and len(self._open_code) < 3:
            # A span of code ends with its line, a block does not.
            self._open_code = ""
        name = self._name_of(match)
        reference = self._by_name.get(name)
        if reference in self._mentioned and not self._open_code:
            return str(reference)
        return name

    def _note_ticks(self, ticks: str) -> None:
        if not self._open_code:
            self._open_code = ticks
        elif len(ticks) >= len(self._open_code):
            self._open_code = ""

    def _name_of(self, match: regex.Match[str]) -> str:
        """Return the name that stands for what was found; backticks and ends of lines stay."""
        found = match.groupdict()
        identity = found["id"] or ""
        if identity in self._by_id:
            name = self._names[self._by_id[identity]]
            return name if found["sign"] else name[1:]
        if found["sign"] and _MADE_ID.fullmatch(identity):
            return _UNKNOWN.get(identity[0], UNKNOWN_PERSON)
        return found.get("name") or match[0]


def _id_of(reference: str) -> str:
    return reference.removesuffix(">").rpartition("^")[2].lstrip("<@#")
