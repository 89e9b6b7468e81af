"""Slack's reference of each method, with the overlay's differences applied."""

import json
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(kw_only=True)
class Method:
    """One Web API method, as the reference describes it.

    `args` is by name `{"type": string, boolean, integer, number, array or any, "required": bool}`;
    `tier` is 1 to 4, or "special".
    """

    name: str
    args: dict[str, dict[str, Any]]
    scopes: list[str]
    tier: int | str
    errors: set[str]


def load_methods() -> dict[str, Method]:
    """Read slack_methods.json and slack_methods_overlay.toml."""
    here = files("slack_playground")
    reference = json.loads(here.joinpath("slack_methods.json").read_text(encoding="utf-8"))
    overlay = tomllib.loads(here.joinpath("slack_methods_overlay.toml").read_text(encoding="utf-8"))
    methods = {
        name: Method(
            name=name, **{**listed, "errors": {*listed["errors"], *reference["common_errors"]}}
        )
        for name, listed in reference["methods"].items()
    }
    for difference in overlay["difference"]:
        for name in methods if difference["methods"] == ["*"] else difference["methods"]:
            methods[name].errors |= set(difference.get("errors", ()))
            if argument := difference.get("argument"):
                methods[name].args[argument["name"]] = argument
    return methods
