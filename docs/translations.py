"""Says which Japanese pages are older than the English ones: ``python -m docs.translations``.

The first line of a Japanese page names the English page and the commit of it that it follows.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FOLLOWS = re.compile(r"<!-- (\S+) at ([0-9a-f]{8,40}) -->\n")


def followed() -> dict[str, tuple[str, str]]:
    """Return the English page and the commit that each Japanese page names."""
    found = {}
    for page in sorted((ROOT / "docs").glob("*.ja.md")):
        if named := _FOLLOWS.match(page.read_text("utf-8")):
            found[page.name] = named[1], named[2]
    return found


def main() -> None:
    """Print a line for each page that is older."""
    for page, (english, commit) in followed().items():
        command = ["git", "log", "--oneline", f"{commit}..HEAD", "--", english]
        log = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if log.returncode:
            print(f"docs/{page}: the commit {commit} is not in this clone")
        elif log.stdout:
            print(
                f"docs/{page} is older than {english}, which has changed since:\n{log.stdout}"
            )


if __name__ == "__main__":
    main()
