"""What of a listing can be reserved, once everything about it has been read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from app.booking.rules.free import free_stretches
from app.booking.rules.pool import full
from app.booking.rules.request import Terms
from app.kernel.interval import Interval


def bookable(
    opening: Iterable[Interval],
    closed: Iterable[Interval],
    *,
    terms: Terms,
    held: Iterable[tuple[Iterable[Interval], int]],
) -> list[Interval]:
    """Stretches throughout which the listing could be reserved, ascending and disjoint. O(n log n).

    Shape: ``held`` is what is held of each device, with how many units it has; ``opening`` ascending, disjoint.
    """
    gone = [when for blocked, units in held for when in terms.kept_from(full(blocked, units))]
    return free_stretches(opening, [*closed, *gone])


def fits(when: Interval, *, terms: Terms, at: datetime) -> bool:
    """Whether a slot of open, free time also keeps to the limits on its length and its start."""
    return (
        terms.least <= when.duration <= terms.most
        and not when.duration % terms.step
        and at + terms.notice <= when.start <= at + terms.advance
    )
