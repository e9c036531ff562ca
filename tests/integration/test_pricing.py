"""Prices are set in versions; a form shows what they would come to; none of it touches what was charged."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import local_month
from app.kernel.money import Money
from app.web.tariff_form import field_of, fields_of, terms_in
from billing.models import Tariff, UseSettlement
from billing.pricing import Subject, add_version, delete_version, earliest_day, end_version, what_if
from billing.rules.pricing.terms import terms_of, terms_told
from billing.rules.words import RevenueCategory
from tests import makers
from tests.integration.test_settling import AT, DAY, HOUR, World

FROM = date(2026, 7, 10)


@pytest.fixture
def world(session) -> World:
    return World(session)


def added(world: World, *, valid_from: date = FROM, **given) -> Tariff:
    return add_version(
        world.session,
        Subject(platform_id=world.platform.id, equipment_id=world.equipment.id),
        makers.terms(**given),
        valid_from=valid_from,
        tax_code="3040105000000000000",
        category=RevenueCategory.INSTRUMENT_SHARING,
        by=world.person.id,
        at=AT,
    )


def test_a_new_version_ends_the_one_before_it(session, world):
    old = world.price()
    new = added(world, rate="700")
    assert (old.days.upper, new.days.lower, new.days.upper) == (FROM, FROM, None)
    with pytest.raises(InvalidInput, match="已有"):
        added(world, rate="800", valid_from=FROM)


def test_a_version_may_not_begin_in_a_time_that_was_charged(session, world):
    world.price()
    world.ran(1, 2)
    world.settle()
    with pytest.raises(InvalidInput, match="2026-06-10") as refusal:
        added(world, valid_from=date(2026, 6, 10))
    assert refusal.value.field == "valid_from"
    subject = Subject(platform_id=world.platform.id, equipment_id=world.equipment.id)
    assert earliest_day(session, subject, today=date(2026, 6, 1)) == date(2026, 6, 11)
    assert added(world, valid_from=date(2026, 6, 11)).id


def test_a_used_version_only_gets_an_end_and_never_a_longer_one(session, world):
    used = world.price()
    world.ran(1, 2)
    world.settle()
    with pytest.raises(Conflict, match="只能设定结束日"):
        delete_version(session, used.id, by=world.person.id, at=AT)
    with pytest.raises(InvalidInput, match="2026-06-10"):
        end_version(session, used.id, day_after=date(2026, 6, 10), by=world.person.id, at=AT)
    end_version(session, used.id, day_after=FROM, by=world.person.id, at=AT)
    with pytest.raises(InvalidInput, match="不能延长"):
        end_version(session, used.id, day_after=FROM + timedelta(days=1), by=world.person.id, at=AT)
    new = added(world)
    delete_version(session, new.id, by=world.person.id, at=AT)
    assert session.scalars(select(Tariff)).all() == [used]


def test_use_that_had_no_price_is_charged_when_there_is_one(session, world):
    world.ran(1, 2)
    (case,) = world.settle()
    assert case.reason == "no_tariff"
    added(world, valid_from=date(2026, 6, 1), setup_fee="0.00", minimum_charge="0.00")
    (case,) = world.settle()
    assert [case.status, *world.charges().values()] == ["priced", Money.of(600)]


def test_what_last_month_would_have_cost_changes_nothing(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    world.ran(1, 2, of=world.booked(1, 4))
    world.ran(6, 8)
    world.settle()
    subject = Subject(platform_id=world.platform.id, equipment_id=world.equipment.id)
    terms = terms_of(makers.terms(charge_mode="union", rate="100", setup_fee="0.00", minimum_charge="0.00"))
    found = what_if(session, subject, terms, local_month(2026, 6))
    assert [(one.was, one.would_be) for one in found.cases] == [
        (Money.of(600), Money.of(300)),
        (Money.of(1200), Money.of(200)),
    ]
    assert (found.count, found.step) == (2, 1)
    assert session.query(UseSettlement).count() == 2


def test_of_very_many_cases_of_last_month_some_are_compared_and_it_says_how_many(session, world):
    world.price()
    for number in range(5):
        world.ran(2 * number, 2 * number + 1)
    world.settle()
    subject = Subject(platform_id=world.platform.id, equipment_id=world.equipment.id)
    found = what_if(session, subject, terms_of(makers.terms()), local_month(2026, 6), most=2)
    assert (found.count, found.step) == (5, 3)
    assert [one.settlement.used_from - DAY for one in found.cases] == [0 * HOUR, 6 * HOUR]


RICH = {
    "charge_mode": "overage",
    "unit": "hour",
    "rate": "600",
    "setup_fee": "100.00",
    "minimum_charge": "300.00",
    "increment_minutes": 15,
    "increment_rounding": "nearest",
    "bands": [{"days": ["sat", "sun"], "from": "08:00", "to": "24:00", "percent_off": "12.5"}],
    "extras": [{"kind": "energy", "unit": "kWh", "rate": "0.85", "vat_rate": "0.13", "name_zh": "电费"}],
    "urgent": {"notice_minutes": 1440, "percent": "50"},
    "cancellation": {"free_until_minutes_before": 1440, "fee": "45.75", "percent_of_price": "10"},
    "no_show": {"grace_minutes": 30, "percent_of_price": "50", "waive_if_slot_reused": True},
    "vat_rate": "0.06",
    "price_includes_vat": True,
}
TIERED = {
    "charge_mode": "usage",
    "unit": "kg",
    "free_quantity": "1.5",
    "quantity_step": "0.1",
    "tiers": {
        "kind": "graduated",
        "steps": [{"up_to": "10", "rate": "5", "flat": "20.00"}, {"up_to": None, "rate": "3"}],
    },
}
PACKAGED = {
    "charge_mode": "usage",
    "unit": "hour",
    "tiers": {"kind": "package", "package_size": "5", "package_price": "99.00"},
}


@pytest.mark.parametrize("terms", [RICH, TIERED, PACKAGED, makers.terms()])
def test_the_form_says_every_term_and_reads_it_back(terms):
    fields = fields_of(terms)
    days = {number: fields.pop(f"band_{number}_days", []) for number in range(4)}
    read = terms_in({name: str(value) for name, value in fields.items()}, days)
    assert terms_told(terms_of(read)) == terms_told(terms_of(terms))


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"rate": "viel"}, "rate"),
        ({"vat_percent": "106"}, "vat_percent"),
        ({"band_1_from": "18:00", "band_1_to": "8:00", "band_1_percent_off": "20"}, "band_1_days"),
        ({"extra_0_rate": "x", "extra_0_kind": "energy", "extra_0_unit": "kWh"}, "extra_0_rate"),
        ({"tiers_kind": "volume", "rate": "", "step_0_up_to": "5", "step_0_rate": "-1"}, "step_0_rate"),
        ({"cancel_fee": "5", "cancel_hours": "soon"}, "cancel_hours"),
        ({"setup_fee": "1.234"}, "setup_fee"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(typed, field):
    fields = {name: str(value) for name, value in fields_of(makers.terms()).items()} | typed
    with pytest.raises(InvalidInput) as refusal:
        terms_of(terms_in(fields, {}))
    assert field_of(str(refusal.value.field), fields) == field
