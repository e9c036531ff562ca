from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.booking.fitting import highest_unit_held, is_held, misfits
from app.booking.reserving import reserve
from app.booking.terms import terms_of
from app.catalogue import equipping, limiting
from app.catalogue.models import Approval, EquipmentPart
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.hours import DAY, split, stretches_of, written
from app.catalogue.rules.words import DayKind, Measure, Period
from app.catalogue.special_days import days_of, seed_special_days, set_special_day, special_days
from app.identity.rules.permission import Role
from app.kernel import audit
from app.kernel.clock import FACILITY_ZONE, local_date, local_midnight
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval
from tests import makers
from tests.integration.test_pages import OneRequestAtATime
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


@pytest.fixture
def shop(session):
    class Shop:
        operator = makers.organization(session)
        platform = makers.platform(session, operator=operator)
        person = makers.person(session, (operator, Role.OPERATOR))
        thing = makers.equipment(session, of=platform)
        firm = makers.organization(session)

        def book(self, when: Interval, thing=None):
            return reserve(
                session,
                equipment_id=(thing or self.thing).id,
                when=when,
                organization_id=self.firm.id,
                person_id=self.person.id,
                at=NOW,
            )

        def told(self) -> dict[str, object]:
            return {"by": self.person.id, "at": NOW}

    return Shop()


def test_a_change_is_kept_with_what_it_was_before_and_only_when_it_is_one(session, shop):
    assert equipping.set_terms(session, shop.thing, {"step_minutes": 30, "least_minutes": 30}, **shop.told())
    assert not equipping.set_terms(session, shop.thing, {"step_minutes": 30}, **shop.told())
    entry = session.scalars(select(audit.AuditEntry).where(audit.AuditEntry.deed == "settings changed")).one()
    assert entry.detail["before"] == {"step_minutes": 5, "least_minutes": 5}
    assert entry.detail["after"] == {"step_minutes": 30, "least_minutes": 30}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"step_minutes": 7}, "step_minutes"),
        ({"step_minutes": 0}, "step_minutes"),
        ({"least_minutes": 120, "most_minutes": 60}, "least_minutes"),
        ({"advance_days": 9999}, "advance_days"),
        ({"units": 0}, "units"),
    ],
)
def test_what_would_break_is_refused_with_its_field(session, shop, changes, field):
    with pytest.raises(InvalidInput) as refused:
        equipping.set_terms(session, shop.thing, changes, **shop.told())
    assert refused.value.field == field


def test_a_pool_never_has_fewer_units_than_are_held(session, shop):
    pool = makers.equipment(session, of=shop.platform, units=3)
    for _ in range(2):
        shop.book(hours(4, 6), pool)
    held = highest_unit_held(session, pool.id, at=NOW)
    assert held == 2
    equipping.set_terms(session, pool, {"units": 2}, units_held=held, **shop.told())
    with pytest.raises(Conflict) as refused:
        equipping.set_terms(session, pool, {"units": 1}, units_held=held, **shop.told())
    assert refused.value.field == "units"
    assert highest_unit_held(session, pool.id, at=NOW + timedelta(days=1)) == 0


def test_shared_devices_make_no_chain_and_parts_no_circle(session, shop):
    first, second, third = (makers.equipment(session, of=shop.platform) for _ in range(3))
    elsewhere = makers.equipment(session)

    def devices(one, shares=None, parts=(), held=False):
        equipping.set_devices(session, one, shares_id=shares, part_ids=parts, held=held, **shop.told())

    devices(second, shares=first.id)
    for one, target in ((third, second.id), (first, third.id), (third, third.id), (third, elsewhere.id)):
        with pytest.raises(InvalidInput) as refused:
            devices(one, shares=target)
        assert refused.value.field == "shares_id"
    devices(second)
    devices(first, parts=[second.id])
    devices(second, parts=[third.id])
    for one, parts in ((third, [first.id]), (third, [third.id]), (third, [elsewhere.id])):
        with pytest.raises(InvalidInput) as refused:
            devices(one, parts=parts)
        assert refused.value.field == "parts"
    with pytest.raises(Conflict):
        devices(third, shares=shop.thing.id, held=True)
    assert session.scalars(select(EquipmentPart.part_id).order_by(EquipmentPart.part_id)).all() == [
        second.id,
        third.id,
    ]


