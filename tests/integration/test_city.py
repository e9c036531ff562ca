"""The city's figures, recomputed from the raw tables."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, func, select

from app.catalogue.models import RecognitionLevel
from app.catalogue.recognizing import record_recognition, withdraw_recognition
from app.identity.models import Organization
from app.identity.placing import place_organization
from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.db import db
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval, local_year
from app.kernel.money import ZERO, Money
from billing.adding_up import add_up, add_up_due, added_up_at
from billing.assessing import assess_platform, facts_of
from billing.city_figures import city_year
from billing.models import (
    Claim,
    ClaimAdjustment,
    ClaimItem,
    ClaimPayment,
    EquipmentYear,
    FirmYear,
    Invoice,
    PlatformYear,
)
from billing.place_figures import served_firms
from billing.platform_figures import figures_of
from billing.rules.claim import ClaimState
from billing.rules.place import Unplaced, by_town, together
from billing.subsidy_totals import planned_grants, subsidy_totals
from devices.use_totals import served_runs, use_by_equipment
from tests import makers
from tests.integration import evaluation_world, page_world
from tests.integration.city_world import AT, BEIJING, YEAR, City

TODAY = date(2026, 11, 24)


@pytest.fixture
def city(session) -> City:
    made = City(session)
    add_up(session, YEAR, at=AT)
    return made


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


def by_hand(city, session):
    """The year from the raw tables: running by platform; orders, runs, hours and revenue by platform and firm."""
    running, served, runs, orders, revenue = Counter(), Counter(), Counter(), {}, Counter()
    for platform, row in city.of_year():
        running[platform.id] += row.running_s
        if row.organization_id and not city.own(platform, row.organization_id, row.started_at):
            served[platform.id, row.organization_id] += row.running_s
            runs[platform.id, row.organization_id] += 1
            if row.reservation_id:
                orders.setdefault((platform.id, row.organization_id), set()).add(row.reservation_id)
    for invoice in session.scalars(select(Invoice).where(Invoice.issued_on.between(date(YEAR, 1, 1), TODAY))):
        revenue[invoice.platform_id, invoice.organization_id] += invoice.net_fen.fen
    firms = {
        pair: (len(orders.get(pair, ())), runs[pair], served[pair], Money(revenue[pair]))
        for pair in served.keys() | revenue.keys()
    }
    return running, firms


def kept_firms(session):
    return {
        (one.platform_id, one.organization_id): (one.orders, one.runs, one.served_s, one.revenue_fen)
        for one in session.execute(select(FirmYear.__table__).where(FirmYear.year == YEAR))
    }


def assert_as_by_hand(city, session):
    running, firms = by_hand(city, session)
    told = city_year(session, YEAR, on=TODAY)
    assert {row.platform.id: row.running.total_seconds() for row in told.rows} == running
    assert kept_firms(session) == firms
    coded = set(session.scalars(select(Organization.id).where(Organization.uscc.is_not(None))))
    for row in told.rows:
        mine = {firm: one for (platform, firm), one in firms.items() if platform == row.platform.id}
        assert row.firms == sum(firm in coded and runs > 0 for firm, (_, runs, _, _) in mine.items())
        assert row.served == timedelta(seconds=sum(seconds for _, _, seconds, _ in mine.values()))
        assert row.revenue == sum((revenue for *_, revenue in mine.values()), ZERO)
    assert told.firms == len({firm for (_, firm), (_, runs, _, _) in firms.items() if firm in coded and runs})
    within = local_year(YEAR)
    use = use_by_equipment(session, within, platform_ids=[one.id for one in city.platforms])
    kept = session.execute(select(EquipmentYear.__table__)).all()
    assert {one.equipment_id: (one.running_s, one.service_s, one.external_s, one.service_runs) for one in kept} == {
        number: (*(part // timedelta(seconds=1) for part in (one.running, one.service, one.external)), one.service_runs)
        for number, one in use.items()
    }
    assert sum(one.running_s for one in kept) == sum(running.values())
    assert sum(one.service_s for one in kept) == sum(seconds for _, _, seconds, _ in firms.values())
    records = served_runs(session, within, platform_ids=[one.id for one in city.platforms], limit=10**6)
    assert sum(one.service_runs for one in kept) == len(records)


def test_the_citys_year_is_what_the_raw_tables_say(city, session):
    assert_as_by_hand(city, session)
    assert any(orders for orders, *_ in kept_firms(session).values())


@pytest.mark.parametrize("seed", range(3))
def test_adding_up_again_gives_what_the_facts_say_after_whatever_change(city, session, seed):
    chance, platform = random.Random(seed), city.platforms[0]
    before = kept_firms(session)
    vanished = city.platforms[1].id, city.firms[4].id
    assert vanished in before
    runs = []
    for each, row in city.of_year():
        if (each.id, row.organization_id) == vanished:
            session.delete(row)
        else:
            runs.append(row)
    for row in chance.sample(runs, 12):  # derived anew: other lengths, other users, or no run at all
        if chance.random() < 0.3:
            session.delete(row)
        else:
            row.running_s = chance.randrange(1, row.running_s + 1)
            row.organization_id = chance.choice([*(firm.id for firm in (*city.firms[:4], *city.hosts)), None])
    moved = chance.choice(runs)
    if moved not in session.deleted:  # into the year before
        moved.started_at = moved.started_at - timedelta(days=366)
        moved.during = Interval(moved.started_at, moved.ended_at)
    began = datetime(YEAR, 2, 2, tzinfo=UTC)
    city.used(city.meters[0], city.firms[4], Interval(began, began + timedelta(days=1)))
    city.invoiced(platform, city.firms[3], Money(chance.randrange(1, 10**7)), 20, on=date(YEAR, 11, 1))
    city.invoiced(city.platforms[1], city.firms[0], Money(-chance.randrange(1, 10**6)), 21, credits=city.first)
    session.flush()
    assert kept_firms(session) == before
    add_up(session, YEAR, at=AT + timedelta(minutes=1))
    assert vanished not in kept_firms(session)
    assert_as_by_hand(city, session)
    assert city_year(session, YEAR, on=TODAY).added_up_at == AT + timedelta(minutes=1)


@pytest.mark.parametrize("seed", range(3))
def test_the_city_counts_the_same_firms_and_orders_as_the_evaluation(session, seed):
    numbers = [side.platform_id for side in evaluation_world.build(session, random.Random(seed))]
    add_up(session, YEAR, at=AT)
    evaluated = figures_of(session, numbers, YEAR)
    told = city_year(session, YEAR, on=TODAY)
    assert {row.platform.id: (row.firms, row.running) for row in told.rows} == {
        one: (each.firms, each.running) for one, each in evaluated.items()
    }
    orders = together("all", served_firms(session, YEAR)).orders
    assert orders == sum(each.orders for each in evaluated.values()) > 0


def test_this_year_is_added_up_anew_after_minutes_and_others_after_an_hour(city, session):
    def waited(**given):
        at = AT + timedelta(**given)
        while add_up_due(session, at=at):
            pass
        return {year for year in (YEAR, YEAR - 1) if added_up_at(session, year) == at}

    assert waited(minutes=1) == {YEAR - 1}  # never before
    assert waited(minutes=6) == {YEAR}
    assert waited(minutes=7) == set()
    assert waited(minutes=70) == {YEAR, YEAR - 1}
    assert added_up_at(session, YEAR - 2) is None


def test_towns_add_up_to_the_city_and_every_firm_is_in_one(city, session):
    told = city_year(session, YEAR, on=TODAY)
    firms = served_firms(session, YEAR)
    rows = by_town(firms, ["青阳街道", "安海镇", "东石镇"])
    assert [row.place for row in rows] == ["青阳街道", "安海镇", "东石镇", Unplaced.OUTSIDE, Unplaced.UNTOLD]
    assert sum(row.revenue.fen for row in rows) == told.revenue.fen
    assert sum((row.served for row in rows), timedelta()) == told.served
    assert sum(row.firms for row in rows) == told.firms
    by_place = {row.place: row for row in rows}
    assert (by_place["青阳街道"].firms, by_place[Unplaced.OUTSIDE].firms) == (2, 1)
    assert by_place[Unplaced.UNTOLD].without_code >= 1
    assert together("all", firms).orders == sum(orders for orders, *_ in kept_firms(session).values())


def test_the_week_and_the_months_hold_all_running_time(city, session):
    rows = city.of_year()
    weeks, months = {one.id: Counter() for one in city.platforms}, Counter()
    for platform, row in rows:
        began, ended = (at.astimezone(UTC) + BEIJING for at in (row.started_at, row.ended_at))
        months[platform.id, began.month] += row.running_s
        density, at = row.running_s / (ended - began).total_seconds(), began
        while at < ended:
            after = min(ended, at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1))
            weeks[platform.id][at.weekday() * 24 + at.hour] += density * (after - at).total_seconds()
            at = after
    for one in session.scalars(select(PlatformYear).where(PlatformYear.year == YEAR)):
        assert one.months_s == [months[one.platform_id, month] for month in range(1, 13)]
        assert sum(one.week_us) == sum(one.months_s) * 1_000_000
        expected = [weeks[one.platform_id][hour] for hour in range(168)]
        assert [length / 1e6 for length in one.week_us] == pytest.approx(expected, abs=0.01)


def test_the_number_of_statements_does_not_grow_with_the_city(session):
    counts = []
    for seed in (1, 2):
        City(session, sessions=3, seed=seed)
        add_up(session, YEAR, at=AT)
        session.commit()
        with statements() as asked:
            told = city_year(session, YEAR, on=TODAY)
            served_firms(session, YEAR)
            subsidy_totals(session, YEAR, told.grants)
        counts.append(len(asked))
        session.expunge_all()
        session.rollback()
    assert counts[0] == counts[1] == 11, asked


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


def test_a_recognition_that_was_recorded_by_mistake_is_taken_back_with_a_reason(city, session):
    platform = city.platforms[0]
    by = makers.person(session).id
    told = {"platform_id": platform.id, "newly": True, "by": by, "at": AT, "level": RecognitionLevel.QUANZHOU}
    wrong = record_recognition(session, recognised_on=date(2025, 3, 3), document="示例认定1号", **told)
    with pytest.raises(InvalidInput, match="理由"):
        withdraw_recognition(session, wrong.id, reason="  ", by=by, at=AT)
    with pytest.raises(NotFound):
        withdraw_recognition(session, 0, reason="年份录错", by=by, at=AT)
    withdraw_recognition(session, wrong.id, reason="年份录错", by=by, at=AT)
    with pytest.raises(Conflict, match="已经撤销"):
        withdraw_recognition(session, wrong.id, reason="年份录错", by=by, at=AT)
    session.expire_all()
    assert city_year(session, YEAR, on=TODAY).built == 0
    assert facts_of(session, platform.id).platform.certified_on is None
    record_recognition(session, recognised_on=date(2026, 3, 3), document="示例认定1号", **told)
    session.expire_all()
    assert facts_of(session, platform.id).platform.certified_on == date(2026, 3, 3)
    said = session.scalars(select(AuditEntry).where(AuditEntry.deed == "recognition withdrawn")).one()
    assert (said.subject_id, said.detail["reason"]) == (platform.id, "年份录错")


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
