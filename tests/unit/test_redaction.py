"""Credentials are replaced by placeholders, and nothing else of a text is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.credentials import Credential, redact
from memory.credentials.redaction import find_credentials, is_redacted, redact_texts
from memory.model import with_texts
from tests.unit.test_credentials import (
    FORMATS,
    IN_CONTEXT,
    LABELLED,
    ORDINARY,
    TECHNICAL,
)

EVERYDAY = (Path(__file__).parents[1] / "data" / "everyday_sentences.txt").read_text(
    "utf-8"
)
_WORD = "hunt" + "er2024"
_CARD = "4111 1111 " + "1111 1111"


def test_a_placeholder_replaces_a_credential(subtests: pytest.Subtests) -> None:
    """The value is gone, one placeholder is there, and a second pass finds nothing."""
    for template, secret in (
        *FORMATS,
        *IN_CONTEXT,
        *((template, _WORD) for template in LABELLED),
    ):
        with subtests.test(template=template, secret=secret):
            redacted = redact(template.replace("{}", secret))
            assert secret not in redacted.text
            assert redacted.text.count(" removed]") == 1
            assert is_redacted(redacted.text)
            assert redact(redacted.text).text == redacted.text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"I pay with {_CARD}.", "I pay with [card number removed]."),
        (f"my password is {_WORD}, ok?", "my password is [password removed], ok?"),
        (f"パスワードは「{_WORD}」です", "パスワードは「[password removed]」です"),
        ("PINは4821です", "PINは[security code removed]です"),
        (f"GH: {'gh' + 'p_'}{'a1' * 18}", "GH: [access key removed]"),
    ],
)
def test_the_placeholder_names_the_kind(text: str, redacted: str) -> None:
    """One fixed form, whatever the language of the message."""
    assert redact(text).text == redacted


def test_everyday_sentences_stay_as_they_are(subtests: pytest.Subtests) -> None:
    """Telephone and order numbers, dates, hashes, links: nothing is found, nothing removed."""
    for text in [*ORDINARY, *TECHNICAL, *EVERYDAY.splitlines()]:
        with subtests.test(text=text):
            assert redact(text).text == text
            assert find_credentials(text) == []


@given(st.text(max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    """A placeholder is no credential, and removing one reveals no other."""
    once = redact(text).text
    assert redact(once).text == once
    assert not [one for one in find_credentials(once) if not is_redacted(once)]


def test_a_repeated_value_is_removed() -> None:
    """A reply repeats the password without calling it one; a part of another word stays."""
    removed = redact(f"my password is {_WORD}").removed
    assert redact(f"{_WORD} is weak. {_WORD}x", removed).text == (
        f"[password removed] is weak. {_WORD}x"
    )
    assert [one.kind for one in removed] == ["password"]
    assert _WORD not in repr(removed)


def test_a_value_is_found_without_its_name() -> None:
    """Some formats are found together with the name before them."""
    key = "a1" * 43 + "=="
    removed = redact(
        f"AccountName=x;AccountKey={key};EndpointSuffix=core.windows.net"
    ).removed
    assert redact(f"{key} is a key", removed).text == "[access key removed] is a key"


def test_a_short_value_is_not_searched_for_elsewhere() -> None:
    """Three digits occur in other numbers."""
    assert redact("chapter 123", [Credential("password", "123")]).text == "chapter 123"


def test_a_password_that_is_a_word_goes_from_its_address_only() -> None:
    """“postgres” and “password” occur in other sentences, and in placeholders."""
    for word in ("postgres", "password", "Removed", "CARD"):
        address = f"postgres://app:{word}@localhost:5432/app, {_CARD}"
        [asked, typed] = redact_texts(address, f"{address}?")
        text = "postgres://app:[password removed]@localhost:5432/app, [card number removed]"
        assert (asked.text, typed.text) == (text, f"{text}?")
        assert redact(f"{word} is a word", asked.removed).text == f"{word} is a word"


def test_texts_of_one_message_agree() -> None:
    """What one text names as a credential is removed from the other, which does not name it."""
    named, bare = redact_texts(f"my password is {_WORD}", f"x {_WORD} y")
    assert (named.text, bare.text) == (
        "my password is [password removed]",
        "x [password removed] y",
    )
    long = "word " * 1_000
    [again] = redact_texts(f"{long} {_CARD}")
    assert again.text == f"{long} [card number removed]"


def test_json_keeps_its_shape() -> None:
    """Strings are redacted at any depth; names of fields, numbers and null stay."""
    value = {"a": [f"card {_CARD}", 4, None], "password": {"b": True}}
    assert with_texts(value, lambda text: redact(text).text) == {
        "a": ["card [card number removed]", 4, None],
        "password": {"b": True},
    }
