"""A policy is data: another city's document, invented here (示例), is judged by the same rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.policies import POLICIES
from billing.policies.jinzhengban_2025_13 import POLICY as REAL
from billing.rules.policy import Bearer, DatedValue, Policy, Setting
from billing.rules.subsidy import assess
from tests.unit.subsidy_makers import facts, invoice
from tests.unit.test_subsidy_purchases import asset, level

FIRST = date(2027, 1, 1)
NUMBERS = {
    "P1.rate": "0.25", "P1.cap": "1000000", "P2.rate": "0.10", "P2.cap": "200000", "P2.window_years": "2",
    "P3.national": "900000", "P3.provincial": "90000", "P4.rate": "0.05", "P4.national_cap": "700000",
    "P4.provincial_cap": "300000", "premises.max": "800", "split.province": "3", "split.city": "2",
}  # fmt: skip


def stated(key: str, value: str, on: date = FIRST) -> DatedValue:
    return DatedValue(
        key, Decimal(value), on, "示例", "第九条", "https://city.example/", f"示例 {key}", f"sample {key}"
    )


def reading(setting: Setting) -> Setting:
    """As the real document's, but for who bears the odd fen."""
    return replace(setting, default="乙市", options=("甲省", "乙市")) if setting.number == "A13" else setting


EXAMPLE = Policy(
    number="示例政办〔2027〕1号",
    title_zh="示例市中试平台政策",
    title_en="Sample city's pilot-platform policy",
    issued_on=FIRST,
    in_force_from=FIRST,
    in_force_to=date(2029, 12, 31),
    reference="https://city.example/",
    values=(*(stated(key, value) for key, value in NUMBERS.items()), stated("P2.rate", "0.20", date(2028, 1, 1))),
    settings=tuple(reading(one) for one in REAL.settings),
    upper=Bearer("province", "甲省", "Province A"),
    own=Bearer("city", "乙市", "City B"),
)


def judged(these, policy=EXAMPLE, **readings):
    result = assess(these, policy.settings_with(readings), policy)
    return result, {(g.programme, g.year): g for g in result.grants}


def test_its_own_rates_caps_years_and_bearers_hold():
    invoices = [invoice(f"I-{year}", f"{year}-06-30", "600000.05") for year in range(2026, 2030)]
    result, grants = judged(facts(*invoices, assets=(asset("E-1", "1000000.02", "2027-05-01"),)))
    paid = {key: (str(g.payable.amount), str(g.payable.upper), str(g.payable.own)) for key, g in grants.items()}
    # 2026: not in force. 2027: 10 %. 2028: 20 %, the rate of its second year, under what the cap leaves.
    assert paid["P2", 2026] == ("0.00", "0.00", "0.00")
    assert paid["P2", 2027] == ("60000.01", "36000.00", "24000.01")
    assert paid["P2", 2028] == ("120000.01", "72000.00", "48000.01")
    assert paid["P2", 2029] == ("0.00", "0.00", "0.00")
    assert paid["P1", 2027] == ("250000.01", "150000.00", "100000.01")
    assert any("甲省 ¥36,000.00，乙市 ¥24,000.01" in step.zh for step in result.trace)
    assert not any("泉州" in step.zh or "晋江" in step.zh for step in result.trace)


def test_two_documents_judge_the_same_facts_each_by_its_own_numbers():
    these = facts(invoice("I-1", "2027-06-30", "1000000"), recognitions=(level("national", "2027-03-01"),))
    assert str(judged(these)[1]["P3", 2027].payable.amount) == "900000.00"
    assert str(judged(these, REAL)[1]["P3", 2027].payable.amount) == "1500000.00"
    assert judged(these)[1]["P2", 2027].payable.amount < judged(these, REAL)[1]["P2", 2027].payable.amount


def test_it_is_read_by_its_own_questions_only():
    assert judged(facts(invoice("I-1", "2027-06-30", "0.10")), A13_odd_fen_to="甲省")[1][
        "P2", 2027
    ].payable.upper == Money(1)
    with pytest.raises(InvalidInput):
        EXAMPLE.settings_with({"A13_odd_fen_to": "晋江"})


def test_every_document_in_the_folder_is_known_by_its_number():
    assert REAL in POLICIES
    assert len({policy.number for policy in POLICIES}) == len(POLICIES)
