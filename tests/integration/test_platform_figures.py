"""The figures of a year are what one counts by hand from the rows, platform by platform."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import event, select, text

from app.booking.models import Feedback, Incident, IncidentClosing, Reservation, ServiceRequest
from app.booking.rules.feedback import POINTS
from app.catalogue.models import Equipment, Qualification, Requirement
from app.catalogue.platforms import standing_of
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.kernel.clock import local_date
from app.kernel.money import Money, total
from billing.models import RevenueEntry
from billing.platform_figures import figures_of
from devices.models import UsageSession
from devices.usage import usages_by_id
from tests.integration.close_world import CloseWorld
from tests.integration.evaluation_world import YEAR, build
from tests.integration.test_revenue_queries import Earned


def by_hand(session, platform_id):
    """One run, order, opinion and paper after another, with none of the code that is tested."""
    standing = standing_of(session, platform_id)
    sums = defaultdict(timedelta)
    orders, customers, runs = set(), set(), []
    own_equipment = select(Equipment.id).where(Equipment.platform_id == platform_id)
    for run in session.scalars(select(UsageSession).where(UsageSession.equipment_id.in_(own_equipment))):
        if run.open or local_date(run.started_at).year != YEAR:
            continue
        runs.append(run)
        sums["running"] += timedelta(seconds=run.running_s)
        if run.organization_id is None:
            continue
        relation = standing.relation(run.organization_id, local_date(run.started_at))
        length = usages_by_id(session, [run.id])[run.id].effective.duration
        sums["effective"] += length
        if relation is CustomerRelation.OWN_USE:
            continue
        sums["service"] += length
        customers.add(run.organization_id)
        if relation is CustomerRelation.EXTERNAL:
            sums["external"] += length
        if run.reservation_id and not session.get_one(Reservation, run.reservation_id).service_request_id:
            orders.add(run.reservation_id)
    signed = [
        one
        for one in session.scalars(select(ServiceRequest).where(ServiceRequest.platform_id == platform_id))
        if one.signed_at
        and local_date(one.signed_at).year == YEAR
        and standing.relation(one.organization_id, local_date(one.signed_at)) is not CustomerRelation.OWN_USE
    ]
    customers |= {one.organization_id for one in signed}
    firms = [one for one in (session.get_one(Organization, number) for number in customers) if one.uscc]
    last: dict[tuple[int, int | None, int | None], Qualification] = {}
    for one in session.scalars(
        select(Qualification).join(Requirement).where(Requirement.platform_id == platform_id).order_by(
            Qualification.granted_on, Qualification.id
        )
    ):  # fmt: skip
        if one.revoked_at is None and one.granted_on <= date(YEAR, 12, 31):
            last[one.requirement_id, one.person_id, one.organization_id] = one
    stars = [
        one.stars
        for one in session.scalars(select(Feedback))
        if one.reservation.equipment.platform_id == platform_id
        and local_date(one.reservation.during.start).year == YEAR
    ]
    incidents = [
        one
        for one in session.scalars(select(Incident).where(Incident.platform_id == platform_id))
        if one.happened_on.year == YEAR
    ]
    return {
        **{name: sums[name] for name in ("running", "effective", "service", "external")},
        "runs": len(runs),
        "metered": sum(run.evidence == "metered" for run in runs),
        "orders": len(orders) + len(signed),
        "firms": len({one.uscc for one in firms}),
        "local firms": len({one.uscc for one in firms if one.region == "晋江"}),
        "documents": (
            len(last),
            sum(not one.expires_on or one.expires_on > date(YEAR, 12, 31) for one in last.values()),
        ),
        "stars": (len(stars), sum(stars)),
        "incidents": (
            len(incidents),
            sum(POINTS[one.severity] for one in incidents),
            sum(session.get(IncidentClosing, one.id) is None for one in incidents),
        ),
    }


def told(figures):
    return {
        "running": figures.running, "effective": figures.effective, "service": figures.service,
        "external": figures.external, "runs": figures.use.runs, "metered": figures.use.metered,
        "orders": figures.orders, "firms": figures.firms, "local firms": figures.local_firms,
        "documents": (figures.documents.held, figures.documents.valid),
        "stars": (figures.satisfaction.count, figures.satisfaction.stars),
        "incidents": (figures.incidents.count, figures.incidents.points, figures.incidents.still_open),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_what_one_counts_by_hand(session, seed):
    sides = build(session, random.Random(seed))
    figures = figures_of(session, [one.platform_id for one in sides], YEAR)
    for side in sides:
        found = figures[side.platform_id]
        assert told(found) == by_hand(session, side.platform_id)
        assert found.external <= found.service <= found.effective
        assert found.sharing_rate == Fraction(found.external.total_seconds()) / Fraction(
            found.effective.total_seconds()
        )
        assert found.use.metered < found.use.runs
        assert figures_of(session, [side.platform_id], YEAR)[side.platform_id] == found
    pieces = sum(one.units for one in session.scalars(select(Equipment).where(Equipment.shares_id.is_(None))))
    assert sum(one.holdings.count for one in figures.values()) == pieces
    assert sum((one.holdings.benchmark for one in figures.values()), timedelta()) == timedelta(hours=800 * pieces)
    assert total([one.holdings.value for one in figures.values()]) == Money.of(500_000 * pieces)


def test_the_number_of_statements_is_the_same_for_any_number_of_platforms_and_runs(session):
    sides = build(session, random.Random(5))
    session.flush()
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *given: statements.append(given[2]))
    counted = []
    for ids in ([sides[0].platform_id], [one.platform_id for one in sides], [-1]):
        statements.clear()
        figures_of(session, ids, YEAR)
        counted.append(len(statements))
    assert set(counted) == {9}


def test_revenue_is_by_kind_and_place(session):
    world = Earned(session, random.Random(1))
    session.execute(text("ALTER TABLE revenue_entry DISABLE TRIGGER only_grows"))
    session.execute(text("UPDATE revenue_entry SET region = '泉州其他' WHERE id % 3 = 0"))
    entries = session.scalars(select(RevenueEntry)).all()
    session.expire_all()
    own = [one for one in entries if one.invoiced_on.year == YEAR]
    found = figures_of(session, [world.platform], YEAR)[world.platform]
    assert found.net == total([one.net_fen for one in own])
    for category, amount in found.revenue.items():
        assert amount == total([one.net_fen for one in own if one.category is category])
    assert found.local_share == Fraction(sum(one.net_fen.fen for one in own if one.region == "晋江"), found.net.fen)
    assert len(found.revenue) == 3


def test_billable_hours_are_those_on_charges_that_somebody_has_to_pay(session):
    anew = CloseWorld(session, firms=1, at=datetime(2026, 5, 1, tzinfo=UTC))
    anew.add(session, 7, month=date(2026, 5, 1))
    assert figures_of(session, [anew.platform], YEAR)[anew.platform].billable == timedelta(hours=14)
    session.execute(
        text("UPDATE charge SET state = 'waived' WHERE platform_id = :p AND id % 7 < 2"), {"p": anew.platform}
    )
    assert figures_of(session, [anew.platform], YEAR)[anew.platform].billable == timedelta(hours=10)
