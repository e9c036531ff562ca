"""The operating subsidy: what each reading of the policy changes."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.policies import POLICIES, policies_in_force, policy_by_number
from billing.policies.jinzhengban_2025_13 import POLICY
from billing.rules.facts import Decision, Operator, OtherGrant
from billing.rules.grant import NoGrant
from billing.rules.revenue import Exclusion
from billing.rules.words import RevenueCategory
from tests.unit.subsidy_makers import (
    assessed,
    clawback,
    day,
    facts,
    grants_of,
    invoice,
    line,
    locks,
    paid,
    payable,
    platform,
)

FOUR_YEARS = [invoice(f"I-{y}", f"{y}-06-30", "1000000.00") for y in (2026, 2027, 2028, 2029)]


def note(no: str, issued_on: str, of: str, amount: str, service_on: str = "2026-06-30", **more: object):
    return invoice(no, issued_on, amount, credit_note_of=of, service_on=day(service_on), **more)


class TestRevenueYear:
    CROSSING = facts(
        invoice("I-1", "2027-01-05", "100000.00", service_on=day("2026-12-28"), paid=paid(("2028-02-01", "106000.00")))
    )

    @pytest.mark.parametrize(("basis", "year"), [("invoice_date", 2027), ("service_date", 2026), ("cash_date", 2028)])
    def test_the_basis_gives_the_year(self, basis, year):
        assert payable(self.CROSSING, A02_revenue_basis=basis) == {year: "30000.00"}

    def test_a_part_payment_counts_its_share_of_the_counted_lines(self):
        mixed = invoice(
            "I-1",
            "2026-03-01",
            "100000.00",
            line("100000.00", category=RevenueCategory.GOODS_SALE),
            paid=paid(("2026-04-01", "53000.00"), ("2027-04-01", "159000.00")),
        )
        assert payable(facts(mixed), A02_revenue_basis="cash_date") == {2026: "7500.00", 2027: "22500.00"}

    def test_payments_that_do_not_divide_evenly_lose_no_fen(self):
        thirds = invoice(
            "I-1",
            "2026-03-01",
            "100.00",
            paid=paid(("2026-04-01", "35.33"), ("2026-05-01", "35.33"), ("2026-06-01", "35.34")),
        )
        counted = {y.year: y.own for y in assessed(facts(thirds), A02_revenue_basis="cash_date").revenue_years}
        assert counted[2026] == Money.of("100.00")

    def test_money_beyond_the_invoice_and_prepayments_are_no_revenue(self):
        over = invoice("I-1", "2026-03-01", "100000.00", paid=paid(("2026-04-01", "200000.00")))
        these = facts(over, prepayments=paid(("2026-01-15", "500000.00")))
        assert payable(these, A02_revenue_basis="cash_date") == {2026: "30000.00"}

    def test_with_cash_basis_an_unpaid_invoice_is_pointed_out(self):
        result = assessed(facts(invoice("I-1", "2026-03-01", "100000.00")), A02_revenue_basis="cash_date")
        assert not any(g.payable.amount for g in result.grants)
        assert "review_no_payment_stated" in result.flags

    @pytest.mark.parametrize(
        ("received", "refund", "left"),
        [
            ("106000.00", (), "27000.00"),  # what was paid too much is taken back with the note
            ("95400.00", (), "27000.00"),  # the customer paid the lower sum: nothing to take back
            ("106000.00", (("2026-09-01", "5300.00"),), "28500.00"),  # half of it was given back so far
            ("0.00", (), None),
        ],
    )
    def test_with_cash_basis_a_note_takes_back_what_was_received(self, received, refund, left):
        these = facts(
            invoice("I-1", "2026-03-01", "100000.00", paid=paid(("2026-04-01", received))),
            note("R-1", "2026-08-01", "I-1", "-10000.00", paid=paid(*refund)),
        )
        assert payable(these, A02_revenue_basis="cash_date") == ({2026: left} if left else {})

    def test_tax_is_taken_out_line_by_line(self):
        lines = [line("100.00", amount_includes_tax=True, tax_rate=Decimal("0.03"))] * 3
        (year,) = [y for y in assessed(facts(invoice("I-1", "2026-03-01", *lines))).revenue_years if y.entries]
        assert year.own == Money.of("291.27")
        assert (year.with_tax, year.tax) == (Money.of("300.00"), Money.of("8.73"))

    @pytest.mark.parametrize("start", ["certified_on", "operating_since"])
    def test_revenue_counts_from_the_later_day_that_day_included(self, start):
        these = facts(
            invoice("I-1", "2026-06-30", "100.00"),
            invoice("I-2", "2026-07-01", "200.00"),
            platform=platform(**{start: date(2026, 7, 1)}),
        )
        assert payable(these) == {2026: "60.00"}
        assert payable(these, A06_revenue_from="calendar_year") == {2026: "90.00"}

    def test_a_note_on_an_invoice_before_the_start_takes_back_nothing(self):
        these = facts(
            invoice("I-1", "2026-06-30", "100000.00"),
            invoice("I-2", "2026-07-01", "100000.00"),
            note("R-1", "2026-08-01", "I-1", "-100000.00"),
            platform=platform(certified_on=date(2026, 7, 1)),
        )
        assert payable(these) == {2026: "30000.00"}

    @pytest.mark.parametrize(
        ("given", "reason", "setting"),
        [
            ({"customer_relation": CustomerRelation.OWN_USE}, Exclusion.OWN_USE, None),
            (
                {"customer_relation": CustomerRelation.RELATED_PARTY},
                Exclusion.RELATED_PARTY,
                {"A04_related_party": "include"},
            ),
            ({"subcontracted": True}, Exclusion.SUBCONTRACTED, {"A35_subcontracted": "include"}),
            ({"no_show_fee": True}, Exclusion.NO_SHOW_FEE, {"A29_no_show_fee_in_revenue": True}),
            (
                {"category": RevenueCategory.FISCAL_GRANT},
                Exclusion.CATEGORY,
                {"A05_revenue_categories": {"fiscal_grant": True}},
            ),
            (
                {"category": RevenueCategory.CONSULTING_TRAINING},
                Exclusion.CATEGORY_UNDER_REVIEW,
                {"A05_revenue_categories": {"consulting_training": True}},
            ),
        ],
    )
    def test_what_does_not_count_says_why_and_the_reading_can_change_it(self, given, reason, setting):
        these = facts(invoice("I-1", "2026-03-01", "1000.00", line("500.00", ref="line 7", **given)))
        (year,) = [y for y in assessed(these).revenue_years if y.entries]
        assert [(e.line_ref, e.amount) for e in year.entries if e.excluded is reason] == [
            ("line 7", Money.of("500.00"))
        ]
        assert payable(these) == {2026: "300.00"}
        if setting:
            assert payable(these, **setting) == {2026: "450.00"}


class TestWindow:
    GAP = facts(*FOUR_YEARS, unselected=(2027,))

    @pytest.mark.parametrize(
        ("gap", "years"), [("calendar", {2026, 2028}), ("pause", {2026, 2028, 2029}), ("break", {2026})]
    )
    def test_a_year_without_a_grant_counts_waits_or_ends(self, gap, years):
        assert payable(self.GAP, A09_window_gap=gap).keys() == years

    def test_the_three_years_may_begin_with_the_certification(self):
        these = facts(*FOUR_YEARS)
        assert payable(these).keys() == {2026, 2027, 2028}
        assert payable(these, A08_window_start="certification_year").keys() == {2026, 2027}

    def test_the_right_is_not_broken_before_the_platform_operates(self):
        these = facts(*FOUR_YEARS)
        assert payable(these, A08_window_start="certification_year", A09_window_gap="break").keys() == {2026, 2027}

    def test_above_the_cap_only_the_cap_is_paid(self):
        result = grants_of(assessed(facts(invoice("I-1", "2026-03-01", "10000000.04"), *FOUR_YEARS[1:2])))
        assert result[2026].payable.amount == Money.of("3000000.00")
        assert result[2027].reason is NoGrant.CAP_USED

    def test_a_year_without_a_calendar_neighbour_is_still_a_gap(self):
        these = facts(FOUR_YEARS[0], FOUR_YEARS[2], evaluations=tuple(e for e in facts().evaluations if e.year != 2027))
        assert payable(these, A09_window_gap="break").keys() == {2026}


class TestOperators:
    CHANGE = (Operator("甲", date(2026, 1, 1), date(2028, 6, 30)), Operator("乙", date(2028, 7, 1)))
    LARGE = [invoice(f"I-{y}", f"{y}-06-30", "6000000.00") for y in (2026, 2027, 2028, 2029, 2030, 2031)]

    def test_the_grant_of_a_year_goes_to_who_operates_at_its_end(self):
        these = facts(*FOUR_YEARS, platform=platform(operators=self.CHANGE))
        assert [g.payee for g in assessed(these).grants if g.payable.amount] == ["甲", "甲", "乙"]

    def test_the_cap_follows_the_platform_or_restarts(self):
        these = facts(*self.LARGE, platform=platform(operators=self.CHANGE))
        assert payable(these) == {2026: "1800000.00", 2027: "1200000.00"}
        assert payable(these, A32_operator_change="restarts") == {
            2026: "1800000.00",
            2027: "1200000.00",
            2028: "1800000.00",
            2029: "1200000.00",
        }

    def test_restarting_gives_three_new_years(self):
        small = [invoice(f"I-{y}", f"{y}-06-30", "1000.00") for y in range(2026, 2033)]
        these = facts(*small, platform=platform(operators=self.CHANGE))
        assert payable(these, A32_operator_change="restarts").keys() == {2026, 2027, 2028, 2029, 2030}
        by_certification = {"A32_operator_change": "restarts", "A08_window_start": "certification_year"}
        assert payable(these, **by_certification).keys() == {2026, 2027, 2028, 2029, 2030}


class TestCreditNotes:
    YEARS = (*FOUR_YEARS[:3],)
    LATE = note("R-1", "2027-06-20", "I-2026", "-200000.00")
    LOCKED = locks(y2026="2027-03-31")

    def test_before_the_lock_the_year_of_the_invoice_is_lowered(self):
        assert payable(facts(*self.YEARS, self.LATE))[2026] == "240000.00"
        on_the_day = facts(*self.YEARS, self.LATE, filings=locks(y2026="2027-06-20"))
        assert payable(on_the_day)[2026] == "240000.00"

    def test_before_the_lock_the_year_of_issue_may_be_lowered_instead(self):
        found = payable(facts(*self.YEARS, self.LATE), A26_credit_note={"before_lock": "issue_year"})
        assert (found[2026], found[2027]) == ("300000.00", "240000.00")

    def test_after_the_lock_the_year_of_issue_is_lowered(self):
        these = facts(*self.YEARS, self.LATE, filings=self.LOCKED)
        assert (payable(these)[2026], payable(these)[2027], clawback(these)) == ("300000.00", "240000.00", {})

    def test_a_locked_year_may_be_calculated_again(self):
        these = facts(*self.YEARS, self.LATE, filings=self.LOCKED)
        again = {"A26_credit_note": {"after_lock": "original_year"}}
        assert (payable(these, **again)[2026], payable(these, **again)[2027]) == ("300000.00", "300000.00")
        assert clawback(these, **again) == {2026: "60000.00"}

    def test_what_the_cap_cut_is_not_claimed_back(self):
        large = invoice("I-2026", "2026-06-30", "11000000.00")
        these = facts(large, self.LATE, filings=self.LOCKED)
        assert clawback(these, A26_credit_note={"after_lock": "original_year"}) == {}

    def test_after_the_window_only_what_the_window_loses_is_claimed_back(self):
        locked = locks(y2026="2027-03-31", y2027="2028-03-31", y2028="2029-01-10")
        cut = [invoice(f"I-{y}", f"{y}-06-30", "4000000.00") for y in (2026, 2027, 2028)]
        # Two million less in 2026 leave 3,000,000 of raw grants for the cap of 3,000,000.
        covered = note("R-1", "2029-02-01", "I-2026", "-2000000.00")
        assert clawback(facts(*cut, covered, filings=locked)) == {}
        more = note("R-2", "2029-02-02", "I-2026", "-1000000.00")
        assert clawback(facts(*cut, covered, more, filings=locked)) == {2026: "300000.00"}

    def test_what_was_decided_is_no_reason_to_take_back_what_the_cap_had_cut(self):
        cut = [invoice(f"I-{y}", f"{y}-06-30", "4000000.00") for y in (2026, 2027, 2028)]
        decided = tuple(
            Decision(year, "P2", Money.of(amount))
            for year, amount in ((2026, "1200000"), (2027, "1200000"), (2028, "600000"))
        )
        told = {
            "filings": locks(y2026="2027-03-31", y2027="2028-03-31", y2028="2029-01-10"), "decisions": decided,
        }  # fmt: skip
        assert clawback(facts(*cut, note("R-1", "2030-02-01", "I-2026", "-1000000.00"), **told)) == {}
        more = note("R-1", "2030-02-01", "I-2026", "-3000000.00")
        assert clawback(facts(*cut, more, **told)) == {2026: "300000.00"}

    def test_a_note_in_the_year_of_its_invoice_lowers_that_year_even_after_a_lock(self):
        these = facts(
            FOUR_YEARS[0], note("R-1", "2026-12-01", "I-2026", "-100000.00"), filings=locks(y2026="2026-11-01")
        )
        assert payable(these) == {2026: "270000.00"}

    def test_while_the_window_is_paused_it_is_open(self):
        these = facts(
            *FOUR_YEARS,
            note("R-1", "2029-06-01", "I-2026", "-100000.00"),
            unselected=(2027,),
            filings=self.LOCKED,
        )
        assert payable(these, A09_window_gap="pause")[2029] == "270000.00"
        assert clawback(these) == {2026: "30000.00"}

    def test_a_note_is_not_charged_to_a_later_operator_who_restarted(self):
        these = facts(
            *FOUR_YEARS[:2],
            self.LATE,
            filings=self.LOCKED,
            platform=platform(
                operators=(Operator("甲", date(2026, 1, 1), date(2026, 12, 31)), Operator("乙", date(2027, 1, 1)))
            ),
        )
        assert payable(these, A32_operator_change="restarts") == {2026: "300000.00", 2027: "300000.00"}
        assert clawback(these, A32_operator_change="restarts") == {2026: "60000.00"}

    def test_a_negative_year_is_zero_and_flagged_and_may_be_carried(self):
        these = facts(*self.YEARS, note("R-1", "2027-06-20", "I-2026", "-1100000.00"), filings=self.LOCKED)
        assert payable(these) == {2026: "300000.00", 2028: "300000.00"}
        assert "review_negative_year" in assessed(these).flags
        assert payable(these, A27_negative_year="carry") == {2026: "300000.00", 2028: "270000.00"}

    def test_a_claim_back_is_shared_like_the_grant(self):
        these = facts(*self.YEARS, note("R-1", "2027-06-20", "I-2026", "-0.10"), filings=self.LOCKED)
        back = grants_of(assessed(these, A26_credit_note={"after_lock": "original_year"}))[2026].clawback
        assert (str(back.amount), str(back.upper), str(back.own)) == ("0.03", "0.01", "0.02")


class TestShares:
    ODD = facts(invoice("I-1", "2026-03-01", "100000.10"))

    @pytest.mark.parametrize(
        ("settings", "quanzhou", "jinjiang"),
        [
            ({}, "15000.01", "15000.02"),
            ({"A13_odd_fen_to": "泉州"}, "15000.02", "15000.01"),
            ({"A14_split_scope": ["P1"]}, "0.00", "30000.03"),
        ],
    )
    def test_the_payers_bear_what_the_reading_says(self, settings, quanzhou, jinjiang):
        (grant,) = [g for g in assessed(self.ODD, **settings).grants if g.payable.amount]
        assert (str(grant.payable.upper), str(grant.payable.own)) == (quanzhou, jinjiang)

    def test_a_higher_level_operating_grant_is_topped_up(self):
        above = OtherGrant("provincial", "operating", 2026, Money.of("100000.00"), "ex_post")
        assert payable(facts(FOUR_YEARS[0], other_grants=(above,))) == {2026: "200000.00"}


class TestConditions:
    def test_without_a_document_there_is_an_estimate_and_nothing_to_pay(self):
        bare = platform(certified_on=None, certification_document=None)
        grant = grants_of(assessed(facts(FOUR_YEARS[0], platform=bare)))[2026]
        assert (grant.payable.amount, str(grant.estimate)) == (Money(0), "300000.00")
        assert grant.reason is NoGrant.NOT_CERTIFIED

    @pytest.mark.parametrize(
        ("these", "reason"),
        [
            (facts(FOUR_YEARS[0], unselected=(2026,)), NoGrant.NOT_SELECTED),
            (facts(FOUR_YEARS[0], evaluations=()), NoGrant.NOT_EVALUATED),
            (facts(FOUR_YEARS[0], platform=platform(operating_since=None)), NoGrant.NOT_OPERATING),
            (facts(), NoGrant.NO_REVENUE),
        ],
    )
    def test_a_year_without_a_grant_says_why(self, these, reason):
        assert grants_of(assessed(these))[2026].reason is reason

    def test_a_year_before_the_policy_has_no_grant(self):
        old = platform(certified_on=date(2024, 1, 1), operating_since=date(2024, 1, 1))
        these = facts(invoice("I-1", "2024-06-30", "1000.00"), platform=old)
        assert grants_of(assessed(these))[2024].reason is NoGrant.NOT_IN_FORCE


class TestPolicy:
    def test_every_question_from_a01_to_a38_is_there_once_in_both_languages(self):
        assert [s.number for s in POLICY.settings] == [f"A{n:02}" for n in range(1, 39)]
        assert all(s.question_zh and s.question_en and s.why_zh and s.why_en for s in POLICY.settings)

    @pytest.mark.parametrize("setting", POLICY.settings, ids=lambda one: one.number)
    def test_every_answer_is_said_in_words_in_both_languages(self, setting):
        answers = [setting.default, setting.options, setting.other_readings]
        assert not re.search("[A-Za-z]", "".join(setting.said(one) for one in answers))
        assert not re.search("[_=()\u4e00-\u9fff]", "".join(setting.said(one, english=True) for one in answers))

    def test_an_answer_in_many_parts_is_said_by_what_they_have_in_common(self):
        categories = next(one for one in POLICY.settings if one.number == "A05")
        assert "；待核：咨询培训、数据信息服务、技术推广；" in categories.said(categories.default)
        rounding = next(one for one in POLICY.settings if one.number == "A12")
        assert rounding.said({"mode": "truncate"}, english=True) == "way: cut off"

    def test_it_is_found_by_number_and_by_day(self):
        assert policy_by_number("晋政办〔2025〕13号") is POLICY
        assert policies_in_force(date(2025, 11, 28)) == ()
        assert policies_in_force(date(2025, 11, 29)) == POLICIES

    def test_an_answer_with_parts_is_merged_part_by_part(self):
        settings = POLICY.settings_with({"A26_credit_note": {"after_lock": "original_year"}})
        assert settings.part("A26_credit_note", "before_lock") == "original_year"
        assert settings.overridden == {"A26_credit_note"}
        assert POLICY.settings_with({"A03_revenue_tax": "net"}).overridden == frozenset()

    @pytest.mark.parametrize(
        "overrides",
        [
            {"A99_unknown": "x"},
            {"A03_revenue_tax": "both"},
            {"A12_rounding": {"mode": "up"}},
            {"A12_rounding": {"unit": "yuan"}},
            {"A14_split_scope": ["P9"]},
            {"A20_ex_post_grant_is_fiscal_funding": "yes"},
        ],
    )
    def test_an_answer_that_cannot_be_calculated_is_refused(self, overrides):
        with pytest.raises(InvalidInput) as refused:
            POLICY.settings_with(overrides)
        assert refused.value.field in overrides
