"""From the catalogues people write (.po) to those that are read at run time (.mo)."""

from __future__ import annotations

from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def compiled(source: bytes) -> bytes:
    """Return a .po file's content as that of a .mo file; raises `PoFileError`."""
    content = BytesIO()
    write_mo(content, parsed(source))
    return content.getvalue()


def parsed(source: bytes) -> Catalog:
    """Return a .po file's content as a catalogue of Babel's; raises `PoFileError`."""
    return read_po(BytesIO(source), abort_invalid=True)
