"""A server on loopback, in place of LangSmith, an OpenTelemetry collector or CloudFormation."""

from __future__ import annotations

import json

from tests.loopback import Handler, ThreadServer

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
    """A server on loopback that keeps what it is sent, until `close`."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[str] = []
        requests = self.requests
        bodies = self.bodies

        class Taking(Handler):
            def respond(self) -> None:
                bodies.append(self.body().decode(errors="replace"))
                requests.append(f"{self.command} {self.path}")
                self.answer(200, "application/json", json.dumps(_INFO).encode())

        server = ThreadServer(Taking)
        self.url = server.url
        self.close = server.close

    def settings(self, *names: str) -> dict[str, str]:
        """Return an environment that names this server everywhere, with `names` switched on."""
        return {
            **dict.fromkeys(
                (
                    "LANGSMITH_ENDPOINT",
                    "LANGCHAIN_ENDPOINT",
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                ),
                self.url,
            ),
            **dict.fromkeys(("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"), "lsv2_test"),
            **dict.fromkeys(names, "true"),
        }
