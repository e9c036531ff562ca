"""The firms that platforms served, put together by where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.kernel.money import Money, total


class Unplaced(StrEnum):
    """Why a firm is in none of the city's towns or parks."""

    UNTOLD = "untold"
    OUTSIDE = "outside"


Place = str | Unplaced


@dataclass(frozen=True, slots=True)
class ServedFirms:
    """Firms of one town and park, and what all platforms together did for them; each firm is in one of these.

    ``without_code`` are firms whose unified social credit code is not known: not in ``firms``.
    """

    town: Place
    park: Place
    firms: int
    without_code: int
    orders: int
    served: timedelta
    revenue: Money


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One town or park. ``without_code`` are firms whose unified social credit code is not known: not in ``firms``."""

    place: Place
    firms: int
    without_code: int
    orders: int
    served: timedelta
    revenue: Money


def place_of(named: str | None, *, at_home: bool) -> Place:
    """The town or park as told; without one a firm of another region is outside."""
    return named or (Unplaced.UNTOLD if at_home else Unplaced.OUTSIDE)


def by_town(firms: Iterable[ServedFirms], towns: Collection[str]) -> list[PlaceRow]:
    """In the order of ``towns``, those without any firm too; then what is in none of them."""
    kept = list(firms)
    named = list(dict.fromkeys([*towns, *sorted({one.town for one in kept} - set(Unplaced) - set(towns))]))
    return [together(place, [one for one in kept if one.town == place]) for place in _with_unplaced(named)]


def by_park(firms: Iterable[ServedFirms]) -> list[PlaceRow]:
    """By name; then the firms in none."""
    kept = list(firms)
    named = sorted({one.park for one in kept} - set(Unplaced))
    return [together(place, [one for one in kept if one.park == place]) for place in _with_unplaced(named)]


def together(place: Place, firms: Sequence[ServedFirms]) -> PlaceRow:
    """Each firm is at one place, so rows add up to what all firms come to."""
    return PlaceRow(
        place,
        firms=sum(one.firms for one in firms),
        without_code=sum(one.without_code for one in firms),
        orders=sum(one.orders for one in firms),
        served=sum((one.served for one in firms), timedelta()),
        revenue=total([one.revenue for one in firms]),
    )


def _with_unplaced(named: Sequence[Place]) -> list[Place]:
    return [*named, Unplaced.OUTSIDE, Unplaced.UNTOLD]
