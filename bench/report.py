"""``docs/benchmarks.md``, its figures and the table at the end of a run, from `latest.json`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import charts, readme, scaling
from bench.charts import NAMES, drawn
from bench.finding import finding
from bench.ground import EMBEDDING_MS, FIRST_TOKEN_MS, ROOT
from bench.markdown import number, table
from bench.metrics import GOALS, MEANINGS, Metrics
from bench.peers.articles import DEVIATIONS as ARTICLES_DEVIATIONS
from bench.peers.mem0_peer import DEVIATIONS as MEM0_DEVIATIONS
from bench.results import LATEST

PAGE = ROOT / "docs" / "benchmarks.md"
REASONS = ROOT / "bench" / "reasons.toml"
PARTS = (
    "side_by_side",
    "costs",
    "large",
    "search",
    "retrieval",
    "load",
    "starts",
    "front",
    "observed",
)
_SIDE_BY_SIDE = (
    ("Reply ready, one person (ms)", "reply_ready_ms_p50"),
    ("Reply ready, one person, 95 in 100 (ms)", "reply_ready_ms_p95"),
    ("… over the floor (ms)", "turn_overhead_ms_p50"),
    ("… over the floor, 95 in 100 (ms)", "turn_overhead_ms_p95"),
    ("Reply ready, 20 at once (ms)", "reply_ready_ms_20_p50"),
    ("… times the floor", "reply_ready_ratio_20"),
    ("Reply ready, 100 at once (ms)", "reply_ready_ms_100_p50"),
    ("… times the floor", "reply_ready_ratio_100"),
    ("Failed, 100 at once (share)", "failed_share_100"),
    ("Reply's text made, one person (ms)", "reply_made_ms_p50"),
    ("First words seen, one person (ms)", "first_text_ms_p50"),
    ("First sign seen, one person (ms)", "first_sign_ms_p50"),
    ("Remembering, beside the reply or before it (ms)", "formation_ms_p50"),
)
_COSTS = (
    ("Model calls per message", "model_calls_per_message"),
    ("Model calls for a burst of ten", "model_calls_burst_10"),
    ("Model calls for “ok thanks”", "model_calls_thanks"),
    ("Memories written for “ok thanks”", "memory_writes_thanks"),
    ("Requests for one message while the model is down", "http_requests_model_down"),
    ("Embedding calls per message", "embedding_calls_per_message"),
    ("Prompt tokens per message", "prompt_tokens_per_message"),
    ("Tokens sent for a first question", "sent_tokens_plain"),
    ("Tokens sent for a message that teaches", "sent_tokens_teaching"),
    ("Processor time of its process per message (ms)", "cpu_ms_per_message"),
    ("SQL statements per message", "sql_statements_per_message"),
    ("Round trips to PostgreSQL per message", "sql_round_trips_per_message"),
    ("Connections opened per message", "sql_connections_per_message"),
    (
        "SQL statements a second at rest, each BEGIN counted, with the job of each minute",
        "sql_statements_per_second_idle",
    ),
    (
        "Messages to PostgreSQL a second at rest, without the job of each minute",
        "sql_messages_per_second_idle",
    ),
    ("Bytes in PostgreSQL per memory", "db_bytes_per_memory"),
    (
        "Tokens of memories in a prompt, of somebody with many, 95 in 100",
        "prompt_memory_tokens_p95",
    ),
)
_OWN = (
    ("`kioku up` ready, with nothing there (s)", "ready_s_cold_start"),
    ("`kioku up` ready, again (s)", "ready_s_second_start"),
    ("Memory of `kioku run` at rest (MB)", "rss_mb_idle"),
    ("… after the load above (MB)", "rss_mb_under_load"),
    ("… grown in 10,000 turns (MB)", "rss_growth_mb_10k_turns"),
    ("… turns that this was measured over", "rss_growth_turns_measured"),
    ("Home tab published, a thousand memories (ms)", "home_ms_1000_memories_p50"),
    ("Import of the AWS front, cold (s)", "front_import_s"),
)


def reasons() -> dict[str, str]:
    """Return what was written about missed goals and leading peers."""
    return {name: str(text) for name, text in tomllib.loads(REASONS.read_text("utf-8")).items()}


def reason_for(metric: str, written: Mapping[str, str]) -> str | None:
    """Return the reason for a metric or, where it is one of a family, for the family."""
    family = metric
    while family:
        if family in written:
            return written[family]
        family = family.rpartition("_")[0]
    return None


def missed(metrics: Metrics) -> list[str]:
    """Return the metrics that miss their goal."""
    return [
        goal.metric
        for goal in GOALS
        if goal.metric in metrics and not goal.met(metrics[goal.metric])
    ]


def led(metrics: Metrics) -> list[str]:
    """Return the metrics of the tables in which a peer is better (less is better in all)."""
    return [
        name
        for _, name in (*_SIDE_BY_SIDE, *_COSTS)
        if name in metrics
        and any(metrics.get(f"{peer}_{name}", metrics[name]) < metrics[name] for peer in _PEERS)
    ]


def unexplained(metrics: Metrics) -> list[str]:
    """Return what is missed or led by a peer without a reason written."""
    written = reasons()
    names = dict.fromkeys([*missed(metrics), *led(metrics)])
    return [name for name in names if reason_for(name, written) is None]


_PEERS = ("articles", "mem0")


def goals_table(metrics: Metrics) -> list[tuple[str, str, str, str]]:
    """Return metric, goal, measured and met or missed."""
    rows = []
    for goal in GOALS:
        value = metrics.get(goal.metric)
        verdict = "not measured" if value is None else ("met" if goal.met(value) else "missed")
        rows.append((goal.metric, goal.shown, "–" if value is None else number(value), verdict))
    return rows


def page(result: Mapping[str, Any]) -> str:
    """Return ``docs/benchmarks.md``."""
    metrics: Metrics = result["metrics"]
    explained = reasons()
    machine = result["machine"]
    figures_there = drawn(metrics)
    parts = [
        "# Benchmarks",
        "Written by `python -m bench` from [its results](../bench/results/latest.json); do not"
        " edit. Figures are what was measured, whether they please or not.",
        f"Measured {result['measured_at']} ({result.get('plan', 'usual')} plan) on"
        f" {machine.get('processor_model') or machine['processor']}, {machine['cores']} cores,"
        f" {machine.get('memory') or '?'} of memory, {machine['system']}, Python"
        f" {machine['python']}. Everything ran on these cores at the same time: the systems,"
        " PostgreSQL, the stand-in for Slack, the stand-in for the model, and the people.",
        "## Goals",
        table(("Metric", "Goal", "Measured", ""), _code_first(goals_table(metrics))),
    ]
    if absent := missed(metrics):
        parts += ["Why a goal is missed:", _because(absent, explained)]
    parts += [
        "## Side by side",
        "The same messages from the same people, told the same before, in shuffled order;"
        f" the model takes {FIRST_TOKEN_MS} ms to its first token and embeddings {EMBEDDING_MS} ms."
        " The floor is the model call alone.",
        *_figure(figures_there, "reply-ready.svg", "Reply ready by system"),
        _compared(metrics, _SIDE_BY_SIDE),
        "## What a message costs",
        *_figure(figures_there, "burst.svg", "Model calls for a burst of ten"),
        _compared(metrics, _COSTS),
    ]
    if ahead := [name for name in led(metrics) if name not in absent]:
        parts += ["Where a peer leads:", _because(ahead, explained)]
    parts += [
        *(["## Load"] if "sustained_msgs_per_s" in metrics else []),
        *_figure(figures_there, "load.svg", "Replies a second by people and processes"),
        _load_table(metrics),
        *finding(metrics),
        "## Starts, memory, Home tab",
        table(
            ("", "Kioku"),
            [(text, number(metrics[name])) for text, name in _OWN if name in metrics],
        ),
        *_systems(),
        "## Run it",
        "`python -m bench` takes 25 minutes on two idle cores, `QUICK=1 python -m bench` about two"
        " minutes, `FULL=1 python -m bench` as long as it takes. `python -m bench costs load` runs"
        f" some of its parts ({', '.join(f'`{part}`' for part in PARTS)}) and writes nothing. mem0"
        " gets an environment of its own in `build/bench`, from"
        " [pinned and hashed packages](../bench/mem0-requirements.lock); nothing else is"
        " downloaded, and no model but the stand-in is called.",
        "## Every metric",
        "`SYSTEM_` is `articles_`, `mem0_`, or nothing for Kioku. `_p50` is the median of all"
        " rounds, `_p95` the 95th percentile; `_low` and `_high` are the ends of the 95 % bootstrap"
        " interval of the median, for which whole rounds are drawn.",
        table(("Metric", "What it says"), [(one.shown, one.says) for one in MEANINGS]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _systems() -> list[str]:
    return [
        "## The systems",
        "**Kioku**: `kioku run` as its operator starts it, with the playground for Slack, over"
        " Socket Mode. Memories are formed in the background after a second of quiet; where costs"
        " are counted after three, and under load as by default.",
        "**The articles' design**: [bench/peers/articles.py](../bench/peers/articles.py), the steps"
        " of 「LangMemの長期記憶をPostgreSQL(pgvector)に永続化する」 in their order, except:",
        _list(ARTICLES_DEVIATIONS),
        "**mem0**: [bench/peers/mem0_peer.py](../bench/peers/mem0_peer.py), mem0ai 2.2.1 with"
        " the steps of its README's quickstart, in an environment of its own, except:",
        _list(MEM0_DEVIATIONS),
        "The peers are called as functions and have no Slack, no queue and no durability to pay"
        " for. Each runs in a process of its own, on a database of its own on the same PostgreSQL;"
        " a run begins by checking that each recalls what it was told.",
    ]


def _compared(metrics: Metrics, rows: Sequence[tuple[str, str]]) -> str:
    lines = []
    for text, name in rows:
        values = [metrics.get(f"{start}{name}") for start in NAMES]
        if any(value is not None for value in values):
            floor = (
                metrics.get(name.replace("reply_ready", "floor")) if "ready_ms" in name else None
            )
            own = values[0]
            ratios = [
                f" ({value / own:.1f}×)" if value is not None and own else ""
                for value in values[1:]
            ]
            shown = ["–" if value is None else number(value) for value in values]
            lines.append(
                (
                    text,
                    "–" if floor is None else number(floor),
                    shown[0],
                    *(f"{one}{ratio}" for one, ratio in zip(shown[1:], ratios, strict=True)),
                )
            )
    return table(("", "Floor", "Kioku", "Articles (of Kioku's)", "mem0 (of Kioku's)"), lines)


def _load_table(metrics: Metrics) -> str:
    rows = [
        (
            f"{replicas}",
            number(metrics[f"saturation_msgs_per_s_r{replicas}"]),
            number(metrics[f"limited_msgs_per_s_r{replicas}"]),
        )
        for replicas in (1, 2, 4)
        if f"saturation_msgs_per_s_r{replicas}" in metrics
    ]
    said = table(("Processes", "Replies a second, at most", "… with Slack's limits"), rows)
    if "sustained_msgs_per_s" not in metrics:
        return said
    return (
        f"{said}\n\nHeld for {number(metrics['sustained_seconds'])} s with"
        f" {number(metrics['sustained_replicas'])} process(es), answering steadily:"
        f" {number(metrics['sustained_msgs_per_s'])} messages a second, 95 in 100 answered within"
        f" {number(metrics['sustained_wait_ms_p95'])} ms, {number(metrics['sustained_lost'])} lost."
    )


def _figure(there: Mapping[str, str], name: str, text: str) -> list[str]:
    return [f"![{text}](media/bench/{name})"] if name in there else []


def _because(names: Sequence[str], written: Mapping[str, str]) -> str:
    told = "No reason was written yet."
    return _list([f"`{name}`: {reason_for(name, written) or told}" for name in names])


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {one}" for one in items)


def _code_first(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [(f"`{row[0]}`", *row[1:]) for row in rows]


def written(result: Mapping[str, Any]) -> dict[Path, str]:
    """Return all that is written from a result: the page, its figures, the lines of others."""
    metrics: Metrics = result["metrics"]
    return {
        PAGE: page(result),
        **{charts.FIGURES / name: figure for name, figure in drawn(metrics).items()},
        **readme.pages(result),
        **scaling.pages(metrics),
    }


def write() -> None:
    """Write the page, its figures and the READMEs' lines from the newest results."""
    result = json.loads(LATEST.read_text("utf-8"))
    charts.FIGURES.mkdir(parents=True, exist_ok=True)
    for path, text in written(result).items():
        path.write_text(text, "utf-8")


def told(metrics: Metrics) -> str:
    """Return the table that a run ends with."""
    rows = [
        f"{name:32} {goal:>8} {value:>10}  {verdict}"
        for name, goal, value, verdict in goals_table(metrics)
    ]
    compared = []
    for text, name in (*_SIDE_BY_SIDE, *_COSTS):
        values = [metrics.get(f"{start}{name}") for start in NAMES]
        if values[0] is not None:
            shown = "".join(f"{'–' if v is None else number(v):>12}" for v in values)
            compared.append(f"{text:64}{shown}")
    head = f"{'':64}{'Kioku':>12}{'articles':>12}{'mem0':>12}"
    return "\n".join(["Goals", *rows, "", head, *compared])


if __name__ == "__main__":
    write()
