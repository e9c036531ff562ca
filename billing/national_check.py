"""What would be wrong with the report to the national instrument network, before anybody makes it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Integer, and_, any_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from app.catalogue.models import Equipment, Platform
from app.identity.models import Organization
from app.kernel.interval import local_year
from billing.models import EquipmentYear
from billing.national_report import check_size
from billing.rules import national
from billing.rules.national import InstrumentHours, Row, Violation


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """How much the report would hold, and what contradicts in it."""

    instruments: int
    records: int
    units: int
    violations: Sequence[Violation]


def check_report(session: Session, year: int, *, platform_ids: Collection[int]) -> ReportCheck:
    """Look at the kept totals of the year. One statement, O(equipment).

    Errors: ``InvalidInput`` for more service records than one file holds.
    """
    listing, device, used = aliased(Equipment), aliased(Equipment), EquipmentYear
    whole = [func.coalesce(func.sum(one), 0) for one in (used.running_s, used.service_s, used.external_s)]
    rows = session.execute(
        select(
            device.code, device.name_zh, device.units, Organization.id, Organization.uscc, Organization.name,
            func.coalesce(func.sum(used.service_runs), 0), *whole,
        )
        .select_from(device)
        .join(Platform, Platform.id == device.platform_id)
        .join(Organization, Organization.id == Platform.host_id)
        .join(listing, func.coalesce(listing.shares_id, listing.id) == device.id)
        .outerjoin(used, and_(used.equipment_id == listing.id, used.year == year))
        .where(device.shares_id.is_(None), device.platform_id == any_(cast(sorted(platform_ids), ARRAY(Integer))))
        .group_by(device.id, Organization.id)
        .order_by(device.code)
    ).all()  # fmt: skip
    hours: list[InstrumentHours] = []
    instruments: list[Row] = []
    units: dict[int, Row] = {}
    records = 0
    for code, name, pieces, host_id, uscc, host, runs, *seconds in rows:
        hours.append(InstrumentHours(code, pieces, *(timedelta(seconds=int(one)) for one in seconds)))
        instruments.append({"innerId": code, "cname": name})
        units[host_id] = {"insCode": uscc, "name": host}
        records += runs
    check_size(year, records)
    faults = [
        *national.hour_faults(hours, year=local_year(year).duration),
        *national.field_faults(instruments, list(units.values())),
    ]
    return ReportCheck(len(instruments), records, len(units), faults)
