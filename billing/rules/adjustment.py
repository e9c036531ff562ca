"""What a new price of a case adds to what was charged for it already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.kernel.money import ZERO, Money
from billing.rules.pricing.outcome import PricedLine
from billing.rules.tax import Taxed


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference at one tax rate, positive where more is owed now."""

    vat_rate: Decimal
    amount: Taxed
    explanation_zh: str
    explanation_en: str


def differences(now: Iterable[PricedLine], before: Iterable[tuple[Decimal, Money, Money]]) -> list[Difference]:
    """Reverse and rebook, tax rate by tax rate; what did not change is left out.

    So is a fen between net and tax of the same gross, which comes from taking back a line in parts.

    Shape: ``before`` holds (tax rate, net, tax) of what was charged. Together with it the differences are ``now``.
    """
    owed: dict[Decimal, tuple[Money, Money]] = {}
    had: dict[Decimal, tuple[Money, Money]] = {}
    for line in now:
        _add(owed, line.vat_rate, line.amount.net, line.amount.tax)
    for rate, net, tax in before:
        _add(had, rate, net, tax)
    found = []
    for rate in sorted({*owed, *had}):
        new_net, new_tax = owed.get(rate, (ZERO, ZERO))
        old_net, old_tax = had.get(rate, (ZERO, ZERO))
        net, tax = new_net - old_net, new_tax - old_tax
        if net + tax:
            found.append(_told(rate, Taxed(net, tax, net + tax), old_net + old_tax, new_net + new_tax))
    return found


def _add(sums: dict[Decimal, tuple[Money, Money]], rate: Decimal, net: Money, tax: Money) -> None:
    before = sums.get(rate, (ZERO, ZERO))
    sums[rate] = (before[0] + net, before[1] + tax)


def _told(rate: Decimal, amount: Taxed, old: Money, new: Money) -> Difference:
    return Difference(
        rate,
        amount,
        f"补充结算：重新计费 ¥{new.yuan:,.2f} − 此前已计 ¥{old.yuan:,.2f} = ¥{amount.gross.yuan:,.2f}"
        f"（其中税 ¥{amount.tax.yuan:,.2f}）",
        f"On top: priced anew ¥{new.yuan:,.2f} − charged before ¥{old.yuan:,.2f} = ¥{amount.gross.yuan:,.2f}"
        f" (of which VAT ¥{amount.tax.yuan:,.2f})",
    )
