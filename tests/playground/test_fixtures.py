"""The fixtures of pytest in both doubles, and the programs of their READMEs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import openai
import pytest
from slack_sdk import WebClient

from openai_double import testing as model
from slack_playground import testing as slack
from tests.readme import DOUBLES, written
from tests.waiting import wait_until


@pytest.mark.parametrize("distribution", DOUBLES)
def test_readme_program_passes_with_the_plugin(distribution: str, tmp_path: Path) -> None:
    """The first block of the README is a test, and passes as it is."""
    plugin = f"{DOUBLES[distribution]}.pytest_plugin"
    program, _ = written(distribution, tmp_path)
    options = ("-q", "-p", plugin, "-p", "no:langsmith_plugin", "-p", "no:asyncio")
    command = [sys.executable, "-W", "error", "-m", "pytest", *options, program.name]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_click_without_an_app_is_not_acknowledged() -> None:
    """A person sees a message with a button, and the click says that no app took it."""
    button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
    blocks = [{"type": "actions", "elements": [button]}]
    manifest = Path(slack.__file__).with_name("app_manifest.json")
    with slack.running(manifest) as playground:
        ben = playground.person("Ben")
        client = WebClient(playground.bot_token, base_url=playground.api_url)
        channel = client.conversations_open(users=ben.id)["channel"]["id"]
        client.chat_postMessage(channel=channel, text="Shall I?", blocks=blocks)
        assert ben.click(ben.sees("Shall I?"), "go")["ok"] is False
        with pytest.raises(AssertionError, match="without a message with 'Yes'"):
            ben.sees("Yes", seconds=0)


def test_held_request_is_answered_after_its_release() -> None:
    """`release` lets a request go on to its script; one whose client has gone ends before."""
    asked = '{"model": "gpt-6-luna", "input": "wait for it"}'
    with (
        model.running() as double,
        openai.OpenAI(base_url=double.base_url, api_key="any") as client,
        closing(HTTPConnection(double.url.removeprefix("http://"))) as leaving,
        ThreadPoolExecutor(1) as threads,
    ):
        double.hold(match="wait", times=2)
        double.script("Done.")
        leaving.request("POST", "/v1/responses", asked, {"authorization": "Bearer any"})
        double.wait_for_held()
        leaving.close()
        wait_until(lambda: not double.call("journal")["held"])
        answered = threads.submit(client.responses.create, model="gpt-6-luna", input="wait for it")
        double.wait_for_held()
        assert (answered.done(), len(double.requests)) == (False, 1)
        double.release()
        assert answered.result(30).output_text == "Done."
        assert [one["status"] for one in double.requests] == [0, 200]


def test_failed_request_has_the_status_of_its_fault() -> None:
    """`fail` lets one request fail; the next one gets the answer that no script gives."""
    with (
        model.running() as double,
        openai.OpenAI(base_url=double.base_url, api_key="any", max_retries=0) as client,
    ):
        double.fail(status=503)
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model="gpt-6-luna", input="hello")
        answer = client.responses.create(model="gpt-6-luna", input="hello")
        assert answer.output_text == "No script answers this request."
