"""Refresh the copies of published specifications: ``python -m tests.conformance``.

Clones each repository from GitHub and writes the reduced copies, one entry a line, so that
``git diff`` shows what changed:

- https://github.com/openai/openai-openapi: the schemas of what Kioku sends and receives;
- https://github.com/slack-ruby/slack-api-ref, which collects the pages of docs.slack.dev: the
  arguments, bot scopes, tier and errors of the playground's methods, and the answers they show;
- https://github.com/slackapi/java-slack-sdk: the shapes of answers and interactive payloads.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.conformance.copies import DATA, EXAMPLES, INTERACTIVE, OPENAI, RESPONSES, Json, read
from tests.conformance.shapes import merged, shape_of

GITHUB = "https://github.com"
METHODS = DATA.parents[1] / "packages/slack-playground/slack_playground/slack_methods.json"
POSTED, READ = ("/responses", "/embeddings", "/chat/completions"), ("/models", "/models/{model}")
_JSON = "application/json"
_SCHEMAS = "#/components/schemas/"
_UNDOCUMENTED = {"default", "deprecated", "description", "example", "examples", "title"}
_INTERACTIVE = {
    "block_actions": "interactive-components/BlockActionPayload",
    "command": "slash-commands/SlashCommandPayload",
    "message_action": "interactive-components/MessageShortcutPayload",
    "view_closed": "views/ViewClosedPayload",
    "view_submission": "views/ViewSubmissionPayload",
}
# What the reference calls these schemas are ids and timestamps.
_TEXTS = {"channel", "file", "team", "ts", "user", "user_id"}


def refresh(folder: Path) -> None:
    """Clone every repository below `folder`; write every copy again."""
    openai(clone("openai/openai-openapi", folder))
    reference(clone("slack-ruby/slack-api-ref", folder))
    samples(clone("slackapi/java-slack-sdk", folder))


def clone(name: str, folder: Path) -> Path:
    """Clone the newest commit of a repository of GitHub; return its folder."""
    target = folder / name
    subprocess.run(
        ["git", "clone", "--quiet", "--depth", "1", f"{GITHUB}/{name}", str(target)], check=True
    )
    return target


def write(path: Path, repository: Path, paths: str, content: str, **sections: Json) -> None:
    """Write a copy: where it comes from, and each section with one entry a line, sorted."""
    log = ["git", "-C", str(repository), "log", "-1", "--format=%H %cs"]
    commit, date = subprocess.check_output(log, text=True).split()
    [licence] = (file for file in repository.glob("LICENSE*") if file.is_file())
    holders = [one.strip() for one in licence.read_text("utf-8").splitlines() if "Copyright" in one]
    origin = {
        "repository": f"{GITHUB}/{repository.parent.name}/{repository.name}",
        "paths": paths,
        "commit": commit,
        "date": date,
        "licence": "MIT, " + "; ".join(one for one in holders if one.startswith("Copyright")),
        "content": content,
    }
    parts = [f'"origin": {json.dumps(origin, indent=2, ensure_ascii=False)}']
    for name, entries in sorted(sections.items()):
        lines = [f"{json.dumps(key)}: {_compact(entries[key])}" for key in sorted(entries)]
        parts.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def openai(repository: Path) -> None:
    """Copy every schema that the bodies of `POSTED`, `READ` and errors refer to, undocumented."""
    specification = read(repository / "openapi.json")
    schemas, paths = specification["components"]["schemas"], specification["paths"]
    found = {path: _bodies(paths[path]["post"]) for path in POSTED}
    found |= {path: _bodies(paths[path]["get"]) for path in READ}
    waiting = ["ErrorResponse", *(name for names in found.values() for name in names.values())]
    reached: Json = {}
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = _reduced(schemas[name])
            waiting += _references(schemas[name])
    content = (
        f"The schemas that the bodies of POST {', '.join(POSTED)}, of GET {', '.join(READ)} and of"
        " errors refer to, without descriptions, titles, defaults, examples and x- extensions."
    )
    write(OPENAI, repository, "openapi.json", content, bodies=found, schemas=reached)


def _bodies(operation: Json) -> dict[str, str]:
    response = operation["responses"]["200"]["content"]
    found = {
        "request": operation.get("requestBody", {"content": {}})["content"].get(_JSON),
        "object": response[_JSON],
        "event": response.get("text/event-stream"),
    }
    return {
        kind: body["schema"]["$ref"].removeprefix(_SCHEMAS) for kind, body in found.items() if body
    }


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, str) and node.startswith(_SCHEMAS):
        yield node.removeprefix(_SCHEMAS)
    elif isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _references(value)


def _reduced(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_reduced(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Json = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _reduced(one) for name, one in value.items()}
        elif key not in _UNDOCUMENTED and not key.startswith("x-"):
            kept[key] = _reduced(value)
    return kept


def reference(repository: Path) -> None:
    """Copy what the playground enforces of its methods, and the shapes of the answers shown.

    A tier is 1 to 4, or "special". An argument without a type in the reference is "any".
    """
    folder = "docs.slack.dev/methods"
    pages = {name: read(repository / folder / f"{name}.json") for name in methods()}
    common = read(repository / "methods/_errors/common.json")["errors"]
    write(
        METHODS,
        repository,
        f"{folder}/*.json, methods/_errors/common.json",
        "Arguments, bot scopes, rate limit and errors of known methods.",
        common_errors=dict.fromkeys(common, True),
        methods={name: _method(page) for name, page in pages.items()},
    )
    shown = {name: _shown(page) for name, page in pages.items()}
    content = "The shapes of the successful answers shown for known methods."
    answers = {name: shape for name, shape in shown.items() if shape}
    write(EXAMPLES, repository, f"{folder}/*.json", content, answers=answers)


def methods() -> Sequence[str]:
    """Return the methods that the playground knows; a new one is first added to its file."""
    return list(read(METHODS)["methods"])


def _method(page: Json) -> Json:
    required = page["args"].get("required", [])
    tier = page["rate_limits"].removeprefix("t")
    return {
        "args": {
            name: {"type": _type(argument), "required": name in required}
            for name, argument in page["args"].get("properties", {}).items()
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


def samples(repository: Path) -> None:
    """Copy the shapes of the answers of methods, and of commands and interactive payloads."""
    folder, content = "json-logs/samples", "The shape of each sample: the fields and their types."
    files = {name: repository / folder / "api" / f"{name}.json" for name in methods()}
    answers = {name: shape_of(read(file)) for name, file in files.items() if file.is_file()}
    write(RESPONSES, repository, f"{folder}/api/*.json", content, answers=answers)
    payloads = {
        kind: shape_of(read(repository / folder / "app-backend" / f"{path}.json"))
        for kind, path in _INTERACTIVE.items()
    }
    write(INTERACTIVE, repository, f"{folder}/app-backend/*/*.json", content, payloads=payloads)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        refresh(Path(temporary))
