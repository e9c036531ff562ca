from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import Money, total

amounts = st.integers(-(10**13), 10**13).map(Money)


@pytest.mark.parametrize(
    ("yuan", "fen"), [("0.005", 1), ("-0.005", -1), ("0.0049999", 0), ("1234.565", 123457), ("2.675", 268)]
)
def test_half_a_fen_goes_away_from_zero(yuan, fen):
    assert Money.rounded(Decimal(yuan)).fen == fen


@given(st.fractions(-(10**6), 10**6, max_denominator=6000))
def test_a_fraction_is_rounded_as_exactly_as_a_decimal(yuan):
    nearest = Money.rounded(yuan)
    assert abs(Fraction(nearest.fen, 100) - yuan) <= Fraction(1, 200)
    assert Money.rounded(-yuan) == -nearest
    assert abs(Money.rounded(yuan, mode="truncate").fen) == abs(yuan) * 100 // 1


def test_half_a_fen_that_no_decimal_holds_on_the_way_goes_up():
    assert Money.rounded(Fraction(3, 10) / 60) == Money(1)
    assert Money.rounded(Fraction(-3, 10) / 60) == Money(-1)
    assert Money.rounded(Fraction(2, 3) * Fraction(3, 400), mode="truncate") == Money(0)


@given(st.decimals(-(10**9), 10**9, places=6, allow_nan=False))
def test_truncating_never_gives_more_than_rounding(yuan):
    assert abs(Money.rounded(yuan, mode="truncate").fen) <= abs(Money.rounded(yuan).fen)


@given(amounts, st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any))
def test_sharing_loses_no_fen_and_is_fair_to_the_fen(amount, weights):
    parts = amount.shared_by(weights)
    assert total(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Decimal(part.fen) - Decimal(amount.fen) * weight / sum(weights)) < 1


@given(amounts)
def test_yuan_and_back_is_the_same_amount(amount):
    assert Money.of(amount.yuan) == amount


def test_a_fraction_of_a_fen_is_no_amount():
    with pytest.raises(ValueError, match="fen"):
        Money.of("1.005")


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_weights_that_cannot_share_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        Money(100).shared_by(weights)
