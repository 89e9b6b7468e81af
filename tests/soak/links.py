"""Hostile answers through the filter of links, read as each kind of client reads them."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ProcessPoolExecutor

from bot.pipeline.addresses import links_in
from bot.pipeline.links import LinkFilter
from tests.link_readers import OWN, links_of_nobody, texts
from tests.soak.table import Table

_BATCH = 500
_SECONDS = 900.0
_OWN = links_in(OWN)


def links(table: Table, seed: int, count: int) -> None:
    """Filter and read `count` answers, or as many as 15 minutes are enough for."""
    table.part("Links: hostile answers, as Slack's readers see them")
    end, found, done = time.monotonic() + _SECONDS, list[str](), 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for wrong in pool.map(_batch, [(seed + n, end) for n in range(-(-count // _BATCH))]):
            done += _BATCH * (wrong is not None)
            found += wrong or []
    table.fact("answers", done)
    table.check("links that nobody named, and answers that depend on their pieces", found)
    table.check("fewer answers than wanted", [f"{done} of {count}"] * (done < count))


def _batch(given: tuple[int, float]) -> list[str] | None:
    """Return the answers of a batch that are read wrongly; None if time is over."""
    seed, end = given
    if time.monotonic() > end:
        return None
    chance = random.Random(seed)
    found = []
    for text in texts(seed, _BATCH):
        whole, cut = LinkFilter(_OWN), LinkFilter(_OWN)
        shown, pieces, at = whole.feed(text) + whole.flush(), "", 0
        while at < len(text):
            size = chance.choice((1, 2, 5, 40))
            pieces += cut.feed(text[at : at + size])
            at += size
        if pieces + cut.flush() != shown or links_of_nobody(shown):
            found.append(repr(text))
    return found
