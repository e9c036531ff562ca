"""Pools, shared devices, parts and accessories: what one reservation keeps from others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from app.booking.availability import nearest_free_slots
from app.booking.changing import cancel, move
from app.booking.models import Occupancy, Reservation
from app.booking.reserving import reserve
from app.catalogue.models import ClassTerms, Closure, EquipmentPart, OwnUseWindow, Quota, SpecialDay
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.words import ClosureKind, DayKind, Measure, Period
from app.kernel.clock import local_date, local_midnight
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, InvalidInput, Refusal, SlotTaken
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)  # Thursday 2026-01-01, 16:00 at the facility
DAY = timedelta(days=1)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


@pytest.fixture
def book(session):
    """Reserves for a firm of its own each time, unless told otherwise."""

    def booked(thing, when: Interval, **given) -> Reservation:
        wish = {"organization_id": makers.organization(session).id, "person_id": makers.person(session).id, "at": NOW}
        return reserve(session, equipment_id=thing.id, when=when, **{**wish, **given})

    return booked


def part(session, whole, *parts) -> None:
    session.add_all(EquipmentPart(whole_id=whole.id, part_id=one.id) for one in parts)
    session.flush()


def test_a_pool_gives_as_many_as_it_has_units_and_then_says_when_one_is_free(session, book):
    pool = makers.equipment(session, units=3)
    for _ in range(3):
        book(pool, hours(2, 4))
    with pytest.raises(SlotTaken) as refused:
        book(pool, hours(3, 5))
    assert refused.value.alternatives[0] == hours(4, 6)
    units = session.scalars(select(Occupancy.unit).order_by(Occupancy.unit)).all()
    assert units == [1, 2, 3]


def test_a_pool_is_full_only_where_all_its_units_are_held(session, book):
    """One of two is free at every moment, first one and then the other: who comes later changes the unit, unseen."""
    pool = makers.equipment(session, units=2)
    first = book(pool, hours(0, 2))
    kept = book(pool, hours(1, 3))  # unit 2
    cancel(session, first.id, by=first.person_id, at=NOW - DAY, reason="")
    later = book(pool, hours(3, 5))  # unit 1
    unit = session.scalar(select(Occupancy.unit).where(Occupancy.reservation_id == later.id))
    book(pool, hours(2, 4))
    assert session.scalar(select(Occupancy.unit).where(Occupancy.reservation_id == kept.id)) == 2
    assert session.scalar(select(Occupancy.unit).where(Occupancy.reservation_id == later.id)) != unit
    with pytest.raises(SlotTaken) as refused:
        book(pool, hours(2.5, 4.5))
    for offer in refused.value.alternatives:
        taken = book(pool, offer)
        cancel(session, taken.id, by=taken.person_id, at=NOW - DAY, reason="")


def test_two_listings_of_one_device_exclude_each_other(session, book):
    device = makers.equipment(session)
    listing = makers.equipment(session, of=device.platform, shares_id=device.id)
    book(device, hours(2, 4))
    with pytest.raises(SlotTaken) as refused:
        book(listing, hours(3, 5))
    assert refused.value.alternatives[0] == hours(4, 6)
    book(listing, hours(4, 5))
    with pytest.raises(SlotTaken):
        book(device, hours(4, 5))


def test_a_line_and_its_modules_exclude_each_other_and_modules_do_not(session, book):
    line = makers.equipment(session)
    spin, wind = (makers.equipment(session, of=line.platform) for _ in range(2))
    part(session, line, spin, wind)
    book(spin, hours(2, 4))
    book(wind, hours(2, 4))
    with pytest.raises(SlotTaken):
        book(line, hours(3, 5))
    book(line, hours(4, 6))
    with pytest.raises(SlotTaken):
        book(wind, hours(5, 7))


def test_a_part_of_a_part_belongs_to_the_whole_too(session, book):
    line, module, screw = (makers.equipment(session) for _ in range(3))
    part(session, line, module)
    part(session, module, screw)
    book(screw, hours(2, 4))
    with pytest.raises(SlotTaken):
        book(line, hours(2, 4))


@pytest.mark.parametrize(
    ("stock", "wanted", "others", "left"),
    [
        pytest.param(8, 5, (3,), None, id="L48 ok"),
        pytest.param(8, 5, (2, 2), 4, id="L48 refused"),
        pytest.param(4, 5, (), 4, id="L49 refused"),
        pytest.param(None, 500, (7,), None, id="L49 unlimited"),
    ],
)
def test_accessories_are_counted_by_what_is_in_use_at_once(session, book, stock, wanted, others, left):
    platform = makers.platform(session)
    probe = makers.accessory(session, of=platform, stock=stock)
    for quantity in others:
        book(makers.equipment(session, of=platform), hours(2, 4), accessories={probe.id: quantity})
    mine = makers.equipment(session, of=platform)
    if left is None:
        book(mine, hours(3, 5), accessories={probe.id: wanted})
        return
    with pytest.raises(Conflict) as refused:
        book(mine, hours(3, 5), accessories={probe.id: wanted})
    assert refused.value.facts["left"] == left


def test_single_holds_that_only_touch_each_other_are_one_at_a_time(session, book):
    """L50: stock 5, four single holds one after another, four wanted for the whole time."""
    platform = makers.platform(session)
    probe = makers.accessory(session, of=platform, stock=5)
    for number in range(4):
        thing = makers.equipment(session, of=platform)
        book(thing, hours(number, number + 1), accessories={probe.id: 1})
    book(makers.equipment(session, of=platform), hours(0, 4), accessories={probe.id: 4})


def test_a_move_takes_its_accessories_along_or_stays(session, book):
    platform = makers.platform(session)
    probe = makers.accessory(session, of=platform)
    mine = book(makers.equipment(session, of=platform), hours(2, 3), accessories={probe.id: 1})
    book(makers.equipment(session, of=platform), hours(4, 5), accessories={probe.id: 1})
    with pytest.raises(Conflict):
        move(session, mine.id, when=hours(4, 5), by=mine.person_id, at=NOW)
    session.expire_all()
    assert mine.during == hours(2, 3)
    assert session.scalar(select(Occupancy.blocked).where(Occupancy.reservation_id == mine.id)) == hours(2, 3)


@pytest.mark.parametrize(
    ("limit", "measure", "period", "refused"),
    [
        (Decimal(1), Measure.RESERVATIONS, Period.DAY, True),
        (Decimal(2), Measure.RESERVATIONS, Period.DAY, False),
        (Decimal("2.5"), Measure.HOURS, Period.WEEK, True),
        (Decimal(3), Measure.HOURS, Period.MONTH, False),
    ],
)
def test_a_quota_counts_what_the_firm_holds_on_all_equipment_of_the_platform(
    session, book, limit, measure, period, refused
):
    platform, firm = makers.platform(session), makers.organization(session)
    session.add(Quota(platform_id=platform.id, measure=measure, limit=limit, period=period))
    session.flush()
    book(makers.equipment(session, of=platform), hours(1, 3), organization_id=firm.id)
    second = makers.equipment(session, of=platform)
    book(second, hours(1, 2))  # another firm
    if not refused:
        book(second, hours(3, 4), organization_id=firm.id)
        return
    with pytest.raises(InvalidInput) as stop:
        book(second, hours(3, 4), organization_id=firm.id)
    assert stop.value.field == "starts_at"


def test_a_quota_of_another_machine_says_nothing(session, book):
    """L15, and L29: a zero quota on one resource."""
    thing, other = makers.equipment(session), makers.equipment(session)
    session.add(Quota(equipment_id=other.id, measure=Measure.HOURS, limit=Decimal(0), period=Period.DAY))
    session.flush()
    book(thing, hours(1, 3))
    with pytest.raises(InvalidInput):
        book(other, hours(1, 3))


def test_what_was_cancelled_does_not_count(session, book):
    thing, firm = makers.equipment(session), makers.organization(session)
    session.add(Quota(equipment_id=thing.id, measure=Measure.RESERVATIONS, limit=Decimal(1), period=Period.DAY))
    session.flush()
    mine = book(thing, hours(1, 2), organization_id=firm.id)
    move(session, mine.id, when=hours(2, 3), by=mine.person_id, at=NOW)  # itself does not stand in its way
    cancel(session, mine.id, by=mine.person_id, at=NOW, reason="")
    book(thing, hours(1, 2), organization_id=firm.id)


def test_closed_equipment_is_refused_with_the_reason_and_not_offered(session, book):
    thing = makers.equipment(session)
    session.add(
        Closure(equipment_id=thing.id, during=hours(2, 6), kind=ClosureKind.MAINTENANCE, reason="校准", created_at=NOW)
    )
    session.flush()
    with pytest.raises(Conflict, match="校准"):
        book(thing, hours(3, 4))
    assert nearest_free_slots(session, thing, hours(3, 4), at=NOW)[0] == hours(1, 2)


def test_a_closure_of_the_platform_closes_all_its_equipment_until_it_is_ended(session, book):
    thing = makers.equipment(session)
    closed = Closure(
        platform_id=thing.platform_id, during=hours(2, 6), kind=ClosureKind.CLOSED, reason="盘点", created_at=NOW
    )
    session.add(closed)
    session.flush()
    with pytest.raises(Conflict):
        book(thing, hours(4, 5))
    closed.ended_at = hours(3, 4).start
    session.flush()
    book(thing, hours(4, 5))


def test_the_owners_own_time_opens_to_all_when_it_was_not_taken_early_enough(session, book):
    thing = makers.equipment(session)
    saturday = local_date(NOW) + 2 * DAY
    session.add(
        OwnUseWindow(
            equipment_id=thing.id, weekday=5, opens_minute=0, closes_minute=1440, first_day=saturday, release_hours=48
        )
    )
    session.flush()
    midnight = local_midnight(saturday)
    wish = Interval(midnight + timedelta(hours=9), midnight + timedelta(hours=11))
    before = midnight - timedelta(hours=49)
    with pytest.raises(InvalidInput, match="自用"):
        book(thing, wish, at=before)
    assert not any(offer.overlaps(wish) for offer in nearest_free_slots(session, thing, wish, at=before))
    book(thing, wish, at=before, organization_id=thing.platform.host_id)
    book(thing, wish.shifted(timedelta(hours=4)), at=midnight - timedelta(hours=48))


def test_a_holiday_is_closed_and_a_worked_saturday_keeps_mondays_hours(session, book):
    thing = makers.equipment(session, open_all_day=False, observes_holidays=True)
    makers.opening(session, of=thing, weekdays=range(5), opens=9 * 60, closes=17 * 60)
    friday = local_date(NOW) + DAY
    session.add_all(
        [
            SpecialDay(day=friday, kind=DayKind.HOLIDAY, name="示例节日", source="示例"),
            SpecialDay(day=friday + DAY, kind=DayKind.WORKDAY, name="示例调休", source="示例"),
        ]
    )
    session.flush()
    ten = local_midnight(friday) + timedelta(hours=10)
    with pytest.raises(InvalidInput):
        book(thing, Interval(ten, ten + timedelta(hours=1)))
    book(thing, Interval(ten + DAY, ten + DAY + timedelta(hours=1)))


def test_the_owner_may_be_given_other_limits_than_others(session, book):
    thing = makers.equipment(session, most_minutes=60, notice_minutes=120)
    session.add(
        ClassTerms(equipment_id=thing.id, customer_class=CustomerClass.INTERNAL, most_minutes=600, notice_minutes=0)
    )
    session.flush()
    with pytest.raises(InvalidInput):
        book(thing, hours(3, 6))
    with pytest.raises(InvalidInput, match="提前"):
        book(thing, hours(1, 2))
    book(thing, hours(0.5, 6), organization_id=thing.platform.host_id)


def test_threads_that_want_a_pool_get_as_many_places_as_it_has(app, session):
    pool, firm, person = makers.equipment(session, units=3), makers.organization(session), makers.person(session)
    wish = {"equipment_id": pool.id, "organization_id": firm.id, "person_id": person.id, "at": NOW}
    session.commit()

    def one(_: int) -> str:
        with app.app_context():
            try:
                in_transaction(lambda inner: reserve(inner, when=hours(2, 4), **wish).id)
            except Refusal as refusal:
                return refusal.code
            finally:
                db.session.remove()
            return "reserved"

    with ThreadPoolExecutor(12) as threads:
        told = sorted(threads.map(one, range(12)))
    assert told == ["reserved"] * 3 + ["slot_taken"] * 9
    assert session.scalar(select(func.count()).select_from(Occupancy)) == 3
