"""Every example runs as a program and prints what its article shows, up to the model's wording."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import memory
from tests.conftest import ROOT, Server

EXAMPLES = ROOT / "examples"
INTRO = "「LangMemの長期記憶の概要と使い方を理解する」 (noboru-kudo, 2025-02-26)"
AURORA = "「LangMemの長期記憶をPostgreSQL(pgvector)に永続化する」 (noboru-kudo, 2025-03-12)"
OF_NO_ARTICLE = {"memory_library.py"}
NOT_PROGRAMS = {"__init__.py", "environment.py", "durable_queue.py"}
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# The articles' Python listings in order: the article, the first line, the counterpart, and what of
# the listing has to be found in it. The last two need an AWS account (examples/README.md).
LISTINGS = [
    (INTRO, "from pydantic import BaseModel, Field, conint", "memory_manager.py",
     ["UserFoodPreference", "create_memory_manager"]),
    (INTRO, "def print_memory(num: int, memories: list):", "memory_manager.py",
     ["print_memory", "invoke"]),
    (INTRO, "from langgraph.func import entrypoint", "store_manager.py",
     ["UserFoodPreference", "create_memory_store_manager"]),
    (INTRO, "# LangGraphのインメモリストア(BaseStore)生成", "store_manager.py",
     ["InMemoryStore", "entrypoint", "app", "search", "print_memory"]),
    (INTRO, "from langchain.chat_models import init_chat_model", "hot_path.py",
     ["InMemoryStore", "create_memory_store_manager", "init_chat_model", "entrypoint", "app"]),
    (INTRO, "# ---- 長期記憶更新 ----", "hot_path.py", ["invoke", "search"]),
    (AURORA, "class UserTechInterest(BaseModel):", "postgres_store.py", ["UserTechInterest"]),
    (AURORA, "def create_conn_url():", "postgres_store.py",
     ["create_conn_url", "client", "get_secret_value"]),
    (AURORA, "# LangMemのStore Manager", "postgres_store.py",
     ["create_memory_store_manager", "OpenAI"]),
    (AURORA, "def lambda_handler(event, context):", "postgres_store.py",
     ["lambda_handler", "PostgresStore", "from_conn_string", "setup"]),
    (AURORA, "# 3. LangGraph Functional APIのワークフロー", "postgres_store.py",
     ["entrypoint", "app", "search", "responses", "create", "output_text", "manager"]),
    (AURORA, 'body = json.loads(event["body"])', "postgres_store.py",
     ["json", "loads", "invoke"]),
    (AURORA, "# Create Aurora Serverless v2 Cluster", "README.md", ["Aurora Serverless cluster"]),
    (AURORA, "lambda_role = iam.Role(", "README.md", ["Lambda function"]),
]  # fmt: skip

# LangMem with a model's name, as in the articles, leaves `strict` to OpenAI's default.
plain_langmem = pytest.mark.nonconforming

Run = Callable[..., str]


def run_example(name: str, **settings: str) -> str:
    """Run an example to its end and return what it printed; a warning or complaint fails."""
    # langmem 0.0.30 imports trustcall 0.0.39, which imports Send from its old place.
    known = "ignore:Importing Send from langgraph.constants is deprecated:DeprecationWarning"
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": f"error,{known}", **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.fixture
def run(stand_in: Server) -> Run:
    """Runs an example against the tests' stand-in model."""

    def against_stand_in(name: str, **settings: str) -> str:
        return run_example(
            name, OPENAI_BASE_URL=stand_in.openai_base_url, OPENAI_API_KEY="stand-in", **settings
        )

    return against_stand_in


def asked(stand_in: Server) -> list[tuple[str, str]]:
    """What the text models were asked for, in order: the kind of request and the model."""
    return [
        (entry["kind"], entry["body"]["model"])
        for entry in stand_in.call("/_model/journal")["entries"]
        if entry["endpoint"] != "embeddings"
    ]


