"""The way of a claim: filed, locked, approved, paid; and what is still to be paid or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from app.kernel.errors import Conflict
from app.kernel.money import ZERO, Money, total


class ClaimState(StrEnum):
    """Before it is filed there is an estimate and no claim."""

    FILED = "filed"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    LOCKED = "locked"
    APPROVED = "approved"
    PAID = "paid"
    ADJUSTED = "adjusted"

    @property
    def stands(self) -> bool:
        """Whether it is neither returned nor withdrawn."""
        return self not in (ClaimState.RETURNED, ClaimState.WITHDRAWN)


MOVES: dict[ClaimState, frozenset[ClaimState]] = {
    ClaimState.FILED: frozenset({ClaimState.RETURNED, ClaimState.WITHDRAWN, ClaimState.LOCKED}),
    ClaimState.RETURNED: frozenset({ClaimState.FILED}),
    ClaimState.WITHDRAWN: frozenset({ClaimState.FILED}),
    ClaimState.LOCKED: frozenset({ClaimState.APPROVED}),
    ClaimState.APPROVED: frozenset({ClaimState.PAID, ClaimState.ADJUSTED}),
    ClaimState.PAID: frozenset({ClaimState.APPROVED, ClaimState.ADJUSTED}),
    ClaimState.ADJUSTED: frozenset(),
}
FROZEN = frozenset({ClaimState.LOCKED, ClaimState.APPROVED, ClaimState.PAID, ClaimState.ADJUSTED})
DECIDED = FROZEN - {ClaimState.LOCKED}


def insist_on_move(now: ClaimState, then: ClaimState) -> None:
    """Errors: ``Conflict`` if a claim cannot go from ``now`` to ``then``."""
    if then not in MOVES[now]:
        raise Conflict("申报的状态已经变化，现在不能这样办理。请刷新页面。", now=now.value, then=then.value)


def shortfall_shares(amounts: Sequence[Money], budget: Money) -> list[Money]:
    """What each of ``amounts`` gives up so that together they do not exceed ``budget``; in proportion, to the fen.

    All are zero where the budget suffices. No part is larger than its amount.
    """
    short = max(ZERO, total(list(amounts)) - max(ZERO, budget))
    if not short:
        return [ZERO for _ in amounts]
    return short.shared_by([one.fen for one in amounts])
