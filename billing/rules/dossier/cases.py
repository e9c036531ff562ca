"""From usage sessions to charges: every case of use is priced again from what was frozen of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.catalogue.rules.customer import CustomerRelation, class_of
from app.kernel import clock
from app.kernel.money import Money
from billing.rules.adjustment import differences
from billing.rules.dossier.readings import Proved, moment
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.line_words import LINE_KINDS
from billing.rules.pricing.facts import UseFacts
from billing.rules.pricing.outcome import Priced
from billing.rules.pricing.price import price_use
from billing.rules.pricing.tariff import ChargeMode
from billing.rules.pricing.told import facts_of
from billing.rules.words import ChargeKind
from devices.rules.evidence import Evidence
from devices.rules.usage import RULE_VERSION

RESERVED = frozenset({ChargeKind.BOOKING, ChargeKind.URGENT, ChargeKind.CANCELLATION, ChargeKind.NO_SHOW})
"""What follows from the reservation, whatever the meter said."""


class Basis(StrEnum):
    """What a line rests on in the end. Only ``METERED`` leads down to sealed readings."""

    METERED = "metered"
    NOT_AGAIN = "not_again"  # its readings came late, or earlier rules derived it
    ADJUSTED = "adjusted"  # on top of what was charged before, which is only stated
    CORRECTED = "corrected"  # a person changed the amount, or charged it anew after a credit note
    UNEXPLAINED = "unexplained"  # the rules give another amount
    ACCEPTED = "accepted"  # a person accepted what late readings make of it
    ENTERED = "entered"  # a person entered the use
    BOOKED = "booked"  # the reserved time: the meter was silent, or the price asks for it
    SERVICE = "service"  # commissioned work, by its quote
    FEE = "fee"  # for a slot that was missed
    CREDIT = "credit"  # takes back an earlier line


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge that was found again."""

    net: Money
    tax: Money
    rate: Decimal
    category: str
    relation: str
    case: int
    equipment: str
    basis: Basis
    served_on: date


def charged_told(one: Charged) -> dict[str, Any]:
    """As plain words, which ``charged_of`` reads back."""
    found = {each.name: getattr(one, each.name) for each in fields(Charged)}
    return {name: value if name == "case" else str(value) for name, value in found.items()}


def charged_of(told: Mapping[str, Any]) -> Charged:
    """What ``charged_told`` told."""
    return Charged(
        Money.of(told["net"]),
        Money.of(told["tax"]),
        Decimal(told["rate"]),
        told["category"],
        told["relation"],
        told["case"],
        told["equipment"],
        Basis(told["basis"]),
        date.fromisoformat(told["served_on"]),
    )


def price_case(name: str, case: Mapping[str, Any], proved: Proved) -> Iterator[tuple[int, Charged]]:
    """The charges of one case by id, each as the rules price it. Errors: ``DoesNotHold`` naming the charge."""
    basis = _basis(name, case, proved)
    which = f"case {case['case']}"
    positions = [charge["position"] for charge in case["charges"]]
    insist(name, f"{which}, positions of its charges", expected=sorted(set(positions)), found=sorted(positions))
    if case["not_again"]:
        yield from ((one["id"], _as_told(case, one, Basis.UNEXPLAINED)) for one in case["charges"])
        return
    facts = facts_of(case["facts"])
    insist(name, f"{which}, its time zone", expected=clock.FACILITY_ZONE.key, found=facts.zone.key)
    _insist_runs(name, which, case, facts)
    outcome = price_use(facts)
    if not isinstance(outcome, Priced):
        raise DoesNotHold(name, which, expected="a price", found=outcome)
    if case["sequence"]:
        basis = Basis.ADJUSTED
        before = [(Decimal(rate), Money.of(net), Money.of(tax)) for rate, net, tax in case["before"]]
        lines = [(ChargeKind.ADJUSTMENT, one.amount, one.vat_rate) for one in differences(outcome.lines, before)]
    else:
        lines = [(LINE_KINDS[one.kind], one.amount, one.vat_rate) for one in outcome.lines]
        for one in case["charges"]:
            own, day = f"{which}, charge {one['id']}", _served_on(facts, outcome.billing_month)
            insist(name, f"{own}, day of service", expected=day, found=date.fromisoformat(one["served_on"]))
        if basis is Basis.METERED and facts.terms.mode is not ChargeMode.USAGE:
            basis = Basis.BOOKED
    for charge in case["charges"]:
        own = f"{which}, charge {charge['id']}"
        gross = Money.of(charge["net"]) + Money.of(charge["tax"])
        insist(name, f"{own}, gross", expected=gross, found=Money.of(charge["gross"]))
        relation = CustomerRelation(charge["relation"])
        insist(name, f"{own}, class of its customer", expected=class_of(relation).value, found=facts.customer_class)
        if charge["again_of"] is not None:
            yield charge["id"], _as_told(case, charge, Basis.CORRECTED)
            continue
        if not 0 < charge["position"] <= len(lines):
            raise DoesNotHold(name, own, expected=f"one of {len(lines)} lines", found=charge["position"])
        kind, amount, rate = lines[charge["position"] - 1]
        insist(name, f"{own}, kind", expected=kind.value, found=charge["kind"])
        insist(name, f"{own}, tax rate", expected=rate, found=Decimal(charge["rate"]))
        if charge["priced_gross"] is not None:
            insist(name, f"{own}, priced", expected=amount.gross, found=Money.of(charge["priced_gross"]))
            yield charge["id"], _as_told(case, charge, Basis.CORRECTED)
            continue
        reserved = basis is Basis.METERED and kind in RESERVED
        told = _as_told(case, charge, Basis.BOOKED if reserved else basis)
        insist(name, f"{own}, net", expected=amount.net, found=told.net)
        insist(name, f"{own}, tax", expected=amount.tax, found=told.tax)
        yield charge["id"], told


