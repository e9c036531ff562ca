"""From usage sessions to charges: every case of use is priced again from what was frozen of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.kernel.money import Money
from billing.rules.adjustment import differences
from billing.rules.dossier.readings import Proved, moment
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.line_words import LINE_KINDS
from billing.rules.pricing.outcome import Priced
from billing.rules.pricing.price import price_use
from billing.rules.pricing.told import facts_of
from billing.rules.words import ChargeKind


class Basis(StrEnum):
    """What a line rests on in the end. Only ``METERED`` leads down to sealed readings."""

    METERED = "metered"
    NOT_AGAIN = "not_again"  # its readings came late, or earlier rules derived or priced it
    ACCEPTED = "accepted"  # a person accepted what late readings make of it
    ENTERED = "entered"  # a person entered the use
    BOOKED = "booked"  # the reserved time: the meter was silent, or the price asks for it
    SERVICE = "service"  # commissioned work, by its quote
    FEE = "fee"  # for a slot that was missed
    CREDIT = "credit"  # takes back an earlier line


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge that was found again. ``corrected`` where a person changed what the rules had said."""

    net: Money
    tax: Money
    rate: Decimal
    category: str
    relation: str
    basis: Basis
    corrected: bool


def price_case(name: str, case: Mapping[str, Any], proved: Proved) -> Iterator[tuple[int, Charged]]:
    """The charges of one case by id, each as the rules price it. Errors: ``DoesNotHold`` naming the charge."""
    basis = _basis(name, case, proved)
    which = f"case {case['case']}"
    if case["not_again"]:
        yield from ((one["id"], _as_told(one, Basis.NOT_AGAIN)) for one in case["charges"])
        return
    facts = facts_of(case["facts"])
    runs = sorted((run.start, run.end, run.energy_wh) for run in facts.runs or ())
    insist(name, f"{which}, the runs that it prices", expected=sorted(_runs(case)), found=runs)
    outcome = price_use(facts)
    if not isinstance(outcome, Priced):
        raise DoesNotHold(name, which, expected="a price", found=outcome)
    if case["sequence"]:
        before = [(Decimal(rate), Money.of(net), Money.of(tax)) for rate, net, tax in case["before"]]
        lines = [(ChargeKind.ADJUSTMENT, one.amount, one.vat_rate) for one in differences(outcome.lines, before)]
    else:
        lines = [(LINE_KINDS[one.kind], one.amount, one.vat_rate) for one in outcome.lines]
    for charge in case["charges"]:
        own = f"{which}, charge {charge['id']}"
        if not 0 < charge["position"] <= len(lines):
            raise DoesNotHold(name, own, expected=f"one of {len(lines)} lines", found=charge["position"])
        kind, amount, rate = lines[charge["position"] - 1]
        insist(name, f"{own}, kind", expected=kind.value, found=charge["kind"])
        insist(name, f"{own}, tax rate", expected=rate, found=Decimal(charge["rate"]))
        told = _as_told(charge, basis)
        if told.corrected:
            insist(name, f"{own}, priced", expected=amount.gross, found=Money.of(charge["priced_gross"]))
        else:
            insist(name, f"{own}, net", expected=amount.net, found=told.net)
            insist(name, f"{own}, tax", expected=amount.tax, found=told.tax)
        yield charge["id"], told


def _as_told(charge: Mapping[str, Any], basis: Basis) -> Charged:
    return Charged(
        Money.of(charge["net"]),
        Money.of(charge["tax"]),
        Decimal(charge["rate"]),
        charge["category"],
        charge["relation"],
        basis,
        charge["priced_gross"] is not None,
    )


def _basis(name: str, case: Mapping[str, Any], proved: Proved) -> Basis:
    """The weakest thing that it rests on. Errors: ``DoesNotHold`` for a metered session without its readings."""
    for one in case["sessions"]:
        if one["evidence"] == "metered" and not one["not_again"] and one["id"] not in proved.sessions:
            raise DoesNotHold(name, f"session {one['id']}", expected="its readings", found="none")
    known = {one["evidence"] for one in case["sessions"]}
    if not known or "booked" in known:
        return Basis.BOOKED
    if "entered" in known:
        return Basis.ENTERED
    if case["accepted"]:
        return Basis.ACCEPTED
    return Basis.NOT_AGAIN if any(one["not_again"] for one in case["sessions"]) else Basis.METERED


def _runs(case: Mapping[str, Any]) -> Iterable[tuple[Any, Any, Decimal]]:
    """What is priced of its sessions: as they are, or as a person accepted them."""
    accepted = {one["session"]: one for one in case["accepted"]}
    for session in case["sessions"]:
        told = accepted.get(session["id"], session)
        if told["start"] is not None:
            yield moment(told["start"]), moment(told["end"]), Decimal(told["energy_mwh"]) / 1000
