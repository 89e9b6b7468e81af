"""The Slack application: from a stored event to a delivered reply."""

VERSION = "0.1.0"  # as in pyproject.toml
DISTRIBUTION = "kioku-slack"
"""The name of the installed package; on PyPI `kioku` is another project."""
