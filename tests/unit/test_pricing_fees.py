"""What is charged for time that was not used, what is for a person, and what is done with a whole bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.kernel.money import Money
from billing.rules.pricing.bill import FixedCharge, credit_notes, fixed_line
from billing.rules.pricing.facts import Booked, Run
from billing.rules.pricing.outcome import Free, LineKind, NeedsReview, Priced, Refused
from billing.rules.pricing.price import price_use
from tests.unit.pricing_makers import at, run, span, terms, used


def yuan(outcome) -> str:
    assert isinstance(outcome, Priced), outcome
    return str(outcome.net)


def kinds(outcome) -> list[LineKind]:
    assert isinstance(outcome, Priced), outcome
    return [line.kind for line in outcome.lines]


def fee(booked, **given):
    return price_use(used(terms(charge_mode="reservation", **given), booked=booked))


@pytest.mark.parametrize(
    ("case", "rule", "hours_before", "expected"),
    [
        ("N45", {"free_until_minutes_before": 1440, "fee": "45.75"}, 48, "cancelled_in_time"),
        ("N46", {"free_until_minutes_before": 1440, "fee": "45.75"}, 2, "45.75"),
        ("N47", {"free_until_minutes_before": 1440}, 2, "no_cancellation_fee"),
        ("N48", {"free_until_minutes_before": 1440, "percent_of_price": "100"}, 2, "60.00"),
        ("N49", {"free_until_minutes_before": 60, "fee": "1.23"}, 3, "cancelled_in_time"),
        ("N51", {"free_until_minutes_before": 120, "fee": "1.23"}, 0, "1.23"),
        ("N52", {"free_until_minutes_before": 0, "fee": "1.23"}, 0, "cancelled_in_time"),
        ("N53", {"free_until_minutes_before": 120, "fee": "1.23"}, 2, "cancelled_in_time"),
        ("N55", {"free_until_minutes_before": 120, "fee": "0.00"}, 1, "no_cancellation_fee"),
        ("both", {"free_until_minutes_before": 120, "fee": "5.00", "percent_of_price": "10"}, 1, "11.00"),
    ],
)
def test_a_cancellation_costs(case, rule, hours_before, expected):
    when = span("14:00", "15:00")
    outcome = fee(Booked(when, cancelled_at=when.start - timedelta(hours=hours_before)), cancellation=rule)
    assert (outcome.reason if isinstance(outcome, Free) else yuan(outcome)) == expected


def test_the_part_of_a_price_is_taken_before_the_price_is_rounded():
    booked = Booked(span("14:00", "14:01"), cancelled_at=at("14:00"))
    rule = {"free_until_minutes_before": 60, "percent_of_price": "50"}
    assert yuan(fee(booked, rate="100", cancellation=rule)) == "0.83"


def test_a_fee_by_percent_keeps_tiers_minimum_and_support_and_has_a_month_of_its_own():
    booked = Booked(span("2026-07-01T08:00", "2026-07-01T09:00"), cancelled_at=at("2026-06-30T23:59"))
    rule = {"free_until_minutes_before": 1440, "percent_of_price": "50", "vat_rate": "0.06"}
    outcome = fee(booked, minimum_charge="100.00", support_per_unit="30", setup_fee="9.00", cancellation=rule)
    assert isinstance(outcome, Priced)
    assert (outcome.net, outcome.tax, outcome.support) == (Money(5000), Money(300), Money(2500))
    assert outcome.billing_month == date(2026, 6, 1)


NO_SHOW = {"grace_minutes": 10, "fee": "10.00"}


@pytest.mark.parametrize(
    ("case", "given", "facts", "expected"),
    [
        ("N59", {"no_show": NO_SHOW}, {"now": at("14:00")}, "10.00"),
        ("N60", {"no_show": NO_SHOW}, {"now": at("11:00")}, Refused("not_finished")),
        ("N61", {"charge_mode": "usage"}, {}, Free("no_use")),
        ("N69", {}, {}, "60.00"),
        ("O04", {"no_show": {"grace_minutes": 10, "fee": "4.00", "percent_of_price": "100", "vat_rate": "0.20"},
                 "rate": "2"}, {}, "6.00"),
        ("no grace", {"no_show": {"grace_minutes": 0, "fee": "4.00", "waive_if_slot_reused": True}}, {}, "4.00"),
        ("grace longer than the slot",
         {"no_show": {"grace_minutes": 90, "fee": "4.00", "waive_if_slot_reused": True}}, {}, "4.00"),
        ("waived by use and reservation together",
         {"no_show": {**NO_SHOW, "waive_if_slot_reused": True}},
         {"other_usage": (span("12:05", "12:31"),), "other_reservations": (span("12:31", "14:00"),)},
         Free("slot_reused")),
        ("one minute stays empty",
         {"no_show": {**NO_SHOW, "waive_if_slot_reused": True}},
         {"other_usage": (span("12:05", "12:31"),), "other_reservations": (span("12:32", "14:00"),)}, "10.00"),
    ],
)  # fmt: skip
def test_a_reservation_that_was_not_used_costs(case, given, facts, expected):
    f = used(terms(**{"charge_mode": "reservation", **given}), booked=span("12:00", "13:00"))
    outcome = price_use(replace(f, **facts))
    assert (yuan(outcome) if isinstance(expected, str) else outcome) == expected


@pytest.mark.parametrize(
    ("case", "runs", "reason"),
    [
        ("N27", (run("10:00", "09:00"),), "usage_not_positive"),
        ("N27, N29", (run("10:00", "10:00"),), "usage_not_positive"),
        ("N64, N68", (run("09:00", "10:00"), Run(at("10:00"), None)), "usage_not_ended"),
        ("the missing one is named first", (run("10:00", "09:00"), Run(at("11:00"), None)), "usage_not_ended"),
    ],
)  # fmt: skip
def test_times_that_are_missing_or_wrong_are_for_a_person(case, runs, reason):
    assert price_use(used(terms(), *runs)) == NeedsReview(reason)


def test_what_is_not_known_is_no_price_n29_n72():
    when = span("09:00", "10:00")
    for mode in ("usage", "overage", "union"):
        silent = replace(used(terms(charge_mode=mode), booked=when), runs=None)
        assert price_use(silent) == NeedsReview("usage_unknown")
    for mode in ("reservation", "overage"):
        assert price_use(used(terms(charge_mode=mode), run("09:00", "10:00"))) == NeedsReview("no_reservation")
    not_over = replace(used(terms(charge_mode="reservation"), booked=when), now=at("09:30"))
    assert price_use(not_over) == Refused("not_finished")


@pytest.mark.parametrize(
    ("case", "price", "days", "of_days", "net"),
    [
        ("D1 Denver", "7.00", 4, 7, "4.00"), ("D1 Halifax", "7.00", 3, 7, "3.00"), ("D2 Karachi", "7.00", 2, 7, "2.00"),
        ("D5 October", "31.00", 31, 31, "31.00"), ("D9", "35.00", 21, 31, "23.71"), ("D10", "910.00", 32, 91, "320.00"),
        ("D13", "30.00", 17, 31, "16.45"), ("E7", "29.99", 6, 7, "25.71"),
    ],
)  # fmt: skip
def test_a_fee_for_part_of_a_period(case, price, days, of_days, net):
    first = date(2026, 1, 1)
    period, covered = ((first, first + timedelta(days=n)) for n in (of_days, days))
    assert str(fixed_line(FixedCharge(price=Money.of(price), period=period, covered=covered)).amount.net) == net


def test_two_notes_that_make_the_bill_make_it_to_the_fen_e8():
    bill = [fixed_line(FixedCharge(price=Money.of("769.00"), vat_rate=Decimal("0.20")))]
    notes = credit_notes(bill, [("net", Money.of("726.86")), ("net", Money.of("42.14")), ("net", Money(1))])
    assert [note and str(note.gross) for note in notes] == ["872.23", "50.57", None]
