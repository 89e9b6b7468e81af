"""Findings of cdk-nag that are meant, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge `findings`, rule of AwsSolutions to reason, for `scope` and all below it."""
    for rule, reason in findings.items():
        found = Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
        Validations.of(scope).acknowledge(found)
