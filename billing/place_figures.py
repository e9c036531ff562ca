"""How many firms of each town and park were served, for the evaluation of land and resource use of 六(一)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Integer, any_, cast, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.identity.models import Organization
from app.identity.rules.town import HOME_REGION
from app.kernel.money import ZERO
from billing.city_figures import FirmYear
from billing.rules.place import ServedFirm, place_of


def served_firms(session: Session, firm_years: Sequence[FirmYear]) -> list[ServedFirm]:
    """Each firm once, over all platforms. One statement."""
    mine: dict[int, list[FirmYear]] = defaultdict(list)
    for one in firm_years:
        mine[one.organization_id].append(one)
    rows = session.execute(
        select(Organization.id, Organization.uscc, Organization.region, Organization.town, Organization.park).where(
            Organization.id == any_(cast(sorted(mine), ARRAY(Integer)))
        )
    )
    return [
        ServedFirm(
            number,
            uscc,
            town=place_of(town, at_home=region == HOME_REGION),
            park=place_of(park, at_home=region == HOME_REGION),
            orders=sum(one.orders for one in mine[number]),
            served=sum((one.served for one in mine[number]), timedelta()),
            revenue=sum((one.revenue for one in mine[number]), ZERO),
        )
        for number, uscc, region, town, park in rows
    ]
