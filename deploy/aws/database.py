"""Aurora PostgreSQL Serverless v2, and the secrets of its owner and of the user that serves."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from deploy.aws.acknowledged import acknowledge
from deploy.aws.network import Network

NAME = "kioku"
OWNER = "kioku_owner"
LOGIN = "kioku_login"


class Database(Construct):
    """A cluster that pauses after five minutes without a connection.

    `owner` and `login` are secrets with ``host``, ``port``, ``dbname``, ``username`` and
    ``password``. The migration creates the user of `login`, which owns nothing.
    """

    def __init__(
        self, scope: Construct, name: str, *, network: Network, version: str
    ) -> None:
        super().__init__(scope, name)
        engine = rds.DatabaseClusterEngine.aurora_postgres(
            version=rds.AuroraPostgresEngineVersion.of(
                version, version.partition(".")[0]
            )
        )
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=engine,
            writer=rds.ClusterInstance.serverless_v2(
                "Writer", publicly_accessible=False
            ),
            serverless_v2_min_capacity=0,
            serverless_v2_max_capacity=4,
            serverless_v2_auto_pause_duration=Duration.minutes(5),
            vpc=network.vpc,
            vpc_subnets=network.database_subnets,
            security_groups=[network.database_group],
            default_database_name=NAME,
            credentials=rds.Credentials.from_generated_secret(OWNER),
            enable_data_api=False,
            iam_authentication=True,
            storage_encrypted=True,
            parameter_group=rds.ParameterGroup(
                self, "Parameters", engine=engine, parameters={"rds.force_ssl": "1"}
            ),
            backup=rds.BackupProps(retention=Duration.days(7)),
            deletion_protection=True,
            removal_policy=RemovalPolicy.SNAPSHOT,
        )
        owner = self.cluster.secret
        if owner is None:
            raise ValueError(
                "The cluster has no secret: give it generated credentials."
            )
        self.owner: secretsmanager.ISecret = owner
        made = rds.DatabaseSecret(self, "Login", username=LOGIN, dbname=NAME)
        self.login: secretsmanager.ISecret = made.attach(self.cluster)
        reason = "Running tasks have the password: it is changed by hand, see docs/how-to/aws.md."
        acknowledge(self, {"SMG4": reason})
