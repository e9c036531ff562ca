"""What is known of one use: what was booked, what was used, and the terms in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from app.kernel.interval import Interval
from billing.rules.pricing.tariff import Terms, Unit


@dataclass(frozen=True, slots=True)
class Booked:
    """A reservation. ``booked_at`` matters only for an urgent surcharge; unknown, there is none."""

    when: Interval
    cancelled_at: datetime | None = None
    cancelled_by_operator: bool = False
    checked_in_at: datetime | None = None
    booked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One switching-on (一次上机) as the meter saw it. Without an end none was seen; what is missing is not known."""

    start: datetime
    end: datetime | None
    energy_wh: Decimal | None = None
    counts: Mapping[Unit, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UseFacts:
    """All that a price depends on.

    Shape: ``runs`` in any order; ``()`` says the meter worked and saw no use, ``None`` that it was silent.
           ``other_reservations`` and ``other_usage`` are those of other people on the same equipment.
    Units: ``prior_quantity`` in the unit of the terms. ``now`` is the moment of pricing, ``None`` after everything.
    """

    terms: Terms
    zone: ZoneInfo
    customer_class: str = "other"
    reservation: Booked | None = None
    runs: tuple[Run, ...] | None = None
    other_reservations: tuple[Interval, ...] = ()
    other_usage: tuple[Interval, ...] = ()
    prior_quantity: Decimal = Decimal(0)
    now: datetime | None = None
