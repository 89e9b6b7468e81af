"""A small Bolt app that shows everything the page must be able to show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.manifest import Command, read_manifest
from slack_playground.server import serve
from slack_playground.slack import APP_TOKEN, BOT_TOKEN, Slack
from tests.conftest import ROOT
from tests.playground import Playground

Json = dict[str, Any]


def text(content: str, kind: str = "plain_text") -> Json:
    """A text object."""
    return {"type": kind, "text": content}


def option(value: str, label: str | None = None) -> Json:
    """An option of a menu."""
    return {"text": text(label or value.title()), "value": value}


def confirm(question: str) -> Json:
    """A confirmation dialog."""
    return {
        "title": text("Are You Sure?"),
        "text": text(question),
        "confirm": text("Do It"),
        "deny": text("Leave It"),
        "style": "danger",
    }


def element(kind: str, action_id: str, **more: Any) -> Json:
    """An interactive element."""
    return {"type": kind, "action_id": action_id, **more}


def button(action_id: str, label: str, **more: Any) -> Json:
    """A button."""
    return element("button", action_id, text=text(label), **more)


def section(words: str, **more: Any) -> Json:
    """A section of mrkdwn."""
    return {"type": "section", "text": text(words, "mrkdwn"), **more}


def asking(name: str, label: str, asked: Json, **more: Any) -> Json:
    """An input block."""
    return {
        "type": "input",
        "block_id": name,
        "label": text(label),
        "element": asked,
        **more,
    }


MARKDOWN = """## Three things to try
1. **Vector search** with `pgvector`, see [the docs](https://example.org/pgvector)
2. _Agents_ that remember
   - and forget ~~nothing~~ on request
3. 日本語の改行も
   きれいに

| Topic | Why | Stars |
|---|---|---:|
| AWS | you asked | 5 |
| Azure | 比較のため | 4 |

```python
async def recall(person: Person) -> list[Memory]:
    return await memories(person)
```
> A quote. <script>alert(1)</script> <img src=x onerror=alert(2)>

[not followed](javascript:alert(3)) and https://example.org/path
"""

BLOCKS: list[Json] = [
    {"type": "header", "text": text("Everything Slack can show")},
    section(
        "*Bold*, _italic_, ~struck~, `code`, <https://example.org|a link>,"
        " <mailto:a@example.org>,"
        " :ramen: and <javascript:alert(1)|no link>"
        " _(<!date^1795132800^{date_short} {time}|some day>)_\n"
        "&gt; quoted &lt;b&gt;\n• one\n• two"
    ),
    section(
        "Choose a *city*",
        accessory=element(
            "static_select",
            "city",
            placeholder=text("A city"),
            options=[option("kyoto"), option("berlin"), option("lima")],
        ),
    ),
    {
        "type": "section",
        "fields": [
            text("*Status*\nOpen", "mrkdwn"),
            text("*Owner*\nAya", "mrkdwn"),
            text("*Since*\n2026-11-20", "mrkdwn"),
            text("*記憶*\n12件", "mrkdwn"),
        ],
    },
    section(
        "With a menu of more",
        accessory=element(
            "overflow",
            "more",
            options=[option("edit"), option("history"), option("forget")],
        ),
    ),
    asking("find", "Find", element("plain_text_input", "find"), dispatch_action=True),
    {"type": "divider"},
    {
        "type": "actions",
        "elements": [
            button("plain", "Plain", value="1"),
            button("open_form", "Open Form", style="primary"),
            button(
                "danger",
                "Danger",
                style="danger",
                confirm=confirm("It cannot be undone."),
            ),
            button("away", "Link", url="https://example.org/away"),
            element("datepicker", "day", initial_date="2026-11-20"),
        ],
    },
    {
        "type": "actions",
        "elements": [
            element(
                "checkboxes",
                "boxes",
                options=[option("news"), option("alerts")],
                initial_options=[option("news")],
            ),
            element(
                "radio_buttons", "radios", options=[option("daily"), option("weekly")]
            ),
        ],
    },
    {
        "type": "image",
        "image_url": "https://example.org/cat.png",
        "alt_text": "A cat asleep",
        "title": text("From elsewhere"),
    },
    {
        "type": "table",
        "column_settings": [{"align": "left"}, {"align": "right"}],
        "rows": [
            [text("Food", "raw_text"), text("Score", "raw_text")],
            [text("ラーメン", "raw_text"), text("90", "raw_text")],
        ],
    },
    {"type": "card", "title": "A block of tomorrow"},
    {
        "type": "context",
        "elements": [
            {
                "type": "image",
                "image_url": "https://example.org/a.png",
                "alt_text": "A face",
            },
            text("AI-generated: it *may* be wrong.", "mrkdwn"),
        ],
    },
    {
        "type": "context_actions",
        "elements": [
            element(
                "feedback_buttons",
                "feedback",
                positive_button=option("up", "Good Answer"),
                negative_button=option("down", "Bad Answer"),
            )
        ],
    },
]

FORM: Json = {
    "type": "modal",
    "callback_id": "form",
    "title": text("New Memory"),
    "submit": text("Save"),
    "close": text("Cancel"),
    "blocks": [
        section("What should I remember about *you*?"),
        asking(
            "what",
            "What",
            element(
                "plain_text_input",
                "what",
                multiline=True,
                max_length=200,
                placeholder=text("I like …"),
            ),
            hint=text("In your own words"),
        ),
        asking(
            "kind",
            "Kind",
            element("static_select", "kind", options=[option("food"), option("tech")]),
        ),
        asking(
            "where",
            "Where it may be used",
            element(
                "radio_buttons",
                "where",
                options=[option("dm", "Direct messages"), option("all", "Everywhere")],
            ),
            optional=True,
        ),
        asking(
            "day",
            "Day",
            element("datepicker", "day", initial_date="2026-11-20"),
            optional=True,
        ),
    ],
}


@dataclass
class Showcase:
    """The running app: what it was told; `held` is what the elements of a message held last."""

    slack: Slack
    actions: list[Json] = field(default_factory=list)
    held: Json = field(default_factory=dict)
    submitted: list[Json] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.slack.url

    @property
    def playground(self) -> Playground:
        """The playground as a visitor uses it."""
        return Playground(self.url)

    def person(self, name: str) -> str:
        """Return a person's id."""
        return next(
            user.id for user in self.slack.workspace.users.values() if user.name == name
        )

    @property
    def client(self) -> AsyncWebClient:
        """The app's Web API client."""
        return AsyncWebClient(
            token=BOT_TOKEN, base_url=f"{self.slack.url}/api/", retry_handlers=[]
        )


@asynccontextmanager
async def showcase() -> AsyncIterator[Showcase]:
    """Run a playground with the app on it."""
    commands = {
        "/form": Command(
            name="/form", description="Open a form", usage_hint="[nothing]"
        ),
        "/show": Command(name="/show", description="Show all blocks"),
    }
    own = read_manifest(ROOT / "manifest.yml")
    manifest = own.model_copy(update={"commands": commands, "shortcuts": {}})
    async with serve(manifest) as slack:
        running = Showcase(slack)
        app = AsyncApp(client=running.client, process_before_response=True)
        _listen(app, running)
        handler = AsyncSocketModeHandler(app, APP_TOKEN, web_client=app.client)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        try:
            yield running
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]


