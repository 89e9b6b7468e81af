"""The dashboard of deploy/monitoring from a real run: figures as CSV, and its panels as SVG.

With ``SOAK_FIGURES=FOLDER`` each stage of the soak is scraped every two seconds, and its
``STAGE.csv`` and ``STAGE.svg`` are written; ``python -m tests.soak.dashboard FILE.csv`` draws it
again. The panels are those of dashboard.json. Of PromQL only the forms that it uses are evaluated,
over a window of a minute in place of five: a run takes some minutes.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT

DASHBOARD = ROOT / "deploy" / "monitoring" / "dashboard.json"
_EVERY_SECONDS = 2.0
_WINDOW = 60.0
_WIDTH, _HEIGHT, _COLUMNS = 380, 210, 3
_COLOURS = ("#3274d9", "#e02f44", "#56a64b", "#ff9830", "#a352cc", "#8c959f", "#00a3a3")

Labels = tuple[tuple[str, str], ...]
Series = dict[tuple[str, str, Labels], list[tuple[float, float]]]
"""Points (seconds, value) by process, metric and labels."""
Lines = dict[str, list[tuple[float, float]]]


def panels() -> list[dict[str, object]]:
    """Return the panels of the dashboard."""
    found: list[dict[str, object]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return found


def used_metrics() -> set[str]:
    """Return the names of the metrics that the panels use."""
    return set(re.findall(r"\bkioku_\w+", DASHBOARD.read_text("utf-8")))


@contextmanager
def recording(folder: Path | None, name: str, ports: Mapping[str, int]) -> Iterator[None]:
    """Scrape these processes during the block; write ``name.csv`` and ``name.svg`` below `folder`.

    A process that does not answer, because it was killed, has no point. None: do nothing.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    series: Series = defaultdict(list)
    over = threading.Event()
    thread = threading.Thread(target=_scrape, args=(series, ports, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write(series, folder / f"{name}.csv")
        (folder / f"{name}.svg").write_text(draw(series), "utf-8")


def _scrape(series: Series, ports: Mapping[str, int], over: threading.Event) -> None:
    began, names = time.monotonic(), used_metrics()
    ends = False
    while not ends:
        ends = over.wait(_EVERY_SECONDS)
        for process, port in ports.items():
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/metrics", timeout=5
                ) as answer:
                    text = answer.read().decode()
            except OSError:
                continue
            at = round(time.monotonic() - began, 1)
            for family in text_string_to_metric_families(text):
                for one in family.samples:
                    if one.name in names and not math.isnan(one.value):
                        key = (process, one.name, tuple(sorted(one.labels.items())))
                        series[key].append((at, one.value))


def write(series: Series, path: Path) -> None:
    """Write every change of a figure: seconds, process, metric, labels, value."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("seconds", "process", "metric", "labels", "value"))
        for (process, name, labels), points in series.items():
            for number, (at, value) in enumerate(points):
                around = points[max(number - 1, 0) : number + 2]
                if number in (0, len(points) - 1) or {one for _, one in around} != {value}:
                    out.writerow((at, process, name, json.dumps(dict(labels)), value))


def read(path: Path) -> Series:
    """Return what `write` wrote."""
    series: Series = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for at, process, name, labels, value in list(csv.reader(file))[1:]:
            key = (process, name, tuple(sorted(json.loads(labels).items())))
            series[key].append((float(at), float(value)))
    return series


def evaluate(query: str, series: Series, times: Sequence[float]) -> Lines:
    """Return the lines of a query by the values of its `by` labels.

    Raises `ValueError` for a form that the dashboard does not use.
    """
    if found := re.fullmatch(r"max\((\w+)\)", query):
        chosen = [points for (_, name, _), points in series.items() if name == found[1]]
        values = {at: [v for p in chosen if (v := _at(p, at)) is not None] for at in times}
        return {"": [(at, max(given)) for at, given in values.items() if given]}
    if found := re.fullmatch(r"histogram_quantile\(([\d.]+), (sum by \(le\) .+)\)", query):
        buckets = evaluate(found[2], series, times)
        return {"": _quantiles(float(found[1]), buckets, times)}
    if found := re.fullmatch(r"(sum by .+\)) / (sum by .+\))", query):
        above, below = (evaluate(found[part], series, times) for part in (1, 2))
        return {
            name: [(at, v / w) for (at, v), (_, w) in zip(line, below[name], strict=True) if w]
            for name, line in above.items()
        }
    found = re.fullmatch(
        r"sum by \((\w+)\) \((rate|increase)\((\w+)(?:\{(\w+)=~?\"([^\"]+)\"\})?\[\w+\]\)\)"
        r"(?: \* (\d+))?",
        query,
    )
    if found is None:
        raise ValueError(f"The query is of no known form: {query}")
    by, kind, metric, label, wanted, times_factor = found.groups()
    factor = float(times_factor or 1) / (_WINDOW if kind == "rate" else 1)
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(times))
    for (_, name, labels), points in series.items():
        given = dict(labels)
        if name == metric and (not label or re.fullmatch(wanted, given[label])):
            window = _WINDOW if kind == "rate" else math.inf
            for number, at in enumerate(times):
                sums[given[by]][number] += _increase(points, at - window, at) * factor
    return {name: list(zip(times, line, strict=True)) for name, line in sorted(sums.items())}


def _at(points: Sequence[tuple[float, float]], at: float) -> float | None:
    """Return the newest value that is no more than a window old."""
    before = [value for when, value in points if at - _WINDOW < when <= at]
    return before[-1] if before else None


def _increase(points: Sequence[tuple[float, float]], begin: float, end: float) -> float:
    """Return how much a counter grew; a process that was restarted counts from 0."""
    inside = [value for when, value in points if begin <= when <= end]
    pairs = itertools.pairwise(inside)
    return sum(after - before if after >= before else after for before, after in pairs)


def _quantiles(share: float, buckets: Lines, times: Sequence[float]) -> list[tuple[float, float]]:
    """Return the quantile at each time, linear within its bucket as Prometheus has it."""
    bounds = sorted(buckets, key=float)
    found = []
    for number, at in enumerate(times):
        counts = [buckets[bound][number][1] for bound in bounds]
        if not counts or not counts[-1]:
            continue
        rank = share * counts[-1]
        place = next(i for i, count in enumerate(counts) if count >= rank)
        low = float(bounds[place - 1]) if place else 0.0
        below = counts[place - 1] if place else 0.0
        high = float(bounds[place])
        inside = (rank - below) / ((counts[place] - below) or 1)
        found.append((at, low if math.isinf(high) else low + (high - low) * inside))
    return found


def draw(series: Series) -> str:
    """Return all panels as one SVG."""
    end = max((at for points in series.values() for at, _ in points), default=1.0)
    times = [end * step / 120 for step in range(121)]
    parts = []
    for number, panel in enumerate(panels()):
        lines: Lines = {}
        for target in panel["targets"]:  # type: ignore[attr-defined]
            for value, line in evaluate(target["expr"], series, times).items():
                lines[re.sub(r"\{\{\w+\}\}", value, target["legendFormat"])] = line
        x, y = number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel, lines, end)}</g>')
    width, height = _WIDTH * _COLUMNS, -(-len(panels()) // _COLUMNS) * _HEIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        ' aria-label="The dashboard during a soak">\n'
        "<style>text{font:11px system-ui,sans-serif;fill:#ccccdc}.t{font-weight:600;font-size:13px}"
        "</style>\n"
        f'<rect width="{width}" height="{height}" fill="#111217"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _short(value: float) -> str:
    """Return a number of at most five characters, such as ``1.84M``."""
    return (
        f"{value / 1e6:.3g}M"
        if value >= 1e6
        else f"{value:.5g}"
        if value >= 1e3
        else f"{value:.3g}"
    )


def _panel(panel: Mapping[str, object], lines: Lines, end: float) -> str:
    """Return a panel: its title, its lines on a scale from zero, and their names."""
    left, right, top, bottom = 48.0, _WIDTH - 14.0, 34.0, _HEIGHT - 46.0
    most = max((value for line in lines.values() for _, value in line), default=0.0) or 1.0

    def place(at: float, value: float) -> str:
        x = left + at / end * (right - left)
        return f"{x:.1f} {bottom - value / most * (bottom - top):.1f}"

    unit = panel["fieldConfig"]["defaults"]["unit"]  # type: ignore[index]
    suffix = {"s": " s", "currencyUSD": " $"}.get(unit, "")
    parts = [
        f'<rect x="4" y="4" width="{_WIDTH - 8}" height="{_HEIGHT - 8}" rx="3" fill="#181b1f"/>',
        f'<text class="t" x="14" y="23">{escape(str(panel["title"]))}</text>',
        f'<path d="M{left} {top}V{bottom}H{right}" stroke="#44474e" fill="none"/>',
        f'<text x="{left - 5}" y="{top + 8}" text-anchor="end">{_short(most)}{suffix}</text>',
        f'<text x="{left - 5}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{right}" y="{bottom + 13}" text-anchor="end">{end:.0f} s</text>',
    ]
    at_x = 14.0
    for number, (name, line) in enumerate(sorted(lines.items())):
        colour = _COLOURS[number % len(_COLOURS)]
        if line:
            path = "L".join(place(at, value) for at, value in line)
            parts.append(f'<path d="M{path}" stroke="{colour}" stroke-width="1.5" fill="none"/>')
        if at_x + 14 + 6 * len(name) < _WIDTH - 14:
            parts.append(
                f'<rect x="{at_x}" y="{_HEIGHT - 25}" width="8" height="8" fill="{colour}"/>'
                f'<text x="{at_x + 12}" y="{_HEIGHT - 17}">{escape(name)}</text>'
            )
            at_x += 26 + 6 * len(name)
    return "".join(parts)


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:]):
        given.with_suffix(".svg").write_text(draw(read(given)), "utf-8")
