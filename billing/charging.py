"""Price every case of use that is complete, and again when its sessions change, until an invoice takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from app.booking.services import commissioned
from app.booking.slots import unused_reservations
from app.catalogue.models import ChargeUnit, Equipment
from app.catalogue.rules.customer import CustomerRelation
from app.kernel import clock
from app.kernel.interval import Interval
from billing.charge_rows import Priceable
from billing.charging_queue import nobody_else_settles, platforms_waiting, settle_alone, still_to_charge, take
from billing.gathering import Case, cases_of_reservations, cases_of_usage
from billing.models import Charge, FeeSettlement, SettledSession, Tariff, UseSettlement
from billing.rules.pricing.terms import ChargeMode, Unit
from billing.rules.words import ChargeState, NoFee
from billing.settling import UNUSED_SINCE, WAITING, Problem, settle
from billing.tariffs import PriceList

UNUSED_AFTER = timedelta(hours=1)
"""How long a meter may take to tell of use."""


def charge_usage(session: Session, *, until: datetime, at: datetime, limit: int = 500) -> int:
    """Charge every case whose use ended by ``until`` and that is not charged as it now stands.

    Running it again charges nothing twice. What cannot be priced waits as a settlement with its reason,
    until its sessions or the tariffs change, or a person has accepted the sessions. Of two workers each takes
    other platforms. O(sessions of cases that are new or changed). Returns how many sessions it settled.
    """
    settled = 0
    for platform_id in platforms_waiting(session):
        if not nobody_else_settles(session, platform_id):
            continue
        while settled < limit and (taken := take(session, platform_id, until=until, at=at, limit=limit - settled)):
            found = still_to_charge(session, taken, until=until)
            cases = cases_of_usage(session, found, at=at) if found else []
            _settle_all(session, cases, at=at)
            settled += sum(len(one.sessions) for one in cases)
    return settled


def charge_unused(session: Session, *, at: datetime, limit: int = 500) -> int:
    """Charge reservations without use where the price asks for it: by the reserved time, or a fee.

    O(reservations of such equipment in the last forty days). Running it again charges nothing twice.
    """
    asking = _charged_without_use(session)
    if not asking:
        return 0
    known = select(UseSettlement.reservation_id).where(UseSettlement.reservation_id.is_not(None))
    found = unused_reservations(
        session, asking, within=Interval(at - UNUSED_SINCE, at - UNUSED_AFTER), apart_from=known, limit=limit
    )
    if not found:
        return 0
    settle_alone(session, set(asking.values()))
    _settle_all(session, cases_of_reservations(session, found, at=at), at=at)
    return len(found)


def reconsider_problems(session: Session, *, platform_id: int, at: datetime) -> None:
    """Try this platform's problems again, after a tariff was added: use and missed slots by the
    next run, reserved time at once."""
    settle_alone(session, [platform_id])
    problems = and_(
        UseSettlement.platform_id == platform_id,
        or_(UseSettlement.status.in_(WAITING), UseSettlement.reason == Problem.OWN_USE),
    )
    used = exists().where(SettledSession.use_settlement_id == UseSettlement.id)
    session.execute(delete(UseSettlement).where(problems, used))
    session.execute(
        delete(FeeSettlement).where(FeeSettlement.platform_id == platform_id, FeeSettlement.reason == NoFee.NO_TARIFF)
    )
    unused = session.scalars(select(UseSettlement.reservation_id).where(problems)).all()
    _settle_all(session, cases_of_reservations(session, [one for one in unused if one is not None], at=at), at=at)


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


def _charged_without_use(session: Session) -> dict[int, int]:
    """The platform of each piece of equipment whose price asks something of a reservation that was not used.

    As :attr:`billing.rules.pricing.terms.Terms.mode`, asked of the database: one query for all prices.
    """
    terms = Tariff.terms
    by_the_slot = and_(terms["charge_mode"].astext != ChargeMode.USAGE, terms["unit"].astext.in_((Unit.HOUR, Unit.DAY)))
    ruled = [func.jsonb_typeof(terms[rule]) == "object" for rule in ("cancellation", "no_show")]
    asks = exists().where(
        Tariff.platform_id == Equipment.platform_id,
        or_(Tariff.equipment_id.is_(None), Tariff.equipment_id == Equipment.id),
        or_(Tariff.equipment_kind.is_(None), Tariff.equipment_kind == Equipment.kind),
        or_(by_the_slot, *ruled),
    )
    rows = session.execute(select(Equipment.id, Equipment.platform_id).where(asks)).all()
    return {one.id: one.platform_id for one in rows}
