from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import ZERO, Money
from billing.rules.cancellation import CancellationTerms, cancellation_fee

STARTS = datetime(2026, 3, 2, 9, tzinfo=UTC)
SIXTY = Money.of(60)


def terms(window_hours: float, fee: str = "0", **other) -> CancellationTerms:
    return CancellationTerms(free_until=timedelta(hours=window_hours), fee=Money.of(fee), **other)


def owed(agreed: CancellationTerms, hours_before: float, price: Money = SIXTY) -> Money:
    cancelled_at = STARTS - timedelta(hours=hours_before)
    return cancellation_fee(agreed, starts_at=STARTS, cancelled_at=cancelled_at, full_price=price)


@pytest.mark.parametrize(
    ("agreed", "hours_before", "expected"),
    [
        pytest.param(terms(24, "45.75"), 48, "0", id="N45"),
        pytest.param(terms(24, "45.75"), 2, "45.75", id="N46"),
        pytest.param(terms(24), 2, "0", id="N47"),
        pytest.param(terms(24, full_price=True), 2, "60", id="N48"),
        pytest.param(terms(24, full_price=False), 2, "0", id="N48 off"),
        pytest.param(terms(1, "1.23"), 3, "0", id="N49 early"),
        pytest.param(terms(1, "1.23"), 0.5, "1.23", id="N49 late"),
        pytest.param(terms(1, "1.23", full_price=True), 0.5, "60", id="N49 full price"),
        pytest.param(terms(1, "1.23", full_price=False), 0.5, "1.23", id="N49 full price off"),
        pytest.param(terms(2, "5"), 2.5, "0", id="N51 in time"),
        pytest.param(terms(2, "5"), -0.5, "5", id="N51 three hours later"),
        pytest.param(terms(0, "5"), 48, "0", id="N52"),
        pytest.param(terms(0, "5"), -1, "0", id="N52 after the start"),
        pytest.param(terms(24, "0"), 0, "0", id="N55"),
        pytest.param(terms(24, "45.75"), 24, "0", id="on the edge"),
        pytest.param(terms(24, "1.00", percent_of_price=Decimal(50)), 2, "31.00", id="a part of the price"),
        pytest.param(terms(24, percent_of_price=Decimal("33.335")), 2, "20.00", id="rounded once"),
    ],
)
def test_late_cancelling_costs_what_was_agreed(agreed, hours_before, expected):
    assert owed(agreed, hours_before) == Money.of(expected)


@pytest.mark.parametrize("price", ["180", "60"])
def test_at_full_price_the_support_is_kept_like_the_price(price):  # N58: 3 a minute, 1 of it borne by others
    assert owed(terms(24, full_price=True), 2, Money.of(price)) == Money.of(price)


agreements = st.builds(
    CancellationTerms,
    free_until=st.integers(0, 72).map(lambda hours: timedelta(hours=hours)),
    fee=st.integers(0, 10_000).map(Money),
    full_price=st.booleans(),
    percent_of_price=st.decimals(0, 150, places=2),
)
hours = st.integers(-5, 100)


@given(agreements, hours, hours, st.integers(0, 1_000_000).map(Money))
def test_cancelling_later_never_costs_less(agreed, one, other, price):
    late, early = sorted((one, other))
    assert owed(agreed, late, price) >= owed(agreed, early, price) >= ZERO
