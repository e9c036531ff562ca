"""What platforms did in a year, in figures: for the evaluation and for the city."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from sqlalchemy import BigInteger, func, select, text, type_coerce
from sqlalchemy.orm import Session

from app.booking.served import Incidents, Satisfaction, incidents_of_platforms, satisfaction_of_platforms, signed_work
from app.catalogue.documents import Documents, documents_held
from app.catalogue.models import Equipment
from app.identity.models import Organization
from app.kernel.interval import Interval, local_year
from app.kernel.money import ZERO, Money, total
from billing.models import RevenueEntry
from billing.rules.income import IncomeHead, by_head
from billing.rules.words import RevenueCategory
from devices.hours import PlatformUse, use_of_platforms

LOCAL = "晋江"
# A charge that was made anew, or that nobody has to pay, is no further hour.
BILLABLE = text(
    """
    SELECT platform_id, sum(round(quantity * 3600)) AS seconds FROM charge
    WHERE platform_id = ANY(CAST(:platforms AS int[])) AND served_at >= :since AND served_at < :until
        AND kind = 'hours' AND unit = 'h' AND state <> 'waived' AND again_of_id IS NULL
    GROUP BY platform_id
    """
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The equipment: how many listings that are devices of their own, what they cost, what use is expected of them."""

    count: int = 0
    value: Money = ZERO
    benchmark: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class PlatformFigures:
    """One platform's year. Shares are exact, and nothing where there is nothing to take a share of.

    The five figures of hours are never mixed: running is the meter's, effective served somebody, service was for
    customers, external for outsiders, billable is what the tariff makes. Money is without tax, by day of invoice.
    """

    use: PlatformUse = field(default_factory=PlatformUse)
    billable: timedelta = timedelta()
    holdings: Holdings = field(default_factory=Holdings)
    firms: int = 0
    local_firms: int = 0
    orders: int = 0
    revenue: Mapping[RevenueCategory, Money] = field(default_factory=dict)
    local_revenue: Money = ZERO
    documents: Documents = field(default_factory=Documents)
    satisfaction: Satisfaction = field(default_factory=Satisfaction)
    incidents: Incidents = field(default_factory=Incidents)

    @property
    def running(self) -> timedelta:
        return self.use.running

    @property
    def effective(self) -> timedelta:
        return self.use.effective

    @property
    def service(self) -> timedelta:
        return self.use.service

    @property
    def external(self) -> timedelta:
        return self.use.external

    @property
    def sharing_rate(self) -> Fraction | None:
        """共享率: external of effective hours."""
        return share(self.external / timedelta(seconds=1), self.effective / timedelta(seconds=1))

    @property
    def utilization(self) -> Fraction | None:
        """Effective hours of the benchmark (定额机时). Above one where the equipment runs more."""
        return share(self.effective / timedelta(seconds=1), self.holdings.benchmark / timedelta(seconds=1))

    @property
    def metered_share(self) -> Fraction | None:
        return share(self.use.metered, self.use.runs)

    @property
    def documents_share(self) -> Fraction | None:
        return share(self.documents.valid, self.documents.held)

    @property
    def net(self) -> Money:
        """All revenue, of whatever kind."""
        return total(list(self.revenue.values()))

    @property
    def heads(self) -> dict[IncomeHead, Money]:
        """The three heads of 五(七)."""
        return by_head(self.revenue)

    @property
    def local_share(self) -> Fraction | None:
        """Revenue from firms in Jinjiang, of all."""
        return share(self.local_revenue.fen, self.net.fen)


def share(part: float, whole: float) -> Fraction | None:
    """Nothing where ``whole`` is not more than zero."""
    return Fraction(part) / Fraction(whole) if whole > 0 else None


