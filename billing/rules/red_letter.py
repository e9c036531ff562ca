"""Red letters: the only way back from a tax invoice that was issued (红字发票).

Source: the tax bureau's confirmation form for red e-invoices (红字信息确认单): reason codes 01-04, void unless it is
confirmed within 72 hours.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

CONFIRM_WITHIN = timedelta(hours=72)


class RedReason(StrEnum):
    """The tax bureau's codes."""

    ISSUED_WRONGLY = "01"
    GOODS_RETURNED = "02"
    SERVICE_STOPPED = "03"
    ALLOWANCE = "04"


class RedState(StrEnum):
    """``CONFIRMED`` by both sides in the tax bureau's system; ``ISSUED`` once the red numbers are recorded."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    ISSUED = "issued"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"

    @property
    def next(self) -> frozenset[RedState]:
        return MOVES[self]

    @property
    def open(self) -> bool:
        """Whether it holds its amounts: nobody else may take them back."""
        return bool(self.next)


MOVES: dict[RedState, frozenset[RedState]] = {
    RedState.REQUESTED: frozenset({RedState.CONFIRMED, RedState.REFUSED, RedState.WITHDRAWN, RedState.EXPIRED}),
    RedState.CONFIRMED: frozenset({RedState.ISSUED, RedState.WITHDRAWN}),
    RedState.ISSUED: frozenset(),
    RedState.REFUSED: frozenset(),
    RedState.WITHDRAWN: frozenset(),
    RedState.EXPIRED: frozenset(),
}

OPEN = tuple(state for state in RedState if state.open)
