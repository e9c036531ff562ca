from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.kernel.errors import InvalidInput
from app.kernel.money import Money, total
from billing.rules.sharing import Part, checked, shared


def parts(*percents: str, remainder: int) -> list[Part]:
    return [Part(number, Decimal(one), number == remainder) for number, one in enumerate(percents)]


@pytest.mark.parametrize(
    ("base", "percents", "remainder", "expected"),
    [
        ("9.99", ("50", "50"), 1, ["4.99", "5.00"]),  # N73
        ("19.99", ("50", "50"), 0, ["10.00", "9.99"]),
        ("39.99", ("50", "50"), 0, ["20.00", "19.99"]),
        ("9.99", ("33.34", "33.33", "33.33"), 0, ["3.35", "3.32", "3.32"]),  # N74
        ("6.66", ("33.34", "33.33", "33.33"), 0, ["2.24", "2.21", "2.21"]),  # N75
        ("-9.99", ("33.34", "33.33", "33.33"), 0, ["-3.35", "-3.32", "-3.32"]),
    ],
)
def test_shares_are_cut_to_a_fen_and_one_takes_what_is_left(base, percents, remainder, expected):
    assert [str(one) for one in shared(Money.of(base), parts(*percents, remainder=remainder))] == expected


@given(
    some.integers(-(10**12), 10**12),
    some.lists(some.integers(1, 10**6), min_size=2, max_size=8),
    some.data(),
)
def test_no_fen_is_lost_and_nobody_is_off_by_more_than_rounding(fen, weights, data):
    whole = sum(weights)
    own = [Decimal(one * 100) / whole for one in weights[:-1]]
    own.append(100 - sum(own, Decimal()))
    taker = data.draw(some.integers(0, len(own) - 1))
    agreed = [Part(number, one, number == taker) for number, one in enumerate(own)]
    amounts = shared(Money(fen), agreed)
    assert total(amounts) == Money(fen)
    for part, amount in zip(agreed, amounts, strict=True):
        assert abs(Decimal(amount.fen) - fen * part.percent / 100) <= len(agreed)


@pytest.mark.parametrize(
    ("agreed", "said"),
    [
        (parts("100", remainder=0), "至少"),
        (parts("60", "41", remainder=0), "101"),
        (parts("60", "40", remainder=7), "尾差"),
        (parts("120", "-20", remainder=0), "大于 0"),
        ([Part(1, Decimal(50), True), Part(1, Decimal(50))], "只出现一次"),
    ],
)
def test_an_agreement_makes_a_hundred_of_different_parties(agreed, said):
    with pytest.raises(InvalidInput, match=said):
        checked(agreed)
