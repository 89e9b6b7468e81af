"""compose.yaml, read and not run."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml, its merges done."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    return content


def test_compose_conforms_to_its_specification(compose: dict[str, Any]) -> None:
    """compose.yaml is what the Compose Specification's schema allows."""
    schema = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(compose)


def test_app_service_has_no_owner_credentials(compose: dict[str, Any]) -> None:
    """The service that answers gets neither the owner's address nor its password from .env."""
    environment = compose["services"]["app"]["environment"]
    assert environment["POSTGRES_PASSWORD"] == ""
    assert not {"DATABASE_OWNER_URL", "PGPASSWORD"} & environment.keys()
