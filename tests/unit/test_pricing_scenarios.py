"""Pricing scenarios: the given cases come out to the fen, and a file that cannot be meant is refused by name."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from flask import Flask

from app.cli.billing import billing
from app.kernel.errors import InvalidInput
from billing.pricing_scenarios import FORMAT, check, price_scenario, simulate, table

FILE = Path(__file__).parents[1] / "cases" / "pricing" / "scenarios.json"
SCENARIOS = FORMAT.read(FILE)
BY_ID = {scenario["id"]: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s["id"])
def test_the_bill_of_the_case_is_as_expected_and_no_expectation_is_read_for_it(scenario):
    bare = {key: value for key, value in scenario.items() if key != "expect"}
    results = simulate([bare])
    assert check(results, [scenario]) == []
    assert results["results"][0]["explanation"]


def content(scenario_id="N09-n08-overage", **changes):
    """A file's content with one scenario; ``changes`` replace its keys."""
    scenario = {**copy.deepcopy(BY_ID.get(scenario_id, BY_ID["N09-n08-usage"])), **changes}
    return {"format": 1, "scenarios": [{key: value for key, value in scenario.items() if value is not ...}]}


TARIFF = {"charge_mode": "usage", "unit": "hour", "rate": "60.00"}
BAND = {"days": ["mon"], "from": "17:00", "to": "21:00", "percent_off": "20"}
STEPS = [{"up_to": "2", "rate": "10"}, {"up_to": None}]
RUN = {"start": "2026-06-16T09:00:00", "end": "2026-06-16T10:00:00"}
BOOKED = {"start": "2026-06-16T16:00:00", "end": "2026-06-16T18:00:00"}
FIXED = [{"price": "10.00", "vat_rate": "0.06"}]
NO_DAYS = {"first_day": "2026-06-01", "day_after": "2026-06-01"}
NO_USE = dict.fromkeys(("tariff", "reservation", "usage"), ...)


def tariff(**changes):
    given = {key: value for key, value in {**TARIFF, **changes}.items() if value is not ...}
    return content(tariff=given, reservation=None)


@pytest.mark.parametrize(
    ("broken", "key"),
    [
        (content(surprise=1), "surprise"),
        (content(id="x"), "id"),
        (content(timezone=...), "timezone"),
        (content(timezone="Mars/Base"), "timezone"),
        (content(usage=...), "usage"),
        (content(fixed_charges=FIXED), "tariff"),
        (content(now="2026-02-30T00:00:00"), "now"),
        (content(prior_quantity=1.5), "prior_quantity"),
        (content(usage=[{**RUN, "energy_wh": 1.5}]), "usage.0.energy_wh"),
        (content(usage=[{**RUN, "counts": {"l": 1}}]), "usage.0.counts.l"),
        (content(usage=[{"start": RUN["start"]}]), "usage.0.end"),
        (content(other_usage=[{"start": RUN["end"], "end": RUN["start"]}]), "other_usage.0.end"),
        (content(reservation={**BOOKED, "start": "2026-06-16T16:00:01"}), "reservation.start"),
        (content(reservation={**BOOKED, "cancelled_at": "2026-06-16T16:00:01"}), "reservation.cancelled_at"),
        (content(payers=[{"name": "甲", "percent": "100"}]), "payers"),
        (content(credit_notes=[{"net": "1.00", "gross": "1.00"}]), "credit_notes.0"),
        (content(**NO_USE, fixed_charges=[{"price": "10.00", "period": {"first_day": "2026-06-01",
         "day_after": "2026-07-01"}}]), "fixed_charges.0"),
        (content(**NO_USE, fixed_charges=[{"price": "10.00", "period": NO_DAYS, "covered": NO_DAYS}]),
         "fixed_charges.0.period.day_after"),
        (tariff(rate=60), "tariff.rate"),
        (tariff(rate="-1"), "tariff.rate"),
        (tariff(rate=...), "tariff.rate"),
        (tariff(tiers={"kind": "volume", "steps": STEPS}), "tariff.rate"),
        (tariff(rate=..., tiers={"kind": "volume", "steps": [STEPS[1], STEPS[1]]}), "tariff.tiers.steps.1.up_to"),
        (tariff(rate=..., tiers={"kind": "volume", "steps": [STEPS[0], STEPS[0]]}), "tariff.tiers.steps.1.up_to"),
        (tariff(rate=..., tiers={"kind": "package", "steps": STEPS}), "tariff.tiers.package_size"),
        (tariff(unit="minute"), "tariff.unit"),
        (tariff(unit="sample", bands=[BAND]), "tariff.bands"),
        (tariff(bands=[{**BAND, "to": "17:00"}]), "tariff.bands.0.to"),
        (tariff(bands=[{**BAND, "to": "25:00"}]), "tariff.bands.0.to"),
        (tariff(bands=[{**BAND, "percent_off": "101"}]), "tariff.bands.0.percent_off"),
        (tariff(increment_minutes=15), "tariff.increment_minutes"),
        (tariff(unit="day", increment_minutes=1, increment_rounding="up"), "tariff.increment_minutes"),
        (tariff(charge_mode="overage", lead_minutes=5), "tariff.lead_minutes"),
        (tariff(free_quantity="1"), "tariff.free_quantity"),
        (tariff(minimum_charge="5"), "tariff.minimum_charge"),
        (tariff(vat_rate="6"), "tariff.vat_rate"),
        (tariff(customer_class_rates={"SME": "1"}), "tariff.customer_class_rates"),
        (tariff(extras=[{"kind": "material", "unit": "hour", "rate": "1"}]), "tariff.extras.0.unit"),
        (tariff(extras=[{"kind": "material", "unit": "run", "rate": "1", "surprise": 1}]), "tariff.extras.0.surprise"),
    ],
)  # fmt: skip
def test_a_scenario_that_does_not_fit_is_refused_with_its_name_its_key_and_a_remedy(broken, key):
    with pytest.raises(InvalidInput) as refused:
        FORMAT.checked(broken)
    assert refused.value.field == key
    assert refused.value.facts["scenario"] == broken["scenarios"][0]["id"]
    assert refused.value.facts["reason"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": 2, "scenarios": []}', '{"format": 1, "format": 1}', '{"format": 1, "scenarios": [3]}'],
)
def test_a_file_that_is_no_scenario_file_is_refused(tmp_path, text):
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput):
        FORMAT.read(path)


