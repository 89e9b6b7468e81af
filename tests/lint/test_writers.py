"""Decision 47: the modules whose SQL writes a table."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.conftest import ROOT

_WRITE = re.compile(r"\b(?:INSERT INTO|DELETE FROM|UPDATE)\s+([a-z_]+)")
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)")

# The tables that more than one module writes.
WRITERS = {
    "feedback": [
        "bot/conversation/history.py",
        "bot/conversation/turns.py",
        "bot/memories/feedback.py",
        "bot/runtime/backup_commands.py",
    ],
    "forgotten": [
        "bot/runtime/maintenance.py",
        "memory/store/forgetting.py",
        "memory/store/reembedding.py",
    ],
    "forgotten_sources": ["memory/store/erasing.py", "memory/store/forgetting.py"],
    "inbox_events": [
        "bot/conversation/claimed_message.py",
        "bot/conversation/inbox.py",
        "bot/memories/person_data.py",
    ],
    "installations": ["bot/users/installation_store.py", "bot/users/workspaces.py"],
    "kioku_embedding_space": ["memory/postgres/migrate.py", "memory/store/reembedding.py"],
    "listening": ["bot/pipeline/backfill/window.py", "bot/runtime/backup_commands.py"],
    "memory_changes": [
        "memory/store/backups.py",
        "memory/store/dependents.py",
        "memory/store/reembedding.py",
        "memory/store/undo.py",
        "memory/store/unit_of_work.py",
    ],
    "memory_questions": [
        "memory/formation/questions.py",
        "memory/formation/source_changes.py",
        "memory/store/backups.py",
        "memory/store/expiry.py",
    ],
    "notices": [
        "bot/conversation/claimed_message.py",
        "bot/runtime/maintenance.py",
        "bot/users/requests.py",
    ],
    "person_requests": ["bot/runtime/maintenance.py", "bot/users/quotas.py"],
    "processes": ["bot/queue/sweep.py", "bot/runtime/maintenance.py"],
    "procrastinate_jobs": [
        "bot/queue/erasing.py",
        "bot/queue/failed.py",
        "bot/queue/jobs.py",
        "bot/queue/queue.py",
        "bot/queue/sweep.py",
    ],
    "prompt_changes": [
        "bot/memories/person_data.py",
        "bot/runtime/backup_commands.py",
        "bot/users/prompt_versions.py",
    ],
    "prompt_versions": ["bot/runtime/backup_commands.py", "bot/users/prompt_versions.py"],
    "quiet_threads": ["bot/conversation/inbox.py", "bot/memories/tool_undo.py"],
    "slack_erasures": ["bot/memories/slack_deletions.py", "bot/runtime/maintenance.py"],
    "store": ["memory/store/backups.py", "memory/store/rows.py"],
    "token_use": ["bot/runtime/maintenance.py", "bot/users/quotas.py"],
    "turns": [
        "bot/conversation/changed_turns.py",
        "bot/conversation/history.py",
        "bot/conversation/off_record.py",
        "bot/conversation/tool_done.py",
        "bot/conversation/turns.py",
        "bot/conversation/unformed.py",
        "bot/delivery/outbox.py",
        "bot/delivery/sessions.py",
        "bot/runtime/backup_commands.py",
    ],
    "viewed": ["bot/pipeline/viewed_channels.py", "bot/runtime/maintenance.py"],
}


def test_a_table_has_the_writers_that_are_listed() -> None:
    """A second module that writes a table is found, and so is a listed one that no longer does."""
    found = defaultdict(list)
    for table, module in sorted(set(_written())):
        found[table].append(module)
    several = {table: modules for table, modules in found.items() if len(modules) > 1}
    assert several == WRITERS, (
        "The modules that write a table have changed: put a new statement into a module that"
        " writes its table already, and call it from there; if it is of another concern, or a"
        " module writes the table no longer, change WRITERS and docs/decisions/0047."
    )


def _written() -> Iterator[tuple[str, str]]:
    """Yield each table that a string of a module writes, and the module.

    Lists of tables by which persons and workspaces are deleted are compared with the database by
    tests of their own.
    """
    tables = {"store", "store_vectors", "procrastinate_jobs", "procrastinate_workers"}
    for file in [*ROOT.glob("bot/migrations/*.sql"), *ROOT.glob("memory/**/*.sql")]:
        tables.update(_TABLE.findall(file.read_text("utf-8")))
    for tree in ("bot", "memory"):
        for module in (ROOT / tree).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    for table in _WRITE.findall(node.value):
                        if table in tables:
                            yield table, module.relative_to(ROOT).as_posix()
