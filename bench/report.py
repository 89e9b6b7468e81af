"""``docs/benchmarks.md`` and the READMEs' figures, from the newest results."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bench.results import LATEST, PUBLIC
from bench.testbed import EMBEDDING_MS, FIRST_TOKEN_MS, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
TEXTS: dict[str, dict[str, Any]] = tomllib.loads(
    (ROOT / "bench/texts.toml").read_text("utf-8")
)
_PEERS = ("articles_", "mem0_")  # prefixes of metrics
_WHOLE_SIZE = 100
_BEGIN = "<!-- measured -->"
_END = "<!-- /measured -->"

Metrics: TypeAlias = Mapping[str, float]


def number(value: float | None) -> str:
    """Return a figure in the form in which it is printed."""
    if value is None:
        return "–"
    if abs(value) >= _WHOLE_SIZE:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _met(goal: str, value: float) -> bool:
    kind, bound = goal.split()
    if kind == "≤":
        return value <= float(bound)
    return value >= float(bound)


def goals(metrics: Metrics) -> list[tuple[str, str, str, str]]:
    """Return the metric, description, goal and value of each goal; what is missed is bold."""
    rows = []
    for name, (goal, text) in TEXTS["goals"].items():
        value = metrics.get(name)
        shown = number(value)
        if value is not None and not _met(goal, value):
            shown = f"**{shown}**"
        rows.append((f"`{name}`", text, goal, shown))
    return rows


def _to_explain(metrics: Metrics) -> list[str]:
    """Return the metrics that miss their goal, and those in which a peer is lower, so better."""
    found: dict[str, None] = {}
    for name, (goal, _) in TEXTS["goals"].items():
        if name in metrics and not _met(goal, metrics[name]):
            found[name] = None
    for name in {**TEXTS["side_by_side"], **TEXTS["known"], **TEXTS["costs"]}:
        if name not in metrics:
            continue
        own = metrics[name]
        for peer in _PEERS:
            if metrics.get(f"{peer}{name}", own) < own:
                found[name] = None
    return list(found)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join(lines)


def _compared(metrics: Metrics, rows: Mapping[str, str]) -> str:
    lines = []
    for name, text in rows.items():
        figures = [number(metrics.get(f"{system}{name}")) for system in ("", *_PEERS)]
        lines.append([text, *figures])
    head = ("", "Kioku", "Articles' design", "mem0")
    return table(head, lines)


def _search(metrics: Metrics) -> str:
    def cell(way: str, size: str) -> str:
        recall = metrics.get(f"{way}search_recall_at_10_{size}")
        if recall is None:
            return number(None)
        milliseconds = metrics[f"{way}search_ms_p95_{size}"]
        return f"{number(recall)} in {number(milliseconds)} ms"

    rows = []
    for every, own in itertools.product(("10k", "100k", "1m"), (100, 5_000)):
        size = f"{every}_{own}"
        if f"search_recall_at_10_{size}" in metrics:
            rows.append((f"{own} of {every}", cell("", size), cell("mem0_", size)))
    return table(("The person's memories, of all", "Kioku", "mem0's statement"), rows)


def _public() -> dict[str, str]:
    """Return the tables of the newest results of `bench.public`, and their date."""
    result = json.loads(PUBLIC.read_text("utf-8"))
    metrics = result["metrics"]
    texts = TEXTS["public"]
    sets = []
    for name, text in texts["sets"].items():
        figures = [number(metrics[f"{name}_{row}"]) for row in texts["recall"]]
        sets.append([text, *figures, texts["limits"][name]])
    head_of_sets = ["", *texts["recall"].values(), "What it cannot show"]
    return {
        "public_date": result["measured_at"][:10],
        "public_recall": table(head_of_sets, sets),
    }


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {one}" for one in items)


def page(result: Mapping[str, Any]) -> str:
    """Return ``docs/benchmarks.md``."""
    metrics: Metrics = result["metrics"]
    machine = result["machine"]
    reasons = []
    for name in _to_explain(metrics):
        reason = TEXTS["reasons"].get(name, "not explained yet")
        reasons.append(f"`{name}`: {reason}")
    own = [(text, number(metrics.get(name))) for name, text in TEXTS["own"].items()]
    written = str(TEXTS["page"]["text"]).format(
        date=result["measured_at"][:10],
        plan=result["plan"],
        processor=machine["processor"],
        cores=machine["cores"],
        python=machine["python"],
        goals=table(("Metric", "What it is", "Goal", "Measured"), goals(metrics)),
        first_token=FIRST_TOKEN_MS,
        embedding=EMBEDDING_MS,
        floor=number(metrics["floor_ms_p50"]),
        floor_embedding=number(metrics["floor_embedding_ms_p50"]),
        side_by_side=_compared(metrics, TEXTS["side_by_side"]),
        known=_compared(metrics, TEXTS["known"]),
        costs=_compared(metrics, TEXTS["costs"]),
        reasons=_list(reasons),
        search=_search(metrics),
        own=table(("", "Kioku"), own),
        **_public(),
    )
    return written.lstrip()


def _readme(path: Path, lines: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    metrics = result["metrics"]
    values = {**metrics, "cores": result["machine"]["cores"], "model": FIRST_TOKEN_MS}
    values["sustained_wait_s"] = metrics["sustained_wait_ms_p95"] / 1000
    figures = "\n".join(f"- {line.format_map(values)}" for line in lines["lines"])
    before, _, rest = path.read_text("utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{lines['head']}\n\n{figures}\n{_END}{after}"


def pages() -> dict[Path, str]:
    """Return the page and the READMEs as they follow from the newest results."""
    result = json.loads(LATEST.read_text("utf-8"))
    found = {PAGE: page(result)}
    readmes = {"en": ROOT / "README.md", "ja": ROOT / "docs" / "README.ja.md"}
    for language, path in readmes.items():
        found[path] = _readme(path, TEXTS[language], result)
    return found


def write() -> None:
    """Write them."""
    for path, text in pages().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
