"""Prices of model calls: a dated table, the packaged one or the operator's."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.config import SettingsError
from memory import TokenUse

_PACKAGED = Path(__file__).parent.parent / "prices.toml"
# The API names the snapshot that answered, such as gpt-6-luna-2026-09-22.
_SNAPSHOT = re.compile(r"-\d{4}-?\d{2}-?\d{2}\Z")


class _Price(BaseModel):
    """USD for a million tokens."""

    model_config = ConfigDict(extra="forbid")

    input: Decimal = Field(ge=0)
    cached: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class Prices(BaseModel):
    """Prices by model, as they were on a day."""

    model_config = ConfigDict(extra="forbid")

    as_of: date
    models: dict[str, _Price]

    def knows(self, model: str) -> bool:
        """Return whether the table has a price for this model or snapshot of a model."""
        return self._name(model) in self.models

    def cost(self, used: TokenUse) -> tuple[Decimal, int]:
        """Return the cost in USD, and the number of tokens of models without a price."""
        cost, unpriced = Decimal(0), 0
        for (model, kind), tokens in used.items():
            if self.knows(model):
                cost += tokens * Decimal(getattr(self.models[self._name(model)], kind)) / 1_000_000
            else:
                unpriced += tokens
        return cost, unpriced

    def _name(self, model: str) -> str:
        return model if model in self.models else _SNAPSHOT.sub("", model)


def read_prices(path: Path | None) -> Prices:
    """Return the prices of a TOML file; None: the packaged table. Raises `SettingsError`."""
    try:
        text = (path or _PACKAGED).read_text("utf-8")
        return Prices.model_validate(tomllib.loads(text, parse_float=Decimal))
    except (OSError, ValueError, ValidationError):
        raise SettingsError(
            f"KIOKU_PRICES: {path} is no table of prices: write one like bot/prices.toml."
        ) from None
