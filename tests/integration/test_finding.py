"""Finding a slot on many listings at once finds what each listing by itself would answer."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.booking.availability import bookable_stretches
from app.booking.finding import Wish, find_slots
from app.booking.outlook import outlooks
from app.booking.reserving import reserve
from app.booking.terms import class_for, terms_of
from app.catalogue.models import (
    Closure,
    Equipment,
    EquipmentRequirement,
    OwnUseWindow,
    Qualification,
    Requirement,
)
from app.catalogue.rules.words import ClosureKind, RequirementKind
from app.kernel.errors import Refusal
from app.kernel.interval import Interval, local_days
from tests import makers
from tests.integration import booking_world
from tests.integration.booking_world import NOW, hours

WEEK = local_days(date(2026, 1, 2), 7)
quarter_hours = st.tuples(st.integers(2, 400), st.integers(1, 40))


@pytest.fixture
def park(session):
    made = booking_world.build(session)
    shop = makers.equipment(session, open_all_day=False, cleanup_minutes=30, notice_minutes=120)
    makers.opening(session, of=shop, weekdays=range(5), opens=8 * 60, closes=18 * 60)
    session.add(
        OwnUseWindow(
            equipment_id=shop.id, weekday=0, opens_minute=540, closes_minute=720, first_day=date(2026, 1, 1),
            release_hours=24,
        )
    )  # fmt: skip
    made.equipment["shop"] = shop.id
    session.flush()
    return made


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    booked=st.lists(st.tuples(st.integers(0, 6), quarter_hours), max_size=12),
    closed=st.lists(st.tuples(st.integers(0, 6), quarter_hours), max_size=3),
    internal=st.booleans(),
)
def test_many_listings_together_are_free_when_each_is_by_itself(session, park, booked, closed, internal):
    with session.begin_nested() as savepoint:
        ids = list(park.equipment.values())
        for number, (start, length) in booked:
            try:
                with session.begin_nested():
                    reserve(
                        session, equipment_id=ids[number], when=hours(start / 4, (start + length) / 4),
                        organization_id=park.firms[1][0], person_id=park.firms[1][1], at=NOW,
                    )  # fmt: skip
            except Refusal:
                continue
        for number, (start, length) in closed:
            when = hours(start / 4, (start + length) / 4)
            session.add(
                Closure(equipment_id=ids[number], during=when, kind=ClosureKind.CLOSED, reason="示例", created_at=NOW)
            )
        session.flush()
        listings = [session.get_one(Equipment, one) for one in ids]
        customer = listings[-1].platform.host_id if internal else None
        for one in outlooks(session, listings, WEEK, at=NOW, customer=customer):
            mine = class_for(session, one.equipment, customer or park.firms[1][0], on=date(2026, 1, 2))
            terms = terms_of(session, one.equipment, at=NOW, customer_class=mine)
            assert one.bookable() == bookable_stretches(session, one.equipment, WEEK, terms=terms, at=NOW)
        savepoint.rollback()


def test_what_is_found_can_be_booked_soonest_first(session, park):
    wish = Wish(duration=timedelta(hours=4), window=WEEK)
    found = find_slots(session, wish, at=NOW)
    assert {one.equipment.id for one in found} == set(park.equipment.values())
    assert [one.slot.start for one in found] == sorted(one.slot.start for one in found)
    for one in found:
        for slot in one.slots:
            with session.begin_nested() as savepoint:
                reserve(
                    session, equipment_id=one.equipment.id, when=slot, organization_id=park.firms[1][0],
                    person_id=park.firms[1][1], at=NOW,
                )  # fmt: skip
                savepoint.rollback()


def test_words_place_and_field_narrow_the_search(session):
    dryer = makers.equipment(session, name_zh="示例冷冻干燥机", kind_label="干燥设备")
    makers.equipment(session, name_zh="示例100%离心机")

    def names(**wish):
        wish = Wish(duration=timedelta(hours=1), window=WEEK, **wish)
        return [one.equipment.name_zh for one in find_slots(session, wish, at=NOW)]

    assert names(words="冷冻干燥") == names(words="干燥设备") == ["示例冷冻干燥机"]
    assert names(words="0%") == ["示例100%离心机"]
    assert names(platform=dryer.platform.code) == ["示例冷冻干燥机"]
    assert names(region="厦门") == names(field="新能源") == []


def test_only_what_one_is_qualified_for(session):
    thing, firm, person = makers.equipment(session), makers.organization(session), makers.person(session)
    wanted = Requirement(
        platform_id=thing.platform_id, kind=RequirementKind.TRAINING, name_zh="示例培训", name_en="Sample training",
        how_zh="示例", how_en="Sample",
    )  # fmt: skip
    session.add(wanted)
    session.flush()
    session.add(EquipmentRequirement(equipment_id=thing.id, requirement_id=wanted.id))
    wish = Wish(duration=timedelta(hours=1), window=WEEK, qualified=(firm.id, person.id))
    assert find_slots(session, wish, at=NOW) == []
    session.add(
        Qualification(requirement_id=wanted.id, person_id=person.id, granted_on=date(2025, 12, 1), created_at=NOW)
    )
    session.flush()
    assert [one.equipment for one in find_slots(session, wish, at=NOW)] == [thing]


@pytest.mark.parametrize(
    "duration", [timedelta(minutes=7), timedelta(days=4), timedelta(minutes=1)], ids=["off the grid", "long", "short"]
)
def test_a_length_that_nobody_could_book_is_not_offered(session, park, duration):
    assert find_slots(session, Wish(duration=duration, window=WEEK), at=NOW) == []


def test_the_number_of_queries_does_not_grow_with_the_listings(session, park):
    from sqlalchemy import event

    def queries() -> int:
        session.expire_all()
        counted = []
        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", lambda *told: counted.append(told[2]))
        find_slots(session, Wish(duration=timedelta(hours=1), window=WEEK), at=NOW)
        return len(counted)

    few = queries()
    for _ in range(10):
        makers.equipment(session)
    assert queries() <= few + 1


def test_a_window_that_is_over_holds_nothing(session, park):
    assert (
        find_slots(session, Wish(duration=timedelta(hours=1), window=Interval(NOW - timedelta(3), NOW)), at=NOW) == []
    )
