"""Worked cases of pricing beside those of the file; a letter with a number names the row of decision 0008."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.kernel.errors import InvalidInput
from billing.rules.pricing.bill import Payer, shares_of
from billing.rules.pricing.outcome import Free, LineKind, Priced, Refused
from billing.rules.pricing.price import price_use
from billing.rules.pricing.terms import terms_of, terms_told, warnings_of
from tests.unit.pricing_makers import DAYS, EVENING, run, span, terms, used


def yuan(outcome) -> str:
    assert isinstance(outcome, Priced), outcome
    return str(outcome.net)


def kinds(outcome) -> list[LineKind]:
    assert isinstance(outcome, Priced), outcome
    return [line.kind for line in outcome.lines]


MATRIX = {
    "N01": ("15:00–16:00", "15:00–16:00", ("60.00", "60.00", "60.00"), ("20.00", "20.00", "20.00")),
    "N02": ("15:00–16:00", "15:15–15:45", ("60.00", "30.00", "60.00"), ("20.00", "10.00", "20.00")),
    "N03": ("15:00–16:00", "15:00–16:15", ("60.00", "75.00", "75.00"), ("20.00", "25.00", "25.00")),
    "N04": ("15:00–16:00", "15:15–16:15", ("60.00", "60.00", "75.00"), ("20.00", "20.00", "25.00")),
    "N05": ("16:00–18:00", "16:00–18:00", ("108.00", "108.00", "108.00"), ("36.00", "36.00", "36.00")),
    "N06": ("16:00–18:00", "16:00–18:15", ("108.00", "120.00", "120.00"), ("36.00", "40.00", "40.00")),
    "N07": ("16:00–18:00", "16:15–17:45", ("108.00", "81.00", "108.00"), ("36.00", "27.00", "36.00")),
    "N08": ("16:00–18:00", "16:15–18:15", ("108.00", "105.00", "120.00"), ("36.00", "35.00", "40.00")),
}


@pytest.mark.parametrize("case", MATRIX)
@pytest.mark.parametrize("number", [0, 1, 2], ids=["reservation", "usage", "overage"])
def test_three_ways_to_charge_with_an_evening_discount_n01_to_n10(case, number):
    reserved, actual, nets, supports = MATRIX[case]
    of = terms(charge_mode=("reservation", "usage", "overage")[number], bands=[EVENING], support_per_unit="20.00")
    f = used(of, run(*actual.split("–")), booked=span(*reserved.split("–")))
    outcome = price_use(f)
    assert (yuan(outcome), str(outcome.support)) == (nets[number], supports[number])
    least = price_use(replace(f, terms=terms_of({**terms_told(of), "minimum_charge": "100.00"})))
    assert yuan(least) == max(nets[number], "100.00", key=Decimal)


@pytest.mark.parametrize(
    ("case", "given", "start", "end", "net", "support"),
    [
        ("N16-24h", {"rate": "0", "minimum_charge": "30.00"}, "00:00", "2026-06-17T00:00", "30.00", "0.00"),
        ("N20", {"rate": "73.20", "support_per_unit": "10.33"}, "09:00", "09:50", "61.00", "8.61"),
        ("N24", {}, "12:00:10", "12:00:20", "1.00", "0.00"),
        ("N25", {}, "12:00:50", "12:01:10", "1.00", "0.00"),
        ("N30", {"support_per_unit": "15"}, "12:00", "13:00", "60.00", "15.00"),
        ("N37", {"tiers": [("1", "120"), ("3", "90"), ("5", "60"), (None, "30")]}, "09:00", "14:15", "427.50", "0.00"),
        ("N38", {"tiers": [("1", "120", "30"), ("3", "110", "25"), ("5", "100", "20"), (None, "90", "15")]},
         "09:00", "14:15", "562.50", "123.75"),
        ("N42", {"unit": "day", "rate": "199", "support_per_unit": "10"},
         "10:10", "2026-06-19T10:10", "597.00", "30.00"),
        ("N43", {"unit": "day", "rate": "199"}, "10:10", "2026-06-17T10:11", "398.00", "0.00"),
        ("N21", {"rate": "25", "support_per_unit": "7"}, "09:00", "10:10", "29.17", "8.17"),
        ("N22", {"rate": "31", "support_per_unit": "17"}, "09:00", "09:13", "6.72", "3.68"),
        ("30 days", {"rate": "100"}, "00:00", "2026-07-16T00:00", "72000.00", "0.00"),
    ],
)  # fmt: skip
def test_time_used_costs(case, given, start, end, net, support):
    if "tiers" in given:
        keys = ("up_to", "rate", "support_per_unit")
        steps = [dict(zip(keys, step, strict=False)) for step in given["tiers"]]
        given = {"rate": ..., "tiers": {"kind": "graduated", "steps": steps}}
    outcome = price_use(used(terms(**given), run(start, end)))
    assert (yuan(outcome), str(outcome.support)) == (net, support)


def test_a_rate_of_nothing_without_a_minimum_is_free_n12():
    assert price_use(used(terms(rate="0"), run("09:00", "10:00"))) == Free("zero_price")


@pytest.mark.parametrize(
    ("start", "end", "net"),
    [
        ("2017-04-27T12:00", "2017-04-27T13:00", "60.00"),  # N30
        ("2017-04-27T16:00", "2017-04-27T18:00", "114.00"),  # N32
        ("2017-04-27T12:00", "2017-04-27T14:00", "120.00"),  # N34: factor 1
        ("2017-04-27T16:00", "2017-04-27T20:00", "222.00"),  # N34: factor 0.925
        ("2017-04-28T16:00", "2017-04-29T02:00", "528.00"),  # N34: factor 0.88
    ],
)
def test_use_across_bands_n30_to_n34(start, end, net):
    week = [
        {"days": DAYS[:5], "from": "17:00", "to": "24:00", "percent_off": "10"},
        {"days": DAYS[5:], "from": "00:00", "to": "24:00", "percent_off": "25"},
    ]
    outcome = price_use(used(terms(bands=week, support_per_unit="15"), run(start, end)))
    assert yuan(outcome) == net
    assert outcome.support.fen * 4 == outcome.net.fen


def test_a_night_into_the_weekend_with_seconds_n35():
    week = [{"days": DAYS[5:], "from": "00:00", "to": "24:00", "percent_off": "25"}]
    of = terms(bands=week, support_per_unit="12")
    outcome = price_use(used(of, run("2017-04-28T23:00:15", "2017-04-29T01:00:37")))
    assert (yuan(outcome), str(outcome.support)) == ("105.00", "21.00")


def test_two_bookings_of_one_price_are_two_bills_n39_n44():
    tiers = {"kind": "graduated", "steps": [{"up_to": "6", "rate": "130"}, {"up_to": None, "rate": "36"}]}
    of = terms(rate=..., tiers=tiers, support_per_unit="10.65")
    bills = [price_use(used(of, run(f"2026-06-{day}T09:00", f"2026-06-{day}T17:00"))) for day in (16, 17)]
    assert [yuan(bill) for bill in bills] == ["852.00"] * 2
    assert str(bills[0].payable + bills[1].payable) == "1533.60"


def test_an_early_start_is_not_overage_n71():
    of = terms(charge_mode="overage")
    booked = span("10:00", "11:19")
    assert yuan(price_use(used(of, run("10:10", "11:15"), booked=booked))) == "79.00"
    assert yuan(price_use(used(of, run("09:51", "11:28"), booked=booked))) == "88.00"


def test_the_minutes_of_a_split_are_not_split_only_the_money_is_n76():
    outcome = price_use(used(terms(), run("09:00", "09:45")))
    payers = [Payer("甲", Decimal("33.34"), takes_remainder=True), *[Payer("乙", Decimal("33.33"))] * 2]
    assert [str(share.payable) for share in shares_of(outcome.lines, outcome.support, payers)] == [
        "15.02",
        "14.99",
        "14.99",
    ]


def test_reserved_time_in_steps_with_fees_o03():
    of = terms(
        charge_mode="reservation", rate="3.00", setup_fee="0.50", vat_rate="0.20", increment_minutes=10,
        increment_rounding="up", extras=[{"kind": "energy", "unit": "kWh", "rate": "0.25", "vat_rate": "0.10"}],
    )  # fmt: skip
    outcome = price_use(used(of, run("10:00", "10:22", wh=20000), booked=span("10:00", "10:22")))
    assert (str(outcome.net), str(outcome.gross)) == ("7.00", "7.90")


def test_added_minutes_cost_what_the_last_one_costs_o06():
    half = {"days": DAYS, "from": "00:00", "to": "17:00", "percent_off": "50"}
    of = terms(rate="2.40", bands=[half], increment_minutes=15, increment_rounding="up")
    outcome = price_use(used(of, run("16:35", "17:10")))
    assert (outcome.lines[0].quantity, yuan(outcome)) == (45, "1.30")
    assert "25 分钟 × ¥2.40/h × 50 % + 20 分钟 × ¥2.40/h = ¥1.30" in outcome.lines[0].explanation_zh


def test_minutes_cut_away_are_the_last_ones():
    of = terms(bands=[EVENING], increment_minutes=15, increment_rounding="nearest")
    assert yuan(price_use(used(of, run("16:00", "17:07")))) == "60.00"


def test_added_minutes_stay_in_the_step_of_the_last_one():
    tiers = {
        "kind": "graduated",
        "steps": [{"up_to": "2", "rate": "60"}, {"up_to": None, "rate": "30", "flat": "9.00"}],
    }
    of = terms(rate=..., tiers=tiers, increment_minutes=90, increment_rounding="up")
    assert yuan(price_use(used(of, run("09:00", "10:50")))) == "180.00"


def test_nothing_charged_is_not_rounded_up_to_a_step():
    of = terms(lead_minutes=30, increment_minutes=15, increment_rounding="nearest", setup_fee="5.00")
    assert yuan(price_use(used(of, run("09:00", "09:20")))) == "5.00"


@pytest.mark.parametrize(
    ("wh", "step", "quantity", "net"),
    [("115200", "1", "116", "29.00"), ("115200", "25", "125", "31.25"), ("115200", "500", "500", "125.00")],
)
def test_energy_in_started_steps_o07(wh, step, quantity, net):
    outcome = price_use(used(terms(unit="kWh", rate="0.25", quantity_step=step), run("09:00", "10:00", wh=int(wh))))
    assert (str(outcome.lines[0].quantity), yuan(outcome)) == (quantity, net)


VOLUME = {"kind": "volume", "steps": [{"up_to": "5", "flat": "100.00"}, {"up_to": "10", "flat": "150.00"},
                                      {"up_to": "15", "rate": "10"}, {"up_to": None, "rate": "5"}]}  # fmt: skip
GRADUATED = {"kind": "graduated", "steps": [{"up_to": "5", "flat": "100.00"}, {"up_to": "10", "flat": "50.00"},
                                            {"up_to": "15", "rate": "5"}, {"up_to": None, "rate": "1"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "tiers", "samples", "prior", "net"),
    [
        ("C5", VOLUME, 3, 0, "100.00"), ("C5", VOLUME, 5, 0, "100.00"), ("C5", VOLUME, 6, 0, "150.00"),
        ("C5", VOLUME, 14, 0, "140.00"), ("C5", VOLUME, 15, 0, "150.00"), ("C5", VOLUME, 16, 0, "80.00"),
        ("C5", VOLUME, 100, 0, "500.00"), ("C7", GRADUATED, 22, 0, "182.00"), ("C8", GRADUATED, 10, 12, "22.00"),
        ("a flat amount is due once", VOLUME, 2, 2, None), ("entering is due", VOLUME, 2, 4, "150.00"),
        ("entering from the very edge", GRADUATED, 1, 5, "50.00"), ("entered before", GRADUATED, 1, 6, None),
    ],
)  # fmt: skip
def test_samples_in_steps_cost(case, tiers, samples, prior, net):
    of = terms(unit="sample", rate=..., tiers=tiers)
    outcome = price_use(used(of, run("09:00", "10:00", sample=samples), prior_quantity=Decimal(prior)))
    assert (outcome == Free("zero_price")) if net is None else (yuan(outcome) == net)


def test_the_minimum_tops_a_tiered_price_up_c6():
    of = terms(unit="sample", rate=..., tiers=VOLUME, minimum_charge="150.00")
    outcome = price_use(used(of, run("09:00", "10:00", sample=5)))
    assert [str(line.amount.net) for line in outcome.lines] == ["100.00", "50.00"]


def test_a_price_that_falls_is_allowed_and_warned_of_c21():
    blocks = {"kind": "volume", "steps": [{"up_to": "101000", "rate": "0.001"}, {"up_to": None, "rate": "0.0005"}]}
    assert warnings_of(terms(unit="m", rate=..., tiers=blocks)) == ["longer_costs_less"]
    assert warnings_of(terms()) == []
    assert warnings_of(terms(unit="sample", charge_mode="reservation")) == ["counted_is_usage"]
    assert warnings_of(terms(support_per_unit="60.01")) == ["support_exceeds_price"]
    bounded = {"kind": "graduated", "steps": [{"up_to": "5", "rate": "1"}]}
    assert warnings_of(terms(rate=..., tiers=bounded)) == ["last_step_bounded"]
    assert warnings_of(terms(bands=[EVENING], increment_minutes=15, increment_rounding="up")) == ["longer_costs_less"]


def test_two_bands_for_one_minute_are_no_tariff_c22():
    late = {"days": ["tue"], "from": "20:00", "to": "22:00", "percent_off": "30"}
    with pytest.raises(InvalidInput) as refused:
        terms_of({"charge_mode": "usage", "unit": "hour", "rate": "60", "bands": [EVENING, late]})
    assert refused.value.field == "bands"
    assert price_use(used(terms(bands=[EVENING, late]), run("09:00", "10:00"))) == Refused("bands_overlap")
