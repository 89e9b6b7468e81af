"""A double in a thread: what it holds, and the program of the README."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError

import openai
import pytest

from openai_double.testing import Double

README = Path(__file__).parents[1] / "README.md"


def wait_for_held(double: Double, number: int) -> None:
    """Wait until `number` requests are held."""
    while double.call("journal")["held"] != number:
        threading.Event().wait(0.02)


def test_program_of_the_readme_passes(tmp_path: Path) -> None:
    """The first block of the README is a test, and passes as it is."""
    [program, *_] = re.findall(
        r"^```python\n(.+?)^```", README.read_text("utf-8"), re.M | re.S
    )
    (tmp_path / "test_hello.py").write_text(program, "utf-8")
    plugin = ("-p", "openai_double.pytest_plugin")
    options = ("-q", "-W", "error", *plugin, "-p", "no:asyncio")
    command = [sys.executable, "-m", "pytest", *options, "test_hello.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_mistake_in_a_script_is_explained(openai_double: Double) -> None:
    """The sentence of the double is below the error that pytest shows."""
    with pytest.raises(HTTPError) as raised:
        openai_double.call("script", {"output": {"refusal": "No."}})
    [note] = raised.value.__notes__
    assert "output.refusal: Extra inputs are not permitted." in note


def test_held_request_is_answered_after_its_release(openai_double: Double) -> None:
    """`release` lets a request go on to its script; one whose client has gone ends before."""
    asked = '{"model": "gpt-6-luna", "input": "wait for it"}'
    with (
        openai.OpenAI(base_url=openai_double.base_url, api_key="any") as client,
        closing(HTTPConnection(openai_double.url.removeprefix("http://"))) as leaving,
        ThreadPoolExecutor(1) as threads,
    ):
        openai_double.call("faults", {"hold": True, "match": "wait", "times": 2})
        openai_double.call("script", {"output": {"text": "Done."}})
        leaving.request("POST", "/v1/responses", asked, {"authorization": "Bearer any"})
        wait_for_held(openai_double, 1)
        leaving.close()
        wait_for_held(openai_double, 0)
        answered = threads.submit(
            client.responses.create, model="gpt-6-luna", input="wait for it"
        )
        wait_for_held(openai_double, 1)
        assert not answered.done()
        openai_double.call("release", {})
        assert answered.result(30).output_text == "Done."
        answer = client.responses.create(model="gpt-6-luna", input="hello")
        assert answer.output_text == "No script answers this request."
        entries = openai_double.call("journal")["entries"]
        assert [one["status"] for one in entries] == [0, 200, 200]
