from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import InvalidInput
from app.kernel.money import Money, total
from billing.rules.payers import Part, checked, note_shares, shares
from billing.rules.tax import Taxed, credited, taxed

SIX, NINE = Decimal("0.06"), Decimal("0.09")


def part(payer: int, percent: str, *, rest: bool = False) -> Part:
    return Part(payer, Decimal(percent), rest)


@st.composite
def agreements(draw) -> list[Part]:
    cuts = sorted(draw(st.sets(st.integers(1, 9999), max_size=4)))
    edges = [0, *cuts, 10000]
    percents = [Decimal(after - before) / 100 for before, after in pairwise(edges)]
    rest = draw(st.integers(0, len(percents) - 1))
    return [Part(number, percent, number == rest) for number, percent in enumerate(percents)]


def lines(fen: list[int], rate: Decimal) -> list[Taxed]:
    return [taxed(Money(one).yuan, rate=rate, includes_tax=True) for one in fen]


def together(amounts: list[Taxed]) -> Taxed:
    return Taxed(*(total([getattr(one, column) for one in amounts]) for column in ("net", "tax", "gross")))


def test_the_shares_of_a_worked_example():
    whole = {SIX: taxed(Decimal("1000.00"), rate=SIX, includes_tax=True)}
    parts = checked([part(1, "33.33"), part(2, "33.33"), part(3, "33.34", rest=True)])
    first, second, rest = shares(whole, parts)
    assert (first.amount.gross, first.amount.net) == (Money.of("333.30"), Money.of("314.43"))
    assert second.amount == first.amount
    assert rest.amount == Taxed(Money.of("314.54"), Money.of("18.86"), Money.of("333.40"))


def test_the_one_who_takes_the_remainder_takes_the_fen_that_cutting_leaves():
    first, rest = shares(
        {SIX: Taxed(Money(94), Money(6), Money(101 - 1))}, [part(1, "99.99"), part(2, "0.01", rest=True)]
    )
    assert (first.amount.gross, rest.amount.gross) == (Money(99), Money(1))


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ([part(1, "50"), part(2, "49.99", rest=True)], "99.99"),
        ([part(1, "50"), part(2, "50")], "尾差"),
        ([part(1, "50", rest=True), part(2, "50", rest=True)], "尾差"),
        ([part(1, "100", rest=True), part(2, "0")], "大于 0"),
        ([part(1, "50", rest=True), part(1, "50")], "只能出现一次"),
    ],
)
def test_percents_make_100_with_one_who_takes_the_remainder(parts, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        checked(parts)


@given(agreements(), st.lists(st.integers(-10_000, 1_000_000), min_size=1, max_size=6))
def test_shares_lose_no_fen_at_any_rate(parts, fen):
    amounts = {rate: together(lines(fen, rate)) for rate in (SIX, NINE)}
    found = shares(amounts, parts)
    for rate, whole in amounts.items():
        assert together([one.amount for one in found if one.rate == rate]) == whole
    assert all(one.amount.net + one.amount.tax == one.amount.gross for one in found)


@given(agreements(), st.integers(1, 200_000), st.lists(st.integers(1, 60_000), max_size=8))
def test_credit_notes_give_no_payer_more_back_than_their_share_and_the_last_empties_all(parts, fen, notes):
    line = taxed(Money(fen).yuan, rate=SIX, includes_tax=True)
    first = {one.part.payer_id: one.amount for one in shares({SIX: line}, parts)}
    left, line_left = {(payer, SIX): amount for payer, amount in first.items()}, line
    for wanted in [*notes, fen]:
        gross = min(Money(wanted), line_left.gross)
        if not gross:
            break
        back = credited(gross, rate=SIX, net_left=line_left.net, gross_left=line_left.gross)
        given_back = note_shares({SIX: back}, parts, left)
        assert together([one.amount for one in given_back]) == back
        for one in given_back:
            key = (one.part.payer_id, SIX)
            had = left[key]
            assert Money(0) <= one.amount.gross <= had.gross
            left[key] = Taxed(had.net - one.amount.net, had.tax - one.amount.tax, had.gross - one.amount.gross)
        line_left = Taxed(line_left.net - back.net, line_left.tax - back.tax, line_left.gross - back.gross)
    assert line_left.gross == Money(0)
    assert set(left.values()) == {Taxed(Money(0), Money(0), Money(0))}
