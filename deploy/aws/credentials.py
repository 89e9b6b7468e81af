"""The secrets people bring along: Slack's and the model's."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from deploy.aws.acknowledged import acknowledge


class Credentials(Construct):
    """Two secrets with empty fields; docs/how-to/aws.md says what to write there.

    The token that callers of ``/ask`` show is made by Secrets Manager.
    """

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.slack = self._secret(
            "Slack",
            "Kioku: Slack's keys, and the token for /ask",
            empty=["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"],
            made="KIOKU_API_TOKEN",
        )
        self.openai = self._secret(
            "OpenAI", "Kioku: the model's key", empty=["OPENAI_API_KEY"], made="UNUSED"
        )

    def _secret(
        self, name: str, description: str, *, empty: Sequence[str], made: str
    ) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            name,
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps(dict.fromkeys(empty, "")),
                generate_string_key=made,
                exclude_punctuation=True,
                password_length=40,
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            secret,
            {"SMG4": "It is made outside AWS: Slack or the model's owner renews it."},
        )
        return secret
