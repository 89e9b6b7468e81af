"""What CDK makes of the stack: every property that was asked for, and no finding unanswered."""

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
from deploy.aws.stack import read_choices, read_settings
from tests.conftest import ROOT

Json = dict[str, Any]


class Template:
    """A synthesised template."""

    def __init__(self, folder: Path, **context: str) -> None:
        for name in ("worker", "front"):
            (folder / "package" / name).mkdir(parents=True)
            (folder / "package" / name / "code.py").write_text("")
        self.file = folder / "out" / "Kioku.template.json"
        # Without Node.js on the path, without a network, without an account.
        made = subprocess.run(
            [sys.executable, "-W", "error", "-m", "deploy.aws"],
            cwd=ROOT,
            env={
                **{name: os.environ[name] for name in os.environ if not name.startswith("AWS_")},
                "PATH": "/usr/bin:/bin",
                "CDK_OUTDIR": str(folder / "out"),
                "CDK_CONTEXT_JSON": json.dumps({"package": str(folder / "package"), **context}),
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
        return next(f for f in self.all("AWS::Lambda::Function") if f["Handler"] == handler)

    def statements(self) -> list[Json]:
        """Return every statement of every policy."""
        return [
            statement
            for policy in self.all("AWS::IAM::Policy")
            for statement in policy["PolicyDocument"]["Statement"]
        ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The stack as it is without any choice."""
    return Template(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The stack with every choice made the other way."""
    return Template(
        tmp_path_factory.mktemp("other"),
        egress="instance",
        reader="true",
        deletionProtection="false",
        engineVersion="16.11",
        maxCapacity="8",
        alarmEmail="ops@example.com",
        settings='{"KIOKU_CONSENT": "ask"}',
    )


def test_cfn_lint_finds_nothing(template: Template, other: Template) -> None:
    """Both templates are what CloudFormation takes; W3005 is CDK's own and harmless."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "-t"]
    linted = subprocess.run(
        [*command, str(template.file), str(other.file)], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_the_database(template: Template) -> None:
    """Aurora PostgreSQL 17 pauses at zero, is encrypted, takes TLS only and is protected."""
    cluster = template.one("AWS::RDS::DBCluster")
    assert cluster["Engine"] == "aurora-postgresql"
    assert cluster["EngineVersion"] == "17.9"
    scaling = cluster["ServerlessV2ScalingConfiguration"]
    assert scaling["MinCapacity"] == 0
    assert scaling["SecondsUntilAutoPause"] == 300
    assert cluster["StorageEncrypted"] is True
    assert cluster["EnableHttpEndpoint"] is True, "The Data API is off."
    assert cluster["DeletionProtection"] is True
    parameters = template.one("AWS::RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    instances = template.all("AWS::RDS::DBInstance")
    assert [i["PubliclyAccessible"] for i in instances] == [False]
    groups = template.one("AWS::RDS::DBSubnetGroup")["SubnetIds"]
    assert all("database" in group["Ref"] for group in groups)


def test_its_credentials(template: Template) -> None:
    """They are generated, rotate, and no password or key is in the template."""
    rotations = template.all("AWS::SecretsManager::RotationSchedule")
    assert len(rotations) == 2
    for rotation in rotations:
        assert rotation["RotationRules"]["ScheduleExpression"] == "rate(30 days)"
        assert rotation["RotateImmediatelyOnUpdate"] is False, "It races with the migration."
    secrets = template.all("AWS::SecretsManager::Secret")
    assert all("GenerateSecretString" in secret for secret in secrets)
    assert all("SecretString" not in secret for secret in secrets)
    names = {n for f in template.all("AWS::Lambda::Function") for n in _environment(f)}
    assert not {n for n in names if n.endswith(("TOKEN", "KEY", "PASSWORD", "SIGNING_SECRET"))}


def _environment(function: Json) -> Json:
    found: Json = function.get("Environment", {}).get("Variables", {})
    return found


def test_the_front(template: Template) -> None:
    """It runs on arm64 outside the VPC, behind a Function URL, and may do two things."""
    front = template.function("deploy.aws.front.handler")
    assert front["Architectures"] == ["arm64"]
    assert "VpcConfig" not in front
    assert "DATABASE_SECRET_ARN" not in _environment(front)
    assert template.one("AWS::Lambda::Url")["AuthType"] == "NONE"
    # A Function URL made since October 2025 needs both.
    # Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    allowed = {
        p["Action"]: p for p in template.all("AWS::Lambda::Permission") if p["Principal"] == "*"
    }
    assert allowed.keys() == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert allowed["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True
    policy = next(
        p for p in template.all("AWS::IAM::Policy") if "FrontRole" in p["Roles"][0]["Ref"]
    )
    actions = [statement["Action"] for statement in policy["PolicyDocument"]["Statement"]]
    assert actions == [
        "secretsmanager:GetSecretValue",
        "lambda:InvokeFunction",
        ["logs:CreateLogStream", "logs:PutLogEvents"],
    ]


def test_the_worker(template: Template) -> None:
    """It runs in the VPC, verifies the server, is tried three times, then its event is kept."""
    worker = template.function("deploy.aws.worker.handler")
    assert worker["VpcConfig"]["SubnetIds"]
    assert worker["Architectures"] == ["arm64"]
    assert _environment(worker)["PGSSLMODE"] == "verify-full"
    invoked = template.one("AWS::Lambda::EventInvokeConfig")
    assert invoked["MaximumRetryAttempts"] == 2
    assert "DeadLetters" in json.dumps(invoked["DestinationConfig"]["OnFailure"])
    assert template.one("AWS::Scheduler::ScheduleGroup") == {}
    assert template.all("AWS::Events::Rule") == [], "Something would wake an idle database."


def test_no_wildcards(template: Template) -> None:
    """No statement allows any action or any resource, but for network interfaces in the VPC."""
    for statement in template.statements():
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            assert all(action.startswith("ec2:") for action in actions)
            assert not [
                a
                for a in actions
                if "Interface" not in a and "Private" not in a and a != "ec2:DescribeSubnets"
            ]
    assert template.all("AWS::IAM::ManagedPolicy") == []
    roles = template.all("AWS::IAM::Role")
    assert [r for r in roles if r.get("ManagedPolicyArns")] == []


def test_logs_are_not_kept_for_ever(template: Template) -> None:
    """Every log group forgets."""
    groups = template.all("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups} == {30}
    functions = [f for f in template.all("AWS::Lambda::Function") if "deploy.aws" in f["Handler"]]
    assert all(f["LoggingConfig"]["LogGroup"] for f in functions)


def test_alarms(template: Template, other: Template) -> None:
    """Errors, dead letters and the age of work raise an alarm, sent to the named address."""
    metrics = {alarm["MetricName"] for alarm in template.all("AWS::CloudWatch::Alarm")}
    assert metrics == {
        "Errors",
        "Throttles",
        "ApproximateNumberOfMessagesVisible",
        "AsyncEventAge",
    }
    assert all(alarm["AlarmActions"] for alarm in template.all("AWS::CloudWatch::Alarm"))
    assert other.one("AWS::SNS::Subscription")["Endpoint"] == "ops@example.com"


def test_the_migration(template: Template) -> None:
    """The database is brought up to date by a custom resource, again with each new package."""
    [migrated] = template.all("AWS::CloudFormation::CustomResource")
    assert "Migration" in json.dumps(migrated["ServiceToken"])
    assert "Package" in migrated
    resources = template.content["Resources"]
    [worker] = [r for r in resources.values() if "aws.worker" in json.dumps(r.get("Properties"))]
    [name] = [n for n in worker["DependsOn"] if n.startswith("FunctionsMigrated")]
    assert resources[name]["Type"] == "AWS::CloudFormation::CustomResource"


def test_the_worker_is_not_the_owner(template: Template) -> None:
    """The migration alone can read the owner's secret; the worker has a user that owns nothing."""
    worker = template.function("deploy.aws.worker.handler")
    migration = template.function("deploy.aws.migration.handler")
    served, owner = (
        json.dumps(_environment(migration)[name])
        for name in ("DATABASE_SECRET_ARN", "DATABASE_OWNER_SECRET_ARN")
    )
    assert json.dumps(_environment(worker)["DATABASE_SECRET_ARN"]) == served != owner
    assert "DATABASE_OWNER_SECRET_ARN" not in _environment(worker)
    for policy in template.all("AWS::IAM::Policy"):
        readable = json.dumps(policy["PolicyDocument"])
        role = policy["Roles"][0]["Ref"]
        assert (owner in readable) == ("MigrationRole" in role or "Rotation" in role), role
        if "WorkerRole" in role:
            assert served in readable
    written = [
        json.loads(secret["GenerateSecretString"]["SecretStringTemplate"])
        for secret in template.all("AWS::SecretsManager::Secret")
    ]
    names = [one["username"] for one in written if "username" in one]
    assert sorted(names) == ["kioku_login", "kioku_owner"]


def test_the_logins_password_rotates_once_the_login_is_there(template: Template) -> None:
    """Secrets Manager tests the rotation at once: the migration has created the user by then."""
    resources = template.content["Resources"]
    [rotation] = [
        resource
        for name, resource in resources.items()
        if resource["Type"] == "AWS::SecretsManager::RotationSchedule" and "Login" in name
    ]
    assert any(name.startswith("FunctionsMigrated") for name in rotation["DependsOn"])


def test_other_choices(other: Template) -> None:
    """A NAT instance, a reader, no deletion protection, more capacity."""
    assert other.all("AWS::EC2::NatGateway") == []
    allowed = [
        (rule["CidrIp"], rule["FromPort"], rule["ToPort"])
        for group in other.all("AWS::EC2::SecurityGroup")
        for rule in group.get("SecurityGroupIngress", [])
    ]
    workers = [s["CidrBlock"] for s in other.all("AWS::EC2::Subnet") if s["CidrBlock"][-2:] == "24"]
    assert allowed == [(block, 443, 443) for block in workers], "Nothing gets out, or too much in."
    assert len(other.all("AWS::RDS::DBInstance")) == 2
    environment = _environment(other.function("deploy.aws.worker.handler"))
    assert environment["KIOKU_CONSENT"] == "ask"
    cluster = other.one("AWS::RDS::DBCluster")
    assert cluster["EngineVersion"] == "16.11"
    assert other.one("AWS::RDS::DBClusterParameterGroup")["Family"] == "aurora-postgresql16"
    assert cluster["DeletionProtection"] is False
    assert cluster["ServerlessV2ScalingConfiguration"]["MaxCapacity"] == 8


def test_the_way_out_outlives_what_needs_it(template: Template, other: Template) -> None:
    """Deleted in order: the migration answers CloudFormation through the NAT, that by its route."""
    for made, kind in ((template, "AWS::EC2::NatGateway"), (other, "AWS::EC2::Instance")):
        resources = made.content["Resources"]
        [nat] = [resource for resource in resources.values() if resource["Type"] == kind]
        waits = {resources[name]["Type"]: resources[name] for name in nat["DependsOn"]}
        assert "GatewayId" in waits["AWS::EC2::Route"]["Properties"]
        assert "AWS::EC2::SubnetRouteTableAssociation" in waits
        [migration] = [r for r in resources.values() if "aws.migration" in json.dumps(r)]
        routes = {n for n in migration["DependsOn"] if resources[n]["Type"] == "AWS::EC2::Route"}
        assert len(routes) == 2, "A way out of each of the worker's subnets."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("egress", "none"),
        ("maxCapacity", "much"),
        ("maxCapacity", "0"),
        ("reader", "perhaps"),
        ("engineVersion", "16.2"),
        ("engineVersion", "newest"),
    ],
)
def test_a_choice_that_is_none(name: str, value: str) -> None:
    """One sentence says what to write instead."""
    with pytest.raises(ValueError, match=f"^{name} is .*\\.$"):
        read_choices({name: value}, Path())


@pytest.mark.parametrize("given", ["KIOKU_CONSENT=ask", "[1]", '{"SLACK_BOT_TOKEN": "x"}'])
def test_settings_that_are_none(given: str) -> None:
    """One sentence says what to write instead; keys belong into the secrets."""
    with pytest.raises(ValueError, match=r"^settings is a JSON object .*\.$"):
        read_settings(given)
    assert read_settings(None) == {}
    assert read_settings({"KIOKU_RETENTION_DAYS": 90}) == {"KIOKU_RETENTION_DAYS": "90"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"KIOKU_CONSNT": "ask"}, "There is no setting KIOKU_CONSNT: did you mean KIOKU_CONSENT?"),
        ({"KIOKU_RETENTION_DAYS": "soon"}, "KIOKU_RETENTION_DAYS has a value that cannot be used"),
        ({"KIOKU_MEMORY_MODEL": "anthropic:x"}, "The functions have no package for anthropic:x"),
        ({"KIOKU_VERIFY_MODEL": "google_genai:x"}, "The functions have no package for google"),
    ],
)
def test_settings_that_kioku_refuses(given: dict[str, str], said: str) -> None:
    """The synthesis says so, not the first message after the deployment."""
    with pytest.raises((ValueError, SettingsError), match=f"^{re.escape(said)}"):
        read_settings(given)
