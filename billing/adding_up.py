"""Add up what years came to, and keep it for the city's pages. It is derived, and can be made anew at any time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.booking.served import signed_by_firm
from app.catalogue.models import Platform
from app.kernel import clock
from app.kernel.db import Model
from app.kernel.interval import Interval, local_year
from app.kernel.money import ZERO, Money
from billing.models import EquipmentYear, FirmYear, Invoice, PlatformYear
from devices.rules.week import WEEK
from devices.use_totals import FirmUse, use_by_equipment, use_by_firm, use_by_hour, use_by_month

ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('adding up'), CAST(:year AS int))")
SECOND = timedelta(seconds=1)
THIS_YEAR, OTHERS = timedelta(minutes=5), timedelta(hours=1)
"""How old the totals of this year, and those of other years, may become."""
Row = dict[str, Any]


def added_up_at(session: Session, year: int) -> datetime | None:
    """As of when the totals of a year are; nothing where they were never added up."""
    return session.scalar(select(func.min(PlatformYear.added_up_at)).where(PlatformYear.year == year))


def was_served() -> ColumnElement[bool]:
    """As a condition on the years of firms: counted as served, not merely invoiced."""
    return or_(FirmYear.orders > 0, FirmYear.runs > 0)


def add_up_due(session: Session, *, at: datetime) -> int:
    """Add up the year that has waited longest, if one has to be. Returns how many years that was: none or one."""
    this = clock.local_date(at).year
    oldest = select(PlatformYear.year, func.min(PlatformYear.added_up_at)).group_by(PlatformYear.year)
    kept = dict(session.execute(oldest).all())
    waited = {year: at - kept[year] if year in kept else timedelta.max for year in kept.keys() | {this, this - 1}}
    due = [year for year, since in waited.items() if since >= (THIS_YEAR if year == this else OTHERS)]
    if not due:
        return 0
    add_up(session, max(due, key=lambda year: (waited[year], year)), at=at)
    return 1


def add_up(session: Session, year: int, *, at: datetime) -> None:
    """Add up one year and keep what changed. O(sessions + invoices of the year)."""
    session.execute(ONE_AT_A_TIME, {"year": year})
    within = local_year(year)
    platform_ids = session.scalars(select(Platform.id)).all()
    _keep(session, FirmYear, year, _firm_years(session, year, within, platform_ids))
    _keep(session, EquipmentYear, year, [
        {
            "equipment_id": number, "running_s": use.running // SECOND, "service_s": use.service // SECOND,
            "external_s": use.external // SECOND, "service_runs": use.service_runs,
        }
        for number, use in use_by_equipment(session, within, platform_ids=platform_ids).items()
    ])  # fmt: skip
    months, weeks = use_by_month(session, within), use_by_hour(session, within)
    _keep(session, PlatformYear, year, [
        {
            "platform_id": one, "added_up_at": at, "week_us": list(weeks.get(one, [0] * WEEK)),
            "months_s": [months.get((one, month), timedelta()) // SECOND for month in range(1, 13)],
        }
        for one in platform_ids
    ])  # fmt: skip


def _firm_years(session: Session, year: int, within: Interval, platform_ids: Collection[int]) -> list[Row]:
    """Whoever used, had work signed off or was invoiced: one row a platform and firm. Own use is no service."""
    uses = {(use.platform_id, use.organization_id): use for use in use_by_firm(session, within)}
    signed = signed_by_firm(session, platform_ids, within)
    invoiced = _invoiced(session, year)
    found = []
    for pair in sorted(uses.keys() | signed.keys() | invoiced.keys()):
        use = uses.get(pair) or FirmUse(*pair, timedelta(), 0, 0)
        found.append({
            "platform_id": pair[0], "organization_id": pair[1], "orders": use.orders + signed.get(pair, 0),
            "runs": use.runs, "served_s": use.running // SECOND, "revenue_fen": invoiced.get(pair, ZERO),
        })  # fmt: skip
    return found


def _invoiced(session: Session, year: int) -> dict[tuple[int, int], Money]:
    """What was invoiced less what was credited, without tax, by day of issue. One statement, O(invoices)."""
    rows = session.execute(
        select(Invoice.platform_id, Invoice.organization_id, func.sum(Invoice.net_fen))
        .where(Invoice.issued_on >= date(year, 1, 1), Invoice.issued_on < date(year + 1, 1, 1))
        .group_by(Invoice.platform_id, Invoice.organization_id)
    )
    return {(platform_id, organization_id): Money(int(net.fen)) for platform_id, organization_id, net in rows}


def _keep(session: Session, kind: type[Model], year: int, rows: Iterable[Row]) -> None:
    """Make the kept rows of a year these, and write only what differs."""
    table: Table = kind.__table__  # type: ignore[assignment]
    keys = [column.name for column in table.primary_key]
    kept = _by_key(keys, (dict(row) for row in session.execute(select(table).where(table.c.year == year)).mappings()))
    told = _by_key(keys, ({"year": year, **row} for row in rows))
    if gone := kept.keys() - told.keys():
        old = [f"old_{name}" for name in keys]
        these = (table.c[name] == bindparam(f"old_{name}") for name in keys)
        session.execute(delete(table).where(*these), [dict(zip(old, key, strict=True)) for key in gone])
    changed = [row for key, row in told.items() if kept.get(key) != row]
    if changed:
        put = insert(table)
        others = {column.name: put.excluded[column.name] for column in table.c if column.name not in keys}
        session.execute(put.on_conflict_do_update(index_elements=keys, set_=others), changed)


def _by_key(keys: Iterable[str], rows: Iterable[Row]) -> Mapping[tuple[Any, ...], Row]:
    return {tuple(row[key] for key in keys): row for row in rows}
