"""Every example runs as a program and prints what README.md says that it shows."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kioku_stand_in.script import SCRIPT
from tests.conftest import ROOT, Server

ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# LangMem, given a model's name, and LangChain's agents leave `strict` to OpenAI's default.
plain_tools = pytest.mark.nonconforming

Run = Callable[..., str]


def run_example(name: str, *arguments: str, **settings: str) -> str:
    """Run an example to its end and return what it printed; a warning or complaint fails."""
    # langmem 0.0.30 imports trustcall 0.0.39, which imports Send from its old place.
    send = "ignore:Importing Send from langgraph.constants is deprecated:DeprecationWarning"
    # langchain-openai 1.7 keeps its connections until the process ends. Whether that warns depends
    # on what else is imported: with NumPy, which langchain-aws brings, it often does.
    sockets = "ignore:unclosed <socket.socket fd=:ResourceWarning"
    done = subprocess.run(
        [sys.executable, "-m", f"docs.examples.{name}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": f"error,{send},{sockets}", **settings},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.fixture
def run(stand_in: Server) -> Run:
    """Runs an example against the tests' stand-in model."""

    def against_stand_in(name: str, *arguments: str, **settings: str) -> str:
        model = {
            "OPENAI_BASE_URL": stand_in.openai_base_url,
            "OPENAI_API_KEY": "stand-in",
        }
        return run_example(name, *arguments, **model, **settings)

    return against_stand_in


def asked(stand_in: Server) -> list[tuple[str, str]]:
    """What the text models were asked for, in order: the kind of request and the model."""
    return [
        (entry["kind"], entry["body"]["model"])
        for entry in stand_in.call("/_model/journal")["entries"]
        if entry["endpoint"] != "embeddings"
    ]


def parts(printed: str) -> dict[str, str]:
    """The text below each ``### heading``."""
    found = re.split(r"^### (.*)\n", printed, flags=re.M)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_memory_manager_changes_one_memory_and_marks_the_other() -> None:
    """Ramen is updated under its id, pasta becomes a RemoveDoc; the stand-in started by itself."""
    row = re.compile(rf"^({ID}) (.*)$", re.M)
    before, after = (
        dict(row.findall(printed))
        for printed in parts(run_example("memory_manager")).values()
    )
    keys = {
        name: key
        for key, text in before.items()
        for name in re.findall("food_name='(.+?)'", text)
    }
    ramen, pasta = keys["ラーメン"], keys["パスタ"]
    for key, level in ((ramen, 100), (pasta, 80)):
        # The messages name no cuisine and no detail.
        assert f"cuisine=None, preference={level}, description=None" in before[key]
    assert set(after) == set(before) == {ramen, pasta}
    assert "food_name='ラーメン'" in after[ramen]
    assert "味噌ラーメン" in after[ramen]
    assert after[pasta] == f"RemoveDoc(json_doc_id='{pasta}')"


def rows(printed: str) -> dict[str, dict[str, Any]]:
    """The contents of printed rows of a store, by key."""
    found = re.findall(rf"^({ID}) (.*)$", printed, re.M)
    values = {key: ast.literal_eval(value) for key, value in found}
    assert {value["kind"] for value in values.values()} == {"UserFoodPreference"}
    return {key: value["content"] for key, value in values.items()}


@plain_tools
def test_store_manager_updates_a_row_and_deletes_the_other(run: Run) -> None:
    """Ramen keeps its key and becomes miso ramen; pasta is gone from the store."""
    before, after = map(rows, parts(run("store_manager")).values())
    keys = {content["food_name"]: key for key, content in before.items()}
    assert set(keys) == {"ラーメン", "パスタ"}
    assert list(after) == [keys["ラーメン"]]
    assert "味噌ラーメン" in after[keys["ラーメン"]]["description"]


@plain_tools
def test_memory_tools_are_called_by_the_model(run: Run) -> None:
    """The model remembers, finds and forgets by tool calls."""
    remember, search, forget = parts(run("memory_tools")).values()
    assert re.search(r"^call: manage_memory .*create", remember, re.M)
    assert "memories: [{'content': 'I love ramen'}]" in remember
    assert re.search(r"^call: search_memory .*query", search, re.M)
    assert re.search(r"^- .*ramen", search, re.M)
    assert re.search(rf"^call: manage_memory .*delete.*{ID}", forget, re.M)
    assert forget.endswith("memories: []\n")


KINDS = ("prompt_memory", "metaprompt", "gradient")