def _as_told(case: Mapping[str, Any], charge: Mapping[str, Any], basis: Basis) -> Charged:
    return charged_of({**charge, "case": case["case"], "equipment": case["equipment"], "basis": basis})


def _basis(name: str, case: Mapping[str, Any], proved: Proved) -> Basis:
    """The weakest thing that it rests on. Errors: ``DoesNotHold`` for a metered session without its readings."""
    for one in case["sessions"]:
        _insist_evidence(name, one, proved)
    known = {one["evidence"] for one in case["sessions"]}
    if not known or Evidence.BOOKED in known:
        return Basis.BOOKED
    if Evidence.ENTERED in known:
        return Basis.ENTERED
    if case["accepted"]:
        return Basis.ACCEPTED
    return Basis.NOT_AGAIN if any(one["not_again"] for one in case["sessions"]) else Basis.METERED


def _insist_evidence(name: str, session: Mapping[str, Any], proved: Proved) -> None:
    which = f"session {session['id']}"
    if session["evidence"] not in set(Evidence):
        raise DoesNotHold(name, f"{which}, evidence", expected=f"one of {[*Evidence]}", found=session["evidence"])
    why = session["not_again"]
    if session["evidence"] == Evidence.METERED and not why and session["id"] not in proved.sessions:
        raise DoesNotHold(name, which, expected="its readings", found="none")
    if why not in (None, "late", "rule"):
        raise DoesNotHold(name, f"{which}, why not again", expected="late, or rule", found=why)
    if why == "rule" and not session["rule_version"] < RULE_VERSION:
        found = session["rule_version"]
        raise DoesNotHold(name, f"{which}, rule", expected=f"one before {RULE_VERSION}", found=found)


def _served_on(facts: UseFacts, month: date) -> date:
    """The day that the price was looked up for, within the month that it belongs to."""
    starts = [facts.reservation.when.start] if facts.reservation else [run.start for run in facts.runs or ()]
    first = month.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return min(max(clock.local_date(min(starts)), first), last)


def _insist_runs(name: str, which: str, case: Mapping[str, Any], facts: UseFacts) -> None:
    """What is priced is what the sessions say, their counts too. Errors: ``DoesNotHold``."""
    found = sorted(
        (run.start, run.end, run.energy_wh, list(run.counts.values())) for run in facts.runs or ()
    )  # fmt: skip
    expected = sorted(_runs(case))
    plain = [one[:3] for one in found]
    insist(name, f"{which}, the runs that it prices", expected=[one[:3] for one in expected], found=plain)
    for (*_, counted), (*_, counts) in zip(expected, found, strict=True):
        if counts not in ([], [counted]):
            raise DoesNotHold(name, f"{which}, what its runs counted", expected=counted, found=counts)


def _runs(case: Mapping[str, Any]) -> Iterable[tuple[Any, Any, Decimal, int | None]]:
    """What is priced of its sessions: as they are, or as a person accepted them; and what the device counted."""
    accepted = {one["session"]: one for one in case["accepted"]}
    for session in case["sessions"]:
        told = accepted.get(session["id"], session)
        if told["start"] is not None:
            energy = Decimal(told["energy_mwh"]) / 1000
            yield moment(told["start"]), moment(told["end"]), energy, session["counted"]
