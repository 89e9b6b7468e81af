"""``docs/benchmarks.md`` and the READMEs' figures, from the newest results."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bench.ground import EMBEDDING_MS, FIRST_TOKEN_MS, ROOT
from bench.peers.articles import DEVIATIONS as ARTICLES
from bench.peers.mem0_peer import DEVIATIONS as MEM0
from bench.results import LATEST

PAGE = ROOT / "docs" / "benchmarks.md"
TEXTS = ROOT / "bench" / "texts.toml"
SYSTEMS = ("", "articles_", "mem0_")
_WHOLE_SIZE = 100
_MARK = "<!-- measured -->", "<!-- /measured -->"

Metrics: TypeAlias = Mapping[str, float]


def _texts() -> dict[str, dict[str, Any]]:
    """Return goals, rows of the tables, reasons and the READMEs' lines."""
    return tomllib.loads(TEXTS.read_text("utf-8"))


def number(value: float | None) -> str:
    """Return a figure as it is printed."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= _WHOLE_SIZE else f"{value:.3g}"


def _met(goal: str, value: float) -> bool:
    kind, bound = goal.split()
    return value <= float(bound) if kind == "≤" else value >= float(bound)


def goals(metrics: Metrics) -> list[tuple[str, str, str, str]]:
    """Return metric, goal, measured and met or missed."""
    rows = []
    for name, goal in _texts()["goals"].items():
        value = metrics.get(name)
        verdict = "not measured"
        if value is not None:
            verdict = "met" if _met(goal, value) else "missed"
        rows.append((f"`{name}`", goal, number(value), verdict))
    return rows


def _to_explain(metrics: Metrics) -> list[str]:
    """Return the metrics that miss their goal, and those in which a peer is better (is less)."""
    texts = _texts()
    missed = [name for name, goal in texts["goals"].items() if not _met(goal, metrics[name])]
    rows = {**texts["side_by_side"], **texts["costs"]}
    led = [
        name
        for name in rows
        if any(metrics.get(f"{peer}{name}", metrics[name]) < metrics[name] for peer in SYSTEMS[1:])
    ]
    return [*dict.fromkeys([*missed, *led])]


def _reason(metric: str) -> str | None:
    """Return the reason for a metric, or for the family that its name begins with."""
    written = _texts()["reasons"]
    while metric and metric not in written:
        metric = metric.rpartition("_")[0]
    return str(written[metric]) if metric else None


def unexplained(metrics: Metrics) -> list[str]:
    """Return what is missed or led by a peer without a reason written."""
    return [name for name in _to_explain(metrics) if _reason(name) is None]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def _compared(metrics: Metrics, rows: Mapping[str, str]) -> str:
    lines = []
    for name, text in rows.items():
        own = metrics.get(name)
        shown = [text, number(own)]
        for peer in SYSTEMS[1:]:
            value = metrics.get(f"{peer}{name}")
            times = f" ({value / own:.1f}×)" if value is not None and own else ""
            shown.append(number(value) + times)
        lines.append(shown)
    return table(("", "Kioku", "Articles (of Kioku's)", "mem0 (of Kioku's)"), lines)


def _search(metrics: Metrics) -> str:
    rows = [
        (
            f"{own} of {rows}",
            *(
                f"{number(metrics.get(f'{way}search_recall_at_10_{rows}_{own}'))} in"
                f" {number(metrics.get(f'{way}search_ms_p95_{rows}_{own}'))} ms"
                for way in ("", "mem0_")
            ),
        )
        for rows in ("10k", "100k", "1m")
        for own in (100, 5_000)
        if f"search_recall_at_10_{rows}_{own}" in metrics
    ]
    return table(("A person's memories, of all", "Kioku", "mem0's statement"), rows)


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {one}" for one in items)


def page(result: Mapping[str, Any]) -> str:
    """Return ``docs/benchmarks.md``."""
    metrics: Metrics = result["metrics"]
    machine, texts = result["machine"], _texts()
    missed = [f"`{name}`: {_reason(name) or 'not explained yet'}" for name in _to_explain(metrics)]
    parts = [
        "# Benchmarks",
        "Written by `python -m bench` from [its results](../bench/results/latest.json); do not"
        f" edit. Measured {result['measured_at'][:10]} ({result['plan']} plan) on"
        f" {machine['processor_model'] or machine['processor']}, {machine['cores']} cores,"
        f" Python {machine['python']}, which the systems, PostgreSQL, the stand-ins for Slack and"
        " the model, and the people shared.",
        "## Goals",
        table(("Metric", "Goal", "Measured", ""), goals(metrics)),
        "## Side by side",
        "Every system gets the same messages from the same people in shuffled order. The model"
        f" takes {FIRST_TOKEN_MS} ms to its first token, embeddings {EMBEDDING_MS} ms; the floor,"
        f" the model call alone, takes {number(metrics['floor_ms_p50'])} ms for one person.",
        _compared(metrics, texts["side_by_side"]),
        "## What a message costs",
        _compared(metrics, texts["costs"]),
        "## Why a goal is missed or a peer leads",
        _list(missed),
        "## Search",
        "Recall of the ten nearest memories, and the 95th percentile of the time. Kioku's is its"
        " whole recall, exact and under row-level security; mem0's is its statement alone, with its"
        " approximate index. Vectors are random, of 256 dimensions; embedding is not counted.",
        _search(metrics),
        "## Load, starts, memory",
        table(
            ("", "Kioku"),
            [(text, number(metrics.get(name))) for name, text in texts["own"].items()],
        ),
        "## The systems",
        "**Kioku** is `kioku run` with the playground over Socket Mode. **The articles' design** is"
        " [articles.py](../bench/peers/articles.py), the steps of the second article in their"
        " order, except:",
        _list(ARTICLES),
        "**mem0** is [mem0_peer.py](../bench/peers/mem0_peer.py), mem0ai 2.2.1 with the steps of"
        " its quickstart, except:",
        _list(MEM0),
        "The peers are called as functions: they have no Slack, no queue and no durability. A run"
        " begins by checking that each system recalls what it was told.",
        "`python -m bench` takes 25 minutes on two idle cores, `QUICK=1 python -m bench` two."
        " `python -m bench costs load` runs parts and writes nothing. mem0 gets an environment of"
        " its own from [pinned packages](../bench/mem0-requirements.lock).",
    ]
    return "\n\n".join(parts) + "\n"


def _readme(path: Path, lines: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    values = {**result["metrics"], "cores": result["machine"]["cores"], "model": FIRST_TOKEN_MS}
    told = "\n".join(f"- {line.format_map(values)}" for line in lines["lines"])
    before, _, rest = path.read_text("utf-8").partition(_MARK[0])
    return f"{before}{_MARK[0]}\n{lines['head']}\n\n{told}\n{_MARK[1]}{rest.partition(_MARK[1])[2]}"


def write() -> None:
    """Write the page and the READMEs' lines from the newest results."""
    result, texts = json.loads(LATEST.read_text("utf-8")), _texts()
    PAGE.write_text(page(result), "utf-8")
    for language, path in (("en", ROOT / "README.md"), ("ja", ROOT / "docs" / "README.ja.md")):
        path.write_text(_readme(path, texts[language], result), "utf-8")


if __name__ == "__main__":
    write()
