"""A booked slot, as later stages see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class BookedSlot:
    """One live reservation of one piece of equipment."""

    reservation_id: int
    equipment_id: int
    organization_id: int
    during: Interval


@dataclass(frozen=True, slots=True)
class AgreedSlot:
    """What became of a reservation that was agreed. ``during`` ends where the rest was given back.

    ``cancelled_at`` and ``withdrawn`` (by the platform) say how it ended before it began.
    """

    reservation_id: int
    equipment_id: int
    organization_id: int
    during: Interval
    booked_at: datetime
    checked_in_at: datetime | None
    cancelled_at: datetime | None
    withdrawn: bool
    over: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """Who is at a piece of equipment: the reservation that is checked in, and when somebody last came or went."""

    reservation_id: int | None = None
    turned_at: datetime | None = None
