"""A booked slot, as later stages see it."""

from __future__ import annotations

from dataclasses import dataclass

from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class BookedSlot:
    """One live reservation of one piece of equipment."""

    reservation_id: int
    equipment_id: int
    organization_id: int
    during: Interval
