"""The long run, judged from what Slack saw: ``python -m tests.soak``.

Two processes, one by Socket Mode and one by HTTP, serve a playground; people write while everything
breaks. One table at the end; the exit code is 1 on any violation. ``SOAK_SEED`` repeats the
choices, though not the timing; ``SOAK_LOGS`` names a folder for the app's logs; ``SOAK_SCALE`` (1)
makes all of it shorter.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from bot.queue.queue import migrations
from memory import EmbeddedPostgres, migrate
from tests import fork_server
from tests.conftest import remove_settings
from tests.databases import SPACE
from tests.kioku_process import fresh
from tests.soak.stage import stage
from tests.soak.table import Table, tell
from tests.soak.trouble import Plan, Trouble

TROUBLE = Plan(
    people=50,
    messages=1050,
    writing=300.0,
    kills=24,
    restarts=6,
    suspensions=8,
    settling=120.0,
    quiet=8.0,
)


def trouble(postgres: EmbeddedPostgres, folder: Path, seed: int, scale: float) -> Table:
    """Let everything break while people write; return what was found."""
    postgres.ensure_database(folder.name)
    conninfo = postgres.dsn(folder.name)
    migrate(conninfo, SPACE, migrations())
    table = Table()
    with stage(postgres, conninfo, folder, fresh, KIOKU_FORMATION_DELAY="2") as staged:
        staged.fleet.begin("")
        Trouble(staged, TROUBLE.scaled(scale), seed).run(table)
    return table


def _end(*_: Any) -> NoReturn:
    raise SystemExit("The run was ended before it could be judged.")


def main() -> int:
    """Run it; 0 where nothing was found."""
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(10_000))
    scale = float(os.environ.get("SOAK_SCALE") or 1)
    keep = os.environ.get("SOAK_LOGS")
    signal.signal(signal.SIGTERM, _end)
    remove_settings()
    tell(f"SOAK_SEED={seed}")
    with tempfile.TemporaryDirectory(prefix="kioku-soak-") as name:
        folder = Path(name)
        try:
            with EmbeddedPostgres(folder / "postgres") as postgres:
                table = trouble(postgres, folder / "trouble", seed, scale)
        finally:
            fork_server.close()
            if keep:
                for log in folder.glob("*/*.log"):
                    target = Path(keep) / log.relative_to(folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(log, target)
    table.show()
    return 1 if table.violations else 0


if __name__ == "__main__":
    sys.exit(main())