def test_what_no_longer_fits_is_listed_and_stands(session, shop):
    odd, even = shop.book(hours(4 + 1 / 12, 5)), shop.book(hours(6, 7))
    assert is_held(session, shop.thing.id, at=NOW)
    equipping.set_terms(session, shop.thing, {"step_minutes": 30, "least_minutes": 30}, **shop.told())
    assert [one.id for one in misfits(session, shop.thing, at=NOW)] == [odd.id]
    equipping.set_hours(session, shop.thing, [], customer_class=None, **shop.told())
    assert [one.id for one in misfits(session, shop.thing, at=NOW)] == [odd.id, even.id]


def test_a_class_has_its_own_hours_and_limits_until_they_are_taken_away(session, shop):
    equipping.set_hours(session, shop.thing, [(0, 480, 720)], customer_class=CustomerClass.INTERNAL, **shop.told())
    equipping.set_class_terms(session, shop.thing, CustomerClass.INTERNAL, {"advance_days": 7}, **shop.told())
    session.expire_all()
    inside = terms_of(session, shop.thing, at=NOW, customer_class=CustomerClass.INTERNAL)
    outside = terms_of(session, shop.thing, at=NOW)
    assert (len(inside.hours), inside.advance) == (1, timedelta(days=7))
    assert (len(outside.hours), outside.advance) == (7, timedelta(days=90))
    equipping.set_hours(session, shop.thing, [], customer_class=CustomerClass.INTERNAL, **shop.told())
    equipping.set_class_terms(session, shop.thing, CustomerClass.INTERNAL, {"advance_days": None}, **shop.told())
    session.expire_all()
    assert terms_of(session, shop.thing, at=NOW, customer_class=CustomerClass.INTERNAL).advance == timedelta(days=90)


def test_own_use_quotas_and_accessories_are_set(session, shop):
    equipping.keep_for_owner(
        session, shop.thing, [(0, 0, 60)], first_day=date(2026, 1, 1), last_day=None, release_hours=24, **shop.told()
    )
    assert len(terms_of(session, shop.thing, at=NOW).own_use) == 1
    quota = limiting.add_quota(
        session,
        shop.thing,
        measure=Measure.HOURS,
        limit=Decimal(2),
        period=Period.DAY,
        customer_class=None,
        whole_platform=True,
        **shop.told(),
    )
    with pytest.raises(InvalidInput, match="限额"):
        shop.book(hours(4, 8))
    limiting.drop_quota(session, shop.thing, quota.id, **shop.told())
    shop.book(hours(4, 8))
    for stock in (1, 4):
        made = equipping.set_accessory(session, shop.thing, name_zh="夹具", name_en="", stock=stock, **shop.told())
    assert (made.stock, made.name_en) == (4, "夹具")


def test_a_quota_for_one_firm_on_some_weekdays_binds_nobody_else_and_no_other_day(session, shop):
    hour = {"measure": Measure.HOURS, "limit": Decimal(1), "period": Period.DAY, "whole_platform": False}
    other = makers.organization(session)
    limiting.add_quota(session, shop.thing, organization_id=other.id, customer_class=None, **hour, **shop.told())
    slot = hours(9, 11)
    shop.book(slot)
    day = local_date(slot.start).weekday()
    elsewhere = [one for one in range(7) if one != day]
    quota = limiting.add_quota(
        session,
        shop.thing,
        organization_id=shop.firm.id,
        weekdays=elsewhere,
        customer_class=None,
        **hour,
        **shop.told(),
    )
    assert quota.weekdays == elsewhere
    shop.book(hours(12, 15))
    limiting.add_quota(session, shop.thing, weekdays=[day], customer_class=None, **hour, **shop.told())
    with pytest.raises(InvalidInput, match="限额"):
        shop.book(hours(16, 19))
    every = limiting.add_quota(session, shop.thing, weekdays=range(7), customer_class=None, **hour, **shop.told())
    assert every.weekdays is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weekdays": [7]}, "weekdays"),
        ({"limit": Decimal("NaN")}, "limit"),
        ({"organization_id": 1, "customer_class": CustomerClass.EXTERNAL}, "customer_class"),
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(session, shop, changes, field):
    usual = {
        "measure": Measure.HOURS,
        "limit": Decimal(1),
        "period": Period.DAY,
        "customer_class": None,
        "whole_platform": False,
    }
    with pytest.raises(InvalidInput) as refused:
        limiting.add_quota(session, shop.thing, **(usual | changes), **shop.told())
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("08:00-12:00", [(0, 480, 720)]),
        ("8:00–12:00、13:00–18:00", [(0, 480, 720), (0, 780, 1080)]),
        ("22:00-02:00", [(0, 1320, 1440), (1, 0, 120)]),
        ("00:00-24:00", [(0, 0, 1440)]),
        ("20:00-00:00", [(0, 1200, 1440)]),
    ],
)
def test_hours_are_read_as_people_write_them(line, expected):
    assert stretches_of({0: line}) == expected


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ({0: "morning"}, "hours_0"),
        ({2: "08:00-25:00"}, "hours_2"),
        ({2: "08:60-09:00"}, "hours_2"),
        ({3: "08:00-12:00 11:00-13:00"}, "hours_3"),
        ({0: "22:00-02:00", 1: "01:00-03:00"}, "hours_1"),
    ],
)
def test_hours_that_cannot_be_meant_name_their_weekday(lines, field):
    with pytest.raises(InvalidInput) as refused:
        stretches_of(lines)
    assert refused.value.field == field


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, DAY - 1), st.integers(0, DAY)), max_size=4))
def test_hours_read_again_are_the_same_hours(wishes):
    stretches = [part for day, opens, closes in wishes if opens != closes for part in split(day, opens, closes)]
    lines = written(stretches)
    try:
        read = stretches_of(lines)
    except InvalidInput:
        return  # they overlap
    assert read == sorted(stretches)
    assert written(read) == lines