def test_a_json_number_is_never_taken_for_a_price(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content()).replace('"60.00"', "60.00"), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"N09.*tariff\.rate"):
        FORMAT.read(path)


def test_one_bad_scenario_refuses_the_file_and_an_id_occurs_once():
    good = BY_ID["N31"]
    with pytest.raises(InvalidInput, match="N31 的 id"):
        FORMAT.checked({"format": 1, "scenarios": [good, good]})
    with pytest.raises(InvalidInput, match="surprise"):
        FORMAT.checked({"format": 1, "scenarios": [good, *content(surprise=1)["scenarios"]]})


@pytest.mark.parametrize("scenario_id", ["TX11", "SH02", "CN05", "MB01"])
def test_each_rule_of_comparison_finds_its_difference(scenario_id):
    scenario = BY_ID[scenario_id]
    results = simulate([scenario])
    wrong = {
        "status": "free", "net": "1.00", "vat": "1.00", "gross": "1.00", "payable": "1.00", "support": "1.00",
        "billing_month": "1999-01", "credit_notes": [], "shares": [{"name": "丁", "payable": "1.00"}], "lines": [],
    }  # fmt: skip
    for key, value in wrong.items():
        assert check(results, [{**scenario, "expect": {**scenario["expect"], key: value}}]), key
    for key in ("net", "vat", "quantity"):
        other = copy.deepcopy(scenario)
        other["expect"]["lines"][0][key] = "7"
        assert check(results, [other]), key
        assert not check(results, [{**other, "compare": "totals"}])


def test_lines_may_stand_in_any_order_and_those_of_nothing_do_not_count():
    other = copy.deepcopy(BY_ID["TX11"])
    other["expect"]["lines"].reverse()
    other["expect"]["lines"].append({"kind": "setup", "quantity": "0", "unit": "run", "net": "0.00"})
    other["expect"]["lines"][1]["quantity"] = "160.0"
    assert check(simulate([other]), [other]) == []


def test_who_knows_of_vat_hears_of_it_on_every_line_and_share():
    with_vat = price_scenario(BY_ID["SH02"])
    assert all("vat" in part for part in with_vat["lines"] + with_vat["shares"])
    without = price_scenario(BY_ID["SH04"])
    assert not any("vat" in part for part in without["lines"] + without["shares"])


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path):
        app = Flask("bare")
        app.cli.add_command(billing)

        def run(what, *options):
            path = tmp_path / "file.json"
            path.write_text(json.dumps(what), encoding="utf-8")
            return app.test_cli_runner().invoke(args=["billing", "price", str(path), *options])

        return run

    def test_it_prints_json_in_the_format_of_the_file(self, run):
        done = run({"format": 1, "scenarios": SCENARIOS}, "--json")
        assert done.exit_code == 0
        assert json.loads(done.stdout) == simulate(SCENARIOS)

    def test_it_prints_a_table_with_the_explanations(self, run):
        done = run({"format": 1, "scenarios": SCENARIOS})
        assert done.stdout.strip() == table(simulate(SCENARIOS))
        assert "60 分钟 × ¥60.00/h + 75 分钟 × ¥60.00/h × 80 % = ¥120.00" in done.stdout

    def test_all_as_expected_is_status_zero_and_a_difference_one(self, run):
        assert run({"format": 1, "scenarios": SCENARIOS}, "--check").exit_code == 0
        wrong = content("N31", expect={**BY_ID["N31"]["expect"], "payable": "1.00"})
        done = run(wrong, "--check", "--json")
        assert done.exit_code == 1
        assert "N31: payable: 33.75 ≠ 1.00" in done.stderr
        assert json.loads(done.stdout)["results"]

    def test_a_refused_file_is_another_status_and_nothing_is_calculated(self, run):
        done = run(content(surprise=1), "--check")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "surprise" in done.stderr

    def test_there_is_nothing_to_check_without_an_expectation(self, run):
        assert run(content(expect=...)).exit_code == 0
        assert run(content(expect=...), "--check").exit_code == 2
