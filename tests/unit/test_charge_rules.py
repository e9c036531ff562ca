from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import Money
from billing.rules.charge import Price, billable_hours, charge_lines
from billing.rules.numerals import DIGITS, capital_numerals
from billing.rules.tax import credited, taxed
from billing.rules.words import RevenueCategory


def price(**given_values) -> Price:
    return Price(
        **{
            "tariff_id": 1,
            "rate_yuan": Decimal("600"),
            "setup_fee": Money.of("1200"),
            "minimum_hours": Decimal("2"),
            "increment": timedelta(minutes=6),
            "tax_rate": Decimal("0.06"),
            "tax_code": "3040105000000000000",
            "includes_tax": True,
            "category": RevenueCategory.INSTRUMENT_SHARING,
            **given_values,
        }
    )


@pytest.mark.parametrize(
    ("minutes", "hours"), [(1, "2"), (120, "2"), (121, "2.1"), (143, "2.4"), (144, "2.4"), (600, "10")]
)
def test_time_is_rounded_up_and_has_a_minimum(minutes, hours):
    assert billable_hours(timedelta(minutes=minutes), price()) == Decimal(hours)


def test_the_explanation_can_be_worked_out_by_hand():
    hours, setup = charge_lines(timedelta(hours=2, minutes=23), price())
    assert hours.amount.gross == Money.of("1440")
    assert setup.amount.gross == Money.of("1200")
    quantity, rate, said = re.search(r"；([\d.]+) h × ¥([\d,.]+)/h = ¥([\d,.]+)", hours.explanation_zh).groups()
    assert Decimal(quantity) * Decimal(rate.replace(",", "")) == Decimal(said.replace(",", ""))
    assert "2 小时 23 分" in hours.explanation_zh
    assert "2 h 23 min" in hours.explanation_en


uses = st.integers(0, 200_000).map(lambda seconds: timedelta(seconds=seconds))
rates = st.decimals("0.01", "9999", places=2)
steps = st.sampled_from([60, 360, 900, 1800, 3600]).map(lambda seconds: timedelta(seconds=seconds))


@given(uses, uses, rates, steps, st.booleans())
def test_longer_use_never_costs_less(one, other, rate, step, includes_tax):
    terms = price(rate_yuan=rate, increment=step, includes_tax=includes_tax)
    costs = [sum(line.amount.gross.fen for line in charge_lines(used, terms)) for used in sorted((one, other))]
    assert costs[0] <= costs[1]


@given(uses, st.decimals("0.0001", "9999", places=4), steps | st.just(timedelta(seconds=100)), st.booleans())
def test_every_explanation_can_be_worked_out_by_hand(used, rate, step, includes_tax):
    terms = price(rate_yuan=rate, increment=step, includes_tax=includes_tax, setup_fee=Money(0))
    for line in charge_lines(used, terms):
        for told in (line.explanation_zh, line.explanation_en):
            above, below, per_hour, said = re.search(
                r"[；;] ?([\d.]+)(?:/(\d+))? h × ¥([\d,.]+)/h = ¥([\d,.]+\d)", told
            ).groups()
            exact = Fraction(above) / Fraction(below or 1) * Fraction(per_hour.replace(",", ""))
            assert abs(exact - Fraction(said.replace(",", ""))) <= Fraction("0.005")


@given(st.data(), st.integers(1, 500), st.sampled_from(["0", "0.01", "0.06", "0.13"]))
def test_credit_notes_take_a_line_back_to_exactly_nothing(data, fen, rate):
    whole = taxed(Money(fen).yuan, rate=Decimal(rate), includes_tax=True)
    net_left, gross_left = whole.net, whole.gross
    while gross_left:
        gross = Money(data.draw(st.integers(1, gross_left.fen)))
        part = credited(gross, rate=Decimal(rate), net_left=net_left, gross_left=gross_left)
        assert part.gross == part.net + part.tax
        net_left, gross_left = net_left - part.net, gross_left - part.gross
        assert Money(0) <= net_left <= gross_left
    assert net_left == Money(0)


@given(
    st.decimals("-1000000", "1000000", places=4), st.sampled_from(["0", "0.01", "0.03", "0.06", "0.13"]), st.booleans()
)
def test_gross_is_net_plus_tax(amount, rate, includes_tax):
    made = taxed(amount, rate=Decimal(rate), includes_tax=includes_tax)
    assert made.gross == made.net + made.tax
    assert abs(made.net.yuan * Decimal(rate) - made.tax.yuan) <= Decimal("0.01")


@pytest.mark.parametrize(
    ("yuan", "text"),
    [
        ("1409.50", "壹仟肆佰零玖元伍角"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("107000.53", "壹拾万柒仟元零伍角叁分"),
        ("100010000.00", "壹亿零壹万元整"),
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角"),
        ("1000000.50", "壹佰万元零伍角"),
        ("18550", "壹万捌仟伍佰伍拾元整"),
    ],
)
def test_amounts_are_written_as_the_bank_wants_them(yuan, text):
    assert capital_numerals(Money.of(yuan)) == text


def read_back(text: str) -> int:
    """Fen from capital numerals: a reader of its own, to hold the writer against."""

    def whole(part: str) -> int:
        for unit, size in (("亿", 10**8), ("万", 10**4)):
            if unit in part:
                high, low = part.rsplit(unit, 1)
                return whole(high) * size + whole(low)
        number = digit = 0
        for sign in part:
            if sign in DIGITS:
                digit = DIGITS.index(sign)
            else:
                number += digit * {"拾": 10, "佰": 100, "仟": 1000}[sign]
                digit = 0
        return number + digit

    yuan, _, rest = text.partition("元") if "元" in text else ("", "", text)
    found = re.fullmatch(r"零?(?:(.)角)?零?(?:(.)分)?整?", rest)
    return whole(yuan) * 100 + sum(
        DIGITS.index(part) * size for part, size in zip(found.groups(), (10, 1), strict=True) if part
    )


@given(st.one_of(st.integers(0, 10**17), st.integers(0, 10**9)))
def test_capital_numerals_can_be_read_back(fen):
    text = capital_numerals(Money(fen))
    assert read_back(text) == fen
    assert "零零" not in text
