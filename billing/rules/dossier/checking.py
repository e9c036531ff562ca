"""One portion of a dossier, whole: from its readings to its charges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import IO, Any

from billing.rules.dossier.cases import price_case
from billing.rules.dossier.once import Case, Portion
from billing.rules.dossier.readings import prove_portion
from billing.rules.dossier.register import number_of
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.pricing.reading import read_terms, terms_told


def check_portion(
    number: str, cases: Sequence[Mapping[str, Any]], readings: IO[bytes], seals: Mapping[int, tuple[int, str]]
) -> Portion:
    """What a portion tells, once all of it was found again. Errors: ``DoesNotHold``."""
    cases_name, readings_name = f"cases/{number}.jsonl", f"readings/{number}.gz"
    sessions = _sessions(cases_name, cases)
    proved = prove_portion(readings_name, readings, sessions, seals)
    portion = Portion(proved.readings, proved.by_digest)
    for case in cases:
        which = _which(cases_name, case)
        portion.cases.append((case["case"], which, case["sequence"]))
        portion.belongs += [(one["id"], which) for one in case["sessions"]]
        portion.charges += price_case(cases_name, case, proved)
        terms = _terms(json.dumps(case["facts"]["tariff"], ensure_ascii=False))
        portion.terms += [(one, terms) for one in sorted({charge["tariff"] for charge in case["charges"]})]
    portion.uses = [
        (session, sessions[session]["meter"], usage.when.start, usage.when.end)
        for session, usage in proved.sessions.items()
    ]
    return portion


def _sessions(name: str, cases: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """All sessions by id. Errors: ``DoesNotHold`` for one that another case tells otherwise: one telling is proved."""
    found: dict[int, Mapping[str, Any]] = {}
    for case in cases:
        for one in case["sessions"]:
            number = number_of(name, f"case {case['case']}, a session", one["id"])
            insist(name, f"session {number} in case {case['case']}", expected=found.setdefault(number, one), found=one)
    return found


def _which(name: str, case: Mapping[str, Any]) -> Case:
    """Errors: ``DoesNotHold`` where it has neither a reservation nor a single run, a session twice, or no sequence."""
    which = f"case {number_of(name, 'a case', case['case'])}"
    if number_of(name, f"{which}, its sequence", case["sequence"]) < 0:
        raise DoesNotHold(name, f"{which}, its sequence", expected="none below zero", found=case["sequence"])
    ids = [one["id"] for one in case["sessions"]]
    if len(set(ids)) < len(ids):
        raise DoesNotHold(name, f"{which}, its sessions", expected="each once", found=ids)
    for one in case["charges"]:
        number_of(name, f"{which}, a charge", one["id"])
    if case["reservation"] is not None:
        return "reservation", number_of(name, f"{which}, its reservation", case["reservation"])
    if len(ids) != 1:
        raise DoesNotHold(name, which, expected="a reservation, or one session", found=ids)
    return "session", ids[0]


@lru_cache(maxsize=1000)
def _terms(written: str) -> str:
    """A price as text, the same however it was written down."""
    told = terms_told(read_terms(json.loads(written), "tariff"))
    return json.dumps(told, ensure_ascii=False, sort_keys=True, default=str)
