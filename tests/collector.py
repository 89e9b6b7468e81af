"""A telemetry server on loopback, in place of LangSmith and of an OpenTelemetry collector."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TRUE_NAMES = (
    "LANGSMITH_TRACING_V2",
    "LANGCHAIN_TRACING_V2",
    "LANGSMITH_TRACING",
    "LANGCHAIN_TRACING",
    "LANGCHAIN_HANDLER",
)

_INFO = {
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "size_limit_bytes": 20_000_000,
        "scale_up_qsize_trigger": 1_000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    },
    "instance_flags": {"zstd_compression_enabled": False},
}


class Collector:
    """A telemetry server on loopback that keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[str] = []
        requests, bodies = self.requests, self.bodies

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                sent = self.rfile.read(int(self.headers.get("content-length") or 0))
                bodies.append(sent.decode(errors="replace"))
                requests.append(f"{self.command} {self.path}")
                body = json.dumps(_INFO).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_PUT = do_HEAD = _take  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def settings(self, *names: str) -> dict[str, str]:
        """Return an environment that names this server everywhere, with `names` switched on."""
        return {
            **dict.fromkeys(
                ("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
                self.url,
            ),
            **dict.fromkeys(("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"), "lsv2_test"),
            **dict.fromkeys(names, "true"),
        }
