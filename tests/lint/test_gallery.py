"""docs/gallery.md shows what the script that makes it would show, and every picture is there."""

from __future__ import annotations

import re

from tests.browser.gallery import MOST_BYTES, PAGE, PICTURES, gallery, pictures


def test_the_page_is_what_the_script_writes() -> None:
    """The page has not been edited by hand, nor the script without making the page again."""
    assert PAGE.read_text("utf-8") == gallery()


def test_every_picture_is_there() -> None:
    """Each surface is there in both languages and both sets of colours, in small files."""
    files = list(PICTURES.iterdir())
    assert {file.name for file in files} == pictures()
    assert sum(file.stat().st_size for file in files) < MOST_BYTES


def test_every_picture_has_words() -> None:
    """A person who cannot see a picture reads what it shows, in which language and colours."""
    alts = re.findall(r"!\[([^\]]*)\]\(", gallery())
    assert len(alts) == len(set(alts)) == len(pictures())
    assert all(len(alt) > 30 for alt in alts)
