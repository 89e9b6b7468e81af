"""docs/reality.md: complete as far as code can tell, and without a claim nobody can check."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from playground.web_api import agents, chat, streams, views

ROOT = Path(__file__).parents[2]
SOURCES = ("reference", "SDK", "measured", "heard", "ours")


@pytest.fixture(scope="module")
def page() -> str:
    """The page."""
    return (ROOT / "docs" / "reality.md").read_text("utf-8")


def rows(page: str) -> list[list[str]]:
    """Return the cells of every row of every table, without headings."""
    lines = [line for line in page.splitlines() if re.match(r"\| (?!Behaviour|Method )", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def difference(entry: dict[str, Any]) -> str:
    """Return the row that tells of one entry of the overlay."""
    if "argument" in entry:
        needed = "required" if entry["required"] else "optional"
        what = f"argument `{entry['argument']}`, {needed}"
    else:
        what = f"error `{entry['error']}`"
    method = "every" if entry["method"] == "*" else f"`{entry['method']}`"
    return f"| {method} | {what} | {entry['reason']} | {entry['source']} |"


def test_every_difference_from_the_reference_is_told(page: str) -> None:
    """The overlay and the page's last table say the same, in the same order."""
    overlay = ROOT / "playground" / "slack_methods_overlay.toml"
    wanted = [
        difference(entry) for entry in tomllib.loads(overlay.read_text("utf-8"))["difference"]
    ]
    assert (
        re.findall(r"^\| (?:every|`).*", page.partition("not as its page says")[2], re.M) == wanted
    )


def test_every_row_names_its_source_and_what_was_seen(page: str) -> None:
    """A behaviour has a source of the five kinds, and nothing is said to have been seen."""
    behaviours = rows(page.partition("## Where a method")[0])
    assert len(behaviours) > 130
    assert len({behaviour for behaviour, _, _ in behaviours}) == len(behaviours)
    for behaviour, source, seen in behaviours:
        assert behaviour
        assert source.startswith(SOURCES), source
        assert re.fullmatch(r"no(: (`--live`|`kioku doctor` \w+( \w+)*))?", seen), seen


def test_what_is_documented_names_where(page: str) -> None:
    """A row of the reference links its page or schema, one of an SDK names file and version."""
    documented, _, assumed = page.partition("## Where a method")[0].partition("## Only assumed")
    addresses = dict(re.findall(r"^\[([^]]+)\]: (https://\S+)$", page, re.MULTILINE))
    for behaviour, source, _ in rows(documented):
        linked = re.findall(r"\[([^]]+)\](?!\()", source)
        assert linked or re.search(r"SDK \(\S+ \d+\.\d+\.\d+, `[^`]+`", source), behaviour
        assert set(linked) <= addresses.keys(), source
        assert source.startswith(("reference", "SDK")), behaviour
    for behaviour, source, _ in rows(assumed):
        assert source.startswith(("heard", "measured", "ours")), behaviour
    assert len(rows(assumed)) > 20


def test_what_is_assumed_of_aws_is_listed(page: str) -> None:
    """Lambda, Aurora's pause, the rotation of secrets and the scheduler each have a row."""
    aws = page.partition("## AWS")[2].partition("## ")[0]
    for word in (
        "Function URL",
        "`Event`",
        "0 ACU",
        "RotateImmediatelyOnUpdate",
        "one-time schedule",
    ):
        assert word in aws, word


def test_what_live_tries_is_marked(page: str) -> None:
    """Each call that `kioku doctor --live` makes to try something is in a row that says so."""
    marked = "\n".join(line for line in page.splitlines() if line.endswith("| no: `--live` |"))
    source = (ROOT / "bot" / "runtime" / "doctor" / "live.py").read_text("utf-8")
    tried = re.findall(r'"((?:agents|assistant|chat)\.[\w.]+)', source)
    assert len(set(tried)) == 8
    for method in set(tried) - {"chat.postMessage"}:
        assert f"`{method}`" in marked, method


def test_the_riskiest_methods_are_spoken_of(page: str) -> None:
    """Every streaming, agent and posting method of the playground is on the page."""
    methods = {**agents.HANDLERS, **chat.HANDLERS, **streams.HANDLERS, **views.HANDLERS}
    missing = {name for name in methods if f"`{name}`" not in page}
    assert missing <= {
        "agents.sessions.rename",
        "assistant.threads.setTitle",
        "chat.getPermalink",
        "views.open",
        "views.push",
    }
