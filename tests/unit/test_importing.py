"""Imports run without garbage collection."""

from __future__ import annotations

import gc

import pytest

from bot.runtime.startup import importing


def test_nothing_is_collected_while_modules_are_imported() -> None:
    """It is on again afterwards, also where a module cannot be imported."""
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
