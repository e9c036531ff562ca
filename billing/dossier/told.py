"""What a dossier tells of lines, cases of use and sessions: numbers and words of the house, nothing of any person.

What people wrote in their own words (reasons, titles of requests) is left out: a name may stand in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased, defer, joinedload

from app.kernel import clock
from app.kernel.money import Money
from billing.dossier.verify import Register
from billing.models import AcceptedRun, Charge, Invoice, InvoiceLine, SettledSession, UseSettlement
from billing.rules.tax import taxed
from devices.rules.usage import Usage
from devices.spans import Spans, UseSpan
from devices.usage import usages_by_id

Json = dict[str, Any]
Thing = TypeVar("Thing")
AT_ONCE = 2000


def in_portions(things: Iterable[Thing], most: int) -> Iterator[list[Thing]]:
    """At most so many of them at a time."""
    there = iter(things)
    while some := list(islice(there, most)):
        yield some


def lines_told(session: Session, ids: Iterable[int]) -> Iterator[Json]:
    """These invoice lines, in the order of ``ids``. A few thousand in memory at a time."""
    credited = aliased(Invoice)
    for some in in_portions(ids, AT_ONCE):
        rows = session.execute(
            select(InvoiceLine, Invoice, credited, Charge)
            .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
            .outerjoin(credited, credited.id == Invoice.credits_id)
            .outerjoin(Charge, Charge.id == InvoiceLine.charge_id)
            .options(
                joinedload(Invoice.platform), joinedload(Invoice.organization), joinedload(Charge.equipment),
                joinedload(credited.platform), defer(Charge.inputs),
            )
            .where(InvoiceLine.id.in_(some))
        )  # fmt: skip
        found = {row[0].id: row for row in rows}
        yield from (_line(*found[one]) for one in some)


def _line(line: InvoiceLine, invoice: Invoice, credited: Invoice | None, charge: Charge | None) -> Json:
    return {
        "line": line.id,
        "no": invoice.label,
        "position": line.position,
        "issued_on": str(invoice.issued_on),
        "kind": invoice.kind.value,
        "credits_no": credited and credited.label,
        "credits_line": line.credits_line_id,
        "firm": invoice.organization.name,
        "firm_uscc": invoice.organization.uscc,
        "origin": _origin(charge),
        "charge": line.charge_id,
        "what": None if charge is None else charge.kind.value,
        "equipment": charge.equipment.code if charge is not None and charge.equipment is not None else None,
        "quantity": str(line.quantity),
        "unit": line.unit,
        "unit_price": str(line.unit_price),
        "net": str(line.net_fen),
        "tax": str(line.tax_fen),
        "gross": str(line.gross_fen),
        "rate": str(line.tax_rate),
        "tax_code": line.tax_code,
        "category": line.category.value,
        "relation": line.relation.value,
        "no_show_fee": line.no_show_fee,
        "served_on": line.served_on.isoformat(),
        "case": None if charge is None else charge.use_settlement_id,
    }


def _origin(charge: Charge | None) -> str:
    if charge is None:
        return "credit"
    if charge.use_settlement_id is not None:
        return "use"
    return "service" if charge.service_request_id is not None else "fee"


def readings_of_cases(session: Session, line_ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The cases of use behind these lines, by the time of the use: about how many readings each rests on."""
    register = Register()
    for some in in_portions(line_ids, AT_ONCE):
        rows = session.execute(
            select(Charge.use_settlement_id, Charge.served_at, Charge.inputs["sessions"])
            .join(InvoiceLine, InvoiceLine.charge_id == Charge.id)
            .where(InvoiceLine.id.in_(some), Charge.use_settlement_id.is_not(None))
        )
        for case, at, told in rows:
            if register.add("case", f"{case}", "there") is None:
                when = at.astimezone(UTC).isoformat(timespec="microseconds")
                register.add("time", f"{when} {case:020}", f"{sum(one['readings'] for one in told or ())}")
    for key, readings in register.in_order("time"):
        yield int(key.rpartition(" ")[2]), int(readings)


def sessions_of_cases(session: Session, ids: Collection[int]) -> list[int]:
    return list(
        session.scalars(
            select(SettledSession.usage_session_id).where(SettledSession.use_settlement_id.in_(ids)).distinct()
        )
    )


