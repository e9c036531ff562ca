"""The door of devices for whole years: use added up, one statement each, however many sessions there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.catalogue.standing_sql import relation, standing_joins
from app.kernel.interval import Interval
from devices.rules.week import Stretch, Week, spread

# A session belongs to the moment at which it began.
# OFFSET 0 keeps the planner from sorting all runs: of a computed column it believes that every row has its own value.
BY_FIRM = text(
    f"""
    SELECT platform_id, organization_id, sum(running_s)::bigint AS running_s, sum(runs)::bigint AS runs,
           count(reservation_id) AS orders
    FROM (
        SELECT platform_id, organization_id, reservation_id, sum(running_s) AS running_s, count(*) AS runs
        FROM (
            SELECT equipment.platform_id, used.organization_id, used.running_s,
                   CASE WHEN served.id IS NULL THEN used.reservation_id END AS reservation_id
            FROM (
                SELECT run.*, (run.started_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM usage_session AS run
                WHERE run.started_at >= :start AND run.started_at < :end AND NOT run.open
            ) AS used
            JOIN equipment ON equipment.id = used.equipment_id
            LEFT JOIN reservation AS served
                ON served.id = used.reservation_id AND served.service_request_id IS NOT NULL
            {standing_joins(platform="equipment.platform_id", customer="used.organization_id", day="used.day")}
            WHERE {relation("used.organization_id")} <> 'own_use'
            OFFSET 0
        ) AS told
        GROUP BY 1, 2, 3
    ) AS ordered
    GROUP BY 1, 2
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
             AS external_s,
           count(*) FILTER (WHERE {relation("used.organization_id")} <> 'own_use') AS service_runs
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
# What a run puts into an hour is cut to a microsecond, and its last hour gets the rest: whole numbers, which add up to
# the same in any order. 1970 began on a Thursday, 72 hours into a week.
BY_HOUR = text(
    """
    SELECT platform_id, (first_hour + 72) % 168 AS first_hour, hours, sum(opening)::bigint AS opening_us,
           sum(middle)::bigint AS middle_us,
           sum(running_s) * 1000000 - (sum(opening) + sum(middle) * greatest(hours - 2, 0))::bigint AS closing_us
    FROM (
        SELECT platform_id, first_hour, hours, running_s, floor(3600 * density) AS middle,
               CASE WHEN hours = 1 THEN running_s * 1e6::float8
                    ELSE floor(((first_hour + 1) * 3600::float8 - began) * density) END AS opening
        FROM (
            SELECT equipment.platform_id, began, floor(began / 3600)::int AS first_hour,
                   (ceil(ended / 3600) - floor(began / 3600))::int AS hours,
                   running_s, running_s * 1e6::float8 / (ended - began) AS density
            FROM (
                SELECT equipment_id, running_s,
                       date_part('epoch', started_at AT TIME ZONE 'Asia/Shanghai') AS began,
                       date_part('epoch', ended_at AT TIME ZONE 'Asia/Shanghai') AS ended
                FROM usage_session WHERE started_at >= :start AND started_at < :end AND NOT open
                OFFSET 0
            ) AS used
            JOIN equipment ON equipment.id = used.equipment_id
            OFFSET 0
        ) AS dense
        OFFSET 0
    ) AS stretch
    GROUP BY 1, 2, 3
    """
)


@dataclass(frozen=True, slots=True)
class FirmUse:
    """What a platform's equipment ran for one firm that is not the platform's own.

    An order is a used reservation that serves no commissioned work, with all its runs.
    """

    platform_id: int
    organization_id: int
    running: timedelta
    runs: int
    orders: int


@dataclass(frozen=True, slots=True)
class EquipmentUse:
    """Running time by the meter: all of it, that for customers, and that for outsiders among them.

    ``service_runs`` are the runs for customers.
    """

    running: timedelta = timedelta()
    service: timedelta = timedelta()
    external: timedelta = timedelta()
    service_runs: int = 0

    def __add__(self, other: EquipmentUse) -> EquipmentUse:
        return EquipmentUse(
            self.running + other.running,
            self.service + other.service,
            self.external + other.external,
            self.service_runs + other.service_runs,
        )


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
    """By platform and firm, without own use. One statement, O(sessions of the time)."""
    return [
        FirmUse(row.platform_id, row.organization_id, timedelta(seconds=row.running_s), row.runs, row.orders)
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
            timedelta(seconds=row.running_s),
            timedelta(seconds=row.service_s),
            timedelta(seconds=row.external_s),
            row.service_runs,
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


def use_by_hour(session: Session, within: Interval) -> dict[int, Week]:
    """Running time of each platform by hour of the week; all hours together are its running time.

    One statement, O(sessions of the time); a session's running time is taken as spread evenly over its length.
    """
    found: dict[int, list[Stretch]] = defaultdict(list)
    for row in session.execute(BY_HOUR, {"start": within.start, "end": within.end}):
        found[row.platform_id].append(Stretch(row.first_hour, row.hours, row.opening_us, row.middle_us, row.closing_us))
    return {platform_id: spread(stretches) for platform_id, stretches in found.items()}
