"""The dashboard's panels, drawn from the figures of a run."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.soak.dashboard import Series, draw, evaluate, panels, read, write

TIMES = [0.0, 30.0, 60.0]
SERIES: Series = {
    ("a", "kioku_turns_total", (("outcome", "answered"),)): [(0, 5), (30, 35), (60, 65)],
    # It was killed and began anew.
    ("b", "kioku_turns_total", (("outcome", "answered"),)): [(0, 100), (30, 10), (60, 20)],
    ("a", "kioku_messages_waiting", ()): [(0, 1), (30, 7), (60, 2)],
    ("b", "kioku_messages_waiting", ()): [(30, 7)],
    **{
        ("a", "kioku_step_seconds_bucket", (("le", le), ("step", "reply ready"))): [(0, 0), (60, n)]
        for le, n in (("0.5", 10), ("1.0", 20), ("+Inf", 20))
    },
}


def test_what_the_dashboard_asks_is_evaluated() -> None:
    """Rates over the last minute of all processes, maxima, and quantiles within a bucket."""
    rate = "sum by (outcome) (rate(kioku_turns_total[5m])) * 60"
    assert evaluate(rate, SERIES, TIMES) == {"answered": [(0, 0), (30, 40), (60, 80)]}
    assert evaluate("max(kioku_messages_waiting)", SERIES, TIMES) == {
        "": [(0, 1), (30, 7), (60, 7)]
    }
    ready = 'rate(kioku_step_seconds_bucket{step="reply ready"}[5m])'
    quantile = f"histogram_quantile(0.75, sum by (le) ({ready}))"
    assert evaluate(quantile, SERIES, TIMES) == {"": [(60, 0.75)]}
    with pytest.raises(ValueError, match="no known form"):
        evaluate("topk(3, kioku_turns_total)", SERIES, TIMES)


def test_figures_are_written_and_read(tmp_path: Path) -> None:
    """What is written is read again: the points at which a figure changes, and both ends."""
    write(SERIES, tmp_path / "figures.csv")
    assert read(tmp_path / "figures.csv") == SERIES


def test_every_panel_is_drawn() -> None:
    """Each panel of the dashboard has its title in the picture, which is well-formed."""
    root = ElementTree.fromstring(draw(SERIES))
    texts = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {str(panel["title"]) for panel in panels()} <= texts
    assert "answered" in texts
