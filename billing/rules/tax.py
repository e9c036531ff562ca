"""VAT, line by line: gross is always net plus tax."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Taxed:
    """One amount with its VAT."""

    net: Money
    tax: Money
    gross: Money


def taxed(exact_yuan: Decimal, *, rate: Decimal, includes_tax: bool) -> Taxed:
    """Round an exact price once and split off (or add) its VAT.

    With tax inside, the gross is what was agreed: net = gross ÷ (1 + rate), tax is the rest.
    """
    rounded = Money.rounded(exact_yuan)
    if includes_tax:
        net = Money.rounded(rounded.yuan / (1 + rate))
        return Taxed(net, rounded - net, rounded)
    tax = rounded.times(rate)
    return Taxed(rounded, tax, rounded + tax)
