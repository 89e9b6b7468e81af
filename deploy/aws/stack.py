"""The CDK stack of Kioku, and the operator's choices for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from bot.config import load_settings
from deploy.aws.credentials import Credentials
from deploy.aws.database import Database
from deploy.aws.functions import Functions
from deploy.aws.network import Network
from deploy.aws.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The operator's choices; each is a context value of the same name (``-c name=value``).

    `slack`: whether the Fargate service is made. From version 16.3 on Aurora can pause. `settings`
    are further ``KIOKU_*`` settings.
    """

    slack: bool
    engine_version: str
    settings: Mapping[str, str]


def read_choices(context: Mapping[str, Any]) -> Choices:
    """Read the context; raises `ValueError` or `SettingsError` with one sentence."""
    slack = str(context.get("slack", True)).lower()
    if slack not in ("true", "false"):
        raise ValueError("slack is true or false.")
    return Choices(
        slack=slack == "true",
        engine_version=str(context.get("engineVersion", "17.9")),
        settings=_settings(context.get("settings", {})),
    )


def _settings(given: object) -> dict[str, str]:
    found: Any = given
    if isinstance(given, str):
        try:
            found = json.loads(given)
        except ValueError:
            found = None
    is_object = isinstance(found, dict)
    if not is_object or not all(name.startswith("KIOKU_") for name in found):
        raise ValueError(
            'settings is a JSON object of KIOKU_ names, such as {"KIOKU_CONSENT": "ask"}.'
        )
    settings = {name: str(value) for name, value in found.items()}
    load_settings(settings, dotenv=None)
    return settings


class KiokuStack(Stack):
    """The network, the database, ``POST /ask`` as a function, and the service for Slack."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        choices: Choices,
        package: Path,
    ) -> None:
        super().__init__(scope, name, description="Kioku: a Slack app that remembers")
        network = Network(self, "Network")
        database = Database(
            self, "Database", network=network, version=choices.engine_version
        )
        credentials = Credentials(self, "Credentials")
        functions = Functions(
            self,
            "Functions",
            network=network,
            database=database,
            credentials=credentials,
            package=package,
            settings=choices.settings,
            keeps_up=not choices.slack,
        )
        outputs = {
            "Url": functions.url.url,
            "SlackSecret": credentials.slack.secret_name,
            "ModelSecret": credentials.model.secret_name,
            "Aurora": database.cluster.cluster_arn,
        }
        if choices.slack:
            slack = Service(
                self,
                "Slack",
                network=network,
                database=database,
                credentials=credentials,
                settings=choices.settings,
            )
            functions.migrated.execute_before(slack.service)
            outputs["Cluster"] = slack.service.cluster.cluster_name
            outputs["Service"] = slack.service.service_name
        for output, value in outputs.items():
            CfnOutput(self, output, value=value)
