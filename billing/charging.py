"""Price every case of use that is complete, and again when its sessions change, until an invoice takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from app.booking.services import commissioned
from app.booking.slots import reservations_under_way, unused_reservations
from app.catalogue.models import ChargeUnit, Equipment
from app.catalogue.rules.customer import CustomerRelation
from app.kernel import clock
from app.kernel.interval import Interval
from billing.charge_rows import Priceable
from billing.gathering import Case, cases_of_reservations, cases_of_usage
from billing.models import Charge, SettledSession, Tariff, UseSettlement
from billing.rules.pricing.terms import ChargeMode, terms_of
from billing.rules.words import ChargeState
from billing.settling import UNUSED_SINCE, WAITING, Problem, settle
from billing.tariffs import PriceList
from devices.usage import finished_usage, reviewed_sessions

UNUSED_AFTER = timedelta(hours=1)
"""How long a meter may take to tell of use."""


def charge_usage(session: Session, *, until: datetime, at: datetime, limit: int = 500) -> int:
    """Charge every case whose use ended by ``until`` and that is not charged as it now stands.

    Running it again charges nothing twice. What cannot be priced waits as a settlement with its reason,
    until its sessions or the tariffs change, or a person has accepted the sessions.
    O(sessions of cases that are new or changed). Returns how many sessions it settled.
    """
    found = finished_usage(session, until=until, settled=_settled(), under_way=reservations_under_way(at), limit=limit)
    cases = cases_of_usage(session, found, at=at) if found else []
    _settle_all(session, cases, at=at)
    return sum(len(one.sessions) for one in cases)


def charge_unused(session: Session, *, at: datetime, limit: int = 500) -> int:
    """Charge reservations without use where the price asks for it: by the reserved time, or a fee.

    O(reservations of such equipment in the last forty days). Running it again charges nothing twice.
    """
    equipment_ids = _charged_without_use(session, at)
    if not equipment_ids:
        return 0
    known = select(UseSettlement.reservation_id).where(UseSettlement.reservation_id.is_not(None))
    found = unused_reservations(
        session,
        equipment_ids,
        within=Interval(at - UNUSED_SINCE, at - UNUSED_AFTER),
        apart_from=known,
        limit=limit,
    )
    _settle_all(session, cases_of_reservations(session, found, at=at), at=at)
    return len(found)


def reconsider_problems(session: Session, *, platform_id: int, at: datetime) -> None:
    """Try this platform's problems again, after a tariff was added: use by the next run, reserved time at once."""
    problems = and_(
        UseSettlement.platform_id == platform_id,
        or_(UseSettlement.status.in_(WAITING), UseSettlement.reason == Problem.OWN_USE),
    )
    used = exists().where(SettledSession.use_settlement_id == UseSettlement.id)
    session.execute(delete(UseSettlement).where(problems, used))
    unused = session.scalars(select(UseSettlement.reservation_id).where(problems)).all()
    _settle_all(session, cases_of_reservations(session, [one for one in unused if one is not None], at=at), at=at)


def _settled() -> Select[int, str]:
    """(usage_session_id, fingerprint) of what needs no other look."""
    return (
        select(SettledSession.usage_session_id, SettledSession.session_fingerprint)
        .join(UseSettlement, UseSettlement.id == SettledSession.use_settlement_id)
        .where(
            or_(
                UseSettlement.reason != Problem.NEEDS_REVIEW,
                SettledSession.reviewed,
                SettledSession.usage_session_id.not_in(reviewed_sessions()),
            )
        )
    )


def _settle_all(session: Session, cases: Sequence[Case], *, at: datetime) -> None:
    """Settle these cases anew; what is invoiced of them stays, and only the difference is added."""
    if not cases:
        return
    cases = [*cases, *_left_behind(session, cases, at=at)]
    _take_back(session, cases)
    equipment = {one.equipment.id: one.equipment for one in cases}
    prices = PriceList(session, equipment.values())
    quoted = commissioned(session, [one.reservation_id for one in cases if one.reservation_id is not None])
    settle(session, [(case, _terms(prices, case, quoted)) for case in cases], at=at)


def _left_behind(session: Session, cases: Sequence[Case], *, at: datetime) -> list[Case]:
    """Cases of reservations whose settlement rests on a run that is another's now. One query where there is none."""
    own = {one.reservation_id for one in cases}
    others = session.scalars(
        select(UseSettlement.reservation_id)
        .where(UseSettlement.id.in_(_resting_on(cases)), UseSettlement.reservation_id.is_not(None))
        .distinct()
    ).all()
    left = [one for one in others if one is not None and one not in own]
    found = cases_of_reservations(session, left, at=at) if left else []
    return [one for one in found if one.complete]


def _resting_on(cases: Sequence[Case]) -> Select[int]:
    """Ids of the settlements that took one of these runs into account."""
    return select(SettledSession.use_settlement_id).where(
        SettledSession.usage_session_id.in_([run.session_id for one in cases for run in one.sessions])
    )


def _take_back(session: Session, cases: Sequence[Case]) -> None:
    invoiced = exists().where(Charge.use_settlement_id == UseSettlement.id, Charge.state == ChargeState.INVOICED)
    session.execute(
        delete(UseSettlement).where(
            or_(
                UseSettlement.reservation_id.in_([one.reservation_id for one in cases if one.reservation_id]),
                UseSettlement.id.in_(_resting_on(cases)),
            ),
            ~invoiced,
        )
    )


def _terms(prices: PriceList, case: Case, quoted: Mapping[int, int]) -> Priceable | Problem:
    if case.reservation_id in quoted:
        return Problem.COMMISSIONED
    if any(one.needs_review for one in case.sessions):
        return Problem.NEEDS_REVIEW
    if case.organization_id is None:
        return Problem.NO_ORGANIZATION
    tariff, relation = prices.tariff_for(case.equipment, case.organization_id, clock.local_date(case.day))
    if tariff is not None:
        return Priceable(tariff, prices.terms(tariff), relation, case.organization_id)
    if relation is CustomerRelation.OWN_USE:
        return Problem.OWN_USE
    return Problem.NO_TARIFF if case.equipment.charge_unit is ChargeUnit.HOUR else Problem.UNIT_NEEDS_QUANTITY


def _charged_without_use(session: Session, at: datetime) -> set[int]:
    """Equipment whose price asks something of a reservation that was not used."""
    asking = [
        tariff
        for tariff in session.scalars(select(Tariff))
        if (terms := terms_of(tariff.terms)).mode is not ChargeMode.USAGE or terms.cancellation or terms.no_show
    ]
    found: set[int] = set()
    for tariff in asking:
        found.update(
            session.scalars(
                select(Equipment.id).where(
                    Equipment.platform_id == tariff.platform_id,
                    *(() if tariff.equipment_id is None else (Equipment.id == tariff.equipment_id,)),
                    *(() if tariff.equipment_kind is None else (Equipment.kind == tariff.equipment_kind,)),
                )
            )
        )
    return found
