"""Counts the lines that *Promises* and *How to work with me* add to `bot` and `memory`.

Counted are modules, definitions, statements of SQL and sentences that are named for them, and short
statements and lines that mention them. ``python -m tests.lint.features`` prints them by file.
"""

import ast
import re
from pathlib import Path

from tests.conftest import ROOT

_NAMES = re.compile(
    r"(?i)promis|remind|colleague|\bcards?\b|\bcard_|_cards?\b|verdict\.due|due_(?:line|of|time|fields)"
    r"|\b_due\(|field_(?:to|due)\b"
)
_COUNTED = (".py", ".pyi", ".sql", ".po")
_OTHERS = ("memory/credentials/", "bot/delivery/")


def counted() -> dict[str, int]:
    """Return the number of lines by file, of those that have any."""
    paths = [path for top in ("bot", "memory") for path in sorted((ROOT / top).rglob("*"))]
    files = [path for path in paths if path.suffix in _COUNTED]
    found = {str(path.relative_to(ROOT)): _lines(path, path.read_text("utf-8")) for path in files}
    return {name: n for name, n in found.items() if n and not name.startswith(_OTHERS)}


def _lines(path: Path, text: str) -> int:
    lines = text.splitlines()
    if path.name in ("promises.py", "cards.py"):
        return len(lines)
    found = mentions = {n for n, line in enumerate(lines, 1) if _NAMES.search(line)}
    if path.suffix in (".sql", ".po"):
        parts = [one.strip() for one in re.split(r"(?<=;)\n|\n\n", text)]
        heads = [re.sub(r"--.*\n", "", one).partition("\n")[0] for one in parts]
        whole = [
            len(p.splitlines()) for p, head in zip(parts, heads, strict=True) if _NAMES.search(head)
        ]
        return sum(whole) + len(whole)
    for node in ast.walk(ast.parse(text)):
        span = {*range(getattr(node, "lineno", 0), getattr(node, "end_lineno", 0) + 1)}
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = found | span if _NAMES.search(node.name) else found
        elif isinstance(node, ast.Expr | ast.Return | ast.If | ast.Assign) and len(span) <= 6:
            found = found | span if span & mentions else found
    return len(found)


if __name__ == "__main__":
    for file, number in counted().items():
        print(f"{number:6} {file}")
    print(f"{sum(counted().values()):6} in all")
