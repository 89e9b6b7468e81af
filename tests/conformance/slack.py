"""What others published about Slack: the reference of its methods, shapes of answers and payloads.

Sources: https://github.com/slack-ruby/slack-api-ref, which collects the pages of docs.slack.dev,
and ``json-logs`` of https://github.com/slackapi/java-slack-sdk, whose values are blanked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.conformance.document import Document, Json
from tests.conformance.repository import Repository
from tests.conformance.shapes import merged, shape_of
from tests.conformance.source import DATA, Open

METHODS_PATH: Final = (
    DATA.parent.parent / "packages/slack-playground/slack_playground/slack_methods.json"
)
EXAMPLES_PATH: Final = DATA / "slack" / "examples.json"
RESPONSES_PATH: Final = DATA / "slack" / "responses.json"
INTERACTIVE_PATH: Final = DATA / "slack" / "interactive.json"
_PAGES: Final = "docs.slack.dev/methods"
_COMMON: Final = "methods/_errors/common.json"
_API: Final = "json-logs/samples/api"
_APP: Final = "json-logs/samples/app-backend"

# The methods that app and playground know.
METHODS = (
    "agents.sessions.rename",
    "agents.sessions.setStatus",
    "api.test",
    "apps.connections.open",
    "apps.uninstall",
    "assistant.threads.setStatus",
    "assistant.threads.setTitle",
    "auth.revoke",
    "auth.test",
    "bots.info",
    "chat.appendStream",
    "chat.delete",
    "chat.getPermalink",
    "chat.postEphemeral",
    "chat.postMessage",
    "chat.startStream",
    "chat.stopStream",
    "chat.update",
    "conversations.history",
    "conversations.info",
    "conversations.join",
    "conversations.list",
    "conversations.members",
    "conversations.open",
    "conversations.replies",
    "files.completeUploadExternal",
    "files.delete",
    "files.getUploadURLExternal",
    "files.info",
    "oauth.v2.access",
    "reactions.add",
    "reactions.remove",
    "team.info",
    "users.conversations",
    "users.info",
    "users.list",
    "views.open",
    "views.publish",
    "views.push",
    "views.update",
)

_INTERACTIVE: Final = {
    "block_actions": "interactive-components/BlockActionPayload",
    "command": "slash-commands/SlashCommandPayload",
    "message_action": "interactive-components/MessageShortcutPayload",
    "view_closed": "views/ViewClosedPayload",
    "view_submission": "views/ViewSubmissionPayload",
}
# What the reference calls these schemas are ids and timestamps.
_TEXTS: Final = frozenset({"channel", "file", "team", "ts", "user", "user_id"})


class SlackReference:
    """Arguments, bot scopes, tier and errors of each method, and the answers its page shows."""

    def copies(self, open_repository: Open) -> Mapping[Path, Document]:
        """Return the copy that the playground enforces, and the shapes of the answers shown.

        A tier is 1 to 4, or "special". An argument without a type in the reference is "any".
        """
        repository = open_repository("slack-ruby/slack-api-ref")
        pages = {name: _load(repository, f"{_PAGES}/{name}.json") for name in METHODS}
        shown = {name: _shown(page) for name, page in pages.items()}
        licence = _licence(repository, "LICENSE.md")
        return {
            METHODS_PATH: Document(
                origin=repository.origin(
                    licence=licence,
                    paths=f"{_PAGES}/*.json, {_COMMON}",
                    content="Arguments, bot scopes, rate limit and errors of known methods.",
                ),
                sections={
                    "common_errors": dict.fromkeys(_load(repository, _COMMON)["errors"], True),
                    "methods": {name: _method(page) for name, page in pages.items()},
                },
            ),
            EXAMPLES_PATH: Document(
                origin=repository.origin(
                    licence=licence,
                    paths=f"{_PAGES}/*.json",
                    content="The shapes of the successful answers shown for known methods.",
                ),
                sections={"answers": {name: shape for name, shape in shown.items() if shape}},
            ),
        }


class SlackSamples:
    """The shapes of the answers of methods, of commands and of interactive payloads."""

    def copies(self, open_repository: Open) -> Mapping[Path, Document]:
        """Return one copy for answers and one for payloads."""
        repository = open_repository("slackapi/java-slack-sdk")
        known = set(repository.files(_API))
        paths = {name: f"{_API}/{name}.json" for name in METHODS}
        content = "The shape of each sample: the fields and their types."
        licence = _licence(repository, "LICENSE")
        return {
            RESPONSES_PATH: Document(
                origin=repository.origin(licence=licence, paths=f"{_API}/*.json", content=content),
                sections={
                    "answers": {
                        name: shape_of(_load(repository, path))
                        for name, path in paths.items()
                        if path in known
                    }
                },
            ),
            INTERACTIVE_PATH: Document(
                origin=repository.origin(
                    licence=licence, paths=f"{_APP}/*/*.json", content=content
                ),
                sections={
                    "payloads": {
                        kind: shape_of(_load(repository, f"{_APP}/{path}.json"))
                        for kind, path in _INTERACTIVE.items()
                    }
                },
            ),
        }


def _load(repository: Repository, path: str) -> Json:
    content: Json = json.loads(repository.read(path))
    return content


def _licence(repository: Repository, path: str) -> str:
    lines = repository.read(path).decode().splitlines()
    return "MIT, " + "; ".join(line.strip() for line in lines if line.startswith("Copyright"))


def _method(page: Json) -> Json:
    required = page["args"].get("required", [])
    arguments = page["args"].get("properties", {})
    tier = page["rate_limits"].removeprefix("t")
    return {
        "args": {
            name: {"type": _type(argument), "required": name in required}
            for name, argument in arguments.items()
            if name != "token"
        },
        "scopes": page.get("scope", {}).get("bot", []),
        "tier": int(tier) if tier in "1234" else "special",
        "errors": sorted(page.get("errors") or {}),
    }


def _type(argument: Json) -> str:
    if "type" in argument:
        return str(argument["type"])
    return "string" if argument.get("schema") in _TEXTS else "any"


def _shown(page: Json) -> Any:
    shown = [one.get("example") or {} for one in page.get("examples", {}).values()]
    return merged([shape_of(answer) for answer in shown if answer.get("ok")])
