"""A door of devices: the use of whole platforms over a long time, added up in the database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.booking.rules.reservation import AGREED
from app.catalogue.rules.customer import CustomerRelation
from app.catalogue.standing_sql import relation, standing_joins
from app.kernel.interval import Interval

# Reservations of others on the same equipment, from an early check-in on, up to where they were given back:
# as ``app.booking.slots.booked_slots`` tells them.
OTHERS = """
    reservation AS slot CROSS JOIN LATERAL (
        SELECT least(lower(slot.during), slot.checked_in_at) AS starts,
               CASE WHEN slot.released_at > least(lower(slot.during), slot.checked_in_at)
                    THEN least(upper(slot.during), slot.released_at) ELSE upper(slot.during) END AS ends
    ) AS kept
"""
OTHERS_HOLD = """
    slot.equipment_id = used.equipment_id AND slot.id IS DISTINCT FROM used.reservation_id
    AND slot.state = ANY(CAST(:agreed AS varchar[]))
"""
EARLY = "interval '1 day'"

# The time before and after a run is what ``devices.rules.usage.effective`` says, asked of its nearest neighbours:
# runs of one meter do not overlap, so the one before has the latest end, and the one after the earliest start.
TOLD = f"""
    WITH used AS (
        SELECT run.*, equipment.platform_id, coalesce(profile.lead_s, 0) * interval '1 second' AS lead,
               coalesce(profile.post_s, 0) * interval '1 second' AS post,
               CAST(run.started_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day
        FROM usage_session AS run
        JOIN equipment ON equipment.id = run.equipment_id
        LEFT JOIN meter_profile AS profile ON profile.id = run.profile_id
        WHERE equipment.platform_id = ANY(CAST(:platforms AS int[])) AND NOT run.open
            AND run.started_at >= :since AND run.started_at < :until
    ),
    told AS (
        SELECT used.platform_id, used.equipment_id, used.organization_id, used.running_s, used.evidence,
               CASE WHEN reservation.service_request_id IS NULL THEN used.reservation_id END AS reservation_id,
               {relation("used.organization_id")} AS relation,
               extract(epoch FROM after.ends - before.starts) AS effective_s
        FROM used
        LEFT JOIN reservation ON reservation.id = used.reservation_id
        {standing_joins(platform="used.platform_id", customer="used.organization_id", day="used.day")}
        CROSS JOIN LATERAL (
            SELECT CASE WHEN used.lead = interval '0' THEN used.started_at ELSE greatest(
                used.started_at - used.lead,
                (SELECT least(other.ended_at + used.post, used.started_at) FROM usage_session AS other
                 WHERE other.meter_id = used.meter_id AND other.started_at < used.started_at
                 ORDER BY other.started_at DESC LIMIT 1),
                (SELECT max(least(kept.ends, used.started_at)) FROM {OTHERS}
                 WHERE {OTHERS_HOLD} AND kept.starts < used.started_at
                     AND slot.during && tstzrange(used.started_at - used.lead, used.started_at + {EARLY}))
            ) END AS starts
        ) AS before
        CROSS JOIN LATERAL (
            SELECT CASE WHEN used.post = interval '0' THEN used.ended_at ELSE least(
                used.ended_at + used.post,
                (SELECT greatest(other.started_at, used.ended_at) FROM usage_session AS other
                 WHERE other.meter_id = used.meter_id AND other.started_at > used.started_at
                 ORDER BY other.started_at LIMIT 1),
                (SELECT min(greatest(kept.starts, used.ended_at)) FROM {OTHERS}
                 WHERE {OTHERS_HOLD} AND kept.ends > used.ended_at
                     AND slot.during && tstzrange(used.ended_at, used.ended_at + used.post + {EARLY}))
            ) END AS ends
        ) AS after
    )
"""  # noqa: S608 - the parts are ours
BY_PLATFORM = text(
    f"""
    {TOLD}
    SELECT platform_id, sum(running_s) AS running_s, count(*) AS runs,
           count(*) FILTER (WHERE evidence = 'metered') AS metered,
           coalesce(sum(effective_s) FILTER (WHERE relation IS NOT NULL), 0) AS effective_s,
           coalesce(sum(effective_s) FILTER (WHERE relation <> 'own_use'), 0) AS service_s,
           coalesce(sum(effective_s) FILTER (WHERE relation = 'external'), 0) AS external_s,
           count(DISTINCT reservation_id) FILTER (WHERE relation <> 'own_use') AS reservations,
           coalesce(array_agg(DISTINCT organization_id) FILTER (WHERE relation <> 'own_use'), '{{}}') AS customers
    FROM told GROUP BY platform_id
    """  # noqa: S608 - the parts are ours
)
BY_CUSTOMER = text(
    f"""
    {TOLD}
    SELECT equipment_id, organization_id, relation, count(*) AS runs, sum(running_s) AS running_s,
           sum(effective_s) AS effective_s, count(DISTINCT reservation_id) AS reservations
    FROM told GROUP BY equipment_id, organization_id, relation ORDER BY 1, 2, 3
    """  # noqa: S608 - the parts are ours
)


@dataclass(frozen=True, slots=True)
class PlatformUse:
    """What was used of a platform's equipment. The four figures are never mixed.

    ``running`` is what the meters saw; ``effective`` served somebody known, with the time before and after;
    ``service`` leaves out the platform's own use, ``external`` related parties too. ``reservations`` were used by
    customers and served no commissioned work.
    """

    running: timedelta = timedelta()
    effective: timedelta = timedelta()
    service: timedelta = timedelta()
    external: timedelta = timedelta()
    runs: int = 0
    metered: int = 0
    reservations: int = 0
    customers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class CustomerUse:
    """What one customer used of one piece of equipment, as one that stood to the platform in one way.

    Both are none where nobody is known to have used it: that is running time and nothing else.
    """

    equipment_id: int
    organization_id: int | None
    relation: CustomerRelation | None
    runs: int
    running: timedelta
    effective: timedelta
    reservations: int


def use_of_platforms(session: Session, platform_ids: Collection[int], within: Interval) -> dict[int, PlatformUse]:
    """The runs that began ``within`` and are over, by platform. One query, O(runs); platforms without are left out."""
    rows = session.execute(
        BY_PLATFORM,
        _asked(platform_ids, within),
    )
    return {
        row.platform_id: PlatformUse(
            running=timedelta(seconds=row.running_s),
            effective=timedelta(seconds=float(row.effective_s)),
            service=timedelta(seconds=float(row.service_s)),
            external=timedelta(seconds=float(row.external_s)),
            runs=row.runs,
            metered=row.metered,
            reservations=row.reservations,
            customers=frozenset(row.customers),
        )
        for row in rows
    }


def use_by_customer(session: Session, platform_id: int, within: Interval) -> list[CustomerUse]:
    """What the figures of one platform are the sums of, by equipment and customer. One query, O(runs)."""
    return [
        CustomerUse(
            row.equipment_id,
            row.organization_id,
            None if row.relation is None else CustomerRelation(row.relation),
            row.runs,
            timedelta(seconds=row.running_s),
            timedelta(seconds=float(row.effective_s)),
            row.reservations,
        )
        for row in session.execute(BY_CUSTOMER, _asked([platform_id], within))
    ]


def _asked(platform_ids: Collection[int], within: Interval) -> dict[str, Any]:
    return {"platforms": sorted(platform_ids), "since": within.start, "until": within.end, "agreed": sorted(AGREED)}
