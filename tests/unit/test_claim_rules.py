from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import Conflict
from app.kernel.money import ZERO, Money, total
from billing.rules.claim import DECIDED, FROZEN, MOVES, ClaimState, insist_on_move, shortfall_shares

AMOUNTS = st.lists(st.integers(0, 10**12).map(Money), max_size=30)


@given(AMOUNTS, st.integers(-(10**9), 10**13).map(Money))
def test_a_shortfall_is_shared_without_losing_a_fen_and_never_beyond_an_amount(amounts, budget):
    shares = shortfall_shares(amounts, budget)
    left = [amount - share for amount, share in zip(amounts, shares, strict=True)]
    assert all(ZERO <= share <= amount for amount, share in zip(amounts, shares, strict=True))
    assert total(left) == min(total(amounts), max(ZERO, budget))


@given(AMOUNTS, st.integers(0, 10**13).map(Money))
def test_a_shortfall_is_shared_in_proportion_to_a_fen(amounts, budget):
    whole = total(amounts)
    if budget < whole:
        for amount, share in zip(amounts, shortfall_shares(amounts, budget), strict=True):
            exact = Decimal(amount.fen) * (whole - budget).fen / whole.fen
            assert abs(share.fen - exact) < 1


def test_a_claim_that_is_frozen_never_goes_back_to_where_facts_change():
    reached, new = set(), {ClaimState.LOCKED}
    while new:
        reached |= new
        new = {then for state in new for then in MOVES[state]} - reached
    assert reached == FROZEN
    assert DECIDED < FROZEN
    with pytest.raises(Conflict):
        insist_on_move(ClaimState.LOCKED, ClaimState.FILED)
