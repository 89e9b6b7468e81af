"""The network: public subnets with one NAT gateway, private ones, and isolated ones for Aurora."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.aws.acknowledged import acknowledge

POSTGRES = ec2.Port.tcp(5432)
HTTPS = ec2.Port.tcp(443)


class Network(Construct):
    """Two availability zones. What runs Kioku may send HTTPS and reach PostgreSQL, nothing else."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC
                ),
                ec2.SubnetConfiguration(
                    name="app", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
                ),
                ec2.SubnetConfiguration(
                    name="database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                ),
            ],
        )
        acknowledge(
            self.vpc, {"VPC7": "Nothing comes in: only responses would be logged."}
        )
        self.app_group = ec2.SecurityGroup(
            self, "App", vpc=self.vpc, description="Kioku", allow_all_outbound=False
        )
        self.database_group = ec2.SecurityGroup(
            self,
            "Database",
            vpc=self.vpc,
            description="PostgreSQL",
            allow_all_outbound=False,
        )
        self.app_group.add_egress_rule(
            ec2.Peer.any_ipv4(), HTTPS, "Slack, the model, AWS"
        )
        self.app_group.connections.allow_to(
            self.database_group, POSTGRES, "The database"
        )
        self.app_subnets = ec2.SubnetSelection(
            subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
        )
        self.database_subnets = ec2.SubnetSelection(
            subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
        )


def log_group(scope: Construct, name: str) -> logs.LogGroup:
    """Return a log group that keeps a month."""
    return logs.LogGroup(
        scope,
        name,
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )
