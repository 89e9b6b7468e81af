"""What embedded PostgreSQL says when it cannot go on."""


class EmbeddedPostgresError(Exception):
    """Embedded PostgreSQL cannot go on; the message is one sentence for the operator."""
