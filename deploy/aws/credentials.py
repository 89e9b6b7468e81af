"""The secrets that the operator fills in: Slack's tokens, the model's key, the token for /ask."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from deploy.aws.acknowledged import acknowledge

SLACK = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN")
MODEL = ("OPENAI_API_KEY",)


class Credentials(Construct):
    """`slack` and `model` have empty fields at first; Secrets Manager makes KIOKU_API_TOKEN."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.slack = self._secret("Slack", empty=SLACK, made="UNUSED")
        self.model = self._secret("Model", empty=MODEL, made="KIOKU_API_TOKEN")

    def _secret(
        self, name: str, *, empty: Sequence[str], made: str
    ) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            name,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps(dict.fromkeys(empty, "")),
                generate_string_key=made,
                exclude_punctuation=True,
                password_length=40,
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            secret, {"SMG4": "Slack and OpenAI make these keys: they renew them."}
        )
        return secret
