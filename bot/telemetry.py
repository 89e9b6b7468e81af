"""Switches the telemetry of dependencies off for the whole process."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# Read by langsmith, which langchain-core and langgraph bring along (a trace holds the text of
# messages; LANGSMITH_GATEWAY sends the model's requests to LangSmith), by the OpenTelemetry SDK,
# and by the anthropic client. They are prefixes because releases add new names.
_PREFIXES = ("LANGSMITH_", "LANGCHAIN_", "OTEL_", "ANTHROPIC_OPEN_TELEMETRY")
# Explicitly off, whatever the default is. langsmith reads the first that is set of
# LANGSMITH_TRACING_V2, LANGCHAIN_TRACING_V2, LANGSMITH_TRACING and LANGCHAIN_TRACING.
_OFF = {
    "LANGSMITH_TRACING_V2": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING": "false",
    "LANGSMITH_OTEL_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "ANTHROPIC_OPEN_TELEMETRY": "false",
}


def disable_telemetry(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove every variable that switches telemetry on, and set those that switch it off.

    The app's processes call it before anything reads their environment. A library must not change
    the environment of its caller, so `memory` passes a context without tracing instead.
    """
    for name in [name for name in environment if name.startswith(_PREFIXES)]:
        del environment[name]
    environment.update(_OFF)
