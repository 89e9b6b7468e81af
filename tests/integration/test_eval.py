"""`python -m bench.evals`: the real formation path, with a model that says what the test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.evals.report import Report
from bench.evals.run import Options, measured
from bot.config import Settings, load_settings
from tests.databases import SPACE
from tests.integration.scripted_model import Call, ScriptedModel, fact, patch, remove

pytestmark = pytest.mark.slow

KEPT = """
[kept.en-01]
messages = ["I could eat soba every day."]
keep = [{ kind = "UserFoodPreference", says = ["soba"], level = [60, 100] }]
"""
NOT_KEPT = """
[not_kept.en-02]
messages = ["Do people like soba?"]
"""
CHANGED = """
[changed.en-03]
existing = [{ name = "home", kind = "UserFact", content = { fact = "Lives in Leeds" } }]
messages = ["We moved to York.", "It is lovely."]
change = [{ name = "home", says = ["york"] }]
"""
TAKEN_BACK = """
[taken_back.en-04]
existing = [
  { name = "chess", kind = "UserFact", content = { fact = "Plays chess" } },
  { name = "cat", kind = "UserFact", content = { fact = "Has a cat" } },
]
messages = ["Forget that I play chess."]
remove = ["chess"]
"""
UNTIL = """
[until.en-05]
zone = "Asia/Tokyo"
question = "Are you in Osaka?"
messages = ["Yes, for two more days."]
keep = [{ says = ["osaka"], until = "+2" }]
"""


def folder(path: Path, *cases: str) -> Path:
    """Write the cases to a folder of their own."""
    made = path / "cases"
    made.mkdir(exist_ok=True)
    (made / "en.toml").write_text("\n".join(cases), "utf-8")
    return made


def settings(database: str, address: str, **more: str) -> Settings:
    """Return settings with that database and that model."""
    given = {
        "DATABASE_URL": database,
        "OPENAI_BASE_URL": address,
        "KIOKU_MEMORY_MODEL": "scripted",
        "KIOKU_EMBEDDING_MODEL": SPACE.model,
    }
    return load_settings({**given, **more}, dotenv=None)


async def run(database: str, model: ScriptedModel, cases: Path, **options: Any) -> Report:
    """Run cases one after the other, without waiting where the model fails."""
    chosen = Options(cases=cases, concurrency=1, pauses=(), **options)
    return await measured(settings(database, model.base_url), chosen)


def left(database: str) -> int:
    """Return how many memories of invented people there are."""
    with psycopg.connect(database) as owner:
        found = owner.execute("SELECT count(*) FROM store WHERE prefix LIKE 'chat.TEVAL.%'")
        [count] = found.fetchone() or (-1,)
    return int(count)


SOBA: Call = (
    "UserFoodPreference",
    {"food_name": "soba", "preference": 90, "evidence": "I could eat soba every day."},
)


@pytest.mark.usefixtures("within_an_hour")
async def test_cases_of_all_classes_pass_when_the_model_is_right(
    model: ScriptedModel, database: str, tmp_path: Path
) -> None:
    """Existing memories, several messages, a question of ours, a zone and an end."""
    end = (datetime.now(UTC) + timedelta(hours=9, days=2)).date()
    model.answer(
        [SOBA],
        [],
        lambda shown: [
            patch(shown.id_of("Leeds"), fact="Lives in York", evidence="We moved to York.")
        ],
        lambda shown: [remove(shown.id_of("chess"))],
        [fact("Is in Osaka", "Yes, for two more days.")],
    )
    replaced, until = {0: {"conflict": "replaces"}}, {0: {"valid_until": end.isoformat()}}
    model.verdicts += [{}, replaced, {}, until]
    report = await run(
        database, model, folder(tmp_path, KEPT, NOT_KEPT, CHANGED, TAKEN_BACK, UNTIL)
    )
    assert report.failed() == []
    assert [one.score.found for one in report.results if one.score] == [1, 0, 1, 1, 1]
    assert left(database) == 0


async def test_what_the_model_gets_wrong_is_counted(
    model: ScriptedModel, database: str, tmp_path: Path
) -> None:
    """A missed memory, an invented one, and one removed that nobody took back."""
    model.answer(
        [],
        [("UserFact", {"fact": "People like soba", "evidence": "Do people like soba?"})],
        lambda shown: [remove(shown.id_of("cat"))],
    )
    report = await run(database, model, folder(tmp_path, KEPT, NOT_KEPT, TAKEN_BACK))
    assert report.failed() == [
        "en-01: not kept: soba",
        'en-02: remembered UserFact {"fact": "People like soba"}',
        "en-04: not removed: chess; removed cat",
    ]
    row = report.table().splitlines()[-1]
    cells = [cell.strip() for cell in row.split("|")[1:7]]
    assert cells == ["all", "3", "0", "0.000", "0.000", "1"]
    assert left(database) == 0
