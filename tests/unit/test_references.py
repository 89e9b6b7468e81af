"""References in stored texts, and the names that models read in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import PersonMessage, UserFact
from memory.formation.evidence import TypedMessage, find_evidence, whole_message
from memory.formation.proposal import Proposal, Write, read_writes
from memory.model import References, references_in
from tests.unit.memories import memory

MIA, MIA_2, TARO, GENERAL = (
    "<@U0MIA00001>",
    "<@U0MIA00002>",
    "<@U0TARO0001>",
    "<#C0GEN00001>",
)
NAMES = References(
    {
        MIA: "@Mia J. Tanaka",
        MIA_2: "@Mia",
        TARO: "@田中",
        GENERAL: "#general",
        "<@U9>": "@9",
    }
)
PARTS = st.sampled_from(
    [
        *(
            MIA,
            MIA_2,
            TARO,
            GENERAL,
            "<@U9>",
            "<@UNKNOWN1>",
            "I report to ",
            ". ",
            "! Then",
            "\n",
        ),
        *("が上司です。", " ", "mia", "É", "e\u0301", "<", "@", "[…]", "👍🏽"),
    ]
)
STORED = st.lists(PARTS, max_size=15).map("".join)


@given(STORED)
def test_what_is_shown_is_stored_again(text: str) -> None:
    """Names take the place of references one for one, so the way back gives the text itself."""
    spaced = "".join(f" {part} " if part in NAMES.names else part for part in [text])
    shown = NAMES.shown(spaced)
    assert not references_in([shown]) or set(references_in([shown])) == {"<@UNKNOWN1>"}
    rendered = NAMES.rendered(text)
    assert rendered.text == NAMES.shown(text)
    assert rendered.stored_between(0, len(rendered.text)) == text


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Reports to @Mia J. Tanaka", f"Reports to {MIA}"),
        ("Reports to Mia J. Tanaka", f"Reports to {MIA}"),
        ("Reports to @Mia, not @Mia J. Tanaka", f"Reports to {MIA_2}, not {MIA}"),
        ("上司は@田中です", f"上司は{TARO}です"),
        ("Posts in #general", f"Posts in {GENERAL}"),
        # A name of one word may be a word: without its sign it stays.
        ("Mia is a name, general a word, @Miari nobody", None),
        ("Mia J. Tanakas", None),
    ],
)
def test_names_that_a_model_writes_are_stored_as_references(
    written: str, stored: str | None
) -> None:
    """Whole names with their sign, and whole names of several words without it."""
    assert NAMES.stored(written) == (written if stored is None else stored)


SAID = f"Hello. I report to {MIA} since March. {TARO}が上司、{GENERAL}"


@pytest.mark.parametrize(
    ("quote", "evidence"),
    [
        ("I report to @Mia J. Tanaka since March", f"I report to {MIA} since March."),
        ("report to mia j tanaka since", f"I report to {MIA} since March."),
        ("@田中が上司", f"{TARO}が上司、{GENERAL}"),
        ("#general", f"{TARO}が上司、{GENERAL}"),
        (f"report to {MIA}", None),
        ("report to @Mia since", None),
    ],
)
def test_a_quote_of_what_was_shown_is_evidence_of_what_was_typed(
    quote: str, evidence: str | None
) -> None:
    """The model quotes names; what is kept, and shown to the person, is their message."""
    said = TypedMessage(PersonMessage(text=SAID, channel="D1", ts="1.0"), NAMES)
    found = find_evidence(quote, [said])
    assert (found.text if found else None) == evidence
    assert whole_message(said).text == SAID


@given(STORED, st.integers(0, 300), st.integers(0, 300))
def test_evidence_is_always_a_part_of_what_was_typed(
    text: str, start: int, end: int
) -> None:
    """Whatever is quoted of a message as it was shown, and wherever a quote cuts a name."""
    said = TypedMessage(PersonMessage(text=text, channel="D1", ts="1.0"), NAMES)
    found = find_evidence(said.text[min(start, end) : max(start, end)], [said])
    if found is not None:
        assert found.text in text
        assert found.shown == NAMES.shown(found.text)


def test_a_memory_holds_references_and_a_patch_leaves_the_rest_as_it_is() -> None:
    """A name becomes a reference; a field that the model leaves as it was shown is not changed."""
    said = TypedMessage(
        PersonMessage(text=f"I report to {MIA}", channel="D1", ts="1.0"), NAMES
    )
    schemas = {UserFact.__name__: UserFact}
    fact = {"fact": "Reports to @Mia J. Tanaka", "evidence": "report to @Mia J. Tanaka"}
    known = memory(fact="Met Mia J. Tanaka")
    again = {"fact": "Met Mia J. Tanaka", "evidence": "report to @Mia J. Tanaka"}
    writes = [
        Write("new", {"kind": "UserFact", "content": fact}),
        Write(known.key, {"kind": "UserFact", "content": again}),
    ]
    proposals, refused = read_writes(writes, {known.key: known}, [said], schemas)
    assert refused == []
    assert [one.content["fact"] for one in proposals] == [
        f"Reports to {MIA}",
        "Met Mia J. Tanaka",
    ]
    assert all(
        isinstance(one, Proposal) and MIA in one.evidence.text for one in proposals
    )


def test_words_that_somebody_has_as_their_name_stay_words() -> None:
    """Whoever has the name of a thing is in no memory of it, and changes it by no new name."""
    names = References({MIA: "@green tea"})
    said = TypedMessage(
        PersonMessage(text=f"I love green tea, not {MIA}", channel="D1", ts="1.0"),
        names,
    )
    schemas = {UserFact.__name__: UserFact}
    content = {
        "fact": "Loves green tea, not @green tea",
        "evidence": "I love green tea",
    }
    write = Write("new", {"kind": "UserFact", "content": content})
    [proposal], _ = read_writes([write], {}, [said], schemas)
    assert proposal.content["fact"] == f"Loves green tea, not {MIA}"
