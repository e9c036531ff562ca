"""What the charges of a case are found to be when it is priced again, kept as plain words from portion to portion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.kernel.errors import Refusal
from billing.rules.dossier import cases
from billing.rules.dossier.readings import Proved
from billing.rules.dossier.wrong import DoesNotHold

Json = dict[str, Any]


def charged_of(case: Json, again: set[int]) -> list[list[Any]]:
    """What its charges are found to be. If the rules of today price it otherwise, the case says so.

    What a person accepted of late readings belongs to the settlement that came on top, not to the one before it.
    """
    proved = Proved(sessions=dict.fromkeys(again))  # type: ignore[arg-type]  # only whether they are there is asked
    accepted = case["accepted"]
    for case["accepted"] in (accepted, []):
        try:
            return _plain(cases.price_case("cases", case, proved))
        except (DoesNotHold, Refusal, KeyError, TypeError, ValueError):
            continue
    case["accepted"], case["not_again"] = accepted, True
    return _plain(cases.price_case("cases", case, proved))


def _plain(found: Iterable[tuple[int, cases.Charged]]) -> list[list[Any]]:
    return [[number, cases.charged_told(charged)] for number, charged in found]
