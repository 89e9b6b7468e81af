"""Small SVG figures, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.markdown import number

WIDTH = 720
_LEFT, _RIGHT = 150, 96
_ROW, _GAP = 22, 18
_STYLE = """<style>
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#24292f}
.head{font-weight:600}.quiet{fill:#57606a;font-size:12px}
.line{stroke:#d0d7de}.mark{stroke:#24292f;stroke-width:1.5}
.c0{fill:#8c959f;stroke:#8c959f}.c1{fill:#0969da;stroke:#0969da}
.c2{fill:#bc7a00;stroke:#bc7a00}.c3{fill:#8250df;stroke:#8250df}
.path{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.line{stroke:#3d444d}
.mark{stroke:#e6edf3}.c1{fill:#4493f8;stroke:#4493f8}.c2{fill:#d29922;stroke:#d29922}
.c3{fill:#ab7df8;stroke:#ab7df8}.path{fill:none}}
</style>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One value with the ends of its interval; `colour` is 0 to 3."""

    name: str
    value: float
    colour: int
    low: float | None = None
    high: float | None = None


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], *, unit: str) -> str:
    """Return horizontal bars in groups, each with its value, on one scale."""
    most = max((bar.high or bar.value for _, group in groups for bar in group), default=1) or 1
    across = (WIDTH - _LEFT - _RIGHT) / most
    parts: list[str] = []
    top = 34
    for name, group in groups:
        if name:
            parts.append(f'<text class="quiet" x="0" y="{top + 12}">{escape(name)}</text>')
            top += _GAP
        for bar in group:
            middle = top + _ROW / 2
            width = max(1.0, bar.value * across)
            parts.append(
                f'<text x="{_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">'
                f"{escape(bar.name)}</text>"
                f'<rect class="c{bar.colour}" x="{_LEFT}" y="{top + 4}" width="{width:.1f}"'
                f' height="{_ROW - 8}" rx="2"/>'
            )
            end = _LEFT + width
            if bar.low is not None and bar.high is not None:
                left, right = _LEFT + bar.low * across, _LEFT + bar.high * across
                parts.append(
                    f'<path class="mark" d="M{left:.1f} {middle}H{right:.1f}M{left:.1f}'
                    f' {middle - 4}v8M{right:.1f} {middle - 4}v8"/>'
                )
                end = max(end, right)
            parts.append(
                f'<text x="{end + 6:.1f}" y="{middle + 4:.1f}">{number(bar.value)} {unit}</text>'
            )
            top += _ROW
        top += 8
    return _svg(title, parts, top)


def lines(
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    *,
    x_name: str,
    y_name: str,
) -> str:
    """Return lines over a common scale from zero; each is named at its end."""
    left, right, top, bottom = 56, 150, 44, 250
    points = [point for _, line in series for point in line]
    most_x = max((x for x, _ in points), default=1) or 1
    step = _step(max((y for _, y in points), default=1) or 1)
    most_y = step * math.ceil((max((y for _, y in points), default=1) or 1) / step)
    across, up = (WIDTH - left - right) / most_x, (bottom - top) / most_y
    parts = [
        f'<path class="line" d="M{left} {top}V{bottom}H{WIDTH - right}" fill="none"/>',
        f'<text class="quiet" x="{left}" y="{top - 6}">{escape(y_name)}</text>',
        f'<text class="quiet" x="{WIDTH - right}" y="{bottom + 32}" text-anchor="end">'
        f"{escape(x_name)}</text>",
    ]
    for mark in range(1, round(most_y / step) + 1):
        value = step * mark
        y = bottom - value * up
        parts.append(
            f'<path class="line" d="M{left} {y:.1f}H{WIDTH - right}" stroke-dasharray="2 4"/>'
            f'<text class="quiet" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{number(value)}</text>"
        )
    for x in sorted({x for x, _ in points}):
        parts += [
            f'<text class="quiet" x="{left + x * across:.1f}" y="{bottom + 16}"'
            f' text-anchor="middle">{number(x)}</text>'
        ]
    for place, (name, line) in enumerate(series):
        colour = f"c{(place + 1) % 4}"
        path = "L".join(f"{left + x * across:.1f} {bottom - y * up:.1f}" for x, y in line)
        parts.append(f'<path class="{colour} path" style="fill:none" d="M{path}"/>')
        parts += [
            f'<circle class="{colour}" cx="{left + x * across:.1f}" cy="{bottom - y * up:.1f}"'
            ' r="3"/>'
            for x, y in line
        ]
        parts.append(
            f'<rect class="{colour}" x="{WIDTH - right + 14}" y="{top + place * 20}" width="10"'
            f' height="10" rx="2"/><text x="{WIDTH - right + 30}" y="{top + 10 + place * 20}">'
            f"{escape(name)}</text>"
        )
    return _svg(title, parts, bottom + 40)


def _step(most: float) -> float:
    """Return a round distance of marks, of which three to six reach `most`."""
    power = 10.0 ** math.floor(math.log10(most / 3))
    return next(power * one for one in (1, 2, 5, 10) if most / (power * one) <= 6)


def _svg(title: str, parts: Sequence[str], height: float) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
        f' aria-label="{escape(title)}">\n{_STYLE}\n'
        f'<text class="head" x="0" y="18">{escape(title)}</text>\n{body}\n</svg>\n'
    )
