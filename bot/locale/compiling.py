"""Compiles the catalogues that people write (.po) to those that are read at run time (.mo)."""

from __future__ import annotations

from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def compiled(source: bytes) -> bytes:
    """Compile the content of a .po file to that of a .mo file; raises `PoFileError`."""
    content = BytesIO()
    write_mo(content, parsed(source))
    return content.getvalue()


def parsed(source: bytes) -> Catalog:
    """Parse the content of a .po file as a Babel catalogue; raises `PoFileError`."""
    return read_po(BytesIO(source), abort_invalid=True)
