"""Runs the collected tests in forks of the process that has collected them: ``--workers 4``.

Importing Kioku and the tests takes six seconds of a processor, and what the fork server preloads
three more: they are spent once, not in each worker. A worker runs one module after the other, those
with the most work first, and sends pytest's own reports back.
"""

from __future__ import annotations

import gc
import os
import random
from collections import deque
from itertools import groupby
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests import fork_server
from tests.conformance import plugin

Module: TypeAlias = list[pytest.Item]
_LONGEST = ("test_memory_machine.py", "test_several_workspaces.py", "test_fixtures.py")  # few tests


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--workers", type=int, default=0, help="number of processes for the tests")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run all tests in forks; None lets pytest run them in this process."""
    number = session.config.option.workers
    if not number or session.config.option.collectonly or session.testsfailed:
        return None
    fork_server.preload()
    gc.collect()
    gc.freeze()
    modules = [[*items] for _, items in groupby(session.items, lambda item: item.path)]
    modules.sort(key=lambda module: (module[0].path.name in _LONGEST, len(module)), reverse=True)
    folder: Path = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    controller = _Controller(session, modules)
    for one in range(number):
        controller.start(folder / f"worker{one}")
    controller.run()
    return True


class _Worker:
    """Runs the modules that it is told the numbers of, and reports each test."""

    def __init__(self, session: pytest.Session, modules: list[Module], pipe: Connection) -> None:
        self._session, self._config, self._pipe = session, session.config, pipe
        self._modules = modules

    def run(self, folder: Path) -> None:
        """Run until no module is left, and end the worker's session."""
        random.seed()  # workers with equal numbers would take the same ports
        folder.mkdir()
        self._config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]
        manager = self._config.pluginmanager
        capture: Any = manager.get_plugin("capturemanager")
        capture.stop_global_capturing()
        fork_server.fork()
        capture.start_global_capturing()
        manager.unregister(name="terminalreporter")
        manager.register(self)
        module = self._asked()
        while module:
            following = self._asked()  # a fixture that the next test uses stays
            after: list[pytest.Item | None] = [*module[1:], following[0] if following else None]
            for item, next_item in zip(module, after, strict=True):
                if not self._session.shouldfail:
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
            module = following
        self._config.hook.pytest_sessionfinish(session=self._session, exitstatus=0)
        self._config._ensure_unconfigure()
        self._pipe.send(("end", plugin.counts()))

    def _asked(self) -> Module:
        self._pipe.send(("next", None))
        number = self._pipe.recv()
        return [] if number is None else self._modules[number]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test begins."""
        self._pipe.send(("begin", nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a report."""
        hook = self._config.hook
        data = hook.pytest_report_to_serializable(config=self._config, report=report)
        self._pipe.send(("report", data))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        """Say that a test has ended."""
        self._pipe.send(("finish", (nodeid, location)))


class _Controller:
    """Gives modules to workers, and their reports to pytest."""

    def __init__(self, session: pytest.Session, modules: list[Module]) -> None:
        self._session, self._hook = session, session.config.hook
        self._modules = modules
        self._left = deque(range(len(modules)))
        self._runs: dict[Connection, str] = {}
        self._pids: list[int] = []

    def start(self, folder: Path) -> None:
        """Fork a worker."""
        ours, theirs = Pipe()
        if pid := os.fork():
            theirs.close()
            self._runs[ours] = ""
            self._pids.append(pid)
            return
        try:
            for one in (ours, *self._runs):
                one.close()
            _Worker(self._session, self._modules, theirs).run(folder)
        finally:
            os._exit(0)

    def run(self) -> None:
        """Run until every worker has ended."""
        while self._runs:
            for worker in wait([*self._runs]):
                assert isinstance(worker, Connection)
                try:
                    what, data = worker.recv()
                except (EOFError, ConnectionResetError):
                    what, data = "lost", self._runs[worker]
                self._take(worker, what, data)
        for pid in self._pids:
            os.waitpid(pid, 0)
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)

    def _take(self, worker: Connection, what: str, data: Any) -> None:
        config = self._session.config
        match what:
            case "next":
                worker.send(self._left.popleft() if self._left else None)
            case "begin":
                self._runs[worker] = data
            case "report":
                report = self._hook.pytest_report_from_serializable(config=config, data=data)
                self._hook.pytest_runtest_logreport(report=report)
                if self._session.shouldfail:
                    self._left.clear()
            case "finish":
                self._hook.pytest_runtest_logfinish(nodeid=data[0], location=data[1])
            case "end":
                plugin.add_counts(data)
                del self._runs[worker]
            case "lost":
                del self._runs[worker]
                why = f"The worker of {data or 'no test'} ended."
                report = pytest.TestReport(data, (data, 0, data), {}, "failed", why, "call")
                self._hook.pytest_runtest_logreport(report=report)