def parts(printed: str) -> dict[str, str]:
    """What stands below each ``### heading``."""
    found = re.split(r"^### (.*)\n", printed, flags=re.M)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_memory_manager_changes_one_memory_and_marks_the_other() -> None:
    """Ramen is updated under its id, pasta becomes a RemoveDoc; the stand-in started by itself."""
    row = re.compile(rf"^ExtractedMemory\(id='({ID})', content=(.*)\)$", re.M)
    before, after = (
        dict(row.findall(printed)) for printed in parts(run_example("memory_manager")).values()
    )
    keys = {
        name: key for key, text in before.items() for name in re.findall("food_name='(.+?)'", text)
    }
    ramen, pasta = keys["ラーメン"], keys["パスタ"]
    assert before[ramen].startswith(
        "UserFoodPreference(food_name='ラーメン', cuisine='和食', preference=100, description='"
    )
    assert before[pasta].startswith(
        "UserFoodPreference(food_name='パスタ', cuisine='洋食', preference=80, description='"
    )
    assert set(after) == set(before) == {ramen, pasta}
    assert after[ramen].startswith("UserFoodPreference(food_name='ラーメン', ")
    assert "味噌ラーメン" in after[ramen]
    assert after[pasta] == f"RemoveDoc(json_doc_id='{pasta}')"


@plain_langmem
def test_store_manager_updates_a_row_and_deletes_the_other(run: Run) -> None:
    """Ramen keeps its key and becomes miso ramen; pasta is gone from the store."""
    before, after = parts(run("store_manager")).values()
    row = re.compile(
        rf"^Item\(namespace=\['chat', 'MZ0001'\], key='({ID})', "
        r"value=\{'kind': 'UserFoodPreference', 'content': (\{.*\})\}, "
        r"created_at='[^']+', updated_at='[^']+', score=None\)$",
        re.M,
    )
    first = {ast.literal_eval(text)["food_name"]: key for key, text in row.findall(before)}
    assert set(first) == {"ラーメン", "パスタ"}
    ((key, text),) = row.findall(after)
    assert key == first["ラーメン"]
    assert "味噌ラーメン" in ast.literal_eval(text)["description"]
    assert "パスタ" not in after


@pytest.mark.parametrize(
    "name", [pytest.param("memory_tools", marks=plain_langmem), "memory_tools_responses"]
)
def test_memory_tools_are_called_by_the_model(run: Run, name: str) -> None:
    """It remembers, finds and forgets by calls of its own, in a graph and outside."""
    remember, search, forget = parts(run(name)).values()
    assert re.search(r"^call: manage_memory .*create", remember, re.M)
    assert "memories: [{'content': 'I love ramen'}]" in remember
    assert re.search(r"^call: search_memory .*query", search, re.M)
    assert re.search(r"^reply: .*ramen", search, re.M)
    assert re.search(rf"^call: manage_memory .*delete.*{ID}", forget, re.M)
    assert forget.endswith("memories: []\n")


@plain_langmem
def test_prompt_optimizers_add_what_the_feedback_asks_for(run: Run, stand_in: Server) -> None:
    """Each kind keeps the prompt, follows a complaint, and ignores praise.

    For praise the model's answer to `prompt_memory` is an empty text, which replaces no prompt.
    """
    printed = parts(run("prompt_optimizer"))
    before = printed.pop("before")
    assert "{user_name}" in before
    assert list(printed) == [
        f"{kind}, after {feedback}"
        for kind in ("prompt_memory", "metaprompt", "gradient")
        for feedback in ("a complaint", "praise")
    ]
    for heading, prompt in printed.items():
        assert prompt.startswith(before)
        assert ("exactly one dish" in prompt) == heading.endswith("complaint")
    entries = stand_in.call("/_model/journal")["entries"]
    texts = [entry["answer"]["text"] for entry in entries if entry["answer"]["text"]]
    assert [json.loads(text)["new_prompt"] == "" for text in texts] == [False, True]


