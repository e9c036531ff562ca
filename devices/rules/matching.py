"""What happened meets what was intended: spans of use and booked slots of one piece of equipment.

A span that touches no slot is walk-up use. A span that touches slots belongs to them, from its very
beginning to its very end: starting early and overrunning stay with the slot they adjoin. Where a span
touches several slots it is cut at the start of each later one, so the time before it belongs to the
slot before. Source: docs/metering.md, "Whose use it was".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a span and the slot it belongs to, if it belongs to one."""

    when: Interval
    slot: BookedSlot | None


def pieces(span: Interval, slots: Sequence[BookedSlot]) -> list[Piece]:
    """Cut one span along the slots it touches. The pieces meet and cover the span. O(slots).

    Shape: live slots of one piece of equipment, which never overlap, in any order.
    """
    touched = sorted((slot for slot in slots if slot.during.overlaps(span)), key=lambda slot: slot.during.start)
    if not touched:
        return [Piece(span, None)]
    starts = [span.start, *(slot.during.start for slot in touched[1:])]
    ends = [*starts[1:], span.end]
    return [Piece(Interval(start, end), slot) for start, end, slot in zip(starts, ends, touched, strict=True)]
