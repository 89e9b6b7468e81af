"""The three functions: front, worker, migration; each with a role of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import ArnFormat, CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.aws.acknowledged import acknowledge
from deploy.aws.credentials import Credentials
from deploy.aws.database import Database
from deploy.aws.network import Network

RUNTIME = lambda_.Runtime.PYTHON_3_13
KEPT = logs.RetentionDays.ONE_MONTH
# Slack waits three seconds; a caller of /ask waits for the whole answer.
FRONT_TIMEOUT = Duration.minutes(3)
WORKER_TIMEOUT = Duration.minutes(5)
CONTINUE = "continue"
# What a function in a VPC needs to have a network interface there.
# Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


class Functions(Construct):
    """The Lambda functions, and the queue and schedules between them."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        network: Network,
        database: Database,
        credentials: Credentials,
        package: Path,
        settings: Mapping[str, str],
    ) -> None:
        super().__init__(scope, name)
        self._network = network
        whole = lambda_.Code.from_asset(str(package / "worker"))
        login, owner = database.login_secret.secret_arn, database.secret.secret_arn
        shared = {
            **settings,
            "DATABASE_SECRET_ARN": login,
            "OPENAI_SECRET_ARN": credentials.openai.secret_arn,
            # The authorities of RDS, which the package brings along: the server is verified.
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": "/var/task/rds.pem",
        }
        self.dead_letters = sqs.Queue(
            self, "DeadLetters", enforce_ssl=True, retention_period=Duration.days(14)
        )
        acknowledge(self.dead_letters, {"SQS3": "It is the dead-letter queue."})

        group = scheduler.CfnScheduleGroup(self, "Schedules")
        schedule_role = iam.Role(
            self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com")
        )
        self.worker = self._function(
            "Worker",
            code=whole,
            handler="deploy.aws.worker.handler",
            timeout=WORKER_TIMEOUT,
            memory=1024,
            environment={
                **shared,
                "SLACK_SECRET_ARN": credentials.slack.secret_arn,
                "SCHEDULE_GROUP": group.ref,
                "SCHEDULE_ROLE": schedule_role.role_arn,
            },
            may=[
                _read_secret(login, credentials.slack.secret_arn, credentials.openai.secret_arn),
                iam.PolicyStatement(
                    actions=[f"scheduler:{verb}Schedule" for verb in ("Create", "Get", "Update")],
                    resources=[self._schedule_arn(group)],
                ),
                iam.PolicyStatement(actions=["iam:PassRole"], resources=[schedule_role.role_arn]),
            ],
            inside=True,
        )
        schedule_role.add_to_policy(_invoke(self.worker))
        self.worker.configure_async_invoke(
            retry_attempts=2,
            max_event_age=Duration.hours(6),
            on_failure=destinations.SqsDestination(self.dead_letters),
        )
        self.front = self._function(
            "Front",
            code=lambda_.Code.from_asset(str(package / "front")),
            handler="deploy.aws.front.handler",
            timeout=FRONT_TIMEOUT,
            memory=512,
            environment={
                "SLACK_SECRET_ARN": credentials.slack.secret_arn,
                "KIOKU_WORKER_FUNCTION": self.worker.function_arn,
            },
            may=[_read_secret(credentials.slack.secret_arn), _invoke(self.worker)],
            inside=False,
        )
        self.url = self.front.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)

        migration = self._function(
            "Migration",
            code=whole,
            handler="deploy.aws.migration.handler",
            timeout=Duration.minutes(10),
            memory=1024,
            # It alone is the owner.
            environment={**shared, "DATABASE_OWNER_SECRET_ARN": owner},
            may=[_read_secret(login, owner, credentials.openai.secret_arn)],
            inside=True,
        )
        self.migrated = CustomResource(
            self,
            "Migrated",
            service_token=migration.function_arn,
            # A new package may bring new steps.
            properties={"Package": migration.current_version.version},
        )
        self.migrated.node.add_dependency(database.cluster)
        # The version before works on the new schema, the new one not on the one before.
        self.worker.node.add_dependency(self.migrated)

    def _schedule_arn(self, group: scheduler.CfnScheduleGroup) -> str:
        return Stack.of(self).format_arn(
            service="scheduler",
            resource="schedule",
            resource_name=f"{group.ref}/{CONTINUE}",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )

    def _function(
        self,
        name: str,
        *,
        code: lambda_.Code,
        handler: str,
        timeout: Duration,
        memory: int,
        environment: Mapping[str, str],
        may: Sequence[iam.PolicyStatement],
        inside: bool,
    ) -> lambda_.Function:
        log_group = logs.LogGroup(
            self, f"{name}Logs", retention=KEPT, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(
            self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        for statement in may:
            role.add_to_policy(statement)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[log_group.log_group_arn],
            )
        )
        if inside:
            role.add_to_policy(iam.PolicyStatement(actions=[*_INTERFACES], resources=["*"]))
            reason = "Lambda names the interfaces in a VPC itself; describing takes no resource."
            acknowledge(role, {"IAM5[Resource::*]": reason})
        network = self._network
        function = lambda_.Function(
            self,
            name,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            handler=handler,
            timeout=timeout,
            memory_size=memory,
            environment={**environment},
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            vpc=network.vpc if inside else None,
            vpc_subnets=network.worker_subnets if inside else None,
            security_groups=[network.worker_group] if inside else None,
        )
        acknowledge(function, {"L1": "requirements.lock is tried on Python 3.11 and 3.13."})
        return function


def _read_secret(*arns: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[*arns])


def _invoke(function: lambda_.Function) -> iam.PolicyStatement:
    # The function itself, without the wildcard for its versions that `grant_invoke` adds.
    return iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn])
