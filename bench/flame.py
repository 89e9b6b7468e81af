"""Stacks as a flame graph: one SVG, without scripts; the wider, the more CPU time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

_WIDTH, _ROW, _TOP = 1200.0, 17, 44
_CHARACTER = 6.6  # pixels of a letter at this size
_LEAST = 0.8  # pixels: what is narrower is left out


@dataclass(slots=True)
class _Frame:
    name: str
    samples: int = 0
    below: dict[str, _Frame] = field(default_factory=dict)


def flame_graph(stacks: Mapping[str, int], *, title: str) -> str:
    """Return an SVG of `stacks`, frames joined by ``;`` with how often each was found.

    Each frame's tooltip says its name and share.
    """
    root = _Frame("all")
    for stack, count in stacks.items():
        _add(root, stack.split(";"), count)
    depth = _depth(root)
    height = _TOP + (depth + 1) * _ROW + 10
    boxes: list[str] = []
    _draw(boxes, root, 0.0, _WIDTH / max(root.samples, 1), height - 10 - _ROW, root.samples)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}"'
            ' font-family="ui-monospace, Menlo, Consolas, monospace" font-size="11">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH:.0f}" height="{height}" fill="#fffdf7"/>',
            f'<text x="10" y="26" font-size="15" fill="#333">{escape(title)}</text>',
            *boxes,
            "</svg>\n",
        ]
    )


def _add(frame: _Frame, names: list[str], count: int) -> None:
    frame.samples += count
    for name in names:
        frame = frame.below.setdefault(name, _Frame(name))
        frame.samples += count


def _depth(frame: _Frame) -> int:
    return 1 + max((_depth(one) for one in frame.below.values()), default=0)


def _draw(boxes: list[str], frame: _Frame, x: float, scale: float, y: int, whole: int) -> None:
    width = frame.samples * scale
    if width < _LEAST:
        return
    share = f"{frame.name}: {frame.samples / max(whole, 1):.1%}"
    label = escape(frame.name[: max(int((width - 4) / _CHARACTER), 0)])
    boxes.append(
        f"<g><title>{escape(share)}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.4):.1f}" height="{_ROW - 1}"'
        f' fill="{_colour(frame.name)}"/>'
        + (f'<text x="{x + 3:.1f}" y="{y + 12}">{label}</text>' if len(label) > 2 else "")
        + "</g>"
    )
    for below in sorted(frame.below.values(), key=lambda one: one.name):
        _draw(boxes, below, x, scale, y - _ROW, whole)
        x += below.samples * scale


def _colour(name: str) -> str:
    """Give each package its own colour; those of the app are distinct."""
    package = name.partition(".")[0]
    if package in ("bot", "memory"):
        return "#f2994a" if package == "bot" else "#f2c94c"
    hue = hashlib.blake2b(package.encode(), digest_size=2).digest()
    return f"hsl({int.from_bytes(hue) % 360}, 35%, 80%)"
