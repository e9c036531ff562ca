"""What a customer owes for time that was reserved and given back too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from app.kernel.money import ZERO, Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationTerms:
    """Free until ``free_until`` before the start; without such a window cancelling is always free.

    After that ``fee`` and ``percent_of_price`` of the reserved time's price together, or with
    ``full_price`` that price and nothing else.
    """

    free_until: timedelta
    fee: Money = ZERO
    full_price: bool = False
    percent_of_price: Decimal = Decimal(0)


def cancellation_fee(
    terms: CancellationTerms, *, starts_at: datetime, cancelled_at: datetime, full_price: Money
) -> Money:
    """The fee, rounded once; on the edge of the window (以上含本数) it is still free.

    Whether a fee is asked at all, of one who was waived or whose equipment failed, is for the caller.
    """
    if not terms.free_until or starts_at - cancelled_at >= terms.free_until:
        return ZERO
    if terms.full_price:
        return full_price
    return terms.fee + full_price.times(terms.percent_of_price / 100)
