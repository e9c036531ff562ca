"""What a platform may expect, figured by hand, and that it never disagrees with the rules themselves."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kernel.money import ZERO, Money
from billing.policies.jinzhengban_2025_13 import POLICY
from billing.rules.forecast import Forecast, forecast
from tests.unit.subsidy_makers import facts, invoice, platform
from tests.unit.test_subsidy_properties import READINGS, platforms

HUNDRED_THOUSAND = Money.of("100000")
MIDDLE = date(2026, 7, 2)  # day 183 of 365


def told(these, on=MIDDLE, more=HUNDRED_THOUSAND, **readings) -> Forecast:
    return forecast(these, POLICY.settings_with(readings), POLICY, on=on, more=more)


def years(found: Forecast) -> list[tuple[int, str, str, str]]:
    return [(one.year, str(one.so_far), str(one.base), str(one.payable)) for one in found.years]


def test_the_year_goes_on_at_its_pace_and_the_next_ones_like_it():
    """183,000 in 183 days are 365,000 a year, and 30 % of it 109,500, three times."""
    found = told(facts(invoice("I-1", "2026-03-01", "183000"), evaluations=()))
    assert years(found) == [
        (2026, "183000.00", "365000.00", "109500.00"),
        (2027, "0.00", "365000.00", "109500.00"),
        (2028, "0.00", "365000.00", "109500.00"),
    ]
    assert (str(found.more_brings), str(found.cap_left)) == ("30000.00", "2945100.00")


def test_the_cap_ends_what_more_brings_and_what_the_years_pay():
    """9,900,000 are 2,970,000: 30,000 are left, so another 100,000 bring 30,000 and another 200,000 no more."""
    these = facts(invoice("I-1", "2026-07-01", "9900000"), evaluations=())
    assert str(told(these).more_brings) == "30000.00"
    found = told(these, more=Money.of("200000"))
    assert (str(found.more_brings), str(found.cap_left)) == ("30000.00", "30000.00")
    assert [str(one.payable) for one in found.years] == ["3000000.00", "0.00", "0.00"]


def test_a_year_that_was_not_selected_stays_so():
    found = told(facts(invoice("I-1", "2026-03-01", "183000"), unselected=(2026,)))
    assert [str(one.payable) for one in found.years] == ["0.00", "109500.00", "109500.00"]
    assert found.more_brings == ZERO


def test_the_three_years_that_began_earlier_end_earlier():
    made = [invoice("I-1", "2026-03-01", "100000"), invoice("I-2", "2027-03-01", "183000")]
    found = told(facts(*made), on=date(2027, 7, 2))
    assert [(one.year, bool(one.payable)) for one in found.years] == [(2027, True), (2028, True), (2029, False)]


def test_without_a_certification_the_estimate_is_told():
    uncertified = platform(certified_on=None, certification_document=None)
    assert str(told(facts(invoice("I-1", "2026-03-01", "183000"), platform=uncertified)).more_brings) == "30000.00"


@pytest.mark.parametrize(("reading", "value"), [("A02_revenue_basis", "cash_date"), ("A03_revenue_tax", "gross")])
def test_what_more_brings_is_placed_by_every_reading(reading, value):
    assert str(told(facts(evaluations=()), **{reading: value}).more_brings) == "30000.00"


@settings(max_examples=40)
@given(platforms(), READINGS, st.dates(date(2026, 1, 1), date(2029, 12, 31)), st.integers(0, 10**10).map(Money))
def test_no_year_is_told_more_than_the_cap(these, readings, on, more):
    found = told(these, on, more, **readings)
    cap = Money.of(POLICY.value("P2.cap", on=on))
    assert all(ZERO <= one.payable <= cap for one in found.years)
    assert ZERO <= found.cap_left <= cap
