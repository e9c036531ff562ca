"""From what a base yields to what is payable: the arithmetic that every programme shares."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from app.kernel.money import ZERO, Money
from billing.rules.facts import Programme
from billing.rules.grant import NoGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """One year of one programme on its way to a grant.

    ``raw`` is what the base yields at ``rate``, ``cap_left`` what the cap still allows, ``higher_level`` what
    authorities above Jinjiang paid for the same; the grant tops that up (A16). ``decided`` is what was granted, where
    somebody has decided. ``clawback`` is proposed and lowers nothing.
    """

    programme: Programme
    year: int
    refused: NoGrant | None
    rate: Decimal
    raw: Money
    cap_left: Money
    higher_level: Money = ZERO
    clawback: Money = ZERO
    payee: str | None = None
    decided: Money | None = None

    nothing: ClassVar[NoGrant] = NoGrant.NOTHING_COUNTS

    @property
    def open_to_grant(self) -> bool:
        """Whether all conditions but the amounts are met."""
        return self.refused is None

    @property
    def entitled(self) -> Money:
        return min(self.raw, self.cap_left) if self.open_to_grant else ZERO

    @property
    def payable(self) -> Money:
        return max(ZERO, self.entitled - self.higher_level)

    @property
    def granted(self) -> Money:
        """What uses up the cap: what was decided, else what is payable."""
        return self.payable if self.decided is None else self.decided

    @property
    def overpaid(self) -> Money:
        """What was decided beyond what the facts still yield."""
        return max(ZERO, self.granted - self.payable)

    @property
    def reason(self) -> NoGrant | None:
        """Why nothing is payable, where nothing is."""
        if self.payable or self.refused:
            return self.refused
        if not self.raw:
            return self.nothing
        return NoGrant.HIGHER_LEVEL_PAID if self.entitled else NoGrant.CAP_USED
