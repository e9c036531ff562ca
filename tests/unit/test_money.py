from __future__ import annotations

from decimal import Decimal

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
