"""Two lists of sentences that were written before the rules they test, and apart from them."""

from __future__ import annotations

import re
import tomllib

from tests.conftest import ROOT

DATA = ROOT / "tests" / "data"


def test_the_list_of_quotes_is_whole() -> None:
    """At least 70 quotes altered in form, in fourteen languages, and 30 that nobody typed."""
    lists = tomllib.loads((DATA / "mangled_quotes.toml").read_text("utf-8"))
    cases, not_typed = lists["case"], lists["not_typed"]
    assert len(cases) >= 70
    assert len(not_typed) >= 30
    languages = [one["note"][:2] for one in cases]
    assert len(set(languages)) == 14
    assert min(languages.count(one) for one in languages) >= 3
    pairs = [(one["typed"], one["quote"]) for one in (*cases, *not_typed)]
    assert len(set(pairs)) == len(pairs)
    assert all(typed != quote for typed, quote in pairs)


def test_the_list_of_everyday_sentences_is_whole() -> None:
    """Sixty messages, a line each: 36 in English and 24 in Japanese."""
    lines = (DATA / "everyday_sentences.txt").read_text("utf-8").splitlines()
    japanese = [line for line in lines if re.search(r"[\u3040-\u30ff]", line)]
    assert (len(set(lines)), len(japanese)) == (60, 24)
