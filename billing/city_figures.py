"""The city's year: what its platforms are, how much they were used, and what they earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from app.catalogue.industries import industries_of
from app.catalogue.models import Equipment, Platform
from app.catalogue.rules.stage import Stage, is_built, is_provincial, stage_of
from app.identity.models import Organization
from app.kernel.money import ZERO, Money, total
from billing.adding_up import added_up_at, was_served
from billing.models import FirmYear, PlatformYear
from billing.policies.jinzhengban_2025_13_targets import TARGETS
from billing.rules.target import Target
from billing.subsidy_totals import PlannedGrant, planned_grants


@dataclass(frozen=True, slots=True)
class PlatformRow:
    """One platform's year. ``stage`` is that of the day; ``industries`` are keys; ``running`` includes own use.

    ``firms`` are those with a unified social credit code, as the evaluation counts them.
    """

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
    """All of it; every total is the sum of its rows, but a firm that several platforms serve is one firm.

    Use, firms and revenue are as they were ``added_up_at``: nothing where they never were.
    """

    year: int
    on: date
    added_up_at: datetime | None
    rows: Sequence[PlatformRow]
    firms: int
    grants: Sequence[PlannedGrant]

    @property
    def built(self) -> int:
        return sum(is_built(row.stage) for row in self.rows)

    @property
    def provincial(self) -> int:
        return sum(is_provincial(row.stage) for row in self.rows)

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
    """Everything the city's overview shows of a year, with the stages that were reached by ``on``.

    Eight statements, however much there is. O(kept totals of the year).
    """
    platforms = session.scalars(
        select(Platform).options(selectinload(Platform.recognitions)).order_by(Platform.id)
    ).all()
    counted = select(Equipment.platform_id, func.count()).group_by(Equipment.platform_id)
    equipment = dict(session.execute(counted).all())
    months = dict(
        session.execute(select(PlatformYear.platform_id, PlatformYear.months_s).where(PlatformYear.year == year)).all()
    )
    served = _served(session, year)
    grants = planned_grants(session, year)
    rows = []
    for one in platforms:
        firms, served_s, revenue = served.get(one.id, (0, 0, ZERO))
        rows.append(
            PlatformRow(
                platform=one,
                stage=stage_of(((each.level, each.recognised_on) for each in one.recognitions), on=on),
                industries=industries_of(one.code, one.field),
                equipment=equipment.get(one.id, 0),
                running=timedelta(seconds=sum(months.get(one.id, ()))),
                served=timedelta(seconds=served_s),
                firms=firms,
                revenue=revenue,
                planned=total([grant.payable.amount for grant in grants if grant.platform_id == one.id]),
            )
        )
    distinct = session.scalar(
        select(func.count(FirmYear.organization_id.distinct()))
        .join(Organization, Organization.id == FirmYear.organization_id)
        .where(FirmYear.year == year, was_served(), Organization.uscc.is_not(None))
    )
    return CityYear(year, on, added_up_at(session, year), rows, distinct or 0, grants)


def _served(session: Session, year: int) -> dict[int, tuple[int, int, Money]]:
    """How many firms each platform served, for how many seconds, and what that earned."""
    rows = session.execute(
        select(
            FirmYear.platform_id,
            func.count().filter(was_served(), Organization.uscc.is_not(None)),
            func.sum(FirmYear.served_s),
            func.sum(FirmYear.revenue_fen),
        )
        .join(Organization, Organization.id == FirmYear.organization_id)
        .where(FirmYear.year == year)
        .group_by(FirmYear.platform_id)
    )
    return {one: (firms, int(served_s), Money(int(revenue.fen))) for one, firms, served_s, revenue in rows}
