"""The yearly evaluation as a rule: points, heads, totals, grades, places."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.policies.jinzhengban_2025_13_evaluation import BY_KEY, GRADES, INDICATORS
from billing.rules.evaluation import (
    Grade,
    GradeLine,
    Head,
    Scoring,
    Term,
    evaluate,
    grade_of,
    insist_on_terms,
    ranks,
    score,
)
from billing.rules.evaluation_told import result_of, result_told
from billing.rules.income import HEADS, OUTSIDE, IncomeHead, by_head
from billing.rules.words import RevenueCategory

DAY = date(2026, 12, 31)
USUAL = {one.key: Term(one.weight, one.target) for one in INDICATORS}
values = st.one_of(st.none(), st.fractions(min_value=-10, max_value=10**9))
every_value = st.fixed_dictionaries({one.key: values for one in INDICATORS})


@st.composite
def terms(draw):
    """Weights that are a hundred together, and any targets."""
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(INDICATORS) - 1, max_size=len(INDICATORS) - 1)))
    weights = [after - before for before, after in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    return {
        one.key: Term(Decimal(weight) / 100, one.base + Decimal(draw(st.integers(1, 10**6))) / 100)
        for one, weight in zip(INDICATORS, weights, strict=True)
    }


def total(terms, values):
    return evaluate(INDICATORS, terms, values, GRADES, on=DAY).total


@pytest.mark.parametrize(
    ("key", "value", "points"),
    [
        ("utilization", Fraction(1, 2), "50"),
        ("utilization", Fraction(3), "100"),
        ("sharing_rate", Fraction(273, 1599), "100"),  # the national mean reaches its rounded target
        ("satisfaction", Fraction(1), "0"),  # one star is the least that can be given
        ("satisfaction", Fraction(275, 100), "50"),
        ("incidents", Fraction(0), "100"),
        ("incidents", Fraction(3), "70"),
        ("incidents", Fraction(40), "0"),
        ("team", Fraction(855, 10), "85.50"),
        ("firms", Fraction(1, 3), "1.67"),
        ("documents", None, "0"),
    ],
)
def test_a_value_becomes_points_as_its_indicator_says(key, value, points):
    assert score(BY_KEY[key], BY_KEY[key].target, value) == Decimal(points)


def test_the_weights_where_the_software_starts_are_a_hundred_and_every_head_has_a_part():
    insist_on_terms(INDICATORS, USUAL)
    assert {one.head for one in INDICATORS} == set(Head)
    assert len(BY_KEY) == len(INDICATORS)


@given(terms(), every_value)
def test_no_points_are_below_zero_or_above_a_hundred(terms, values):
    insist_on_terms(INDICATORS, terms)
    result = evaluate(INDICATORS, terms, values, GRADES, on=DAY)
    told = [one.score for one in result.scored] + [mean for mean in result.heads.values() if mean is not None]
    assert all(0 <= one <= 100 for one in [*told, result.total])


@given(terms(), every_value, st.sampled_from(INDICATORS), st.fractions(min_value=0, max_value=10**6))
def test_doing_better_in_one_thing_never_makes_the_total_less(terms, values, indicator, more):
    before = values[indicator.key]
    better = (before or Fraction()) + (-more if indicator.scoring is Scoring.LOWER else more)
    if before is None:
        better = max(better, Fraction(0))
    assert total(terms, {**values, indicator.key: better}) >= total(terms, values)


@given(terms(), every_value, st.randoms())
def test_the_order_of_the_indicators_does_not_matter(terms, values, chance):
    shuffled = list(INDICATORS)
    chance.shuffle(shuffled)
    one, other = (evaluate(order, terms, values, GRADES, on=DAY) for order in (INDICATORS, shuffled))
    assert (one.total, one.heads, one.grade) == (other.total, other.heads, other.grade)


@given(terms(), every_value)
def test_what_weighs_nothing_changes_nothing(terms, values):
    without = {key: value for key, value in values.items() if terms[key].weight}
    assert total(terms, values) == total(terms, without)


@given(every_value)
def test_one_indicator_that_weighs_everything_is_the_total(values):
    for indicator in INDICATORS:
        terms = {one.key: Term(Decimal(100 * (one is indicator)), one.target) for one in INDICATORS}
        assert total(terms, values) == score(indicator, indicator.target, values[indicator.key])


@given(terms(), every_value)
def test_a_kept_result_reads_as_it_was(terms, values):
    result = evaluate(INDICATORS, terms, values, GRADES, on=DAY)
    again = result_of(json.loads(json.dumps(result_told(result))))
    assert result_told(again) == result_told(result)
    assert (again.total, again.heads, again.grade) == (result.total, result.heads, result.grade)


@pytest.mark.parametrize(
    ("reached", "grade"),
    [("100", Grade.EXCELLENT), ("90", Grade.EXCELLENT), ("89.99", Grade.GOOD), ("75", Grade.GOOD),
     ("74.99", Grade.PASSED), ("60", Grade.PASSED), ("59.99", Grade.POOR), ("0", Grade.POOR)],
)  # fmt: skip
def test_the_grade_follows_from_the_total(reached, grade):
    assert grade_of(Decimal(reached), GRADES, on=DAY) is grade


def test_a_grade_follows_the_line_that_holds_on_the_day():
    raised = (*GRADES, GradeLine(Grade.EXCELLENT, Decimal(95), date(2028, 1, 1), "示例"))
    assert grade_of(Decimal(92), raised, on=date(2027, 12, 31)) is Grade.EXCELLENT
    assert grade_of(Decimal(92), raised, on=date(2028, 12, 31)) is Grade.GOOD


two = st.tuples(st.decimals(0, 100, places=2), st.decimals(0, 100, places=2))


@given(st.dictionaries(st.integers(0, 50), two, min_size=1), st.randoms())
def test_the_places_do_not_depend_on_the_order_and_service_breaks_a_tie(totals, chance):
    names = list(totals)
    chance.shuffle(names)
    places = ranks(totals)
    assert ranks({name: totals[name] for name in names}) == places
    assert min(places.values()) == 1
    for one in names:
        for other in names:
            assert (places[one] < places[other]) == (totals[one] > totals[other])


@pytest.mark.parametrize(
    ("key", "term", "field"),
    [
        ("firms", Term(Decimal("8.001"), Decimal(20)), "firms.weight"),
        ("firms", Term(Decimal(-1), Decimal(20)), "firms.weight"),
        ("firms", Term(Decimal("NaN"), Decimal(20)), "firms.weight"),
        ("firms", Term(Decimal(9), Decimal(20)), "sum"),
        ("firms", Term(Decimal(8), Decimal(0)), "firms.target"),
        ("satisfaction", Term(Decimal(10), Decimal(1)), "satisfaction.target"),
    ],
)
def test_weights_that_are_no_hundred_and_targets_that_cannot_be_are_refused(key, term, field):
    with pytest.raises(InvalidInput) as refused:
        insist_on_terms(INDICATORS, {**USUAL, key: term})
    assert refused.value.field == field


def test_income_falls_under_the_three_heads_of_the_document_and_rent_goods_and_grants_under_none():
    revenue = {category: Money(100) for category in RevenueCategory}
    heads = by_head(revenue)
    assert heads[IncomeHead.CONVERSION] == Money(100)
    assert heads[IncomeHead.INCUBATION] == Money(200)
    assert sum(one.fen for one in heads.values()) == 100 * (len(RevenueCategory) - len(OUTSIDE))
    assert HEADS.keys() == set(RevenueCategory) - OUTSIDE
