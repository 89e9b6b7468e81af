"""Slack's reference of each method, with the overlay's differences applied."""

import json
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files


@dataclass(kw_only=True)
class Argument:
    """An argument of a method; `type` is string, boolean, integer, number, array or any."""

    type: str
    required: bool


@dataclass(kw_only=True)
class Method:
    """One Web API method. `tier` is 1 to 4, or "special"."""

    name: str
    args: dict[str, Argument] = field(default_factory=dict)
    scopes: list[str] = field(default_factory=list)
    tier: int | str = "special"
    errors: set[str] = field(default_factory=set)


def load_methods() -> dict[str, Method]:
    """Read slack_methods.json and slack_methods_overlay.toml."""
    here = files("slack_playground")
    reference = json.loads(here.joinpath("slack_methods.json").read_text(encoding="utf-8"))
    overlay = tomllib.loads(here.joinpath("slack_methods_overlay.toml").read_text(encoding="utf-8"))
    methods = {
        name: Method(
            name=name,
            args={key: Argument(**argument) for key, argument in content["args"].items()},
            scopes=content["scopes"],
            tier=content["tier"],
            errors={*content["errors"], *reference["common_errors"]},
        )
        for name, content in reference["methods"].items()
    }
    for difference in overlay["difference"]:
        for name in methods if difference["methods"] == ["*"] else difference["methods"]:
            methods[name].errors |= set(difference.get("errors", ()))
            if argument := difference.get("argument"):
                methods[name].args[argument["name"]] = Argument(
                    type=argument["type"], required=argument["required"]
                )
    return methods
