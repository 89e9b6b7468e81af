"""Model servers that others wrote, as processes on ports of the loopback interface."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.loopback import call, free_port
from tests.real_servers.setup import MISSING, PYTHON, is_installed
from tests.waiting import wait_until

LLAMA_MODEL = "smollm2"
LITELLM_KEY = "sk-loopback-only"
_LLAMA_SERVER = Path(__file__).with_name("llama_server.py")
_END_SECONDS = 60
# All that a chat template needs. The model's own one shows the tools, whose 1,000 tokens take
# longer to read than everything else. The model goes on with words that are put into its mouth: by
# itself it would often end at once.
CHAT_TEMPLATE = """
{%- for message in messages %}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{%- endfor %}
{%- if add_generation_prompt %}
<|im_start|>assistant
I think that{% endif %}"""
# As those of Mistral's models: the roles alternate, calls of tools apart.
ALTERNATING_TEMPLATE = (
    """
{%- set state = namespace(asked=false) %}
{%- for message in messages if message.role == 'user'
   or (message.role == 'assistant' and message.content) %}
{%- if (message.role == 'user') == state.asked %}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- set state.asked = not state.asked %}
{%- endfor %}"""
    + CHAT_TEMPLATE
)


class LlamaServer:
    """llama.cpp's server with a model of 135 million parameters; it may be killed and run again.

    `options` are those of `llama_server.py`.
    """

    def __init__(self, *options: str) -> None:
        if not is_installed():
            pytest.fail(MISSING, pytrace=False)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._command = [str(PYTHON), str(_LLAMA_SERVER), str(self.port), *options]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "llama.cpp's server did not start."

    def kill(self) -> None:
        """End the process as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_END_SECONDS)
            self._process.stdout.close()  # type: ignore[union-attr]
            self._process = None


@contextmanager
def llama_server(*options: str) -> Iterator[LlamaServer]:
    """Run llama.cpp's server meanwhile."""
    server = LlamaServer(*options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def litellm_proxy(
    folder: Path, models: Mapping[str, str], server: str
) -> Iterator[str]:
    """Run LiteLLM's proxy in front of the server at an address; yields its own.

    `models` names LiteLLM's model, with the prefix of its provider, for each name that is asked.
    """
    port = free_port()
    listed = []
    for name, model in models.items():
        where = {"model": model, "api_base": server, "api_key": "none"}
        listed.append({"model_name": name, "litellm_params": where})
    settings = {
        "model_list": listed,
        "general_settings": {"master_key": LITELLM_KEY},
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    config = folder / "litellm.yaml"
    config.write_text(yaml.safe_dump(settings), "utf-8")
    litellm = PYTHON.with_name("litellm")
    command = [str(litellm), "--config", str(config), "--port", str(port)]
    # Without the setting it fetches a list of prices when it starts.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with (folder / "litellm.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1"], stdout=log, stderr=log, env=environment
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _is_alive(url, process), "LiteLLM's proxy")
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(_END_SECONDS)


def _is_alive(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "LiteLLM's proxy has ended."
    try:
        call(f"{url}/health/liveliness")
    except OSError:
        return False
    return True
