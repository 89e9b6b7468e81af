"""The figures of ``docs/benchmarks.md``: which metrics each of them shows."""

from __future__ import annotations

from bench import figures
from bench.figures import Bar
from bench.ground import ROOT
from bench.metrics import Metrics

FIGURES = ROOT / "docs" / "media" / "bench"
NAMES = {"": "Kioku", "articles_": "the articles' design", "mem0_": "mem0"}


def drawn(metrics: Metrics) -> dict[str, str]:
    """Return file names and figures."""
    groups = []
    for people, end in ((1, ""), (20, "_20"), (100, "_100")):
        if f"reply_ready_ms{end}_p50" in metrics:
            title = "one person" if people == 1 else f"{people} at once"
            groups.append((title, _bars(metrics, f"ms{end}_p50")))
    burst = [
        Bar(name=NAMES[start], value=metrics[f"{start}model_calls_burst_10"], colour=n + 1)
        for n, start in enumerate(NAMES)
        if f"{start}model_calls_burst_10" in metrics
    ]
    load = _load(metrics)
    found = {}
    if groups:
        found["reply-ready.svg"] = figures.bars(
            "Until the person has the reply: median, 95 % interval", groups, unit="ms"
        )
    if burst:
        found["burst.svg"] = figures.bars(
            "Model calls for ten messages in quick succession", [("", burst)], unit="calls"
        )
    if load:
        found["load.svg"] = figures.lines(
            "Replies a second, as more people write at the same time",
            load,
            x_name="people who write, each again as soon as answered",
            y_name="replies a second",
        )
    return found


def _bars(metrics: Metrics, end: str) -> list[Bar]:
    systems = [("floor_", "the model alone"), *NAMES.items()]
    found = []
    for colour, (start, name) in enumerate(systems):
        key = f"floor_{end}" if start == "floor_" else f"{start}reply_ready_{end}"
        if key in metrics:
            found.append(
                Bar(
                    name=name,
                    value=metrics[key],
                    colour=colour,
                    low=metrics.get(f"{key}_low"),
                    high=metrics.get(f"{key}_high"),
                )
            )
    return found


def _load(metrics: Metrics) -> list[tuple[str, list[tuple[float, float]]]]:
    series: dict[int, list[tuple[float, float]]] = {}
    for name, value in metrics.items():
        if name.startswith("msgs_per_s_r"):
            replicas, writers = name.removeprefix("msgs_per_s_r").split("_w")
            series.setdefault(int(replicas), []).append((float(writers), value))
    return [
        (f"{replicas} process{'es' * (replicas > 1)}", sorted(series[replicas]))
        for replicas in sorted(series)
    ]
