"""The keys that are our own, local times, and the sentences of a bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.kernel.errors import InvalidInput
from billing.rules.pricing.outcome import LineKind, NeedsReview, Priced, Refused
from billing.rules.pricing.price import price_booked, price_use
from billing.rules.pricing.told import facts_of, facts_told
from tests.unit.pricing_makers import BERLIN, EVENING, SHANGHAI, at, run, span, terms, used


def yuan(outcome) -> str:
    assert isinstance(outcome, Priced), outcome
    return str(outcome.net)


def kinds(outcome) -> list[LineKind]:
    assert isinstance(outcome, Priced), outcome
    return [line.kind for line in outcome.lines]


class TestOurOwnKeys:
    def test_who_books_late_pays_a_surcharge_on_the_main_charge_as_printed(self):
        of = terms(urgent={"notice_minutes": 120, "percent": "50"}, vat_rate="0.06", minimum_charge="100.00")
        when = span("10:00", "11:00")
        late = price_booked(of, when, zone=SHANGHAI, booked_at=at("08:00:01"))
        assert kinds(late) == [LineKind.TIME, LineKind.MINIMUM_TOP_UP, LineKind.URGENT]
        assert [str(line.amount.net) for line in late.lines] == ["60.00", "40.00", "50.00"]
        in_good_time = price_booked(of, when, zone=SHANGHAI, booked_at=at("08:00"))
        assert kinds(in_good_time) == [LineKind.TIME, LineKind.MINIMUM_TOP_UP]
        assert price_booked(of, when, zone=SHANGHAI) == in_good_time

    def test_labour_by_the_hour_is_the_time_of_the_runs_shown_in_minutes(self):
        labour = {"kind": "labour", "unit": "hour", "rate": "80", "name_zh": "操作员", "name_en": "Operator"}
        of = terms(lead_minutes=10, extras=[labour])
        line = price_use(used(of, run("09:00", "09:50"), run("10:00", "10:30"))).lines[1]
        assert (line.quantity, line.unit, str(line.amount.net), line.name_zh) == (80, "minute", "106.67", "操作员")
        assert line.explanation_zh == "操作员：80 分钟 × ¥80.00/h = ¥106.67"

    def test_an_estimate_leaves_out_what_nobody_can_know_yet(self):
        energy = {"kind": "energy", "unit": "kWh", "rate": "0.85"}
        fee = {"kind": "booking", "unit": "booking", "rate": "5"}
        estimate = price_booked(terms(extras=[energy, fee], setup_fee="9.00"), span("09:00", "10:00"), zone=SHANGHAI)
        assert kinds(estimate) == [LineKind.TIME, LineKind.SETUP, LineKind.BOOKING]
        by_sample = price_booked(terms(unit="sample"), span("09:00", "10:00"), zone=SHANGHAI)
        assert by_sample == NeedsReview("count_unknown")

    def test_a_class_with_a_rate_of_its_own_pays_it_in_place_of_the_tiers(self):
        tiers = {"kind": "volume", "steps": [{"up_to": None, "rate": "5"}]}
        of = terms(unit="sample", rate=..., tiers=tiers, customer_class_rates={"internal": "1", "rival": None})
        f = used(of, run("09:00", "10:00", sample=16))
        assert yuan(price_use(replace(f, customer_class="internal"))) == "16.00"
        assert price_use(replace(f, customer_class="rival")) == Refused("class_not_admitted")
        assert yuan(price_use(f)) == "80.00"


class TestLocalTime:
    def test_a_time_that_occurs_twice_is_written_down_and_read_as_the_one_meant(self):
        first = span("2026-10-25T02:10", "2026-10-25T02:40", BERLIN)
        f = used(terms(), zone=BERLIN, booked=first.shifted(timedelta(hours=1)))
        told = facts_told(f)
        assert told["reservation"]["start"] == "2026-10-25T02:10:00+01:00"
        assert facts_of(told).reservation == f.reservation
        assert facts_told(used(terms(), zone=BERLIN, booked=first))["reservation"]["start"] == "2026-10-25T02:10:00"

    @pytest.mark.parametrize("text", ["2026-03-29T02:30:00", "2026-10-25T02:30:00+05:00"])
    def test_a_time_that_does_not_exist_is_refused(self, text):
        told = facts_told(used(terms(), run("2026-03-29T00:00", "2026-03-29T01:00", zone=BERLIN), zone=BERLIN))
        told["usage"][0]["end"] = text
        with pytest.raises(InvalidInput, match="当地时间不存在"):
            facts_of(told)

    def test_a_day_ends_at_the_same_time_of_the_next_date_whatever_the_clocks_do(self):
        of = terms(unit="day", rate="10")
        for start, end, days in [
            ("2026-03-28T12:00", "2026-03-29T12:00", 1),
            ("2026-03-28T12:00", "2026-03-29T12:01", 2),
            ("2026-10-24T12:00", "2026-10-26T12:00", 2),
        ]:
            assert yuan(price_use(used(of, run(start, end, zone=BERLIN), zone=BERLIN))) == f"{days * 10}.00"


def test_a_shortened_explanation_still_says_every_figure_of_a_rich_bill():
    of = terms(
        charge_mode="overage", bands=[EVENING], support_per_unit="20", vat_rate="0.06", setup_fee="50.00",
        increment_minutes=15, increment_rounding="up",
    )  # fmt: skip
    outcome = price_use(used(of, run("16:15", "18:05"), booked=span("16:00", "18:00")))
    assert [line.explanation_zh for line in outcome.lines] == [
        "按预约并计超时计费 06-16 16:00–18:05，共 125 分钟，按 15 分钟向上取整，计费 135 分钟："
        "60 分钟 × ¥60.00/h + 75 分钟 × ¥60.00/h × 80 % = ¥120.00，加 6 % 税 ¥7.20，合计 ¥127.20；"
        "补贴 60 分钟 × ¥20.00/h + 75 分钟 × ¥20.00/h × 80 % = ¥40.00，由他方承担",
        "开机费：1 次 × ¥50.00 = ¥50.00，加 6 % 税 ¥3.00，合计 ¥53.00",
    ]
    assert outcome.lines[0].explanation_en == (
        "By reserved time and overrun, 06-16 16:00–18:05, 125 min, rounded up in steps of 15 min, charged 135 min: "
        "60 min × ¥60.00/h + 75 min × ¥60.00/h × 80 % = ¥120.00 plus 6 % VAT ¥7.20, together ¥127.20; "
        "support 60 min × ¥20.00/h + 75 min × ¥20.00/h × 80 % = ¥40.00, borne by others"
    )