def cases_told(session: Session, ids: Collection[int], spans: Spans) -> list[Json]:
    """Cases of use with their sessions and the charges that are invoiced, by id. Seven queries for all of them."""
    cases = session.scalars(
        select(UseSettlement)
        .where(UseSettlement.id.in_(ids))
        .options(joinedload(UseSettlement.equipment))
        .order_by(UseSettlement.id)
    ).all()
    used: dict[int, list[int]] = {}
    for case_id, session_id in session.execute(
        select(SettledSession.use_settlement_id, SettledSession.usage_session_id)
        .where(SettledSession.use_settlement_id.in_(ids))
        .order_by(SettledSession.usage_session_id)
    ):
        used.setdefault(case_id, []).append(session_id)
    runs = usages_by_id(session, {one for some in used.values() for one in some})
    accepted = session.scalars(select(AcceptedRun).where(AcceptedRun.usage_session_id.in_(runs))).all()
    charges: dict[int, list[Json]] = {}
    for charge in session.scalars(
        select(Charge)
        .join(InvoiceLine, InvoiceLine.charge_id == Charge.id)
        .where(Charge.use_settlement_id.in_(ids))
        .order_by(Charge.use_settlement_id, Charge.position)
        .options(defer(Charge.inputs))
    ):
        charges.setdefault(charge.use_settlement_id or 0, []).append(_charge(charge))
    meters = {number: span for span in spans.spans for number in span.session_ids}
    return [
        {
            "case": case.id,
            "reservation": case.reservation_id,
            "sequence": case.sequence,
            "equipment": case.equipment.code,
            "facts": case.facts,
            "before": _before(session, case) if case.sequence else [],
            "not_again": False,
            "accepted": [_accepted(one) for one in accepted if one.usage_session_id in used.get(case.id, ())],
            "sessions": [
                _session(runs[one], meters.get(one), spans.not_again.get(one)) for one in used.get(case.id, ())
            ],
            "charges": charges.get(case.id, []),
        }
        for case in cases
    ]


def _charge(charge: Charge) -> Json:
    priced = charge.priced_gross_fen
    return {
        "id": charge.id,
        "position": charge.position,
        "kind": charge.kind.value,
        "net": str(charge.net_fen),
        "tax": str(charge.tax_fen),
        "gross": str(charge.gross_fen),
        "rate": str(charge.tax_rate),
        "category": charge.category.value,
        "relation": charge.relation.value,
        "tariff": charge.tariff_id,
        "again_of": charge.again_of_id,
        "served_on": clock.local_date(charge.served_at).isoformat(),
        "priced_gross": None if priced is None else str(priced),
        "explanation_zh": charge.explanation_zh,
    }


def _session(run: Usage, span: UseSpan | None, not_again: str | None) -> Json:
    return {
        "id": run.session_id,
        "evidence": run.evidence.value,
        "meter": span and span.meter,
        "start": run.when.start.isoformat(),
        "end": run.when.end.isoformat(),
        "running_s": int(run.running.total_seconds()),
        "energy_mwh": run.energy_mwh,
        "counted": run.counted,
        "gap_s": int(run.gap.total_seconds()),
        "flags": [flag.value for flag in run.flags],
        "reservation": run.reservation_id,
        "readings": run.readings_count,
        "digest": run.readings_digest,
        "profile_version": run.profile_version,
        "rule_version": run.rule_version,
        "reviewed": run.reviewed,
        "not_again": not_again,
    }


def _accepted(one: AcceptedRun) -> Json:
    return {
        "session": one.usage_session_id,
        "start": one.during and one.during.start.isoformat(),
        "end": one.during and one.during.end.isoformat(),
        "energy_mwh": one.energy_mwh,
    }


def _before(session: Session, case: UseSettlement) -> list[list[str]]:
    """What was charged for the case before this settlement, and taken back by then: tax rate, net, tax."""
    same = (
        UseSettlement.reservation_id.is_not_distinct_from(case.reservation_id),
        UseSettlement.usage_session_id.is_not_distinct_from(case.usage_session_id),
        UseSettlement.sequence < case.sequence,
    )
    found: list[tuple[Any, Money, Money]] = []
    for rate, net, tax, priced in session.execute(
        select(Charge.tax_rate, Charge.net_fen, Charge.tax_fen, Charge.priced_gross_fen)
        .join(UseSettlement, UseSettlement.id == Charge.use_settlement_id)
        .where(*same)
        .order_by(Charge.id)
    ):
        whole = None if priced is None else taxed(priced.yuan, rate=rate, includes_tax=True)
        found.append((rate, net, tax) if whole is None else (rate, whole.net, whole.tax))
    note = aliased(InvoiceLine)
    found += session.execute(
        select(note.tax_rate, func.sum(note.net_fen), func.sum(note.tax_fen))
        .join(Invoice, Invoice.id == note.invoice_id)
        .join(InvoiceLine, note.credits_line_id == InvoiceLine.id)
        .join(Charge, InvoiceLine.charge_id == Charge.id)
        .join(UseSettlement, UseSettlement.id == Charge.use_settlement_id)
        .where(*same, Invoice.issued_at <= case.settled_at)
        .group_by(note.tax_rate)
    ).all()  # fmt: skip
    return [[str(rate), str(net), str(tax)] for rate, net, tax in found]


def span_told(span: UseSpan) -> Json:
    profile = span.profile
    names = (
        "version", "run_on_w", "run_off_w", "min_on_s", "min_off_s", "max_gap_s", "rated_w", "spike_w",
        "counter_modulus_mwh",
    )  # fmt: skip
    return {
        "meter": span.meter,
        "dialect": span.dialect,
        "start": span.wanted.when.start.isoformat(),
        "end": span.wanted.when.end.isoformat(),
        "profile": {name: getattr(profile, name) for name in names},
        "slots": [
            {
                "reservation": one.reservation_id,
                "start": one.when.start.isoformat(),
                "end": one.when.end.isoformat(),
            }
            for one in span.slots
        ],
        "sessions": list(span.session_ids),
    }
