"""P1, P3, P4 and P5: what was bought, what was recognised, and which programme is paid where two would be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import ZERO, Money, total
from billing.rules.facts import Application, Asset, Decision, Facts, OtherGrant, Recognition
from billing.rules.grant import Grant, NoGrant
from tests.unit.subsidy_makers import assessed, day, facts, invoice, platform

DEFAULTS = {"kind": "equipment", "cost_includes_tax": False, "tax_rate": Decimal("0.13"), "input_tax_creditable": True}


def asset(no: str, cost: str, on: str = "2026-06-30", **more: Any) -> Asset:
    return Asset(**{**DEFAULTS, "no": no, "cost": Money.of(cost), "accepted_on": day(on), "paid_on": day(on), **more})


def level(name: str, on: str, *, newly: bool = True) -> Recognition:
    return Recognition(name, day(on), newly, f"认定{on}")


def above(amount: str, *numbers: str, year: int = 2026, **more: Any) -> OtherGrant:
    given = {"authority_level": "provincial", "programme_kind": "equipment", "timing": "ex_post", **more}
    return OtherGrant(year=year, amount=Money.of(amount), asset_nos=numbers, **given)


def bought(*assets: Asset, **more: Any) -> Facts:
    return facts(evaluations=(), assets=assets, **more)


def grants(these: Facts, **readings: Any) -> dict[tuple[str, int], Grant]:
    return {(g.programme, g.year): g for g in assessed(these, **readings).grants}


def paid(these: Facts, **readings: Any) -> dict[tuple[str, int], str]:
    return {key: str(g.payable.amount) for key, g in grants(these, **readings).items() if g.payable.amount}


PROVINCIAL = (level("provincial", "2025-12-20", newly=False),)
P4_OF = {"applications": (Application("P4", ("E-1", "E-2")),), "recognitions": PROVINCIAL}


class TestPurchase:
    def test_the_cap_is_for_all_years_or_for_each_application(self):
        these = bought(asset("E-1", "12000000"), asset("E-2", "12000000", "2027-03-01"))
        assert paid(these) == {("P1", 2026): "3600000.00", ("P1", 2027): "1400000.00"}
        assert paid(these, A17_p1_cap_period="per_application") == {
            ("P1", 2026): "3600000.00",
            ("P1", 2027): "3600000.00",
        }

    def test_with_a_cap_for_each_application_two_in_a_year_have_one_each(self):
        claims = (Application("P1", ("E-1",), date(2026, 7, 1)), Application("P1", ("E-2",), date(2026, 12, 1)))
        these = bought(asset("E-1", "20000000"), asset("E-2", "2000000"), applications=claims)
        assert paid(these, A17_p1_cap_period="per_application") == {("P1", 2026): "5600000.00"}
        assert paid(these) == {("P1", 2026): "5000000.00"}

    def test_an_application_gives_the_year_and_an_asset_counts_once(self):
        claims = (Application("P1", ("E-1",), date(2027, 1, 9)), Application("P1", ("E-1",), date(2028, 1, 9)))
        assert paid(bought(asset("E-1", "1000000"), applications=claims)) == {("P1", 2027): "300000.00"}

    @pytest.mark.parametrize(
        ("cost_includes_tax", "creditable", "reading", "payable"),
        [
            (True, True, "net_if_creditable_else_gross", "30000.00"),
            (True, False, "net_if_creditable_else_gross", "33900.00"),
            (False, False, "net_if_creditable_else_gross", "38307.00"),
            (False, True, "gross", "38307.00"),
        ],
    )
    def test_tax_is_no_cost_where_it_can_be_deducted(self, cost_includes_tax, creditable, reading, payable):
        one = asset("E-1", "113000", cost_includes_tax=cost_includes_tax, input_tax_creditable=creditable)
        assert paid(bought(one), A21_equipment_cost_tax=reading) == {("P1", 2026): payable}

    @pytest.mark.parametrize(
        ("fiscal", "reading", "payable"),
        [
            ("400000", "non_fiscal_portion", "180000.00"),
            ("400000", "majority", "300000.00"),
            ("500000", "majority", None),
            ("0.01", "exclude_asset", None),
            ("0", "exclude_asset", "300000.00"),
        ],
    )
    def test_fiscal_money_lowers_the_base_as_it_is_read(self, fiscal, reading, payable):
        these = bought(asset("E-1", "1000000", fiscal=Money.of(fiscal)))
        assert paid(these, A19_mixed_funding=reading).get(("P1", 2026)) == payable

    def test_the_fiscal_part_is_on_the_tax_basis_of_the_cost(self):
        one = asset("E-1", "1130000", fiscal=Money.of("113000"), cost_includes_tax=True)
        assert paid(bought(one)) == {("P1", 2026): "270000.00"}

    def test_only_what_was_bought_before_the_certification_where_it_is_read_so(self):
        these = bought(asset("E-1", "1000000", "2025-12-30"), asset("E-2", "2000000", "2025-12-31"))
        assert paid(these, A18_p1_purchase_window="before_certification") == {("P1", 2025): "300000.00"}

    def test_facilities_are_no_equipment_and_software_is_none_of_the_new_facilities(self):
        these = bought(asset("E-1", "1000000", kind="facility"), asset("E-2", "500000", kind="software"), **P4_OF)
        assert paid(these) == {("P4", 2026): "200000.00"}
        assert paid(replace(these, applications=None)) == {("P1", 2026): "150000.00", ("P4", 2026): "200000.00"}

    def test_what_was_paid_before_does_not_count_again(self):
        assert paid(bought(asset("E-1", "1000000", already_paid_under="P4"))) == {}

    def test_without_a_certification_there_is_an_estimate(self):
        uncertified = platform(certified_on=None, certification_document=None)
        (grant,) = grants(bought(asset("E-1", "1000000"), platform=uncertified)).values()
        assert (str(grant.payable.amount), str(grant.estimate)) == ("0.00", "300000.00")
        assert grant.reason is NoGrant.NOT_CERTIFIED

    def test_a_purchase_before_the_policy_is_refused(self):
        (grant,) = grants(bought(asset("E-1", "1000000", "2024-06-30"))).values()
        assert grant.reason is NoGrant.NOT_IN_FORCE


class TestGrantsFromAbove:
    def test_a_grant_over_several_assets_is_deducted_where_they_are_claimed(self):
        """600,000 over assets of 1 and 2 million: 200,000 and 400,000."""
        these = bought(
            asset("E-1", "1000000"),
            asset("E-2", "2000000", "2027-05-01"),
            other_grants=(above("600000", "E-1", "E-2"),),
        )
        assert paid(these) == {("P1", 2026): "100000.00", ("P1", 2027): "200000.00"}

    def test_one_that_names_no_asset_is_deducted_in_its_year(self):
        these = bought(asset("E-1", "1000000"), other_grants=(above("100000"), above("7", year=2027)))
        assert paid(these) == {("P1", 2026): "200000.00"}

    def test_it_may_be_read_as_fiscal_money_and_is_then_not_deducted_again(self):
        these = bought(asset("E-1", "1000000"), other_grants=(above("100000", "E-1"),))
        assert paid(these, A20_ex_post_grant_is_fiscal_funding=True) == {("P1", 2026): "270000.00"}

    def test_as_much_or_more_from_above_leaves_nothing(self):
        (grant,) = grants(bought(asset("E-1", "1000000"), other_grants=(above("300000", "E-1"),))).values()
        assert grant.reason is NoGrant.HIGHER_LEVEL_PAID

    def test_an_award_from_above_is_topped_up(self):
        these = bought(
            recognitions=(level("national", "2026-06-30"),), other_grants=(above("400000", programme_kind="award"),)
        )
        assert paid(these) == {("P3", 2026): "1100000.00"}


class TestNewInAYear:
    def test_the_level_decides_the_cap_and_the_cap_is_for_each_year_or_for_all(self):
        these = bought(asset("E-1", "20000000"), asset("E-2", "20000000", "2027-05-01"), **P4_OF)
        assert paid(these) == {("P4", 2026): "3000000.00", ("P4", 2027): "3000000.00"}
        assert paid(these, A22_p4_cap_period="lifetime") == {("P4", 2026): "3000000.00"}
        raised = replace(these, recognitions=(*PROVINCIAL, level("national", "2027-02-01", newly=False)))
        assert paid(raised)[("P4", 2027)] == "4000000.00"

    def test_the_day_of_acceptance_or_of_payment_makes_it_new(self):
        these = bought(asset("E-1", "1000000", "2026-12-30", paid_on=day("2027-01-05")), **P4_OF)
        assert list(paid(these)) == [("P4", 2026)]
        assert list(paid(these, A23_p4_in_year_test="payment_date")) == [("P4", 2027)]

    def test_a_platform_without_a_level_has_no_such_claim(self):
        assert paid(bought(asset("E-1", "1000000"), applications=P4_OF["applications"])) == {}


class TestAwards:
    def test_an_innovation_centre_of_a_national_platform_is_no_second_award(self):
        these = bought(
            recognitions=(level("national", "2026-06-30"), level("national_innovation_centre", "2028-06-30"))
        )
        for reading in ("difference", "full"):
            assert paid(these, A24_award_upgrade=reading) == {("P3", 2026): "1500000.00"}

    def test_a_level_that_was_awarded_is_not_awarded_again_when_it_comes_back(self):
        these = bought(recognitions=(level("provincial", "2026-06-30"), level("provincial", "2029-06-30")))
        assert grants(these)["P3", 2029].reason is NoGrant.ALREADY_AWARDED

    def test_premises_are_for_an_innovation_centre_and_end_at_their_limit(self):
        centre = (level("national_innovation_centre", "2026-06-30"),)
        assert assessed(bought(requested_m2=5000, recognitions=centre)).premises_m2 == 3000
        assert assessed(bought(requested_m2=1200, recognitions=centre)).premises_m2 == 1200
        assert assessed(bought(requested_m2=1200, recognitions=PROVINCIAL)).premises_m2 == 0
        assert assessed(bought(recognitions=centre)).premises_m2 is None


class TestHigherOne:
    def test_claims_for_different_assets_do_not_exclude_each_other(self):
        claims = (Application("P1", ("E-1",)), Application("P4", ("E-2",)))
        these = bought(asset("E-1", "1000000"), asset("E-2", "1000000"), applications=claims, recognitions=PROVINCIAL)
        assert paid(these) == {("P1", 2026): "300000.00", ("P4", 2026): "200000.00"}

    def test_the_higher_of_two_is_what_is_left_after_its_cap(self):
        """P1 has paid 4.8 million; of 3 million only 200,000 are left there, and P4 gives 2 million."""
        these = bought(asset("E-1", "16000000"), asset("E-2", "10000000", "2027-05-01"), recognitions=PROVINCIAL)
        found = grants(these)
        assert {key: str(g.payable.amount) for key, g in found.items() if g.payable.amount} == {
            ("P1", 2026): "4800000.00",
            ("P4", 2027): "2000000.00",
        }
        assert found["P4", 2026].reason is found["P1", 2027].reason is NoGrant.HIGHER_PROGRAMME

    def test_an_asset_paid_under_one_programme_is_gone_for_the_other_in_later_years(self):
        claims = (Application("P4", ("E-1",)), Application("P1", ("E-1",), date(2028, 1, 9)))
        these = bought(asset("E-1", "1000000"), applications=claims, recognitions=PROVINCIAL)
        assert paid(these) == {("P4", 2026): "200000.00"}

    def test_one_programme_a_year_does_not_start_the_years_of_the_one_that_lost(self):
        """The operating subsidy loses 2026 to the purchase; its three years are 2027 to 2029."""
        invoices = [invoice(f"I-{year}", f"{year}-06-30", "1000000") for year in range(2026, 2031)]
        these = facts(*invoices, assets=(asset("E-1", "5000000"),))
        found = paid(these, A15_no_dup_scope="one_highest_per_platform_year")
        assert list(found) == [("P1", 2026), ("P2", 2027), ("P2", 2028), ("P2", 2029)]


ASSETS = st.lists(
    st.builds(
        asset,
        st.sampled_from([f"E-{n}" for n in range(1, 9)]),
        st.integers(1, 4_000_000_000).map(lambda fen: str(Money(fen))),
        st.dates(date(2026, 1, 1), date(2029, 12, 31)).map(str),
        kind=st.sampled_from(["equipment", "software", "facility"]),
        cost_includes_tax=st.booleans(),
        input_tax_creditable=st.booleans(),
    ),
    unique_by=lambda one: one.no,
    max_size=6,
)
LEVELS = st.lists(
    st.builds(
        level,
        st.sampled_from(["provincial", "national", "national_innovation_centre"]),
        st.dates(date(2025, 12, 1), date(2029, 12, 31)).map(str),
        newly=st.booleans(),
    ),
    max_size=3,
)
READINGS = st.fixed_dictionaries(
    {},
    optional={
        "A15_no_dup_scope": st.sampled_from(["by_kind_and_object", "one_highest_per_platform_year"]),
        "A17_p1_cap_period": st.sampled_from(["lifetime", "per_application"]),
        "A19_mixed_funding": st.sampled_from(["non_fiscal_portion", "exclude_asset", "majority"]),
        "A22_p4_cap_period": st.sampled_from(["per_year", "lifetime"]),
        "A24_award_upgrade": st.sampled_from(["difference", "full"]),
    },
)


@given(ASSETS, LEVELS, READINGS, st.randoms())
def test_whatever_was_bought_caps_hold_assets_are_paid_once_and_order_does_not_matter(made, levels, readings, random):
    these = bought(*made, recognitions=tuple(levels))
    found = grants(these, **readings)
    sums = {p: total([g.payable.amount for (q, _), g in found.items() if q == p]) for p in ("P1", "P3", "P4")}
    if readings.get("A17_p1_cap_period") != "per_application":
        assert sums["P1"] <= Money.of("5000000")
    assert all(g.payable.amount <= Money.of("5000000") for (p, _), g in found.items() if p == "P4")
    if readings.get("A24_award_upgrade") != "full":
        assert sums["P3"] <= Money.of("1500000")
    assert all(g.payable.upper + g.payable.own == g.payable.amount for g in found.values())
    assert all(bool(g.payable.amount) != bool(g.reason) for g in found.values())
    # Each asset yields at most three tenths of its whole cost, under whichever programme it is paid.
    spent = total([Money.rounded(one.cost.yuan * Decimal("1.13")) for one in made])
    assert sums["P1"] + sums["P4"] <= spent.times(Decimal("0.3")) + Money(len(made) + 8)
    shuffled, again = list(made), list(levels)
    random.shuffle(shuffled)
    random.shuffle(again)
    assert paid(bought(*shuffled, recognitions=tuple(again)), **readings) == paid(these, **readings)


@given(ASSETS, st.integers(1, 10**10))
def test_a_purchase_that_costs_more_is_never_granted_less(made, more):
    """Under one programme. Of two, a year may go to the one whose cap is for all years, and later ones get less."""
    dearer = [replace(one, cost=one.cost + Money(more)) for one in made]
    sums = [total([g.payable.amount for g in assessed(bought(*these)).grants]) for these in (made, dearer)]
    assert ZERO <= sums[0] <= sums[1]


def test_what_was_granted_uses_up_the_cap_even_where_the_purchase_has_moved_to_another_year():
    these = bought(asset("E-1", "20000000.00", "2027-05-01"), decisions=(Decision(2026, "P1", Money.of("4900000")),))
    assert paid(these) == {("P1", 2027): "100000.00"}
