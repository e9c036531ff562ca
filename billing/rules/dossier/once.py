"""What a portion tells, and what may be in a whole dossier only once: cases, charges, use of a meter."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from billing.rules.dossier.cases import Charged
from billing.rules.dossier.wrong import DoesNotHold

Case = tuple[str, int]
"""A reservation, or a run that nobody had reserved."""


@dataclass(slots=True)
class Portion:
    """What one portion was found to tell. ``uses`` are the sessions found again from readings: id, meter, start, end.

    ``cases`` are id, which case it is and its sequence; ``belongs`` says of each session whose it is; ``terms`` are
    those of each tariff, as text.
    """

    readings: int = 0
    by_digest: int = 0
    charges: list[tuple[int, Charged]] = field(default_factory=list)
    cases: list[tuple[int, Case, int]] = field(default_factory=list)
    belongs: list[tuple[int, Case]] = field(default_factory=list)
    uses: list[tuple[int, str, datetime, datetime]] = field(default_factory=list)
    terms: list[tuple[int, str]] = field(default_factory=list)


class Whole:
    """The portions of a dossier taken together. Errors of its methods: ``DoesNotHold`` for what is there again."""

    def __init__(self) -> None:
        self.charged: dict[int, Charged] = {}
        self.terms: dict[int, str] = {}
        self.readings = self.by_digest = 0
        self._cases: dict[object, str] = {}
        self._belongs: dict[int, Case] = {}
        self._uses: dict[int, tuple[str, datetime, datetime]] = {}

    @property
    def sessions(self) -> int:
        return len(self._uses)

    def add(self, name: str, portion: Portion) -> None:
        """Take in a portion whose cases are in the member ``name``."""
        self.readings += portion.readings
        self.by_digest += portion.by_digest
        for number, case, sequence in portion.cases:
            for key in (number, (case, sequence)):
                if key in self._cases:
                    raise DoesNotHold(name, f"case {number}", expected="once", found=f"also {self._cases[key]}")
                self._cases[key] = f"case {number} of {name}"
        for session, case in portion.belongs:
            if self._belongs.setdefault(session, case) != case:
                expected = f"one of {_case(self._belongs[session])} only"
                raise DoesNotHold(name, f"session {session}", expected=expected, found=f"one of {_case(case)}, too")
        for number, charge in portion.charges:
            if number in self.charged:
                raise DoesNotHold(name, f"charge {number}", expected="once", found="more than once")
            self.charged[number] = charge
        for number, meter, start, end in portion.uses:
            use = meter, start, end
            if self._uses.setdefault(number, use) != use:
                raise DoesNotHold(name, f"session {number}", expected=_use(*self._uses[number]), found=_use(*use))
        for tariff, terms in portion.terms:
            if self.terms.setdefault(tariff, terms) != terms:
                raise DoesNotHold(name, f"tariff {tariff}, its terms", expected=self.terms[tariff], found=terms)

    def close(self) -> None:
        """After the last portion: no meter is used twice at the same time."""
        before: tuple[str, datetime, datetime] | None = None
        for number, use in sorted(self._uses.items(), key=lambda one: one[1]):
            if before is not None and before[0] == use[0] and use[1] < before[2]:
                expected = f"use after {_use(*before)}"
                raise DoesNotHold("readings", f"session {number}", expected=expected, found=_use(*use))
            before = use


def _case(case: Case) -> str:
    return f"{case[0]} {case[1]}"


def _use(meter: str, start: datetime, end: datetime) -> str:
    return f"meter {meter}, {start.isoformat()} to {end.isoformat()}"
