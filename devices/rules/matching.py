"""What happened meets what was intended: spans of use and booked slots of one piece of equipment.

A span that touches no slot is walk-up use. A span that touches slots belongs to them, from its very
beginning to its very end: starting early and overrunning stay with the slot they adjoin. Where a span
touches several slots it is cut at the start of each later one, so the time before it belongs to the
slot before. Slots may overlap, of several units or by an early check-in: then too the later one takes
over where it starts, so of those running when the span begins the last to start has it, and of two that
start together the one reserved first. Source: devices/README.md, "Whose use it was".
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
    """Cut one span along the slots it touches. The pieces meet and cover the span. O(s log s) for s slots.

    Shape: live slots of one piece of equipment, in any order.
    """
    touched = sorted(
        (slot for slot in slots if slot.during.overlaps(span)),
        key=lambda slot: (slot.during.start, slot.reservation_id),
    )
    found: list[Piece] = []
    rest = span
    owner: BookedSlot | None = None
    for slot in touched:
        if owner is None or owner.during.start < slot.during.start <= span.start:
            owner = slot
        elif slot.during.start > max(owner.during.start, span.start):
            found.append(Piece(Interval(rest.start, slot.during.start), owner))
            rest, owner = Interval(slot.during.start, rest.end), slot
    return [*found, Piece(rest, owner)]