def test_national_day_is_closed_and_a_make_up_saturday_has_mondays_hours(session):
    thing = makers.equipment(session, open_all_day=False, observes_holidays=True)
    makers.opening(session, of=thing, weekdays=[0], opens=540, closes=1020)
    makers.opening(session, of=thing, weekdays=[3, 5], opens=600, closes=720)
    assert seed_special_days(session, [2026]) == len(days_of(2026))
    assert seed_special_days(session, [2026]) == 0
    at = local_midnight(date(2026, 9, 25))
    terms = terms_of(session, thing, at=at)

    def open_on(day: date) -> list[Interval]:
        midnight = local_midnight(day)
        return terms.open_within(Interval(midnight, midnight + timedelta(days=1)))

    assert open_on(date(2026, 10, 1)) == []  # Thursday
    assert open_on(date(2026, 10, 3)) == []  # Saturday
    assert [one.start.astimezone(FACILITY_ZONE).hour for one in open_on(date(2026, 10, 8))] == [10]
    saturday = open_on(date(2026, 10, 10))
    assert [(one.start.astimezone(FACILITY_ZONE).hour, one.duration) for one in saturday] == [(9, timedelta(hours=8))]


def test_a_day_set_by_hand_wins_over_the_library(session, shop):
    day = date(2027, 10, 1)
    set_special_day(session, day=day, kind=DayKind.WORKDAY, name="示例", source="示例文号", follows=4, **shop.told())
    seed_special_days(session, [2027])
    row = next(one for one in special_days(session, 2027) if one.day == day)
    assert (row.kind, row.follows) == (DayKind.WORKDAY, 4)
    assert not any(one["kind"] is DayKind.WORKDAY for one in days_of(2027))  # not announced yet
    with pytest.raises(InvalidInput) as refused:
        set_special_day(session, day=day, kind=DayKind.HOLIDAY, name="示例", source=" ", **shop.told())
    assert refused.value.field == "source"


def visitor(app, person) -> OneRequestAtATime:
    client = OneRequestAtATime(app)
    with client.session_transaction() as kept:
        kept["_user_id"], kept["_fresh"] = str(person.id), True
    return client


def test_the_page_saves_a_section_keeps_what_was_typed_and_hides_from_another_operator(app, session, shop):
    other = makers.organization(session)
    makers.platform(session, operator=other)
    stranger = makers.person(session, (other, Role.OPERATOR))
    session.commit()
    here = f"/equipment/{shop.thing.code}/settings"
    assert visitor(app, stranger).get(here).status_code == 404
    assert visitor(app, stranger).post(here, data={"section": "general"}).status_code == 404
    client = visitor(app, shop.person)
    assert client.get(here).status_code == 200
    wrong = client.post(here, data={"section": "hours", "customer_class": "", "hours_1": "8 till 9"})
    assert wrong.status_code == 422
    assert "8 till 9" in wrong.text
    assert wrong.text.count("field-error") == 1
    week = {f"hours_{day}": "22:00-06:00" for day in range(7)}
    assert client.post(here, data={"section": "hours", "customer_class": "", **week}).status_code == 302
    admission = {"approval": "two_steps", "approval_hours": 24, "early_minutes": 10, "offer_minutes": 20}
    assert client.post(here, data={"section": "admission", "check_in": "on", **admission}).status_code == 302
    session.expire_all()
    assert len(shop.thing.opening_hours) == 14
    assert (shop.thing.approval, shop.thing.check_in) == (Approval.TWO_STEPS, True)
