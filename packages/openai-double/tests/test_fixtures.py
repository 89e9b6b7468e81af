"""The fixture of pytest, what it holds and fails, and the program of the README."""

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


def test_program_of_the_readme_passes(tmp_path: Path) -> None:
    """The first block of the README is a test, and passes as it is."""
    [program, *_] = re.findall(
        r"^```python\n(.+?)^```", README.read_text("utf-8"), re.M | re.S
    )
    (tmp_path / "test_hello.py").write_text(program, "utf-8")
    options = (
        "-q",
        "-W",
        "error",
        "-p",
        "openai_double.pytest_plugin",
        "-p",
        "no:asyncio",
    )
    command = [sys.executable, "-m", "pytest", *options, "test_hello.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_mistake_in_a_script_is_explained(openai_double: Double) -> None:
    """The sentence of the double is below the error that pytest shows."""
    with pytest.raises(HTTPError) as raised:
        openai_double.script({"refusal": "No."})
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
        openai_double.hold(match="wait", times=2)
        openai_double.script("Done.")
        leaving.request("POST", "/v1/responses", asked, {"authorization": "Bearer any"})
        openai_double.wait_for_held()
        leaving.close()
        while openai_double.call("journal")["held"]:
            threading.Event().wait(0.02)
        answered = threads.submit(
            client.responses.create, model="gpt-6-luna", input="wait for it"
        )
        openai_double.wait_for_held()
        assert (answered.done(), len(openai_double.requests)) == (False, 1)
        openai_double.release()
        assert answered.result(30).output_text == "Done."
        assert [one["status"] for one in openai_double.requests] == [0, 200]


def test_failed_request_has_the_status_of_its_fault(openai_double: Double) -> None:
    """`fail` lets one request fail; the next one gets the answer that no script gives."""
    with openai.OpenAI(
        base_url=openai_double.base_url, api_key="any", max_retries=0
    ) as client:
        openai_double.fail(status=503)
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model="gpt-6-luna", input="hello")
        answer = client.responses.create(model="gpt-6-luna", input="hello")
        assert answer.output_text == "No script answers this request."