def figures_of(session: Session, platform_ids: Collection[int], year: int) -> dict[int, PlatformFigures]:
    """The figures of each of these platforms for a calendar year at the facility.

    Nine statements, however many platforms and runs. O(runs + charges + revenue entries of the year).
    """
    within = local_year(year)
    use = use_of_platforms(session, platform_ids, within)
    work = signed_work(session, platform_ids, within)
    billable = _billable(session, platform_ids, within)
    holdings = _holdings(session, platform_ids)
    revenue, local = _revenue(session, platform_ids, year)
    documents = documents_held(session, platform_ids, on=date(year, 12, 31))
    satisfaction = satisfaction_of_platforms(session, platform_ids, within)
    incidents = incidents_of_platforms(session, platform_ids, year)
    customers = {one: (use[one].customers if one in use else frozenset()) | work[one].customers for one in platform_ids}
    regions = _regions(session, frozenset().union(*customers.values()))
    return {
        one: PlatformFigures(
            use=use.get(one, PlatformUse()),
            billable=billable.get(one, timedelta()),
            holdings=holdings.get(one, Holdings()),
            firms=sum(customer in regions for customer in customers[one]),
            local_firms=sum(regions.get(customer) == LOCAL for customer in customers[one]),
            orders=(use[one].reservations if one in use else 0) + work[one].orders,
            revenue=revenue[one],
            local_revenue=local[one],
            documents=documents.get(one, Documents()),
            satisfaction=satisfaction.get(one, Satisfaction()),
            incidents=incidents.get(one, Incidents()),
        )
        for one in platform_ids
    }


def _billable(session: Session, platform_ids: Collection[int], within: Interval) -> dict[int, timedelta]:
    asked = {"platforms": sorted(platform_ids), "since": within.start, "until": within.end}
    return {row.platform_id: timedelta(seconds=int(row.seconds)) for row in session.execute(BILLABLE, asked)}


def _holdings(session: Session, platform_ids: Collection[int]) -> dict[int, Holdings]:
    """A further listing of the same device adds nothing; a pool counts by its pieces."""
    rows = session.execute(
        select(
            Equipment.platform_id,
            func.sum(Equipment.units),
            func.sum(type_coerce(Equipment.original_value, BigInteger) * Equipment.units),
            func.sum(Equipment.benchmark_hours * Equipment.units),
        )
        .where(Equipment.platform_id.in_(platform_ids), Equipment.shares_id.is_(None))
        .group_by(Equipment.platform_id)
    )
    return {number: Holdings(count, Money(int(value)), timedelta(hours=hours)) for number, count, value, hours in rows}


def _revenue(
    session: Session, platform_ids: Collection[int], year: int
) -> tuple[dict[int, dict[RevenueCategory, Money]], dict[int, Money]]:
    """By category, and what came from firms in Jinjiang."""
    by = (RevenueEntry.platform_id, RevenueEntry.category, RevenueEntry.region)
    rows = session.execute(
        select(*by, func.sum(RevenueEntry.net_fen))
        .where(
            RevenueEntry.platform_id.in_(platform_ids),
            RevenueEntry.invoiced_on >= date(year, 1, 1),
            RevenueEntry.invoiced_on < date(year + 1, 1, 1),
        )
        .group_by(*by)
    )
    revenue: dict[int, dict[RevenueCategory, Money]] = defaultdict(dict)
    local: dict[int, Money] = defaultdict(lambda: ZERO)
    for platform_id, category, region, net in rows:
        amount = Money(int(net.fen))
        revenue[platform_id][category] = revenue[platform_id].get(category, ZERO) + amount
        local[platform_id] += amount if region == LOCAL else ZERO
    return revenue, local


def _regions(session: Session, organization_ids: Collection[int]) -> dict[int, str]:
    """Where each firm with a unified social credit code is; the code is its own, so each firm is one."""
    rows = session.execute(
        select(Organization.id, Organization.region).where(
            Organization.id.in_(organization_ids), Organization.uscc.is_not(None)
        )
    )
    return {row.id: row.region for row in rows}
