"""Quotas: how much of some equipment a firm may book in a day, a week, a month or a year."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from app.catalogue.equipping import record
from app.catalogue.models import Equipment, Quota
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.words import Measure, Period
from app.kernel.errors import InvalidInput, NotFound


def add_quota(
    session: Session,
    equipment: Equipment,
    *,
    measure: Measure,
    limit: Decimal,
    period: Period,
    customer_class: CustomerClass | None,
    whole_platform: bool,
    organization_id: int | None = None,
    weekdays: Collection[int] = (),
    by: int,
    at: datetime,
) -> Quota:
    """A limit on this equipment, or on all of its platform together, for one firm or for each of a class.

    ``weekdays`` (Monday is 0) are the days that count; none are all.

    Errors: ``InvalidInput`` for a limit below zero, no weekday, or a firm together with a class.
    """
    if not limit.is_finite() or limit < 0 or limit >= 1_000_000:
        raise InvalidInput("请填写不小于零的数量。", field="limit")
    if organization_id is not None and customer_class is not None:
        raise InvalidInput("已指定单位，客户类别请选所有人。", field="customer_class")
    days = sorted(set(weekdays))
    if not set(days) <= set(range(7)):
        raise InvalidInput("请从列表中选择。", field="weekdays")
    row = Quota(
        equipment_id=None if whole_platform else equipment.id,
        platform_id=equipment.platform_id if whole_platform else None,
        customer_class=customer_class,
        organization_id=organization_id,
        measure=measure,
        limit=limit,
        period=period,
        weekdays=days if 0 < len(days) < 7 else None,
    )
    session.add(row)
    session.flush()
    record(session, equipment, f"quota:{row.id}", None, _told(row), by=by, at=at)
    return row


def drop_quota(session: Session, equipment: Equipment, quota_id: int, *, by: int, at: datetime) -> None:
    """Errors: ``NotFound`` for a quota that is not about this equipment or its platform."""
    row = session.get(Quota, quota_id)
    if row is None or (row.equipment_id != equipment.id and row.platform_id != equipment.platform_id):
        raise NotFound("没有这项限额。")
    before = _told(row)
    session.delete(row)
    session.flush()
    record(session, equipment, f"quota:{quota_id}", before, None, by=by, at=at)


def _told(row: Quota) -> dict[str, Any]:
    return {
        "measure": row.measure.value,
        "limit": str(row.limit),
        "period": row.period.value,
        "platform": row.platform_id is not None,
        "customer_class": None if row.customer_class is None else row.customer_class.value,
        "organization_id": row.organization_id,
        "weekdays": row.weekdays,
    }