@plain_langmem
def test_of_several_prompts_the_one_that_fell_short_changes(run: Run) -> None:
    """The writer's prompt learns its limit, the researcher's stays as it was."""
    printed = parts(run("multi_prompt_optimizer"))
    assert printed["researcher: kept"] == "Find facts about {topic}.\n"
    assert "100 words" in printed["writer: changed"]


def test_hot_path_suggests_what_was_said_in_another_conversation(
    run: Run, stand_in: Server
) -> None:
    """Soy sauce ramen is the idea for lunch, and the one memory; the settings name the models."""
    models = {"KIOKU_MEMORY_MODEL": "kioku-stand-in", "KIOKU_REPLY_MODEL": "gpt-6.1-sol"}
    printed = parts(run("hot_path", **models))
    assert "醤油ラーメン" in printed["LLM:"]
    assert re.search(
        rf"^ \[Item\(namespace=\['chat', 'MZ0001'\], key='{ID}', value=\{{'kind': "
        r"'UserFoodPreference', 'content': \{'food_name': '醤油ラーメン', [^}]*\}\}, [^)]*\)\]$",
        printed["Memories:"].rstrip("\n"),
    )
    assert asked(stand_in) == [("reply", "gpt-6.1-sol"), ("formation", "kioku-stand-in")] * 2


@plain_langmem
def test_background_forms_once_after_the_pause(run: Run, stand_in: Server) -> None:
    """Three messages cost one call of the memory model, and nothing is stored before it."""
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


@plain_langmem
def test_durable_background_outlives_the_process_that_took_the_messages(
    run: Run, stand_in: Server, empty_database: str
) -> None:
    """A killed process loses nothing: another one forms the memories, in one run."""
    printed = run("background_durable", DATABASE_URL=empty_database)
    taken, worked = parts(printed).values()
    assert taken.count("– with a new job") == 1
    assert taken.count("– a job is waiting already") == 2
    assert "killed (SIGKILL)" in printed
    first, *contents = worked.splitlines()
    assert first == "one job formed memories of 3 messages"
    assert {ast.literal_eval(line)["food_name"] for line in contents} == {
        "ラーメン",
        "パスタ",
        "お寿司",
    }
    assert asked(stand_in) == [("formation", "gpt-6-luna")]
    with psycopg.connect(empty_database) as connection:
        statuses = connection.execute("SELECT status::text FROM procrastinate_jobs").fetchall()
    assert statuses == [("succeeded",)]


def check_aurora_story(printed: str) -> set[str]:
    """The third answer is personal, the fourth is not; return the keys in `store`."""
    found = re.split(r"^### (.*)\n", printed, flags=re.M)
    headings, bodies = found[1::2], found[2::2]
    assert [heading.split(":")[0] for heading in headings] == [
        *["MZ0001"] * 3,
        "MZ0002",
        "store",
        "store_vectors",
    ]
    _, _, personal, general, rows, vectors = bodies
    interests = {"AIエージェント", "AWS", "Azure"}
    assert all(topic in personal for topic in interests)
    assert not any(topic in general for topic in interests)
    for answer in (personal, general):
        assert len(re.findall(r"^[123]\. ", answer, re.M)) == 3
    stored = re.findall(
        rf"^chat\.MZ0001 ({ID}) (\{{'kind': 'UserTechInterest', .*\}})$", rows, re.M
    )
    assert len(stored) == len(rows.splitlines())
    topics = {ast.literal_eval(value)["content"]["topic"] for _, value in stored}
    assert topics >= interests
    keys = {key for key, _ in stored}
    assert set(re.findall(rf"^chat\.MZ0001 ({ID}) \S+ 1536$", vectors, re.M)) == keys
    return keys


@plain_langmem
def test_postgres_store_brings_its_own_database(run: Run) -> None:
    """Without DATABASE_URL the example starts a PostgreSQL of its own."""
    check_aurora_story(run("postgres_store"))


