"""The three years and the cap of the operating subsidy, as they stand before a given year."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from app.kernel.money import ZERO, Money

Gap = Literal["calendar", "pause", "break"]


@dataclass(frozen=True, slots=True)
class Window:
    """What a right-holder has had so far.

    ``start`` is ``None`` until a first paid year starts the window (A08). ``earliest`` is the first
    year that could have had revenue: only from then on can a year without a grant be a gap (A09).
    """

    gap: Gap
    start: int | None
    earliest: int
    granted: tuple[int, ...] = ()
    used: Money = ZERO
    broken: bool = False

    def over_in(self, year: int, *, years: int) -> bool:
        """Whether the right has ended before ``year``."""
        if self.gap == "pause":
            return len(self.granted) >= years
        return self.broken or (self.start is not None and year >= self.start + years)

    def covers(self, year: int, *, years: int) -> bool:
        return not self.over_in(year, years=years) and (self.start is None or year >= self.start)

    def after(self, year: int, payable: Money) -> Window:
        """The window once ``year`` has had its grant, or none."""
        if payable:
            start = year if self.start is None else self.start
            return replace(self, start=start, granted=(*self.granted, year), used=self.used + payable)
        gap_year = self.start is not None and year >= max(self.start, self.earliest)
        return replace(self, broken=self.broken or (self.gap == "break" and gap_year))
