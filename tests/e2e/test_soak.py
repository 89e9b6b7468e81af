"""The minute form of the long fault run: ``python -m tests.soak`` runs the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.databases import fresh_database
from tests.kioku_process import forked
from tests.soak.stage import stage
from tests.soak.table import Table, tell
from tests.soak.trouble import Plan, Trouble

pytestmark = pytest.mark.slow

# It ends once all is quiet: a busy machine needs minutes, an idle one seconds.
PLAN = Plan(
    people=12,
    messages=150,
    writing=20.0,
    kills=4,
    restarts=1,
    suspensions=1,
    settling=600.0,
    quiet=2.0,
)


@pytest.mark.failed_calls(
    "chat.stopStream: message_not_in_streaming_state",
    "chat.delete: cant_delete_message",
    "chat.appendStream: message_not_found",
    "chat.stopStream: message_not_found",
    "chat.delete: message_not_found",
    "chat.appendStream: message_not_in_streaming_state",
    because="Workers that were killed leave streams that run, and two may end one.",
)
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_done_twice_while_everything_breaks(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Two processes are killed, PostgreSQL too, Slack and the model fail: no harm."""
    table, seed = Table(), random.randrange(10_000)
    tell(f"seed {seed}")  # also of a run that breaks off
    with (
        fresh_database(postgres) as conninfo,
        stage(
            postgres, conninfo, tmp_path / "app", forked, KIOKU_FORMATION_DELAY="1"
        ) as staged,
    ):
        staged.fleet.begin("")
        Trouble(staged, PLAN, seed).run(table)
    table.show()
    assert table.violations == 0