@plain_tools
def test_prompt_optimizer_prints_what_each_kind_proposes(
    run: Run, stand_in: Server, tmp_path: Path
) -> None:
    """Each kind sends the style and the comment; what the model answers is the proposal."""
    style, comment = "Answer briefly.", "Name exactly one dish."
    row = {
        "question": "Lunch?",
        "answer": "It depends.",
        "rating": "bad",
        "comment": comment,
    }
    rated = tmp_path / "rated.jsonl"
    rated.write_text(json.dumps(row) + "\n", "utf-8")
    printed = parts(run("prompt_optimizer", str(rated), KIOKU_STYLE=style))
    proposed = f"{SCRIPT['replies']['form'][0]}\n"
    assert printed == {
        "before": f"{style}\n",
        **{f"style, by {kind}": proposed for kind in KINDS},
    }
    requests = map(json.dumps, stand_in.call("/_model/journal")["entries"])
    assert sum(style in one and comment in one for one in requests) >= len(KINDS)


def test_hot_path_suggests_what_was_said_in_another_conversation(
    run: Run, stand_in: Server
) -> None:
    """Soy sauce ramen is suggested for lunch, and is the one memory; settings name the models."""
    models = {
        "KIOKU_MEMORY_MODEL": "kioku-stand-in",
        "KIOKU_REPLY_MODEL": "gpt-6.1-sol",
    }
    _, lunch, remembered = parts(run("hot_path", **models)).values()
    assert "醤油ラーメン" in lunch
    assert (
        "醤油ラーメン" in ast.literal_eval(remembered.strip())["content"]["food_name"]
    )
    assert (
        asked(stand_in)
        == [("reply", "gpt-6.1-sol"), ("formation", "kioku-stand-in")] * 2
    )


@plain_tools
def test_background_forms_once_after_the_pause(run: Run, stand_in: Server) -> None:
    """Three messages cost one call of the memory model, and nothing is stored before it."""
    # So slow that LangMem discards one canceled run before the next message.
    stand_in.call("/_model/settings", {"first_token_ms": 1_500})
    printed = parts(run("background"))
    assert "right after the replies: 0 memories" in printed
    foods = printed["after the pause: 1 run"]
    assert {ast.literal_eval(line)["food_name"] for line in foods.splitlines()} == {
        "ラーメン",
        "パスタ",
        "お寿司",
    }
    luna = "gpt-6-luna"
    assert asked(stand_in) == [*[("reply", luna)] * 3, ("formation", luna)]


def check_technology_story(printed: str) -> set[str]:
    """The third answer is personal, the fourth is not; return the keys of the memories."""
    answers = re.findall(r"^### MZ000(\d) .*\n((?:(?!###).*\n)*)", printed, re.M)
    assert [user for user, _ in answers] == ["1", "1", "1", "2"]
    personal, general = (re.findall(r"^- (.+)$", text, re.M) for _, text in answers[2:])
    table = printed.split("### store JOIN store_vectors")[1].splitlines()[1:]
    found = [
        re.fullmatch(rf"chat\.MZ0001 ({ID}) (\{{.*\}}) 1536", line) for line in table
    ]
    values = {row[1]: ast.literal_eval(row[2]) for row in found if row}
    assert len(values) == len(table)
    assert {value["kind"] for value in values.values()} == {"UserTechInterest"}
    topics = {value["content"]["topic"] for value in values.values()}
    assert topics >= {"AIエージェント", "AWS", "Azure"}
    quoted = " ".join(personal)
    assert any(topic in quoted for topic in topics)
    assert general == []
    return set(values)


@plain_tools
def test_postgres_store_brings_its_own_database(run: Run) -> None:
    """Without DATABASE_URL the example starts a PostgreSQL of its own."""
    check_technology_story(run("postgres_store"))


@plain_tools
def test_postgres_store_keeps_memories_from_one_program_to_the_next(
    run: Run, empty_database: str
) -> None:
    """A second run tells the same story and adds nothing twice."""
    keys = check_technology_story(run("postgres_store", DATABASE_URL=empty_database))
    assert (
        check_technology_story(run("postgres_store", DATABASE_URL=empty_database))
        == keys
    )


@plain_tools
def test_the_memory_library_works_without_slack(run: Run) -> None:
    """Told, recalled, forgotten, undone and forgotten again, by an agent of LangChain's."""
    printed = parts(run("memory_library"))
    assert printed["tell"] == "remembered: ramen\nremembered: Rust\n"
    assert "- I love ramen" in printed["ask"]
    assert printed["forget"] == "removed: ramen\n"
    assert printed["the changes"] == (
        "removed UserFoodPreference\n"
        "remembered UserTechInterest\n"
        "remembered UserFoodPreference\n"
    )
    assert printed["undo the newest change"] == "['Rust', 'ramen']\n"
    assert printed["forget everything, and undo it"] == "2 []\n2\n"
