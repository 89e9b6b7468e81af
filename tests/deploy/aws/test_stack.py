"""The stack on AWS: synthesised, checked by cdk-nag and cfn-lint, and read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.config import SettingsError
from deploy.aws.stack import read_choices
from tests.conftest import ROOT

Json = dict[str, Any]


class Template:
    """A synthesised template."""

    def __init__(self, folder: Path, **context: str) -> None:
        (folder / "package").mkdir(parents=True)
        (folder / "package" / "code.py").write_text("")
        self.file = folder / "out" / "Kioku.template.json"
        # Without Node.js on the path, without a network, without an account.
        made = subprocess.run(
            [sys.executable, "-W", "error", "-m", "deploy.aws"],
            cwd=ROOT,
            env={
                **{
                    name: os.environ[name]
                    for name in os.environ
                    if not name.startswith("AWS_")
                },
                "PATH": "/usr/bin:/bin",
                "CDK_OUTDIR": str(folder / "out"),
                "CDK_CONTEXT_JSON": json.dumps(
                    {"package": str(folder / "package"), **context}
                ),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        # cdk-nag ends the synthesis where something was found and not acknowledged.
        assert made.returncode == 0, made.stdout + made.stderr
        self.content: Json = json.loads(self.file.read_text())

    def all(self, kind: str) -> list[Json]:
        """Return the properties of every resource of a kind."""
        found = self.content["Resources"].values()
        return [one.get("Properties", {}) for one in found if one["Type"] == kind]

    def one(self, kind: str) -> Json:
        [found] = self.all(kind)
        return found

    def function(self, handler: str) -> Json:
        return next(
            f for f in self.all("AWS::Lambda::Function") if f["Handler"] == handler
        )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The stack as it is without any choice."""
    return Template(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The stack with every choice made the other way."""
    return Template(
        tmp_path_factory.mktemp("other"),
        slack="false",
        engineVersion="16.11",
        settings='{"KIOKU_CONSENT": "ask"}',
    )


def test_cfn_lint_finds_nothing(template: Template, other: Template) -> None:
    """Both templates are what CloudFormation takes; W3005 is CDK's own and harmless."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "-t"]
    linted = subprocess.run(
        [*command, str(template.file), str(other.file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_the_database_pauses_and_takes_tls_only(template: Template) -> None:
    """Aurora Serverless v2 scales to zero, is encrypted, private, and protected."""
    cluster = template.one("AWS::RDS::DBCluster")
    assert (cluster["Engine"], cluster["EngineVersion"]) == (
        "aurora-postgresql",
        "17.9",
    )
    scaling = cluster["ServerlessV2ScalingConfiguration"]
    assert (scaling["MinCapacity"], scaling["SecondsUntilAutoPause"]) == (0, 300)
    assert cluster["StorageEncrypted"] is True
    assert cluster["EnableHttpEndpoint"] is False  # the Data API, which nothing uses
    assert cluster["DeletionProtection"] is True
    parameters = template.one("AWS::RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    instances = template.all("AWS::RDS::DBInstance")
    assert [one["PubliclyAccessible"] for one in instances] == [False]


def test_no_key_is_in_the_template(template: Template) -> None:
    """Secrets Manager makes or keeps every password; a container gets them from ECS."""
    secrets = template.all("AWS::SecretsManager::Secret")
    assert all(
        "GenerateSecretString" in one and "SecretString" not in one for one in secrets
    )
    secret = re.compile(r"_(TOKEN|KEY|PASSWORD)$|^PGPASSWORD$")
    for function in template.all("AWS::Lambda::Function"):
        assert not [
            n
            for n in function.get("Environment", {}).get("Variables", {})
            if secret.search(n)
        ]
    [container] = template.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    [address] = container["Environment"]
    assert address["Name"] == "DATABASE_URL"
    assert "sslmode=verify-full sslrootcert=/opt/kioku/rds.pem" in json.dumps(
        address["Value"]
    )
    assert {one["Name"] for one in container["Secrets"]} == {
        *("PGPASSWORD", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "OPENAI_API_KEY")
    }


def test_ask_is_a_function_behind_a_url(template: Template, other: Template) -> None:
    """As in the article; it verifies the server, and may not read the owner's secret."""
    answers = template.function("deploy.aws.ask.handler_beside_service")
    ask = json.dumps(answers)
    migration = json.dumps(template.function("deploy.aws.migration.handler"))
    assert template.one("AWS::Lambda::Url")["AuthType"] == "NONE"
    # A Function URL made since October 2025 needs both.
    # Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    allowed = {
        p["Action"]
        for p in template.all("AWS::Lambda::Permission")
        if p["Principal"] == "*"
    }
    assert allowed == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert '"PGSSLMODE": "verify-full"' in ask
    assert answers["ReservedConcurrentExecutions"] == 10
    assert "DATABASE_OWNER_SECRET" in migration
    assert "DATABASE_OWNER_SECRET" not in ask
    variables = other.function("deploy.aws.ask.handler")["Environment"]["Variables"]
    assert variables["KIOKU_CONSENT"] == "ask"


def test_only_the_migration_reads_the_secret_of_the_owner(template: Template) -> None:
    """The policies say so too: ECS reads the login's password and the keys, no more."""
    owner = json.dumps(
        template.function("deploy.aws.migration.handler")["Environment"]["Variables"][
            "DATABASE_OWNER_SECRET"
        ]
    )
    readers = [
        policy["Roles"][0]["Ref"]
        for policy in template.all("AWS::IAM::Policy")
        if owner in json.dumps(policy["PolicyDocument"])
    ]
    assert [re.sub(r"ServiceRole.*", "", one) for one in readers] == [
        "FunctionsMigration"
    ]


def test_slack_is_served_by_one_task_without_rights(
    template: Template, other: Template
) -> None:
    """It runs the image, joined by a second task while it is replaced; nothing comes in."""
    service = template.one("AWS::ECS::Service")
    assert service["DesiredCount"] == 1
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
    assert "LoadBalancers" not in service
    task = template.one("AWS::ECS::TaskDefinition")
    assert task["ContainerDefinitions"][0]["StopTimeout"] == 60
    role = task["TaskRoleArn"]["Fn::GetAtt"][0]
    assert role not in json.dumps(template.all("AWS::IAM::Policy"))
    assert other.all("AWS::ECS::Service") == []
    outputs = template.content["Outputs"]
    assert outputs["Cluster"]["Value"] == service["Cluster"]
    assert outputs["Service"]["Value"]["Fn::GetAtt"][1] == "Name"
    # Nothing but a worker of the service, or a call each hour, deletes what has expired.
    assert template.all("AWS::Events::Rule") == []
    rule, upkeep = other.one("AWS::Events::Rule"), "deploy.aws.ask.keep_up_handler"
    assert rule["ScheduleExpression"] == "rate(1 hour)"
    assert other.function(upkeep)["Timeout"] == 600


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"slack": "perhaps"}, "slack is true or false."),
        (
            {"settings": "KIOKU_CONSENT=ask"},
            "settings is a JSON object of KIOKU_ names",
        ),
        (
            {"settings": {"SLACK_BOT_TOKEN": "x"}},
            "settings is a JSON object of KIOKU_ names",
        ),
        ({"settings": {"KIOKU_RETENTION_DAYS": "soon"}}, "KIOKU_RETENTION_DAYS"),
    ],
)
def test_a_wrong_choice_is_refused_with_a_sentence(choice: Json, said: str) -> None:
    """The synthesis says what to write instead."""
    with pytest.raises((ValueError, SettingsError), match=f"^{re.escape(said)}"):
        read_choices(choice)
