"""A double of a LangGraph server: delayed runs of one graph, and its store.

It speaks what `ReflectionExecutor` uses of the server's API: ``POST /threads/{id}/runs`` and
``POST /store/items/search``. A run waits for `after_seconds`, and with the strategy ``rollback`` it
replaces the run of its thread that waits. Runs are kept in this process: a LangGraph server keeps
them in PostgreSQL.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread, Timer
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langgraph.pregel import Pregel
    from langgraph.store.base import BaseStore


class Server(ThreadingHTTPServer):
    """Serves one graph, by the name of its assistant, on a free port of loopback.

    `runs` are those that have ended.
    """

    daemon_threads = True

    def __init__(self, assistant: str, graph: Pregel[Any, Any, Any, Any], store: BaseStore) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._assistant, self._graph, self._store = assistant, graph, store
        self._waiting: dict[str, Timer] = {}
        self._lock = Lock()
        self.runs = 0

    def create_run(self, thread: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Let the graph run later; None if there is no such assistant."""
        if body["assistant_id"] != self._assistant:
            return None
        timer = Timer(body.get("after_seconds", 0), self._run, (thread, body))
        timer.daemon = True
        with self._lock:
            if body.get("multitask_strategy") == "rollback" and thread in self._waiting:
                self._waiting[thread].cancel()
            self._waiting[thread] = timer
        timer.start()
        now = datetime.now(UTC).isoformat()
        return {
            "run_id": str(uuid4()),
            "thread_id": thread,
            "assistant_id": self._assistant,
            "status": "pending",
            "created_at": now,
            "updated_at": now,
            "metadata": {},
            "multitask_strategy": body.get("multitask_strategy"),
        }

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the items of the store below a namespace, the nearest to the query first."""
        found = self._store.search(
            tuple(body["namespace_prefix"]),
            query=body.get("query"),
            filter=body.get("filter"),
            limit=body.get("limit", 10),
            offset=body.get("offset", 0),
        )
        return {"items": [one.dict() for one in found]}

    def _run(self, thread: str, body: dict[str, Any]) -> None:
        with self._lock:
            self._waiting.pop(thread, None)
        try:
            self._graph.invoke(body["input"], body["config"])
        finally:
            self.runs += 1


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer one request with JSON."""
        server = cast("Server", self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = None
        match self.path.strip("/").split("/"):
            case ["threads", thread, "runs"]:
                answer = server.create_run(thread, body)
            case ["store", "items", "search"]:
                answer = server.search(body)
        missing = {"detail": "Not found"}
        content = json.dumps(missing if answer is None else answer, default=str).encode()
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing for a request."""


@contextmanager
def serving(
    assistant: str, graph: Pregel[Any, Any, Any, Any], store: BaseStore
) -> Iterator[tuple[str, Server]]:
    """Serve a graph in a thread of this process; give the URL and the server."""
    with Server(assistant, graph, store) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server
        finally:
            server.shutdown()
