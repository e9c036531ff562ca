"""Charge on top what late readings make of use that an invoice holds already, once a person has said so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from app.kernel.money import Money, total
from billing.charge_rows import difference_row
from billing.charged_before import Before, charged_before
from billing.models import AcceptedRun, Charge, SettledSession, UseSettlement
from billing.rules.adjustment import differences
from billing.rules.pricing.facts import Run, UseFacts
from billing.rules.pricing.outcome import Priced
from billing.rules.pricing.price import price_use
from billing.rules.pricing.told import facts_of, facts_told
from billing.rules.words import SettlementStatus
from billing.statements import settlement_of_session


def charge_late(
    session: Session, session_id: int, *, was: Interval, now: Interval | None, energy_mwh: int, by: int, at: datetime
) -> Money:
    """Add the difference as charges to approve, as if the run had been ``now``; what is issued stays as it is.

    ``was`` is the frozen run; where another length of it was accepted since, that is what ``now`` takes the place of.
    From here on the run is priced as ``now``, whatever else joins its case. Returns how much is added, tax included.

    Errors: ``Conflict`` where nothing or less would be owed, naming by how much to credit, or where the case cannot be
    priced by rules.
    """
    last = _last(session, session_id)
    if last is None or "tariff" not in last.facts:
        raise Conflict("这次使用不是按价格规则结算的，请人工处理。")
    accepted = session.get(AcceptedRun, session_id)
    priced_as = was if accepted is None else accepted.during
    facts = _with_run(facts_of(last.facts), priced_as, now, energy_mwh)
    outcome = price_use(facts)
    before, first = _before(session, last), _first_charge(session, last)
    lines = outcome.lines if isinstance(outcome, Priced) else ()
    on_top = differences(lines, before.charged)
    owed = total([one.amount.gross for one in on_top])
    if owed.fen < 0:
        raise Conflict("按现有数据应少收 ¥%(amount)s，请在原结算单上开具红字通知单。", amount=str(-owed))
    if not on_top:
        raise Conflict("按现有数据计费没有差额，记录处理结果即可。")
    row = UseSettlement(
        reservation_id=last.reservation_id,
        usage_session_id=last.usage_session_id,
        sequence=before.sequence + 1,
        platform_id=last.platform_id,
        equipment_id=last.equipment_id,
        organization_id=last.organization_id,
        tariff_id=last.tariff_id,
        status=SettlementStatus.PRICED,
        facts=facts_told(facts),
        used_from=last.used_from,
        settled_at=at,
    )
    row.sessions = [
        SettledSession(
            usage_session_id=one.usage_session_id, session_fingerprint=one.session_fingerprint, reviewed=one.reviewed
        )
        for one in session.scalars(select(SettledSession).where(SettledSession.use_settlement_id == last.id))
    ]
    session.add(row)
    session.flush()
    common = _common(first, row, at)
    session.add_all(Charge(**common, **difference_row(position, one)) for position, one in enumerate(on_top, start=1))
    if accepted is None:
        accepted = AcceptedRun(usage_session_id=session_id)
        session.add(accepted)
    accepted.during, accepted.energy_mwh = now, energy_mwh
    accepted.accepted_by, accepted.accepted_at = by, at
    session.flush()
    audit.record(
        session, at=at, by=by, deed="late use charged", subject="usage_session", subject_id=session_id,
        amount=str(owed),
    )  # fmt: skip
    return owed


def _last(session: Session, session_id: int) -> UseSettlement | None:
    """The last settlement of the case that a run belongs to. Whoever adds to the case next waits."""
    known = settlement_of_session(session, session_id)
    if known is None:
        return None
    session.execute(select(UseSettlement.id).where(UseSettlement.id == known.id).with_for_update())
    return settlement_of_session(session, session_id)


def _before(session: Session, one: UseSettlement) -> Before:
    found = charged_before(
        session,
        reservation_ids=[one.reservation_id] if one.reservation_id is not None else [],
        session_ids=[one.usage_session_id] if one.usage_session_id is not None else [],
    )
    return found[one.reservation_id, one.usage_session_id]


def _first_charge(session: Session, one: UseSettlement) -> Charge:
    """The first charge of the case. Errors: ``Conflict`` where it never had one."""
    charge = session.scalar(
        select(Charge)
        .join(UseSettlement, UseSettlement.id == Charge.use_settlement_id)
        .where(
            UseSettlement.reservation_id.is_not_distinct_from(one.reservation_id),
            UseSettlement.usage_session_id.is_not_distinct_from(one.usage_session_id),
        )
        .order_by(Charge.id)
        .limit(1)
    )
    if charge is None:
        raise Conflict("这次使用不是按价格规则结算的，请人工处理。")
    return charge


def _with_run(facts: UseFacts, was: Interval | None, now: Interval | None, energy_mwh: int) -> UseFacts:
    """The facts with one run as it is known now; ``None`` is no run. Errors: ``Conflict`` where it was another."""
    runs = list(facts.runs or ())
    if was is not None:
        same = [run for run in runs if (run.start, run.end) == (was.start, was.end)]
        if not same:
            raise Conflict("这次使用与结算时所依据的不同，请人工处理。")
        runs.remove(same[0])
    if now is not None:
        counts = same[0].counts if was is not None else {}
        runs.append(Run(now.start, now.end, Decimal(energy_mwh) / 1000, counts))
    return replace(facts, runs=tuple(sorted(runs, key=lambda run: run.start)))


def _common(like: Charge, row: UseSettlement, at: datetime) -> dict[str, object]:
    return {
        "use_settlement_id": row.id,
        "usage_session_id": like.usage_session_id,
        "platform_id": like.platform_id,
        "organization_id": like.organization_id,
        "equipment_id": like.equipment_id,
        "tariff_id": like.tariff_id,
        "tax_code": like.tax_code,
        "category": like.category,
        "relation": like.relation,
        "inputs": like.inputs,
        "served_at": like.served_at,
        "charged_at": at,
    }
