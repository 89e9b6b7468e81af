"""The long fault runs, judged from what Slack saw: ``python -m tests.soak [PART …]``.

Two processes, one by Socket Mode and one by HTTP, serve a playground.
The parts: ``trouble`` (people write while everything breaks) and ``fuzz`` (mutated payloads); both
where none is named. One table at the end; the exit code is 1 on any violation.
``SOAK_SEED`` repeats the choices, though not the timing; ``SOAK_LOGS`` names a folder for the app's
logs; ``SOAK_SCALE`` (1) makes all of it shorter.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bot.queue.migrations import QUEUE_ROLE, migrations
from memory import EmbeddedPostgres, migrate
from tests import fork_server
from tests.conftest import SPACE, open_playground, remove_settings
from tests.e2e.app import running
from tests.kioku_process import fresh
from tests.soak.fuzz import SETTINGS, Fuzz
from tests.soak.stage import stage
from tests.soak.table import Table, tell
from tests.soak.trouble import Plan, Trouble

TROUBLE = Plan(
    people=50, messages=1050, writing=300.0, kills=24, restarts=6, settling=120.0, quiet=8.0
)


class Runs:
    """Both parts, over one PostgreSQL server."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path, seed: int, scale: float) -> None:
        self._postgres = postgres
        self._folder = folder
        self._seed = seed
        self._scale = scale
        self.table = Table()
        self.parts: dict[str, Callable[[], None]] = {
            "trouble": self.trouble,
            "fuzz": self.fuzz,
        }

    def trouble(self) -> None:
        """Everything breaks while people write."""
        tell("-- trouble")
        self._postgres.ensure_database("trouble")
        conninfo = self._postgres.dsn("trouble")
        migrate(conninfo, SPACE, migrations())
        folder = self._folder / "trouble"
        with stage(self._postgres, conninfo, folder, fresh, KIOKU_FORMATION_DELAY="2") as staged:
            staged.fleet.begin("")
            self.table.part("Trouble: everything breaks while 50 people write")
            Trouble(staged, TROUBLE.scaled(self._scale), self._seed).run(self.table)

    def fuzz(self) -> None:
        """Twenty thousand mutated requests at every HTTP entry point of one process."""
        self._postgres.ensure_database("fuzz")
        conninfo = self._postgres.dsn("fuzz")
        login = self._postgres.login_dsn("fuzz")
        migrate(conninfo, SPACE, migrations(), login=login, roles=[QUEUE_ROLE])
        (self._folder / "fuzz").mkdir(exist_ok=True)
        log = self._folder / "fuzz" / "app.log"
        with (
            open_playground() as slack,
            running(slack, conninfo, "http", log, **SETTINGS) as app,
        ):
            self.table.part("Fuzz: mutated payloads at every entry point")
            Fuzz(app, self._seed).run(self.table, round(20_000 * self._scale))


def _end(*_: Any) -> NoReturn:
    raise SystemExit("The run was ended before it could be judged.")


def main(parts: Sequence[str]) -> int:
    """Run them; 0 where nothing was found."""
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
                runs = Runs(postgres, folder, seed, scale)
                for part in parts or runs.parts:
                    runs.parts[part]()
        finally:
            fork_server.close()
            if keep:
                for log in folder.glob("*/*.log"):
                    target = Path(keep) / log.relative_to(folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(log, target)
    runs.table.show()
    return 1 if runs.table.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
