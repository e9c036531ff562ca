"""The city's figures, recomputed from the raw tables."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, timedelta

import pytest
from sqlalchemy import event, func, select

from app.catalogue.models import RecognitionLevel
from app.catalogue.recognizing import record_recognition
from app.identity.placing import place_organization
from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.db import db
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import local_year
from app.kernel.money import ZERO, Money
from billing.assessing import assess_platform, facts_of
from billing.city_figures import city_year
from billing.models import Claim, ClaimAdjustment, ClaimItem, ClaimPayment, Invoice
from billing.place_figures import served_firms
from billing.rules.claim import ClaimState
from billing.rules.place import Unplaced, by_town, together
from billing.subsidy_totals import planned_grants, subsidy_totals
from devices.use_totals import use_by_hour, use_by_month
from tests import makers
from tests.integration import page_world
from tests.integration.city_world import AT, BEIJING, YEAR, City

TODAY = date(2026, 11, 24)


@pytest.fixture
def city(session) -> City:
    return City(session)


@contextmanager
def statements():
    """Collect what is asked of the database."""
    asked: list[str] = []

    def note(connection, cursor, statement, *rest):
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_the_citys_year_is_what_the_raw_tables_say(city, session):
    told = city_year(session, YEAR, on=TODAY)
    running, served, orders = Counter(), Counter(), {}
    for platform, row in city.of_year():
        running[platform.id] += row.running_s
        if row.organization_id and not city.own(platform, row.organization_id, row.started_at):
            served[platform.id, row.organization_id] += row.running_s
            if row.reservation_id:
                orders.setdefault((platform.id, row.organization_id), set()).add(row.reservation_id)
    revenue = {}
    for invoice in session.scalars(select(Invoice)):
        pair = invoice.platform_id, invoice.organization_id
        revenue[pair] = revenue.get(pair, ZERO) + invoice.net_fen
    assert {row.platform.id: row.running.total_seconds() for row in told.rows} == running
    found = {(one.platform_id, one.organization_id): one for one in told.firm_years}
    assert found.keys() == served.keys() | revenue.keys()
    for pair, one in found.items():
        assert one.served.total_seconds() == served[pair]
        assert one.orders == len(orders.get(pair, ()))
        assert one.revenue == revenue.get(pair, ZERO)
    assert told.revenue == sum(revenue.values(), ZERO)
    assert told.firms == len({firm for _, firm in found})
    for row in told.rows:
        assert row.firms == sum(platform == row.platform.id for platform, _ in found)
    assert any(len(each) for each in orders.values())


def test_towns_add_up_to_the_city_and_every_firm_is_in_one(city, session):
    told = city_year(session, YEAR, on=TODAY)
    firms = served_firms(session, told.firm_years)
    rows = by_town(firms, ["青阳街道", "安海镇", "东石镇"])
    assert [row.place for row in rows] == ["青阳街道", "安海镇", "东石镇", Unplaced.OUTSIDE, Unplaced.UNTOLD]
    assert sum(row.revenue.fen for row in rows) == told.revenue.fen
    assert sum((row.served for row in rows), timedelta()) == told.served
    assert sum(row.firms + row.without_code for row in rows) == told.firms
    by_place = {row.place: row for row in rows}
    assert (by_place["青阳街道"].firms, by_place[Unplaced.OUTSIDE].firms) == (2, 1)
    assert by_place[Unplaced.UNTOLD].without_code >= 1
    assert together("all", firms).orders == sum(one.orders for one in told.firm_years)


def test_the_week_and_the_months_hold_all_running_time(city, session):
    rows = city.of_year()
    week = use_by_hour(session, local_year(YEAR))
    by_hand = Counter()
    for _, row in rows:
        began, ended = (at.astimezone(UTC) + BEIJING for at in (row.started_at, row.ended_at))
        density, at = row.running_s / (ended - began).total_seconds(), began
        while at < ended:
            after = min(ended, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            by_hand[at.weekday(), at.hour] += density * (after - at).total_seconds()
            at = after
    for cell, length in week.items():
        assert length.total_seconds() == pytest.approx(by_hand[cell], abs=0.01)
    months = Counter()
    for platform, row in rows:
        months[platform.id, (row.started_at.astimezone(UTC) + BEIJING).month] += row.running_s
    assert {key: length.total_seconds() for key, length in use_by_month(session, local_year(YEAR)).items()} == months
    first = city.platforms[0].id
    of_one = sum(use_by_hour(session, local_year(YEAR), platform_ids=[first]).values(), timedelta())
    assert of_one.total_seconds() == pytest.approx(sum(s for (one, _), s in months.items() if one == first), abs=1)


def test_the_number_of_statements_does_not_grow_with_the_city(session):
    counts = []
    for seed in (1, 2):
        City(session, sessions=3, seed=seed)
        session.commit()
        with statements() as asked:
            told = city_year(session, YEAR, on=TODAY)
            served_firms(session, told.firm_years)
            subsidy_totals(session, YEAR, told.grants)
        counts.append(len(asked))
        session.expunge_all()
        session.rollback()
    assert counts[0] == counts[1] == 10, asked


def test_cultivation_is_a_stage_but_never_a_certification(city, session):
    platform = city.platforms[0]
    by = makers.person(session).id
    told = {"platform_id": platform.id, "newly": True, "by": by, "at": AT}

    def stages():
        session.expire_all()
        return city_year(session, YEAR, on=TODAY)

    record_recognition(
        session, level=RecognitionLevel.CULTIVATED, recognised_on=date(2026, 2, 2), document="示例培育1号", **told
    )
    assert (stages().rows[0].stage, stages().built) == (RecognitionLevel.CULTIVATED, 0)
    facts = facts_of(session, platform.id)
    assert (facts.platform.certified_on, facts.recognitions) == (None, ())
    record_recognition(
        session, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 3, 3), document="示例认定1号", **told
    )
    assert (stages().built, stages().provincial) == (1, 0)
    assert facts_of(session, platform.id).platform.certified_on == date(2026, 3, 3)
    assert city_year(session, YEAR, on=date(2026, 3, 2)).built == 0
    record_recognition(
        session, level=RecognitionLevel.PROVINCIAL, recognised_on=date(2026, 4, 4), document="示例省级1号", **told
    )
    assert (stages().built, stages().provincial) == (1, 1)
    again = {"level": RecognitionLevel.PROVINCIAL, "recognised_on": TODAY, **told}
    with pytest.raises(Conflict, match="示例省级1号"):
        record_recognition(session, document="示例省级2号", **again)
    other = {**again, "level": RecognitionLevel.NATIONAL}
    with pytest.raises(InvalidInput, match="文件"):
        record_recognition(session, document=" ", **other)
    with pytest.raises(InvalidInput, match="今天"):
        record_recognition(session, document="示例", **{**other, "recognised_on": date(2026, 11, 25)})
    with pytest.raises(NotFound):
        record_recognition(session, document="示例", **{**other, "platform_id": 0})
    assert session.scalar(select(func.count()).where(AuditEntry.deed == "recognition recorded")) == 3


def test_a_firm_is_placed_in_a_known_town_only(city, session):
    firm, by = city.firms[3], city.person.id
    place_organization(session, firm.id, town=" 金井镇 ", park="", by=by, at=AT)
    assert (firm.town, firm.park) == ("金井镇", None)
    with pytest.raises(InvalidInput, match="没有“无名镇”"):
        place_organization(session, firm.id, town="无名镇", park=None, by=by, at=AT)
    with pytest.raises(InvalidInput, match="80"):
        place_organization(session, firm.id, town=None, park="园" * 81, by=by, at=AT)
    with pytest.raises(NotFound):
        place_organization(session, 0, town=None, park=None, by=by, at=AT)
    detail = session.scalars(select(AuditEntry.detail).where(AuditEntry.deed == "organization placed")).one()
    assert detail == {"before": {"town": None, "park": None}, "after": {"town": "金井镇", "park": None}}


def test_subsidies_are_planned_filed_approved_and_paid_by_payer(session):
    world = page_world.build(session)
    year, by = world.year, world.people["official"].id
    assess_platform(session, world.platform.id, at=clock.now())
    grants = planned_grants(session, year)
    planned = {one.programme: one.payable for one in grants}
    assert planned["P2"].amount > ZERO
    told = {"policy": "晋政办〔2025〕13号", "filed_by": by, "filed_at": AT}
    other = makers.platform(session)
    claim = Claim(platform_id=world.platform.id, year=year, state=ClaimState.ADJUSTED, **told)
    withdrawn = Claim(platform_id=other.id, year=year, state=ClaimState.WITHDRAWN, **told)
    session.add_all([claim, withdrawn])
    session.flush()
    item = ClaimItem(
        claim_id=claim.id, programme="P2", filed_fen=Money(900), locked_fen=Money(800), approved_fen=Money(700),
        upper_fen=Money(350), own_fen=Money(350),
    )  # fmt: skip
    session.add_all([item, ClaimItem(claim_id=withdrawn.id, programme="P2", filed_fen=Money(5))])
    session.flush()
    session.add(
        ClaimAdjustment(
            claim_item_id=item.id, amount_fen=Money(-101), upper_fen=Money(-50), own_fen=Money(-51), proposed=False,
            reason="示例", document="示例", made_by=by, made_at=AT,
        )
    )  # fmt: skip
    for bearer, amount in (("quanzhou", 300), ("jinjiang", 200), ("jinjiang", -20)):
        session.add(
            ClaimPayment(
                claim_id=claim.id, bearer=bearer, amount_fen=Money(amount), paid_on=TODAY, document="示例",
                recorded_by=by, recorded_at=AT,
            )
        )  # fmt: skip
    session.flush()
    found = subsidy_totals(session, year, grants)
    one = next(each for each in found.programmes if each.programme == "P2")
    assert one.planned == planned["P2"]
    assert one.filed == Money(900)
    assert (one.approved.upper, one.approved.own) == (Money(300), Money(299))
    assert (found.paid.upper, found.paid.own) == (Money(300), Money(180))
    assert subsidy_totals(session, year + 1, []).paid.amount == ZERO
