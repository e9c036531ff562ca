"""What a programme grants for a year, who bears it, and the steps that lead there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from app.kernel.money import ZERO, Money
from billing.rules.facts import Programme
from billing.rules.policy import Policy, Settings

CLAUSE = "六(二)"
"""Where the text states every grant."""


class NoGrant(StrEnum):
    """Why a year has no grant."""

    NOT_CERTIFIED = "not_certified"
    NOT_OPERATING = "not_operating"
    NOT_IN_FORCE = "not_in_force"
    BEFORE_WINDOW = "before_window"
    WINDOW_OVER = "window_over"
    NOT_EVALUATED = "not_evaluated"
    NOT_SELECTED = "not_selected"
    NO_REVENUE = "no_revenue"
    NOTHING_COUNTS = "nothing_counts"
    NO_LEVEL = "no_level"
    ALREADY_AWARDED = "already_awarded"
    HIGHER_PROGRAMME = "higher_programme"
    CAP_USED = "cap_used"
    HIGHER_LEVEL_PAID = "higher_level_paid"


@dataclass(frozen=True, slots=True)
class Shares:
    """An amount and its two bearers, as the policy names them: ``upper + own = amount``."""

    amount: Money = ZERO
    upper: Money = ZERO
    own: Money = ZERO


@dataclass(frozen=True, slots=True)
class Grant:
    """The result for one year and programme. ``estimate`` is set only where the certification is missing.

    ``clawback`` is a proposal; it does not lower ``payable``.
    """

    year: int
    programme: Programme
    payable: Shares
    payee: str | None = None
    reason: NoGrant | None = None
    estimate: Money | None = None
    clawback: Shares = Shares()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning: a sentence in both languages and the figures in it.

    ``settings`` are the numbers (A01–A38) of the readings that the step rests on.
    """

    code: str
    clause: str
    zh: str
    en: str
    settings: tuple[str, ...] = ()
    year: int | None = None
    figures: Mapping[str, Money] = field(default_factory=dict)
    programme: Programme | None = None

    @property
    def source(self) -> str:
        return " · ".join([self.clause, *self.settings])


def shares(amount: Money, programme: Programme, *, settings: Settings, policy: Policy, on: date) -> Shares:
    """Split between the two bearers where A14 says so; otherwise the policy's own bears it alone.

    The fen that cannot be split goes to the side named by A13.
    """
    if programme not in settings.names("A14_split_scope"):
        return Shares(amount, ZERO, amount)
    upper, own = (policy.value(f"split.{bearer.key}", on=on) for bearer in (policy.upper, policy.own))
    if settings.text("A13_odd_fen_to") == policy.upper.zh:
        cut = Money.rounded(amount.yuan * own / (upper + own), mode="truncate")
        return Shares(amount, amount - cut, cut)
    cut = Money.rounded(amount.yuan * upper / (upper + own), mode="truncate")
    return Shares(amount, cut, amount - cut)
