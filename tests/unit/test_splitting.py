"""Long Markdown in parts that are each valid alone."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.delivery.splitting import (
    Limits,
    break_point,
    count_blocks,
    ends_in_code,
    open_fence,
    shown_end,
    split_markdown,
)
from slack_playground.rich_text import count_translated_blocks

LIMIT = 300
CHARACTERS = Limits(LIMIT, 1_000)


@pytest.mark.parametrize(
    ("text", "fence"),
    [
        ("", None),
        ("no code", None),
        ("```py\nx = 1", "```py"),
        ("```py\nx = 1\n```", None),
        ("```py\nx = 1\n```  \nafter", None),
        ("~~~\nx", "~~~"),
        ("~~~\n```\n~~~", None),
        ("```\n~~~\n", "```"),
        ("```\na\n```\ntext\n```js\nb", "```js"),
        ("````md\n```\ncode\n```\n", "````md"),
        ("````md\n```\ncode\n```\n````", None),
        ("```\ncode\n`````", None),
        ("```\n```py\n", "```"),
        ("```inline code```\ntext", None),
        ("- item\n  ```py\n  x = 1", "  ```py"),
        ("- item\n  ```py\n  x = 1\n  ```\n", None),
        ("a ``` in the middle", None),
    ],
)
def test_open_fence(text: str, fence: str | None) -> None:
    """The code block that is still open is found as Markdown reads fences."""
    assert open_fence(text) == fence


@pytest.mark.parametrize(
    ("text", "limit", "first"),
    [
        ("para one\n\npara two", 12, "para one\n\n"),
        ("line one\nline two", 12, "line one\n"),
        ("One here. Two there.", 12, "One here. "),
        ("今日は雨。明日は晴れ。", 7, "今日は雨。"),
        ("word another", 8, "word "),
        ("abcdefghijkl", 5, "abcde"),
        ("a bcdefghijkl", 8, "a bcdefg"),
    ],
)
def test_break_point(text: str, limit: int, first: str) -> None:
    """Text is broken at the largest unit that ends in the second half of the limit."""
    assert text[: break_point(text, limit)] == first


PIECES = st.lists(
    st.one_of(
        st.text("ab 。、.\n", max_size=120),
        st.sampled_from(
            [
                "\n```py\nx = 1\n" + "y = 2\n" * 60 + "```\n",
                "\n~~~\n" + "code " * 80 + "\n~~~\n",
                "\n````md\n```\ninner\n```\n" + "z\n" * 150 + "````\n",
                "\n```one line```\n",
                "日本語の文章。" * 40,
                "`a b.evil.com/p c` " * 40,
                "text `" + "code " * 90 + "`\n",
                "x" * 500,
                "\n- item\n  ```sh\n" + "  ls\n" * 80 + "  ```\n",
            ]
        ),
    ),
    max_size=10,
).map("".join)


def without_fences(text: str) -> str:
    """Return the text without the lines that are fences, without white space and backticks."""
    lines = [line for line in text.split("\n") if not re.match(r"^\s*(```|~~~)", line)]
    return re.sub(r"[\s`]", "", "".join(lines))


@given(PIECES)
@example("```\n" + "a\n" * 1000)
@example("x" * 2000)
@example("")
def test_parts_fit_and_hold_everything(text: str) -> None:
    """Every part fits, each code block is closed in its part, and nothing is lost or doubled."""
    parts = split_markdown(text, CHARACTERS)
    assert all(len(part) <= LIMIT for part in parts)
    assert all(part for part in parts) or text == ""
    assert all(open_fence(part) is None for part in parts[:-1])
    assert open_fence(parts[-1]) == open_fence(text) or open_fence(text) is not None
    assert without_fences("".join(f"{part}\n" for part in parts)) == without_fences(
        text
    )


@given(st.text("abc 。\n", min_size=LIMIT, max_size=2000))
def test_text_without_code_is_preserved_to_the_letter(text: str) -> None:
    """Without code blocks, the parts put together are the text."""
    assert "".join(split_markdown(text, CHARACTERS)) == text


@given(
    st.lists(st.sampled_from(["`a b.c d` ", "`x`", "word ", "。", "y" * 90, "\n"])).map(
        "".join
    )
)
@example("Answer: " + "`a b.c d` " * 100)
def test_code_spans_pair_in_each_part_as_in_the_whole(text: str) -> None:
    """A code span that is cut is closed and opened again: what was code stays code, only that."""
    parts = split_markdown(text, CHARACTERS)
    assert not any(map(ends_in_code, parts))
    code = re.findall(r"`([^`]*)`", text)
    code_in_parts = [span for part in parts for span in re.findall(r"`([^`]*)`", part)]
    assert "".join(code_in_parts) == "".join(code)


def test_a_language_is_kept_over_the_break() -> None:
    """A code block that goes on in the next part is opened there with its language."""
    code = "```python\n" + "print('x')\n" * 60 + "```"
    parts = split_markdown(code, CHARACTERS)
    assert len(parts) > 2
    assert all(
        part.startswith("```python\n") and part.endswith("\n```") for part in parts
    )


def paragraphs(*, words: int) -> st.SearchStrategy[str]:
    """Return paragraphs of some words."""
    word = st.sampled_from(["alpha", "beta", "gamma", "日本語", "a|b", "`x`"])
    return st.lists(word, min_size=1, max_size=words).map(" ".join)


ROWS = st.integers(1, 30).map(
    lambda rows: "\n".join(
        ["| a | b |", "|---|---|", *(f"| row {i} | {i} |" for i in range(rows))]
    )
)
STRUCTURED = st.lists(
    st.one_of(
        paragraphs(words=60),
        ROWS,
        st.sampled_from(["# One", "## Two", "###### Six", "---", "***"]),
        st.integers(1, 20).map(lambda lines: "```py\n" + "# code\n" * lines + "```"),
        st.integers(1, 9).map(
            lambda items: "\n".join(f"- item {i}" for i in range(items))
        ),
    ),
    min_size=1,
    max_size=60,
).map("\n\n".join)
BLOCKS = Limits(LIMIT, 8)


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty."""
    return ([line for line in text.split("\n") if line.strip()] or [""])[-1]


