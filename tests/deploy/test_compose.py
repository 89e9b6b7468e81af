"""The files of Docker Compose and Kubernetes, read and not run."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from bot.config import FIELDS
from tests.conftest import ROOT

FILES = ("compose.yaml", "compose.local-model.yaml")


def read_compose(name: str) -> dict[str, Any]:
    """Return a file of Compose, its merges done."""
    content: dict[str, Any] = yaml.safe_load(
        (ROOT / "deploy" / name).read_text("utf-8")
    )
    return content


@pytest.mark.parametrize("name", FILES)
def test_a_file_conforms_to_the_specification(name: str) -> None:
    """Each file is what the Compose Specification's schema allows."""
    schema = json.loads(
        (ROOT / "tests" / "data" / "compose-spec.json").read_text("utf-8")
    )
    jsonschema.Draft7Validator(schema).validate(read_compose(name))


def test_app_service_has_no_owner_credentials() -> None:
    """The service that answers gets neither the owner's address nor its password from .env."""
    environment = read_compose("compose.yaml")["services"]["app"]["environment"]
    assert environment["POSTGRES_PASSWORD"] == ""
    assert not {"DATABASE_OWNER_URL", "PGPASSWORD"} & environment.keys()


def test_a_copied_example_leaves_what_the_image_sets() -> None:
    """An empty variable of `env_file` would replace the image's, and no published port answer."""
    image = re.findall(
        r"(\w+)=", (ROOT / "Dockerfile").read_text("utf-8").split("ENV PATH")[1]
    )
    example = (ROOT / ".env.example").read_text("utf-8")
    empty = re.findall(r"^(\w+)=$", example, re.MULTILINE)
    assert "KIOKU_HOST" in image
    assert not set(empty) & set(image)


def test_local_models_are_those_that_kioku_asks_for() -> None:
    """The settings exist; their addresses are services of the file, which serve these names."""
    services = read_compose("compose.local-model.yaml")["services"]
    given = services["app"]["environment"]
    assert services["migrate"]["environment"] == given
    assert given.keys() <= FIELDS.keys()
    for address, model in (
        ("OPENAI_BASE_URL", "KIOKU_REPLY_MODEL"),
        ("OPENAI_BASE_URL", "KIOKU_MEMORY_MODEL"),
        ("KIOKU_EMBEDDING_BASE_URL", "KIOKU_EMBEDDING_MODEL"),
    ):
        [name] = [one for one in services if given[address] == f"http://{one}:8080/v1"]
        assert f"--alias={given[model]}" in services[name]["command"]
        assert "--port=8080" in services[name]["command"]


def test_each_service_rotates_its_log() -> None:
    """Docker's own default lets a log grow without an end."""
    for name in FILES:
        services = read_compose(name)["services"]
        ours = {key: one for key, one in services.items() if "image" in one}
        assert ours
        for service in ours.values():
            assert "max-size" in service["logging"]["options"]


def test_kubernetes_confines_the_image_and_gives_only_the_job_the_owner() -> None:
    """Each pod runs as the image's user and may write to /tmp only."""
    file = ROOT / "deploy" / "kubernetes.yaml"
    job, deployment = yaml.safe_load_all(file.read_text("utf-8"))
    user = re.search(r"^USER (\d+)", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    secrets = []
    for object_ in (job, deployment):
        pod = object_["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert user is not None
        assert pod["securityContext"]["runAsUser"] == int(user[1])
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        secrets.append([one["secretRef"]["name"] for one in container["envFrom"]])
    assert secrets == [["kioku", "kioku-owner"], ["kioku"]]
