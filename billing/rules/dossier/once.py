"""What a portion tells, and what may be in a whole dossier only once: cases, charges, use of a meter."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from billing.rules.dossier.cases import Charged, charged_told
from billing.rules.dossier.register import Register
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
    """The portions of a dossier taken together. Errors of its methods: ``DoesNotHold`` for what is there again.

    O(log n) for each thing that a portion tells; only the terms of tariffs are in memory.
    """

    def __init__(self, register: Register) -> None:
        self.register = register
        self.terms: dict[int, str] = {}
        self.readings = self.by_digest = self.sessions = self.charges = 0

    def add(self, name: str, portion: Portion) -> None:
        """Take in a portion whose cases are in the member ``name``."""
        self.readings += portion.readings
        self.by_digest += portion.by_digest
        for number, case, sequence in portion.cases:
            for key in (f"{number}", f"{_case(case)}, {sequence}"):
                if before := self.register.add("case", key, f"case {number} of {name}"):
                    raise DoesNotHold(name, f"case {number}", expected="once", found=f"also {before}")
        for session, case in portion.belongs:
            before = self.register.add("session", f"{session}", _case(case))
            if before not in (None, _case(case)):
                expected, found = f"one of {before} only", f"one of {_case(case)}, too"
                raise DoesNotHold(name, f"session {session}", expected=expected, found=found)
        for number, charge in portion.charges:
            self.charges += 1
            if self.register.add("charge", f"{number}", json.dumps(charged_told(charge), ensure_ascii=False)):
                raise DoesNotHold(name, f"charge {number}", expected="once", found="more than once")
        for use in portion.uses:
            self._used(name, *use)
        for tariff, terms in portion.terms:
            if self.terms.setdefault(tariff, terms) != terms:
                raise DoesNotHold(name, f"tariff {tariff}, its terms", expected=self.terms[tariff], found=terms)

    def _used(self, name: str, session: int, meter: str, start: datetime, end: datetime) -> None:
        said = f"meter {meter}, {start.isoformat()} to {end.isoformat()}"
        before = self.register.add("use", f"{session}", said)
        if before is None:
            self.sessions += 1
            times = [one.isoformat(timespec="microseconds") for one in (start, end)]
            self.register.add("time", " ".join([sha256(meter.encode()).hexdigest(), *times, f"{session}"]), said)
        elif before != said:
            raise DoesNotHold(name, f"session {session}", expected=before, found=said)

    def close(self) -> None:
        """After the last portion: no meter is used twice at the same time."""
        last, ended, said_before = "", "", ""
        for key, said in self.register.in_order("time"):
            meter, start, end, session = key.split(" ")
            if meter == last and start < ended:
                raise DoesNotHold("readings", f"session {session}", expected=f"use after {said_before}", found=said)
            last, ended, said_before = meter, end, said


def _case(case: Case) -> str:
    return f"{case[0]} {case[1]}"
