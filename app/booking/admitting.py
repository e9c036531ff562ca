"""Whether this firm and this person may have the slot: closures, quotas, requirements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.booking.keeping import standing
from app.booking.models import Reservation
from app.booking.qualifying import missing_requirements
from app.booking.rules import quota as quotas
from app.booking.rules.request import Terms, violations
from app.booking.rules.reservation import HOLDS_SLOT, ReservationState, ServiceMode
from app.booking.terms import closed_times
from app.catalogue.models import Equipment, Quota
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.words import Measure, Period
from app.kernel.clock import FACILITY_ZONE, local_date
from app.kernel.errors import Conflict, InvalidInput, NotAllowed, Refusal
from app.kernel.interval import Interval

COUNTED = (*HOLDS_SLOT, ReservationState.FINISHED, ReservationState.NO_SHOW)
"""What counts against a quota: a slot that was not used was taken from others all the same."""


def obstacles(
    session: Session,
    equipment: Equipment,
    when: Interval,
    *,
    terms: Terms,
    customer_class: CustomerClass,
    organization_id: int,
    person_id: int,
    at: datetime,
    mode: ServiceMode = ServiceMode.SELF,
    exempt: bool = False,
    except_id: int | None = None,
    besides: Sequence[Interval] = (),
    devices: Collection[int] | None = None,
) -> list[Refusal]:
    """Everything that stands against the wish, whoever else holds the slot; the first matters most.

    ``besides`` is what the firm wishes for at the same time, on the same equipment, and counts for quotas;
    ``devices`` are those behind the listing, where they are known already.
    ``exempt`` is for an operator, whom limits, quotas and requirements do not bind.
    """
    if not equipment.bookable:
        return [Conflict("这台设备目前停止预约，请选择其他设备或联系运营方。")]
    found: list[Refusal] = list(violations(when, terms=terms, at=at, exempt=exempt))
    if found and found[0].field == "starts_at" and (when.start <= at - terms.step or when.start > at + terms.advance):
        return found
    found += closures(session, equipment, when, devices=devices)
    if exempt:
        return found
    found += unfit(
        session,
        equipment,
        organization_id=organization_id,
        person_id=person_id,
        on=local_date(when.start),
        at=at,
        mode=mode,
    )
    found += _quotas_exceeded(
        session,
        equipment,
        when,
        customer_class=customer_class,
        organization_id=organization_id,
        except_id=except_id,
        besides=besides,
    )
    return found


def closures(
    session: Session, equipment: Equipment, when: Interval, *, devices: Collection[int] | None = None
) -> list[Refusal]:
    """Why the equipment cannot be used then, whoever asks."""
    return [
        Conflict(
            "该时段设备停用（%(reason)s），请选择其他时段。", field="starts_at", reason=row.reason or row.kind.value
        )
        for _, row in closed_times(session, equipment, when, devices=devices)
    ]


def unfit(
    session: Session,
    equipment: Equipment,
    *,
    organization_id: int,
    person_id: int,
    on: date,
    at: datetime,
    mode: ServiceMode = ServiceMode.SELF,
) -> list[Refusal]:
    """Why this person of this firm may not use it on that day: a block that holds at ``at``, what is missing."""
    found: list[Refusal] = []
    known = standing(session, platform_id=equipment.platform_id, organization_id=organization_id, at=at)
    if known is not None and known.blocked_until is not None:
        found.append(
            NotAllowed(
                "贵单位因多次爽约暂停预约至 %(until)s。如有异议，请在“信用”页查看记录并向运营方申请豁免。",
                until=f"{known.blocked_until.astimezone(FACILITY_ZONE):%Y-%m-%d %H:%M}",
            )
        )
    if mode is ServiceMode.SELF:
        found += [
            NotAllowed("使用前须具备“%(name)s”：%(how)s", requirement_id=one.id, name=one.name_zh, how=one.how_zh)
            for one in missing_requirements(
                session, equipment.id, organization_id=organization_id, person_id=person_id, on=on
            )
        ]
    return found


def _quotas_exceeded(
    session: Session,
    equipment: Equipment,
    when: Interval,
    *,
    customer_class: CustomerClass,
    organization_id: int,
    except_id: int | None,
    besides: Sequence[Interval],
) -> list[Refusal]:
    """One read per quota, of the firm's reservations in the quota's periods."""
    rows: Sequence[Quota] = session.scalars(
        select(Quota)
        .where(
            or_(Quota.equipment_id == equipment.id, Quota.platform_id == equipment.platform_id),
            or_(Quota.customer_class.is_(None), Quota.customer_class == customer_class),
            or_(Quota.organization_id.is_(None), Quota.organization_id == organization_id),
        )
        .order_by(Quota.id)
        .with_for_update(key_share=True)  # two bookings on different equipment may share one quota
    ).all()
    found: list[Refusal] = []
    for row in rows:
        rule = quotas.Quota(
            measure=row.measure,
            limit=row.limit,
            period=row.period,
            week_starts=row.week_starts,
            weekdays=None if row.weekdays is None else frozenset(row.weekdays),
        )
        taken = _reserved(session, row, quotas.window(rule, when), organization_id, except_id=except_id)
        broken = quotas.exceeded(rule, when, [*taken, *besides])
        if broken is not None:
            found.append(_said(row, broken))
    return found


def _reserved(
    session: Session, row: Quota, within: Interval, organization_id: int, *, except_id: int | None
) -> list[Interval]:
    query = select(Reservation.during).where(
        Reservation.organization_id == organization_id,
        Reservation.state.in_(COUNTED),
        Reservation.during.op("&&")(within),
    )
    if row.equipment_id is not None:
        query = query.where(Reservation.equipment_id == row.equipment_id)
    else:
        query = query.join(Equipment).where(Equipment.platform_id == row.platform_id)
    if except_id is not None:
        query = query.where(Reservation.id != except_id)
    return list(session.scalars(query))


def _said(row: Quota, broken: quotas.Exceeded) -> Refusal:
    told: dict[str, Any] = {
        "field": "starts_at",
        "limit": f"{row.limit.normalize():f}",
        "used": f"{broken.used.normalize():f}",
        "quota_id": row.id,
    }
    match row.measure, row.period:
        case Measure.HOURS, Period.DAY:
            return InvalidInput("超出每日 %(limit)s 小时的限额（将达 %(used)s 小时），请缩短或改日。", **told)
        case Measure.HOURS, Period.WEEK:
            return InvalidInput("超出每周 %(limit)s 小时的限额（将达 %(used)s 小时），请缩短或改周。", **told)
        case Measure.HOURS, Period.MONTH:
            return InvalidInput("超出每月 %(limit)s 小时的限额（将达 %(used)s 小时），请缩短或改月。", **told)
        case Measure.HOURS, Period.YEAR:
            return InvalidInput("超出每年 %(limit)s 小时的限额（将达 %(used)s 小时），请联系运营方。", **told)
        case Measure.RESERVATIONS, Period.DAY:
            return InvalidInput("超出每日 %(limit)s 次的限额，请改日预约。", **told)
        case Measure.RESERVATIONS, Period.WEEK:
            return InvalidInput("超出每周 %(limit)s 次的限额，请改周预约。", **told)
        case Measure.RESERVATIONS, Period.MONTH:
            return InvalidInput("超出每月 %(limit)s 次的限额，请改月预约。", **told)
        case Measure.RESERVATIONS, Period.YEAR:
            return InvalidInput("超出每年 %(limit)s 次的限额，请联系运营方。", **told)
    raise AssertionError(f"{row.measure} per {row.period} has no sentence")
