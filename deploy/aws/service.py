"""One Fargate service of the image, which serves Slack by Socket Mode."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from deploy.aws.acknowledged import acknowledge
from deploy.aws.credentials import MODEL, SLACK, Credentials
from deploy.aws.database import LOGIN, NAME, Database
from deploy.aws.network import Network, log_group
from deploy.aws.package import ROOT

# The authorities of Amazon RDS, which the stage `aws` of the Dockerfile adds to the image.
AUTHORITIES = "/opt/kioku/rds.pem"


class Service(Construct):
    """One task, which a new one joins during a deployment: any number share a database.

    ECS reads the secrets; the container's own role may do nothing.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        network: Network,
        database: Database,
        credentials: Credentials,
        settings: Mapping[str, str],
    ) -> None:
        super().__init__(scope, name)
        insights = ecs.ContainerInsights.ENABLED
        cluster = ecs.Cluster(
            self, "Cluster", vpc=network.vpc, container_insights_v2=insights
        )
        task = ecs.FargateTaskDefinition(self, "Task", cpu=512, memory_limit_mib=1024)
        address = (
            f"host={database.cluster.cluster_endpoint.hostname} dbname={NAME} user={LOGIN}"
            f" sslmode=verify-full sslrootcert={AUTHORITIES}"
        )
        keys = {
            "PGPASSWORD": (database.login, "password"),
            **{name: (credentials.slack, name) for name in SLACK},
            **{name: (credentials.model, name) for name in MODEL},
        }
        task.add_container(
            "Kioku",
            image=ecs.ContainerImage.from_asset(
                str(ROOT), platform=ecr_assets.Platform.LINUX_AMD64, target="aws"
            ),
            environment={**settings, "DATABASE_URL": address},
            secrets={
                name: ecs.Secret.from_secrets_manager(*one)
                for name, one in keys.items()
            },
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix="kioku", log_group=log_group(self, "Logs")
            ),
            readonly_root_filesystem=True,
            # A process that stops ends after about 50; ECS would kill it after 30.
            stop_timeout=Duration.seconds(60),
        )
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            desired_count=1,
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            security_groups=[network.app_group],
            vpc_subnets=network.app_subnets,
        )
        acknowledge(
            task,
            {
                "ECS2": "The variables are settings; keys come from Secrets Manager.",
                "IAM5[Resource::*]": "A token for the registry has no resource.",
            },
        )
