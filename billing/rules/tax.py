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


def credited(gross: Money, *, rate: Decimal, net_left: Money, gross_left: Money) -> Taxed:
    """The part ``gross`` of a line that has ``net_left`` and ``gross_left`` to take back.

    What remains never has a negative net or tax, and whoever takes the rest takes its last fen of both.

    Shape: ``0 < gross <= gross_left``.
    """
    tax_left = gross_left - net_left
    at_least, at_most = max(Money(0), gross - tax_left), min(net_left, gross)
    net = min(max(Money.rounded(gross.yuan / (1 + rate)), at_least), at_most)
    return Taxed(net, gross - net, gross)


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