def _listen(app: AsyncApp, running: Showcase) -> None:
    @app.event("message")
    @app.event("app_mention")
    async def message() -> None:
        return

    @app.event("app_home_opened")
    async def home(event: Json, client: AsyncWebClient) -> None:
        if event["tab"] == "home":
            blocks = [
                block
                for block in BLOCKS
                if block["type"] not in ("table", "card", "context_actions")
            ]
            await client.views_publish(
                user_id=event["user"], view={"type": "home", "blocks": blocks}
            )

    @app.command("/show")
    async def show(ack: AsyncAck, command: Json, client: AsyncWebClient) -> None:
        await ack()
        channel = command["channel_id"]
        await client.chat_postMessage(
            channel=channel,
            text="In Markdown",
            blocks=[{"type": "markdown", "text": MARKDOWN}],
        )
        await client.chat_postMessage(channel=channel, text="Everything", blocks=BLOCKS)

    @app.command("/form")
    async def form(ack: AsyncAck, command: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=command["trigger_id"], view=FORM)

    @app.action("open_form")
    async def open_form(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.action({"action_id": "danger"})
    @app.action("plain")
    @app.action("city")
    @app.action("more")
    @app.action("away")
    @app.action("day")
    @app.action("boxes")
    @app.action("radios")
    @app.action("feedback")
    @app.action("find")
    async def acted(ack: AsyncAck, action: Json, body: Json) -> None:
        await ack()
        running.actions.append(action)
        running.held = body["state"]["values"]

    @app.view("form")
    async def submitted(ack: AsyncAck, view: Json) -> None:
        values = view["state"]["values"]
        if len(values["what"]["what"]["value"]) < 5:
            await ack(
                response_action="errors",
                errors={"what": "Say a little more: five characters at least."},
            )
            return
        await ack()
        running.submitted.append(values)
