"""Aurora PostgreSQL Serverless v2: it pauses when nobody writes."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IDependable

from deploy.aws.acknowledged import acknowledge
from deploy.aws.network import Network

NAME = "kioku"
LOGIN = "kioku_login"
PAUSES_AFTER = Duration.minutes(5)
ROTATES_EVERY = Duration.days(30)


class Database(Construct):
    """The cluster, the generated credentials of its owner and of the user that serves.

    The second article of examples/README.md uses the same services. In addition, TLS is required,
    storage is encrypted, passwords rotate, deletion is protected, and the worker is not the owner.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        network: Network,
        version: str,
        max_capacity: float,
        reader: bool,
        deletion_protection: bool,
    ) -> None:
        super().__init__(scope, name)
        engine = rds.DatabaseClusterEngine.aurora_postgres(
            version=rds.AuroraPostgresEngineVersion.of(version, version.partition(".")[0])
        )
        identifier = f"{Stack.of(self).stack_name.lower()}-database"
        # Made here, so that it keeps a month and not for ever.
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/rds/cluster/{identifier}/postgresql",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=engine,
            writer=rds.ClusterInstance.serverless_v2(
                "Writer", enable_performance_insights=True, publicly_accessible=False
            ),
            readers=[rds.ClusterInstance.serverless_v2("Reader", scale_with_writer=True)]
            if reader
            else [],
            serverless_v2_min_capacity=0,
            serverless_v2_max_capacity=max_capacity,
            serverless_v2_auto_pause_duration=PAUSES_AFTER,
            vpc=network.vpc,
            vpc_subnets=network.database_subnets,
            security_groups=[network.database_group],
            default_database_name=NAME,
            credentials=rds.Credentials.from_generated_secret("kioku_owner"),
            enable_data_api=True,
            iam_authentication=True,
            storage_encrypted=True,
            parameter_group=rds.ParameterGroup(
                self,
                "Parameters",
                engine=engine,
                description="TLS is required",
                parameters={"rds.force_ssl": "1"},
            ),
            backup=rds.BackupProps(retention=Duration.days(7)),
            copy_tags_to_snapshot=True,
            deletion_protection=deletion_protection,
            removal_policy=RemovalPolicy.SNAPSHOT,
            cluster_identifier=identifier,
            cloudwatch_logs_exports=["postgresql"],
        )
        self.cluster.node.add_dependency(log_group)
        # A rotation that began at once would change the password while the migration connects.
        # Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
        self.cluster.add_rotation_single_user(
            automatically_after=ROTATES_EVERY,
            rotate_immediately_on_update=False,
            vpc_subnets=network.worker_subnets,
        )
        # The migration creates the user that serves, with this password.
        made = rds.DatabaseSecret(self, "Login", username=LOGIN, dbname=NAME)
        self.login_secret: secretsmanager.ISecret = made.attach(self.cluster)
        self._network = network
        if not deletion_protection:
            acknowledge(self.cluster, {"RDS10": "Switched off by the operator, for teardown."})

    def rotate_login(self, *, after: IDependable) -> None:
        """Rotate the password of the user that serves; `after` is what creates that user."""
        secretsmanager.SecretRotation(
            self,
            "LoginRotation",
            application=secretsmanager.SecretRotationApplication.POSTGRES_ROTATION_SINGLE_USER,
            secret=self.login_secret,
            target=self.cluster,
            vpc=self._network.vpc,
            vpc_subnets=self._network.worker_subnets,
            automatically_after=ROTATES_EVERY,
            rotate_immediately_on_update=False,
        )
        # The schedule, whose creation tests the rotation, is made below the secret.
        for below in self.login_secret.node.children:
            if isinstance(below, secretsmanager.RotationSchedule):
                below.node.add_dependency(after)

    @property
    def secret(self) -> secretsmanager.ISecret:
        """The owner's host, port, user, password and database, as JSON."""
        secret = self.cluster.secret
        if secret is None:
            raise ValueError("The cluster has no secret: give it generated credentials.")
        return secret
