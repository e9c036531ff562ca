"""What a dossier that holds is said to show, and what it only states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from app.kernel.money import ZERO
from billing.rules.dossier.cases import Basis
from billing.rules.dossier.lines import Tally

WORDS: dict[Basis, str] = {
    Basis.METERED: "metered, down to sealed readings",
    Basis.NOT_AGAIN: "said to be metered, not derived again here (late readings, or an earlier rule)",
    Basis.ADJUSTED: "on top of an earlier charge, which is only stated",
    Basis.CORRECTED: "amount changed, or charged anew, by a person",
    Basis.UNEXPLAINED: "NOT AS THE RULES PRICE IT, and nothing says why",
    Basis.ACCEPTED: "as a person accepted what late readings make of it",
    Basis.ENTERED: "use entered by a person",
    Basis.BOOKED: "by the reserved time, not by readings",
    Basis.SERVICE: "commissioned work by its quote, no readings",
    Basis.FEE: "fees for missed slots, no readings",
    Basis.CREDIT: "credit notes",
}
STATED = """\
  stated by the house, proved by nothing in here: the terms of tariffs; reserved times and earlier use, where a
  price looks at them; which machine a meter hangs on, and its profile; payments, purchases, recognitions and
  evaluations. claim.pdf, tables.xlsx, README.txt and the verify.py in it: signed, not verified; the amounts are those
  below. A document after the last one of a year would not be missed here: ask for the list of them."""


def summary(
    claim: Mapping[str, Any],
    tally: Tally,
    *,
    readings: int,
    last: Sequence[str],
    changed: Mapping[str, Any],
    terms: Mapping[int, str],
) -> Iterator[str]:
    """Line by line. ``last`` is the last document of each year, ``changed`` the settings that are not the default."""
    yield from STATED.splitlines()
    yield f"  locked on: {claim['locked_on'] or 'not yet'} (stated)"
    yield f"  last documents: {', '.join(last) or 'none'}"
    for number, text in sorted(terms.items()):
        yield f"  tariff {number}: {_price(text)}  terms {sha256(text.encode()).hexdigest()[:16]}"
    for key, answer in sorted(changed.items()):
        yield f"  not the default reading of the policy: {key} = {answer}"
    yield ""
    for programme, grant in claim["grants"].items():
        amount = grant["payable"] if grant["estimate"] is None else f"{grant['estimate']} (estimate, nothing payable)"
        yield f"{programme} {claim['year']}  {amount} yuan{'' if programme == 'P2' else '  (stated, not proved)'}"
        if grant["clawback"] != "0.00":
            yield f"  to be paid back: {grant['clawback']} yuan"
        if programme == "P2":
            yield from _rests_on(tally, readings)


def _rests_on(tally: Tally, readings: int) -> Iterator[str]:
    yield f"  rests on {sum(tally.lines.values())} lines and {readings} readings:"
    for basis, lines in sorted(tally.lines.items()):
        yield f"  {tally.amounts[basis]!s:>16} yuan  {lines:>7} lines  {WORDS[basis]}"
    proved = tally.amounts.get(Basis.METERED, ZERO)
    charged = proved + tally.stated
    share = 100 * proved.fen / charged.fen if charged.fen else 0.0
    yield f"  proved down to sealed readings: {int(share * 100) / 100:.2f} % of what was charged"
    if tally.stated:
        yield f"WARNING: {tally.stated} yuan rest on statements only"


def _price(text: str) -> str:
    """The rate as it stands in the terms, for a person to compare."""
    told = json.loads(text)
    return f"{told.get('rate') or 'by steps'} yuan per {told.get('unit')}"
