"""A small Bolt app, for Slack or packages/slack-playground; manifest: bolt_app.json."""

import os
from typing import Any

from slack_bolt import Ack, App, Respond, Say
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

url = os.environ.get("SLACK_API_URL", WebClient.BASE_URL)
app = App(client=WebClient(os.environ["SLACK_BOT_TOKEN"], base_url=url))


@app.message("hello")
def hello(message: dict[str, Any], say: Say) -> None:
    """Greet who writes "hello"."""
    say(f"Hello, <@{message['user']}>!")


@app.command("/backwards")
def backwards(ack: Ack, command: dict[str, Any], respond: Respond) -> None:
    """Say the words of the command backwards, to the person alone."""
    ack()
    respond(command["text"][::-1])


if __name__ == "__main__":
    if "SLACK_APP_TOKEN" in os.environ:
        SocketModeHandler(app, os.environ["SLACK_APP_TOKEN"]).start()  # type: ignore[no-untyped-call]
    else:
        app.start(port=int(os.environ.get("PORT", "3000")))
