"""The command that refreshes the copies of published specifications."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import __main__ as command
from tests.conformance import openai_schemas, slack
from tests.conformance.document import Document, differences, read
from tests.conformance.repository import RepositoryError, local
from tests.conformance.shapes import departures, merged, shape_of

Json = dict[str, Any]


def commit(folder: Path, files: dict[str, str]) -> None:
    """Commit files to a repository, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(folder), *author, *arguments], check=True)


def body(name: str) -> Json:
    """A body of this schema."""
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def specification(**schemas: Json) -> str:
    """An OpenAPI document whose operations all use the schemas Request and Answer."""
    operation = {"requestBody": body("Request"), "responses": {"200": body("Answer")}}
    read = {"get": {"responses": {"200": body("Answer")}}}
    given = {"ErrorResponse": {"type": "object"}, "Unrelated": {"type": "string"}, **schemas}
    return json.dumps(
        {
            "paths": {
                **{path: {"post": operation} for path in openai_schemas.POSTED},
                **dict.fromkeys(openai_schemas.READ, read),
            },
            "components": {"schemas": given},
        }
    )


def test_the_command_copies_and_tells_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run writes the copy, a second finds nothing, a third names each change: 1, 0, 1."""
    copy = tmp_path / "data" / "schemas.json"
    monkeypatch.setattr(openai_schemas, "PATH", copy)
    monkeypatch.setattr(command, "SOURCES", (openai_schemas.OpenAISchemas(),))
    clones = tmp_path / "clones"
    request: Json = {
        "type": "object",
        "properties": {"items": {"$ref": "#/components/schemas/Kind"}},
    }
    schemas: Json = {
        "Request": request,
        "Answer": {},
        "Kind": {"enum": ["a", "b"], "description": "x"},
    }
    licence = {"LICENSE": "MIT\nCopyright (c) Somebody\n"}
    commit(clones / "openai-openapi", {"openapi.json": specification(**schemas), **licence})
    arguments = ["--from", str(clones)]

    assert command.main(arguments) == 1
    written = read(copy)
    assert set(written.sections["schemas"]) == {"Answer", "ErrorResponse", "Kind", "Request"}
    assert written.sections["schemas"]["Kind"] == {"enum": ["a", "b"]}
    assert written.origin["licence"] == "MIT, Copyright (c) Somebody"
    capsys.readouterr()

    assert command.main(arguments) == 0
    assert capsys.readouterr().out == "Nothing changed.\n"

    request["properties"]["more"] = {"type": "string"}
    schemas["Kind"] = {"enum": ["a", "c"]}
    commit(clones / "openai-openapi", {"openapi.json": specification(**schemas)})
    assert command.main(arguments) == 1
    assert capsys.readouterr().out.splitlines() == [
        'OpenAI Kind.enum no longer has "b"',
        'OpenAI Kind.enum now has "c"',
        'OpenAI Request.more was added: {"type":"string"}',
        "3 changes.",
    ]


def test_a_missing_clone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the clone of a repository the command says which, writes nothing and returns 2."""
    assert command.main(["--from", str(tmp_path)]) == 2
    assert "openai/openai-openapi" in capsys.readouterr().err
    (tmp_path / "name").mkdir()
    with pytest.raises(RepositoryError, match="cannot be read"):
        local("owner/name", tmp_path)


def test_differences_name_the_place() -> None:
    """A field called ``items`` is named; the keywords of JSON Schema between fields are not."""
    old = {"A": {"properties": {"items": {"items": {"type": "string"}}}}, "B": {}}
    new = {"A": {"properties": {"items": {"items": {"type": "number"}}}}, "C": {}}
    assert differences(
        Document(origin={"commit": "1"}, sections={"schemas": old}),
        Document(origin={"commit": "2"}, sections={"schemas": new}),
    ) == [
        'A.items.type was "string" and is "number"',
        "schemas: B was removed",
        "schemas: C was added",
    ]


@pytest.mark.parametrize(
    "path",
    [
        openai_schemas.PATH,
        slack.METHODS_PATH,
        slack.EXAMPLES_PATH,
        slack.RESPONSES_PATH,
        slack.INTERACTIVE_PATH,
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_copy_is_as_the_command_writes_it(path: Path) -> None:
    """The copy in the repository says where it comes from and was not edited."""
    copy = read(path)
    assert copy.dumps() == path.read_text(encoding="utf-8")
    assert {"repository", "commit", "date", "licence"} <= set(copy.origin)


def test_slack_pages_become_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a page its arguments but the token, bot scopes, tier, errors and shown answer are kept."""
    monkeypatch.setattr(slack, "METHODS", ("chat.say",))
    arguments = {"token": {"type": "string"}, "ts": {"schema": "ts"}, "view": {"desc": "x"}}
    page = {
        "args": {"required": ["token", "ts"], "properties": arguments},
        "rate_limits": "t5",
        "scope": {"bot": ["chat:write"], "user": ["chat:write"]},
        "errors": {"no_text": {"desc": "x"}},
        "examples": {"good": {"example": {"ok": True, "ts": "1.2"}}, "bad": {"example": None}},
    }
    folder = tmp_path / "slack-api-ref"
    (folder / "docs.slack.dev" / "methods").mkdir(parents=True)
    (folder / "methods" / "_errors").mkdir(parents=True)
    files = {
        "docs.slack.dev/methods/chat.say.json": json.dumps(page),
        "methods/_errors/common.json": json.dumps({"errors": {"fatal_error": "x"}}),
        "LICENSE.md": "MIT\nCopyright (c) Somebody\n",
    }
    commit(folder, files)
    copies = slack.SlackReference().copies(partial(local, folder=tmp_path))
    assert copies[slack.METHODS_PATH].sections == {
        "common_errors": {"fatal_error": True},
        "methods": {
            "chat.say": {
                "args": {
                    "ts": {"type": "string", "required": True},
                    "view": {"type": "any", "required": False},
                },
                "scopes": ["chat:write"],
                "tier": "special",
                "errors": ["no_text"],
            }
        },
    }
    shown = copies[slack.EXAMPLES_PATH].sections
    assert shown == {"answers": {"chat.say": {"ok": "boolean", "ts": "string"}}}


def test_departures_from_a_shape() -> None:
    """A field that is not in the shape or has another type is named; a null and {} fit."""
    samples = [{"a": "", "b": [{"c": 1}], "d": {}}, {"a": 1, "b": [{"e": True}], "f": None}]
    shape = merged(shape_of(sample) for sample in samples)
    assert shape["a"] == "number|string"
    fits = {"a": "x", "b": [{"c": 2}, {"e": False}], "d": {"x": 1}, "f": [1], "g": None}
    assert departures({**fits, "b": None}, shape) == ["g: unknown"]
    assert departures({"a": True, "b": [{"c": "x"}], "d": []}, shape) == [
        "a: boolean, not number|string",
        "b[].c: string, not number",
        "d: array, not object",
    ]
