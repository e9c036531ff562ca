"""How many firms of each town and park were served, for the evaluation of land and resource use of 六(一)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.identity.models import Organization
from app.identity.rules.town import HOME_REGION
from app.kernel.money import Money
from billing.adding_up import was_served
from billing.models import FirmYear
from billing.rules.place import ServedFirms, place_of


def served_firms(session: Session, year: int) -> list[ServedFirms]:
    """Every firm once, with the others of its town and park. One statement, O(kept totals of the year)."""
    firm = (
        select(
            FirmYear.organization_id,
            func.bool_or(was_served()).label("served"),
            func.sum(FirmYear.orders).label("orders"),
            func.sum(FirmYear.served_s).label("served_s"),
            func.sum(FirmYear.revenue_fen).label("revenue"),
        )
        .where(FirmYear.year == year)
        .group_by(FirmYear.organization_id)
        .subquery()
    )
    at_home = (Organization.region == HOME_REGION).label("at_home")
    coded = Organization.uscc.is_not(None)  # a code is its own firm's: none is there twice
    rows = session.execute(
        select(
            Organization.town, Organization.park, at_home,
            func.count().filter(firm.c.served, coded), func.count().filter(firm.c.served, ~coded),
            func.sum(firm.c.orders), func.sum(firm.c.served_s), func.sum(firm.c.revenue),
        )
        .join(firm, firm.c.organization_id == Organization.id)
        .group_by(Organization.town, Organization.park, at_home)
    )  # fmt: skip
    return [
        ServedFirms(
            town=place_of(town, at_home=home),
            park=place_of(park, at_home=home),
            firms=firms,
            without_code=without_code,
            orders=int(orders),
            served=timedelta(seconds=int(served_s)),
            revenue=Money(int(revenue.fen)),
        )
        for town, park, home, firms, without_code, orders, served_s, revenue in rows
    ]