@plain_langmem
def test_postgres_store_keeps_memories_from_one_program_to_the_next(
    run: Run, empty_database: str, tmp_path: Path
) -> None:
    """A second run tells the same story and adds nothing twice.

    The first finds the database by DATABASE_URL, the second as the article does, by a secret of
    Secrets Manager, whatever the password is.
    """
    keys = check_aurora_story(run("postgres_store", DATABASE_URL=empty_database))
    address = conninfo_to_dict(empty_database)
    secret = {
        "username": address["user"],
        "password": "p@ss:w/rd%25#?",
        "host": address["host"],
        "port": int(str(address["port"])),
        "dbname": address["dbname"],
    }
    (tmp_path / "boto3.py").write_text(
        "class session:\n"
        "    class Session:\n"
        "        def client(self, *, service_name):\n"
        "            assert service_name == 'secretsmanager'\n"
        "            return self\n"
        "        def get_secret_value(self, *, SecretId):\n"
        "            assert SecretId == 'aurora'\n"
        f"            return {{'SecretString': {json.dumps(secret)!r}}}\n"
    )
    settings = {"SECRET_NAME": "aurora", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    assert check_aurora_story(run("postgres_store", **settings)) == keys


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing[1])
def test_every_listing_has_its_counterpart(listing: tuple[str, str, str, list[str]]) -> None:
    """The file named beside a listing cites its article and uses what the listing uses."""
    article, _, counterpart, names = listing
    text = (EXAMPLES / counterpart).read_text(encoding="utf-8")
    if counterpart.endswith(".py"):
        module = ast.parse(text)
        assert article in (ast.get_docstring(module) or "").replace("\n", " ")
        assert set(names) <= identifiers(module)
    else:
        assert all(name in " ".join(text.split()) for name in names)


def identifiers(module: ast.Module) -> set[str]:
    """Every name that the code itself defines, calls or reads."""
    found = set()
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
    return found


def programs() -> list[str]:
    """The files of the folder that are examples."""
    return sorted(one.name for one in EXAMPLES.glob("*.py") if one.name not in NOT_PROGRAMS)


def test_every_example_is_in_the_readme_cites_its_article_and_is_run_here() -> None:
    """A new example comes with its row, its source and its test."""
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[\w+\.py\]\((\w+\.py)\) \|", readme, re.M)) == programs()
    own = Path(__file__).read_text(encoding="utf-8")
    for name in programs():
        assert f'"{name.removesuffix(".py")}"' in own
        if name in OF_NO_ARTICLE:
            continue
        docstring = ast.get_docstring(ast.parse((EXAMPLES / name).read_text("utf-8"))) or ""
        assert INTRO in docstring.replace("\n", " ") or AURORA in docstring.replace("\n", " ")


def test_the_memory_library_works_without_slack(run: Run) -> None:
    """Told, recalled, changed, undone and forgotten, in a plain LangGraph application."""
    printed = parts(run("memory_library"))
    assert printed["told"] == "remembered: ramen\nremembered: Rust\n"
    assert "**ramen**" in printed["asked"]
    assert printed["changed one's mind"] == "removed: ramen\n"
    assert printed["the ledger"] == (
        "formation removed UserFoodPreference\n"
        "formation remembered UserTechInterest\n"
        "formation remembered UserFoodPreference\n"
    )
    assert printed["undone"] == "['Rust', 'ramen']\n"
    assert printed["forgotten, and taken back"] == "2 [] []\n2\n"


def test_the_tutorial_shows_the_program() -> None:
    """Each Python line of the tutorial is one of the example's, and each name it lists is there."""
    tutorial = (ROOT / "docs" / "tutorial-memory-library.md").read_text("utf-8")
    program = (EXAMPLES / "memory_library.py").read_text("utf-8")
    lines = {line.strip() for line in program.splitlines()}
    shown = "".join(re.findall(r"```python\n(.*?)```", tutorial, re.S)).splitlines()
    assert [line for line in shown if line.strip() and line.strip() not in lines] == []
    table = tutorial.split("## Stable names")[1]
    cells = re.findall(r"^\|(.*?)\|", table, re.M)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert len(named) > 30
    assert named <= set(memory.__all__)
