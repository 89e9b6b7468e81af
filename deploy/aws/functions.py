"""Lambda functions: the migration, which each deployment runs, ``POST /ask``, and the upkeep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Duration, triggers
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from deploy.aws.acknowledged import acknowledge
from deploy.aws.credentials import Credentials
from deploy.aws.database import Database
from deploy.aws.network import Network, log_group

# Half a minute until a database resumes that was paused for a day, five minutes for an answer with
# a tool that takes longer, two for its memories.
TIMEOUT = Duration.minutes(10)
# Calls that anybody may make of the URL: more are refused by AWS, and cost and connect nothing.
AT_ONCE = 10


class Functions(Construct):
    """`url` answers ``POST /ask``; `migrated` is what has to run after the migration.

    With `keeps_up`, where there is no service, `Ask` also runs the jobs that it stores, and a third
    function does the upkeep once an hour.
    """

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
        keeps_up: bool,
    ) -> None:
        super().__init__(scope, name)
        self._network = network
        self._code = lambda_.Code.from_asset(str(package))
        shared = {
            **settings,
            "DATABASE_SECRET": database.login.secret_arn,
            "MODEL_SECRET": credentials.model.secret_arn,
            # The authorities of Amazon RDS, which the package brings along.
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": "/var/task/rds.pem",
        }
        served = (database.login, credentials.model)
        migration = self._function(
            "Migration",
            "deploy.aws.migration.handler",
            {**shared, "DATABASE_OWNER_SECRET": database.owner.secret_arn},
            (*served, database.owner),
        )
        self.migrated = triggers.Trigger(
            self,
            "Migrated",
            handler=migration,
            timeout=TIMEOUT,
            execute_after=[database.cluster],
        )
        answers = "deploy.aws.ask.handler_beside_service"
        if keeps_up:
            answers = "deploy.aws.ask.handler"
        ask = self._function("Ask", answers, shared, served, at_once=AT_ONCE)
        self.migrated.execute_before(ask)
        if keeps_up:
            upkeep = self._function(
                "Upkeep", "deploy.aws.ask.keep_up_handler", shared, served
            )
            self.migrated.execute_before(upkeep)
            hourly = events.Schedule.rate(Duration.hours(1))
            run = targets.LambdaFunction(upkeep)
            events.Rule(self, "Hourly", schedule=hourly, targets=[run])
        self.url = ask.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)

    def _function(
        self,
        name: str,
        handler: str,
        environment: Mapping[str, str],
        readable: Sequence[secretsmanager.ISecret],
        *,
        at_once: int | None = None,
    ) -> lambda_.Function:
        function = lambda_.Function(
            self,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=self._code,
            handler=handler,
            timeout=TIMEOUT,
            memory_size=1024,
            reserved_concurrent_executions=at_once,
            environment={**environment},
            log_group=log_group(self, f"{name}Logs"),
            vpc=self._network.vpc,
            vpc_subnets=self._network.app_subnets,
            security_groups=[self._network.app_group],
        )
        for secret in readable:
            secret.grant_read(function)
        reason = "AWS's own policies, for logs and for interfaces in a VPC."
        policy = "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambda{}]"
        acknowledge(
            function,
            {
                "L1": "The locks are tried on this version.",
                policy.format("BasicExecutionRole"): reason,
                policy.format("VPCAccessExecutionRole"): reason,
            },
        )
        return function
