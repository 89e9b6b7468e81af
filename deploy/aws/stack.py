"""Everything together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from bot.config import load_settings
from deploy.aws.alarms import Alarms
from deploy.aws.credentials import Credentials
from deploy.aws.database import Database
from deploy.aws.functions import Functions
from deploy.aws.network import Egress, Network
from memory import provider_and_name

# The first version that Kioku's migrations run on (PostgreSQL 16) and that scales to zero.
# Source: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
_PAUSES_FROM = (16, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The operator's choices; each is a context value of the same name (``-c name=value``).

    `package` is the folder that ``python -m deploy.aws.package`` makes. `settings` are further
    ``KIOKU_*`` settings, as in .env.example.
    """

    package: Path
    egress: Egress = "gateway"
    engine_version: str = "17.9"
    max_capacity: float = 4.0
    reader: bool = False
    deletion_protection: bool = True
    alarm_email: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


def read_choices(context: Mapping[str, Any], package: Path) -> Choices:
    """Read the context; raises `ValueError` with one sentence for a value that cannot be."""
    egress = context.get("egress", "gateway")
    if egress not in ("gateway", "instance"):
        raise ValueError("egress is gateway or instance.")
    version = str(context.get("engineVersion", "17.9"))
    if not _pauses(version):
        raise ValueError(
            "engineVersion is a version of Aurora PostgreSQL that can pause, 16.3 or later, such as"
            " 17.9."
        )
    try:
        capacity = float(context.get("maxCapacity", 4))
    except ValueError:
        raise ValueError("maxCapacity is a number of ACU from 1 to 256.") from None
    if not 1 <= capacity <= 256:
        raise ValueError("maxCapacity is a number of ACU from 1 to 256.")
    return Choices(
        package=package,
        egress=egress,
        engine_version=version,
        max_capacity=capacity,
        reader=_yes(context, "reader", default=False),
        deletion_protection=_yes(context, "deletionProtection", default=True),
        alarm_email=context.get("alarmEmail"),
        settings={name: str(value) for name, value in context.items() if name.startswith("KIOKU_")},
    )


def read_settings(given: object) -> dict[str, str]:
    """Read further settings: an object in cdk.json, its JSON with ``-c``.

    Raises `ValueError` for what is no such object and for another provider's memory model,
    `SettingsError` for a name or a value that Kioku refuses.
    """
    try:
        found = json.loads(given) if isinstance(given, str) else given or {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(name.startswith("KIOKU_") for name in found):
        raise ValueError(
            'settings is a JSON object of KIOKU_ names, such as {"KIOKU_CONSENT": "ask"}.'
        )
    settings = {name: str(value) for name, value in found.items()}
    checked = load_settings(settings, dotenv=None)
    for model in (checked.memory_model, checked.verdict_model):
        if model is not None and provider_and_name(model)[0] != "openai":
            raise ValueError(
                f"The functions have no package for {model}: choose a model of OpenAI's."
            )
    return settings


def _pauses(version: str) -> bool:
    parts = version.split(".")
    return (
        len(parts) == 2
        and all(part.isdecimal() for part in parts)
        and tuple(int(part) for part in parts) >= _PAUSES_FROM
    )


def _yes(context: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = str(context.get(name, default)).lower()
    if value not in ("true", "false"):
        raise ValueError(f"{name} is true or false.")
    return value == "true"


class KiokuStack(Stack):
    """Front, worker, database and what they need."""

    def __init__(
        self, scope: Construct, name: str, *, choices: Choices, env: Environment | None = None
    ) -> None:
        super().__init__(scope, name, env=env, description="Kioku: a Slack app that remembers")
        network = Network(self, "Network", egress=choices.egress)
        self.database = Database(
            self,
            "Database",
            network=network,
            version=choices.engine_version,
            max_capacity=choices.max_capacity,
            reader=choices.reader,
            deletion_protection=choices.deletion_protection,
        )
        credentials = Credentials(self, "Credentials")
        self.functions = Functions(
            self,
            "Functions",
            network=network,
            database=self.database,
            credentials=credentials,
            package=choices.package,
            settings=choices.settings,
        )
        self.database.rotate_login(after=self.functions.migrated)
        Alarms(self, "Alarms", functions=self.functions, email=choices.alarm_email)
        for output, value in {
            "Url": self.functions.url.url,
            "SlackSecret": credentials.slack.secret_name,
            "OpenAISecret": credentials.openai.secret_name,
            "DatabaseSecret": self.database.secret.secret_arn,
            "Cluster": self.database.cluster.cluster_arn,
            "Front": self.functions.front.function_name,
            "Worker": self.functions.worker.function_name,
            "DeadLetters": self.functions.dead_letters.queue_url,
        }.items():
            CfnOutput(self, output, value=value)
