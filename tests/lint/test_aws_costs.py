"""The cost tables of docs/how-to/aws.md add up."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tests.conftest import ROOT

CENT = Decimal("0.01")
PAGE = (ROOT / "docs/how-to/aws.md").read_text("utf-8")


def tables() -> list[list[list[str]]]:
    """Return the cells of every table with a price per unit, header first, without its rule."""
    blocks = re.findall(r"(?:^ *\|.*\n)+", PAGE, re.MULTILINE)
    found = [
        [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in block.splitlines()]
        for block in blocks
    ]
    return [[table[0], *table[2:]] for table in found if "$ per unit" in table[0]]


def number(cell: str) -> Decimal:
    """Return what a cell says."""
    return Decimal(cell.strip("*").replace(",", ""))


TABLES = tables()


def test_both_tables_are_there() -> None:
    """Idle, 100 and 10,000 people, and the way around the NAT gateway."""
    large, small = TABLES
    assert [name for name in large[0] if name.endswith(": $")] == [
        "Idle: $",
        "100 people: $",
        "10,000 people: $",
    ]
    assert len(large) > 15
    assert len(small) == 5


@pytest.mark.parametrize("table", TABLES, ids=["all", "instance"])
def test_lines_and_sums(table: list[list[str]]) -> None:
    """Each line is price times units, each sum that of the lines above it, to the cent."""
    header, *lines = table
    for column in [at for at, name in enumerate(header) if name.endswith(": $")]:
        total = Decimal(0)
        for line in lines:
            if line[0].startswith("**"):
                assert number(line[column]) == total, (line[0], header[column], total)
                continue
            cost = number(line[2]) * number(line[column - 1])
            rounded = cost.quantize(CENT, ROUND_HALF_UP)
            assert number(line[column]) == rounded, (line[0], header[column], rounded)
            total += rounded


def test_what_the_text_says_of_them() -> None:
    """The NAT gateway leads while idle, the model's tokens from 100 people on."""
    header, *lines = TABLES[0]

    def largest(column: str) -> str:
        at = header.index(column)
        return max((line for line in lines if line[1]), key=lambda line: number(line[at]))[0]

    def of(name: str, column: str) -> Decimal:
        return next(number(line[header.index(column)]) for line in lines if line[0] == name)

    assert largest("Idle: $") == "NAT gateway"
    for column in ("100 people: $", "10,000 people: $"):
        tokens = of("gpt-6-luna, in", column) + of("gpt-6-luna, out", column)
        others = [number(line[header.index(column)]) for line in lines if line[1]]
        assert tokens > max(others)
    assert 2 * tokens > of("**All**", "10,000 people: $")
    way_out = of("NAT gateway", "Idle: $") + of("Public IPv4 address", "Idle: $")
    assert f"in place of {way_out}" in PAGE
