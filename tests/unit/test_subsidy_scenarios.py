"""Scenario files: the given cases come out to the fen, and what cannot be read is refused by name."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from flask import Flask

from app.cli.subsidy import subsidy
from app.kernel.errors import InvalidInput
from billing.subsidy_scenarios import FORMAT, check, simulate, table

FILE = Path(__file__).parents[1] / "cases" / "subsidy" / "scenarios.json"
SCENARIOS = FORMAT.read(FILE)
OPERATING = [s for s in SCENARIOS if s["id"].startswith("O")]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s["id"])
def test_the_grants_of_the_case_are_as_expected(scenario):
    assert check(simulate([scenario]), [scenario]) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s["id"])
def test_the_expectation_is_not_read_for_the_calculation(scenario):
    bare = {key: value for key, value in scenario.items() if key != "expect"}
    assert simulate([bare]) == simulate([scenario])


def content(**changes):
    """A file's content with one scenario; ``changes`` replace its keys."""
    return {"format": 1, "scenarios": [{**copy.deepcopy(OPERATING[0]), **changes}]}


def with_invoice(**changes):
    return content(invoices=[{**copy.deepcopy(OPERATING[0]["invoices"][0]), **changes}])


def line(**changes):
    return [{**OPERATING[0]["invoices"][0]["lines"][0], **changes}]


PLATFORM = OPERATING[0]["platform"]
OVERLAPPING = [{"name": "a", "from": "2026-01-01", "to": None}, {"name": "b", "from": "2027-01-01", "to": None}]


@pytest.mark.parametrize(
    ("broken", "key"),
    [
        (content(surprise=1), "surprise"),
        (content(platform={}), "platform.name"),
        (content(settings={"A03_revenue_tax": "both"}), "settings.A03_revenue_tax"),
        (content(platform={**PLATFORM, "certified_on": None}), "platform.certification_document"),
        (content(platform={**PLATFORM, "certified_on": "2026-02-30"}), "platform.certified_on"),
        (content(platform={**PLATFORM, "operators": OVERLAPPING}), "platform.operators"),
        (content(evaluations=OPERATING[0]["evaluations"] * 2), "evaluations.year"),
        (content(other_grants=[{"asset_nos": ["E-9"], "year": 2026, "authority_level": "national", "amount": "1.00",
                                "programme_kind": "equipment", "timing": "ex_post"}]), "other_grants.0.asset_nos"),
        (with_invoice(credit_note_of="I-9", lines=line(amount="-1.00")), "invoices.0.credit_note_of"),
        (with_invoice(lines=line(amount="-1.00")), "invoices.0.lines.0.amount"),
        (with_invoice(lines=line(amount="1.234")), "invoices.0.lines.0.amount"),
        (with_invoice(lines=line(amount=1.5)), "invoices.0.lines.0.amount"),
        (with_invoice(lines=line(category="magic")), "invoices.0.lines.0.category"),
    ],
)  # fmt: skip
def test_a_scenario_that_does_not_fit_is_refused_with_its_name_and_key(broken, key):
    with pytest.raises(InvalidInput) as refused:
        FORMAT.checked(broken)
    assert (refused.value.facts["scenario"], refused.value.field) == ("O01", key)
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


def test_a_year_with_a_fraction_and_an_id_that_occurs_twice_are_refused(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(content()).replace('"year": 2026', '"year": 2026.0'), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"O01.*evaluations\.0\.year"):
        FORMAT.read(path)
    with pytest.raises(InvalidInput, match=r"O01 的 id"):
        FORMAT.checked({"format": 1, "scenarios": [OPERATING[0], OPERATING[0]]})


def test_each_rule_of_comparison_finds_its_difference():
    results = simulate(OPERATING[:1])
    expected = OPERATING[0]["expect"]["grants"][0]
    for change in (
        {"payable": "1.00"},
        {"payee": "别人"},
        {"estimate": "1.00"},
        {"year": 2031},
        {"clawback_proposal": "1.00", "clawback_quanzhou": "0.00", "clawback_jinjiang": "1.00"},
    ):
        other = {**OPERATING[0], "expect": {"grants": [{**expected, **change}]}}
        assert check(results, [other]), change
    for change in ({"flags": ["review_negative_year"]}, {"premises_m2": 10}):
        assert check(results, [{**OPERATING[0], "expect": {"grants": [expected], **change}}])


def test_an_unexpected_claim_back_is_a_difference():
    scenario = next(s for s in OPERATING if s["id"] == "O20")
    silent = copy.deepcopy(scenario)
    for key in ("clawback_proposal", "clawback_quanzhou", "clawback_jinjiang"):
        del silent["expect"]["grants"][2][key]
    assert check(simulate([scenario]), [silent])


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path):
        app = Flask("bare")
        app.cli.add_command(subsidy)

        def run(what, *options):
            path = tmp_path / "file.json"
            path.write_text(json.dumps(what), encoding="utf-8")
            return app.test_cli_runner().invoke(args=["subsidy", "simulate", str(path), *options])

        return run

    def test_it_prints_json_in_the_format_of_the_file(self, run):
        done = run({"format": 1, "scenarios": OPERATING}, "--json")
        assert done.exit_code == 0
        assert json.loads(done.stdout) == simulate(OPERATING)

    def test_it_prints_a_table_with_the_reasons(self, run):
        done = run({"format": 1, "scenarios": OPERATING})
        assert done.stdout.strip() == table(simulate(OPERATING))
        assert "370370.37" in done.stdout

    def test_all_as_expected_is_status_zero_and_a_difference_one(self, run):
        assert run({"format": 1, "scenarios": OPERATING}, "--check").exit_code == 0
        wrong = content(expect={"grants": [{**OPERATING[0]["expect"]["grants"][0], "payable": "1.00"}]})
        done = run(wrong, "--check", "--json")
        assert done.exit_code == 1
        assert "O01: 2026 P2 payable: 370370.37 ≠ 1.00" in done.stderr
        assert json.loads(done.stdout)["results"]

    def test_a_refused_file_is_another_status_and_nothing_is_calculated(self, run):
        done = run(content(surprise=1), "--check")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "O01" in done.stderr
        assert "surprise" in done.stderr

    def test_there_is_nothing_to_check_without_an_expectation(self, run):
        what = content()
        del what["scenarios"][0]["expect"]
        assert run(what).exit_code == 0
        assert run(what, "--check").exit_code == 2
