"""The door of devices for whole years: use added up, one statement each, however many sessions there are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.catalogue.rules.customer import CustomerRelation
from app.catalogue.standing_sql import relation, standing_joins
from app.kernel.interval import Interval
from devices.rules.week import Cell, Stretch, spread

# A session belongs to the moment at which it began.
BY_FIRM = text(
    f"""
    SELECT equipment.platform_id, used.organization_id, {relation("used.organization_id")} AS relation,
           sum(used.running_s)::bigint AS running_s,
           count(DISTINCT used.reservation_id) FILTER (WHERE served.id IS NULL) AS orders
    FROM (
        SELECT run.*, (run.started_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM usage_session AS run
        WHERE run.started_at >= :start AND run.started_at < :end AND NOT run.open
    ) AS used
    JOIN equipment ON equipment.id = used.equipment_id
    LEFT JOIN reservation AS served ON served.id = used.reservation_id AND served.service_request_id IS NOT NULL
    {standing_joins(platform="equipment.platform_id", customer="used.organization_id", day="used.day")}
    GROUP BY 1, 2, 3
    """  # noqa: S608 - the parts are ours
)
BY_MONTH = text(
    """
    SELECT equipment.platform_id, used.month, sum(used.running_s)::bigint AS running_s
    FROM (
        SELECT equipment_id, extract(month FROM started_at AT TIME ZONE 'Asia/Shanghai')::int AS month,
               sum(running_s) AS running_s
        FROM usage_session WHERE started_at >= :start AND started_at < :end AND NOT open GROUP BY 1, 2
    ) AS used
    JOIN equipment ON equipment.id = used.equipment_id
    GROUP BY 1, 2
    """
)
BY_EQUIPMENT = text(
    f"""
    SELECT used.equipment_id, sum(used.running_s)::bigint AS running_s,
           coalesce(sum(used.running_s) FILTER (WHERE {relation("used.organization_id")} <> 'own_use'), 0)::bigint
             AS service_s,
           coalesce(sum(used.running_s) FILTER (WHERE {relation("used.organization_id")} = 'external'), 0)::bigint
             AS external_s
    FROM (
        SELECT run.*, (run.started_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM usage_session AS run
        WHERE run.started_at >= :start AND run.started_at < :end AND NOT run.open
    ) AS used
    JOIN equipment ON equipment.id = used.equipment_id AND equipment.platform_id = ANY(CAST(:platforms AS int[]))
    {standing_joins(platform="equipment.platform_id", customer="used.organization_id", day="used.day")}
    GROUP BY 1
    """  # noqa: S608 - the parts are ours
)
SERVED = text(
    f"""
    SELECT used.id, used.equipment_id, used.organization_id, used.started_at, used.ended_at, used.running_s,
           served.id IS NOT NULL AS commissioned
    FROM (
        SELECT run.*, (run.started_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM usage_session AS run
        WHERE run.started_at >= :start AND run.started_at < :end AND NOT run.open
    ) AS used
    JOIN equipment ON equipment.id = used.equipment_id AND equipment.platform_id = ANY(CAST(:platforms AS int[]))
    LEFT JOIN reservation AS served ON served.id = used.reservation_id AND served.service_request_id IS NOT NULL
    {standing_joins(platform="equipment.platform_id", customer="used.organization_id", day="used.day")}
    WHERE {relation("used.organization_id")} <> 'own_use'
    ORDER BY used.id
    LIMIT :limit
    """  # noqa: S608 - the parts are ours
)
BY_HOUR = text(
    """
    SELECT stretch.first_hour, stretch.hours, sum(stretch.density) AS density, sum(stretch.opening) AS opening,
           sum(stretch.closing) AS closing
    FROM (
        SELECT (extract(isodow FROM local.began)::int - 1) * 24 + extract(hour FROM local.began)::int AS first_hour,
               ceil(extract(epoch FROM local.ended - date_trunc('hour', local.began)) / 3600)::int AS hours,
               used.running_s / extract(epoch FROM local.ended - local.began)::float8 AS density,
               used.running_s / extract(epoch FROM local.ended - local.began)::float8
                 * extract(epoch FROM least(local.ended, date_trunc('hour', local.began) + interval '1 hour')
                                      - local.began)::float8 AS opening,
               used.running_s / extract(epoch FROM local.ended - local.began)::float8
                 * extract(epoch FROM local.ended - greatest(
                       local.began, date_trunc('hour', local.ended - interval '1 microsecond')))::float8 AS closing
        FROM usage_session AS used
        JOIN equipment ON equipment.id = used.equipment_id
        CROSS JOIN LATERAL (
            SELECT used.started_at AT TIME ZONE 'Asia/Shanghai' AS began,
                   used.ended_at AT TIME ZONE 'Asia/Shanghai' AS ended
        ) AS local
        WHERE used.started_at >= :start AND used.started_at < :end AND NOT used.open
          AND (CAST(:platforms AS int[]) IS NULL OR equipment.platform_id = ANY(CAST(:platforms AS int[])))
    ) AS stretch
    GROUP BY 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class FirmUse:
    """What one firm used of one platform. No relation: nobody is known to have used it.

    An order is a used reservation that serves no commissioned work, with all its runs.
    """

    platform_id: int
    organization_id: int | None
    relation: CustomerRelation | None
    running: timedelta
    orders: int

    @property
    def is_service(self) -> bool:
        return self.relation in (CustomerRelation.EXTERNAL, CustomerRelation.RELATED_PARTY)


@dataclass(frozen=True, slots=True)
class EquipmentUse:
    """Running time by the meter: all of it, that for customers, and that for outsiders among them."""

    running: timedelta = timedelta()
    service: timedelta = timedelta()
    external: timedelta = timedelta()

    def __add__(self, other: EquipmentUse) -> EquipmentUse:
        return EquipmentUse(self.running + other.running, self.service + other.service, self.external + other.external)


@dataclass(frozen=True, slots=True)
class ServedRun:
    """One run for a customer. ``commissioned``: the platform's people did it for them."""

    session_id: int
    equipment_id: int
    organization_id: int
    when: Interval
    running: timedelta
    commissioned: bool


def use_by_firm(session: Session, within: Interval) -> list[FirmUse]:
    """By platform, firm and how they stand to each other. One statement, O(sessions of the time)."""
    return [
        FirmUse(
            row.platform_id,
            row.organization_id,
            None if row.relation is None else CustomerRelation(row.relation),
            timedelta(seconds=row.running_s),
            row.orders,
        )
        for row in session.execute(BY_FIRM, {"start": within.start, "end": within.end})
    ]


def use_by_month(session: Session, within: Interval) -> dict[tuple[int, int], timedelta]:
    """Running time by platform and month (January = 1). One statement, O(sessions of the time)."""
    rows = session.execute(BY_MONTH, {"start": within.start, "end": within.end})
    return {(row.platform_id, row.month): timedelta(seconds=row.running_s) for row in rows}


def use_by_equipment(session: Session, within: Interval, *, platform_ids: Collection[int]) -> dict[int, EquipmentUse]:
    """One statement, O(sessions of the time); equipment without use is left out."""
    asked = {"start": within.start, "end": within.end, "platforms": sorted(platform_ids)}
    return {
        row.equipment_id: EquipmentUse(
            *(timedelta(seconds=length) for length in (row.running_s, row.service_s, row.external_s))
        )
        for row in session.execute(BY_EQUIPMENT, asked)
    }


def served_runs(session: Session, within: Interval, *, platform_ids: Collection[int], limit: int) -> list[ServedRun]:
    """The finished runs for customers, at most ``limit``, by number. One statement."""
    asked = {"start": within.start, "end": within.end, "platforms": sorted(platform_ids), "limit": limit}
    return [
        ServedRun(
            row.id,
            row.equipment_id,
            row.organization_id,
            Interval(row.started_at, row.ended_at),
            timedelta(seconds=row.running_s),
            row.commissioned,
        )
        for row in session.execute(SERVED, asked)
    ]


def use_by_hour(
    session: Session, within: Interval, *, platform_ids: Collection[int] | None = None
) -> dict[Cell, timedelta]:
    """Running time by weekday (Monday = 0) and hour at the facility; all cells together are the running time.

    One statement, O(sessions of the time); a session's running time is taken as spread evenly over its length.
    """
    asked = {
        "start": within.start,
        "end": within.end,
        "platforms": None if platform_ids is None else sorted(platform_ids),
    }
    rows = session.execute(BY_HOUR, asked)
    return spread(Stretch(row.first_hour, row.hours, row.density, row.opening, row.closing) for row in rows)