def is_heading(line: str) -> bool:
    """Return whether a line is a heading of `STRUCTURED`."""
    return re.match(r"#+ [A-Z]", line) is not None


def is_row(line: str) -> bool:
    """Return whether a line is a row of a table of `STRUCTURED`."""
    return re.fullmatch(r"\| row .* \|", line) is not None


def headless_rows(part: str) -> list[str]:
    """Return the rows of tables that have no head in this part."""
    found = []
    lines = part.split("\n")
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("| row") and not (above.startswith(("| row", "|---"))):
            found.append(line)
    return found


@given(STRUCTURED)
@example("# One\n\n" * 40)
@example("\n\n".join(f"## Part {i}\n\nSome text." for i in range(60)))
@example("\n\n".join(f"Text {i}\n\n---" for i in range(60)))
def test_each_part_is_as_many_blocks_as_a_message_takes(text: str) -> None:
    """Slack's count, as the playground makes it, is kept in each part, and nothing is lost."""
    parts = split_markdown(text, BLOCKS)
    assert all(count_translated_blocks(part) <= BLOCKS.blocks for part in parts)
    assert all(
        count_blocks(part) == count_translated_blocks(part) for part in [text, *parts]
    )
    rows_and_headings = [
        line for line in text.split("\n") if is_row(line) or is_heading(line)
    ]
    kept = [
        one
        for part in parts
        for one in part.split("\n")
        if is_row(one) or is_heading(one)
    ]
    assert kept == rows_and_headings


@given(STRUCTURED)
def test_no_part_ends_behind_a_heading_or_begins_within_a_table(text: str) -> None:
    """A heading goes with what is below it, and rows of a table come with its head."""
    parts = split_markdown(text, BLOCKS)
    for part, following in pairwise(parts):
        ends_bare = is_heading(last_line(part))
        # Headings alone may be more than a part takes.
        assert not ends_bare or all(map(is_heading, filter(None, part.split("\n")))), (
            following
        )
    assert [headless_rows(part) for part in parts] == [[]] * len(parts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Some text", "Some text"),
        ("Some text\n\n## A hea", "Some text\n\n"),
        ("Some text\n\n## A heading\n\n", "Some text\n\n"),
        ("# One\n\n## Two\n", ""),
        ("# One\n\nText", "# One\n\nText"),
        ("Text\n\n| a | b", "Text\n\n"),
        ("Text\n\n| a | b |\n|", "Text\n\n"),
        ("Text\n\n| a | b |\n|--", "Text\n\n"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "| a | b |\n|---|---|\n| 1 | 2 |\n"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3", "| a | b |\n|---|---|\n| 1 | 2 |\n"),
        ("```\n# no heading", "```\n# no heading"),
        ("#hashtag", "#hashtag"),
    ],
)
def test_what_a_message_cannot_end_with_is_held_back(text: str, shown: str) -> None:
    """A growing text is shown without the heading, or the row of a table, that it ends with."""
    assert text[: shown_end(text)] == shown
