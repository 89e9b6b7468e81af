"""Manifests of other apps: what may be left out, and what is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slack_playground.manifest import ManifestError, manifest_from, read_manifest

NAMED: dict[str, Any] = {"display_information": {"name": "Theirs"}}
COMMAND = {"command": "/deploy", "description": "Deploy"}
SHORTCUT = {"name": "File a Ticket", "type": "message", "callback_id": "ticket"}

WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"display_information": None},
        "display_information.name of the manifest: Field required.",
    ),
    (
        {"display_information": {"name": 5}},
        "display_information.name of the manifest: Input should be a valid string.",
    ),
    (
        {"features": {"slash_commands": [COMMAND, {"command": "/x"}]}},
        "features.slash_commands./x.description of the manifest: Field required.",
    ),
    (
        {"features": {"slash_commands": ["/deploy"]}},
        "features.slash_commands of the manifest: Input should be a valid dictionary.",
    ),
    (
        {"oauth_config": {"scopes": {"bot_optional": ["files:write"]}}},
        "The manifest lists files:write under bot_optional only: list optional scopes under bot"
        " as well.",
    ),
    (
        {"oauth_config": {"scopes": {"bot": "chat:write"}}},
        "oauth_config.scopes.bot of the manifest: Input should be a valid frozenset.",
    ),
]


def test_a_name_is_enough() -> None:
    """Everything but the name may be left out or null; the bot is called as the app is."""
    for content in (
        NAMED,
        {**NAMED, "features": None, "settings": {"interactivity": None}},
    ):
        manifest = manifest_from(content)
        assert (manifest.name, manifest.bot_name) == ("Theirs", "Theirs")
        assert not any(
            (manifest.scopes, manifest.events, manifest.commands, manifest.shortcuts)
        )
        assert {manifest.home_tab, manifest.interactivity, manifest.socket_mode} == {
            False
        }


def test_what_the_playground_does_not_know_is_ignored() -> None:
    """Functions, user scopes and request URLs are no obstacle; a command has its defaults."""
    manifest = manifest_from(
        {
            **NAMED,
            "features": {
                "slash_commands": [
                    {**COMMAND, "url": "https://example.com/slack/events"}
                ],
                "shortcuts": [SHORTCUT],
                "assistant_view": {
                    "suggested_prompts": [{"title": "Plan", "message": "Plan it"}]
                },
                "unfurl_domains": ["example.com"],
            },
            "oauth_config": {"scopes": {"user": ["search:read"], "bot": ["commands"]}},
            "settings": {"event_subscriptions": {"request_url": "https://example.com"}},
            "functions": {"f": {}},
        }
    )
    assert manifest.commands["/deploy"].usage_hint == ""
    assert manifest.shortcuts["ticket"].kind == "message"
    assert manifest.agent
    assert [one.title for one in manifest.agent.suggested_prompts] == ["Plan"]
    assert manifest.scopes == {"commands"}


@pytest.mark.parametrize(
    ("content", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG]
)
def test_a_mistake_is_named(content: dict[str, Any], sentence: str) -> None:
    """What Slack requires and what has another type is named with its place."""
    with pytest.raises(ManifestError) as caught:
        manifest_from({**NAMED, **content})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.yml", b"a: b: c", "The manifest {} is not YAML."),
        ("m.json", b"{'a': 1}", "The manifest {} is not JSON."),
        ("m.yml", b"\xff\xfe\x00", "The manifest {} is not YAML."),
        (
            "m.yml",
            b"",
            "{} is not a Slack app manifest: display_information is missing.",
        ),
        (
            "m.json",
            b"[]",
            "{} is not a Slack app manifest: display_information is missing.",
        ),
        ("m.json", None, "The manifest {} cannot be read: No such file or directory."),
    ],
)
def test_a_file_that_is_none_is_named(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    """Whatever is in the file, the sentence says what it is not."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(caught.value) == sentence.format(path)
