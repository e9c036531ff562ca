"""The city's year: what its platforms are, how much they were used, and what they earned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from app.booking.services import signed_by_firm
from app.catalogue.industries import industries_of
from app.catalogue.models import Equipment, Platform
from app.catalogue.rules.stage import Stage, is_built, is_provincial, stage_of
from app.kernel.interval import local_year
from app.kernel.money import ZERO, Money, total
from billing.models import Invoice
from billing.policies.jinzhengban_2025_13_targets import TARGETS
from billing.rules.target import Target
from billing.subsidy_totals import PlannedGrant, planned_grants
from devices.use_totals import FirmUse, use_by_firm


@dataclass(frozen=True, slots=True)
class FirmYear:
    """What one firm was served by one platform. ``served`` is running time by the meter; money is without tax."""

    platform_id: int
    organization_id: int
    orders: int = 0
    served: timedelta = timedelta()
    revenue: Money = ZERO


@dataclass(frozen=True, slots=True)
class PlatformRow:
    """One platform's year. ``stage`` is that of the day; ``industries`` are keys; ``running`` includes own use."""

    platform: Platform
    stage: Stage
    industries: frozenset[str]
    equipment: int
    running: timedelta
    served: timedelta
    firms: int
    revenue: Money
    planned: Money


@dataclass(frozen=True, slots=True)
class CityYear:
    """All of it; every total is the sum of its rows, but a firm that several platforms serve is one firm."""

    year: int
    on: date
    rows: Sequence[PlatformRow]
    firm_years: Sequence[FirmYear]
    grants: Sequence[PlannedGrant]

    @property
    def built(self) -> int:
        return sum(is_built(row.stage) for row in self.rows)

    @property
    def provincial(self) -> int:
        return sum(is_provincial(row.stage) for row in self.rows)

    @property
    def firms(self) -> int:
        return len({one.organization_id for one in self.firm_years})

    @property
    def running(self) -> timedelta:
        return sum((row.running for row in self.rows), timedelta())

    @property
    def served(self) -> timedelta:
        return sum((row.served for row in self.rows), timedelta())

    @property
    def revenue(self) -> Money:
        return total([row.revenue for row in self.rows])

    @property
    def planned(self) -> Money:
        return total([row.planned for row in self.rows])

    @property
    def illustrative(self) -> bool:
        """Whether any of it is about a sample platform."""
        return any(row.platform.illustrative for row in self.rows)

    @property
    def targets(self) -> Sequence[Target]:
        return TARGETS


def city_year(session: Session, year: int, *, on: date) -> CityYear:
    """Everything the city's pages show of a year, with the stages that were reached by ``on``.

    Seven statements, however much there is. O(sessions + invoices of the year).
    """
    platforms = session.scalars(
        select(Platform).options(selectinload(Platform.recognitions)).order_by(Platform.id)
    ).all()
    counted = select(Equipment.platform_id, func.count()).group_by(Equipment.platform_id)
    equipment = dict(session.execute(counted).all())
    uses = use_by_firm(session, local_year(year))
    firm_years = _firm_years(uses, signed_by_firm(session, local_year(year)), _invoiced(session, year))
    grants = planned_grants(session, year)
    running: dict[int, timedelta] = defaultdict(timedelta)
    for use in uses:
        running[use.platform_id] += use.running
    served = _by_platform(firm_years)
    rows = []
    for one in platforms:
        mine = served.get(one.id, [])
        rows.append(
            PlatformRow(
                platform=one,
                stage=stage_of(((each.level, each.recognised_on) for each in one.recognitions), on=on),
                industries=industries_of(one.code, one.field),
                equipment=equipment.get(one.id, 0),
                running=running[one.id],
                served=sum((each.served for each in mine), timedelta()),
                firms=len(mine),
                revenue=total([each.revenue for each in mine]),
                planned=total([grant.payable.amount for grant in grants if grant.platform_id == one.id]),
            )
        )
    return CityYear(year, on, rows, firm_years, grants)


def _by_platform(firm_years: Sequence[FirmYear]) -> Mapping[int, list[FirmYear]]:
    found: dict[int, list[FirmYear]] = defaultdict(list)
    for one in firm_years:
        found[one.platform_id].append(one)
    return found


def _firm_years(
    uses: Sequence[FirmUse], signed: Mapping[tuple[int, int], int], invoiced: Mapping[tuple[int, int], Money]
) -> list[FirmYear]:
    """Whoever used, had work done or was invoiced: one row a platform and firm. Own use is no service."""
    orders: dict[tuple[int, int], int] = defaultdict(int, signed)
    served: dict[tuple[int, int], timedelta] = defaultdict(timedelta)
    for use in uses:
        if use.is_service and use.organization_id is not None:
            served[use.platform_id, use.organization_id] += use.running
            orders[use.platform_id, use.organization_id] += use.orders
    return [
        FirmYear(*pair, orders[pair], served[pair], invoiced.get(pair, ZERO))
        for pair in sorted(orders.keys() | served.keys() | invoiced.keys())
    ]


def _invoiced(session: Session, year: int) -> dict[tuple[int, int], Money]:
    """What was invoiced less what was credited, without tax, by day of issue. One statement, O(invoices)."""
    rows = session.execute(
        select(Invoice.platform_id, Invoice.organization_id, func.sum(Invoice.net_fen))
        .where(Invoice.issued_on >= date(year, 1, 1), Invoice.issued_on < date(year + 1, 1, 1))
        .group_by(Invoice.platform_id, Invoice.organization_id)
    )
    return {(platform_id, organization_id): Money(int(net.fen)) for platform_id, organization_id, net in rows}
