"""The lines of both READMEs that say what was measured, from the newest results."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.ground import FIRST_TOKEN_MS, ROOT
from bench.markdown import replaced

MARKS = ("<!-- measured -->", "<!-- /measured -->")
TEXTS = ROOT / "bench" / "readme.toml"
PATHS = {"en": ROOT / "README.md", "ja": ROOT / "docs" / "README.ja.md"}


def lines(result: Mapping[str, Any], language: str) -> str:
    """Return the section's text between its marks; lines without all measurements are left out."""
    values = {
        **result["metrics"],
        "cores": result["machine"]["cores"],
        "first_token_ms": FIRST_TOKEN_MS,
    }
    texts = tomllib.loads(TEXTS.read_text("utf-8"))[language]
    told = []
    for line in texts["lines"]:
        try:
            told.append(f"- {line.format_map(values)}")
        except KeyError:  # not measured in this plan
            continue
    return "\n".join([texts["head"], "", *told])


def pages(result: Mapping[str, Any]) -> dict[Path, str]:
    """Return both READMEs with their lines."""
    return {path: replaced(path, MARKS, lines(result, name)) for name, path in PATHS.items()}
