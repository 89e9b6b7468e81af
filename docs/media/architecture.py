"""Draws docs/media/architecture*.svg: one message from Slack to PostgreSQL and back.

Run ``python docs/media/architecture.py`` after a change; ``tests/lint/test_pages.py`` compares the
pictures with this program. Each is drawn in two languages, for light and dark pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1000, 392
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Hiragino Sans', 'Noto Sans CJK JP', sans-serif"
_THEMES = {
    "light": {
        "page": "#ffffff",
        "box": "#f6f8fa",
        "line": "#8c959f",
        "text": "#1f2328",
        "soft": "#59636e",
        "code": "#ddf4ff",
        "model": "#fbefff",
        "store": "#dafbe1",
    },
    "dark": {
        "page": "#0d1117",
        "box": "#161b22",
        "line": "#6e7681",
        "text": "#f0f6fc",
        "soft": "#9198a1",
        "code": "#0c2d4a",
        "model": "#3b1f55",
        "store": "#12361f",
    },
}
_Steps: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Words:
    answer: str
    form: str
    steps: _Steps
    forming: _Steps
    tables: tuple[str, ...]
    code: str
    model: str


_WORDS = {
    "en": _Words(
        answer="While the person waits",
        form="When they pause",
        steps=(
            ("Receive", "store, then ack"),
            ("Worker", "one per thread"),
            ("Recall", "exact, per person"),
            ("Prompt", "memories in view"),
            ("Reply", "streamed"),
            ("Deliver", "exactly once"),
        ),
        forming=(
            ("Extract", "LangMem"),
            ("Evidence", "quote was typed?"),
            ("Pair", "with what is stored"),
            ("Verdict", "second model call"),
            ("Commit", "one transaction"),
            ("Notice", "with Undo"),
        ),
        tables=(
            "messages and jobs",
            "turns, 30 days",
            "memories, vectors, sources",
            "row-level security by person",
        ),
        code="code decides",
        model="a model decides",
    ),
    "ja": _Words(
        answer="相手が待つ間",
        form="会話が途切れたら",
        steps=(
            ("受信", "保存してから応答"),
            ("ワーカー", "スレッドに1つ"),
            ("想起", "本人だけを正確に"),
            ("プロンプト", "記憶を添える"),
            ("回答", "ストリーミング"),
            ("配信", "ちょうど1回"),
        ),
        forming=(
            ("抽出", "LangMem"),
            ("根拠", "本人が書いた文か"),
            ("照合", "既存の記憶と"),
            ("判定", "モデルで再確認"),
            ("確定", "1トランザクション"),
            ("お知らせ", "元に戻せる"),
        ),
        tables=(
            "メッセージとジョブ",
            "やりとり（30日）",
            "記憶・ベクトル・出典",
            "本人ごとの行レベルセキュリティ",
        ),
        code="コードが決める",
        model="モデルが決める",
    ),
}
_BOX, _GAP, _LEFT = 128, 28, 32
_MODEL_STEPS = {("steps", 4), ("forming", 0), ("forming", 3)}


def draw(language: str, theme: str) -> str:
    """Return the picture as SVG."""
    words, colors = _WORDS[language], _THEMES[theme]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' font-family="{_FONT}" font-size="15" role="img">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{colors["page"]}"/>',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        f' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colors["line"]}"/>'
        "</marker></defs>",
        _text(_LEFT, 28, words.answer, colors["soft"], size=13, anchor="start"),
        *_row("steps", words.steps, 44, colors),
        *_database(words.tables, 160, colors),
        _text(_LEFT, 262, words.form, colors["soft"], size=13, anchor="start"),
        *_row("forming", words.forming, 278, colors),
        *_key(words, colors),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(name: str, steps: _Steps, top: int, colors: dict[str, str]) -> Iterator[str]:
    for number, (title, detail) in enumerate(steps):
        left = _LEFT + number * (_BOX + _GAP)
        fill = colors["model" if (name, number) in _MODEL_STEPS else "code"]
        yield _rectangle(left, top, _BOX, 64, fill, colors)
        yield _text(left + _BOX / 2, top + 28, title, colors["text"], weight=600)
        yield _text(left + _BOX / 2, top + 48, detail, colors["soft"], size=12)
        if number:
            yield _arrow(left - _GAP + 3, top + 32, left - 3, top + 32, colors)
        middle = left + _BOX / 2
        reads = number == 2
        if name == "steps" and number in (0, 2, 5):
            ends = (157, top + 67) if reads else (top + 67, 157)
            yield _arrow(middle, ends[0], middle, ends[1], colors)
        if name == "forming" and number in (2, 4):
            ends = (231, top - 3) if reads else (top - 3, 231)
            yield _arrow(middle, ends[0], middle, ends[1], colors)


def _database(tables: tuple[str, ...], top: int, colors: dict[str, str]) -> Iterator[str]:
    width = 6 * _BOX + 5 * _GAP
    yield _rectangle(_LEFT, top, width, 68, colors["store"], colors)
    title = "PostgreSQL + pgvector"
    yield _text(_LEFT + width / 2, top + 27, title, colors["text"], weight=600)
    listed = "  ·  ".join(tables)
    yield _text(_LEFT + width / 2, top + 50, listed, colors["soft"], size=13)


def _key(words: _Words, colors: dict[str, str]) -> Iterator[str]:
    left = float(_LEFT)
    for name, color in ((words.code, "code"), (words.model, "model")):
        yield _rectangle(left, 362, 14, 14, colors[color], colors)
        yield _text(left + 22, 374, name, colors["soft"], size=12, anchor="start")
        left += 150


def _rectangle(
    left: float, top: float, width: float, height: float, fill: str, colors: dict[str, str]
) -> str:
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="8"'
        f' fill="{fill}" stroke="{colors["line"]}"/>'
    )


def _text(
    left: float,
    base: float,
    text: str,
    color: str,
    *,
    size: int = 15,
    weight: int = 400,
    anchor: str = "middle",
) -> str:
    return (
        f'<text x="{left:g}" y="{base:g}" fill="{color}" font-size="{size}"'
        f' font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _arrow(x1: float, y1: float, x2: float, y2: float, colors: dict[str, str]) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colors["line"]}"'
        ' stroke-width="1.5" marker-end="url(#end)"/>'
    )


def pictures() -> Iterator[tuple[Path, str]]:
    """Give the path and the content of each picture."""
    for language in _WORDS:
        for theme in _THEMES:
            infix = "" if language == "en" else f".{language}"
            yield HERE / f"architecture{infix}.{theme}.svg", draw(language, theme)


if __name__ == "__main__":
    for path, picture in pictures():
        path.write_text(picture, "utf-8")
