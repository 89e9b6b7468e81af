"""The network of the worker and the database: private subnets with one NAT."""

from __future__ import annotations

from typing import Literal, TypeAlias

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.aws.acknowledged import acknowledge

Egress: TypeAlias = Literal["gateway", "instance"]

POSTGRES = ec2.Port.tcp(5432)
HTTPS = ec2.Port.tcp(443)


class Network(Construct):
    """Two zones; the database's subnets have no way out, the worker's have one.

    `egress` is how the worker reaches Slack and the model: a NAT ``gateway``, which costs the
    most of everything here while nobody writes, or a small NAT ``instance``.
    """

    def __init__(self, scope: Construct, name: str, *, egress: Egress) -> None:
        super().__init__(scope, name)
        provider = (
            ec2.NatProvider.gateway()
            if egress == "gateway"
            else ec2.NatProvider.instance_v2(
                instance_type=ec2.InstanceType.of(
                    ec2.InstanceClass.BURSTABLE4_GRAVITON, ec2.InstanceSize.NANO
                ),
                default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
            )
        )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=1,
            nat_gateway_provider=provider,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="way-out", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=28
                ),
                ec2.SubnetConfiguration(
                    name="worker", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=24
                ),
                ec2.SubnetConfiguration(
                    name="database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26
                ),
            ],
        )
        self.vpc.add_flow_log(
            "Rejected",
            traffic_type=ec2.FlowLogTrafficType.REJECT,
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                logs.LogGroup(
                    self,
                    "FlowLogs",
                    retention=logs.RetentionDays.ONE_MONTH,
                    removal_policy=RemovalPolicy.DESTROY,
                )
            ),
        )
        self.worker_group = ec2.SecurityGroup(
            self,
            "Worker",
            vpc=self.vpc,
            description="The worker: out to PostgreSQL and HTTPS, nothing in",
            allow_all_outbound=False,
        )
        self.database_group = ec2.SecurityGroup(
            self,
            "Database",
            vpc=self.vpc,
            description="PostgreSQL, for the worker and the rotation of its password",
            allow_all_outbound=False,
        )
        self.worker_group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "Slack, the model, AWS")
        self.worker_group.connections.allow_to(self.database_group, POSTGRES, "The database")
        if isinstance(provider, ec2.NatInstanceProviderV2):
            # As for a gateway: CloudFormation deletes the way out of the instance after it.
            for instance in provider.gateway_instances:
                for subnet in self.vpc.public_subnets:
                    instance.node.add_dependency(subnet.internet_connectivity_established)
            # What the worker, the migration and the rotation send out comes in there first.
            for subnet in self.vpc.private_subnets:
                inside = ec2.Peer.ipv4(subnet.ipv4_cidr_block)
                provider.connections.allow_from(inside, HTTPS, "From the worker's subnets")
            _acknowledge_instance(self.vpc)

    @property
    def worker_subnets(self) -> ec2.SubnetSelection:
        """The subnets of the functions."""
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)

    @property
    def database_subnets(self) -> ec2.SubnetSelection:
        """The subnets of the database."""
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


def _acknowledge_instance(vpc: ec2.Vpc) -> None:
    acknowledge(
        vpc,
        {
            "EC28": "A NAT instance holds no data: basic monitoring is enough.",
            "EC29": "A NAT instance holds no data and is replaced, not protected.",
            "EC26": "A NAT instance's disk holds the operating system only.",
        },
    )
