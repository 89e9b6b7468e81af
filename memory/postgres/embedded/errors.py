"""The exception of embedded PostgreSQL."""


class EmbeddedPostgresError(Exception):
    """Embedded PostgreSQL cannot start or run; the message tells the operator what to do."""
