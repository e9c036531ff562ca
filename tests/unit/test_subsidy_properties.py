"""What holds for every platform, whatever it earned and however the policy is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.money import ZERO, Money, total
from billing.policies.jinzhengban_2025_13 import POLICY
from billing.rules.dossier.lines import Counting
from billing.rules.facts import Decision, Document, Facts, Payment
from billing.rules.operating import as_if_certified
from billing.rules.revenue import revenue_start, sales_of
from billing.rules.scenario import scenario_facts, scenario_of
from billing.rules.subsidy import Assessment, assess
from billing.rules.summing import earned_of, summed
from billing.rules.words import RevenueCategory
from billing.subsidy_scenarios import FORMAT
from tests.unit.subsidy_makers import facts, invoice, line, locks, payable

CAP = Money.of(POLICY.value("P2.cap", on=date(2026, 1, 1)))
DAYS = st.dates(date(2026, 1, 1), date(2029, 12, 31))
YUAN = st.integers(0, 900_000_000).map(Money)

READINGS = st.fixed_dictionaries(
    {},
    optional={
        s.key: st.fixed_dictionaries({}, optional={part: st.sampled_from(list(o)) for part, o in s.options.items()})
        if isinstance(s.options, dict)
        else st.sampled_from(list(s.options))
        for s in POLICY.settings
        if s.options and s.key not in ("A05_revenue_categories", "A14_split_scope")
    },
)


@st.composite
def invoices(draw: st.DrawFn) -> Document:
    made = invoice(f"I-{draw(st.integers(1, 10**9))}", "2026-01-01", *draw(st.lists(lines(), min_size=1, max_size=3)))
    on = draw(DAYS)
    payments = draw(st.lists(st.builds(Payment, DAYS, YUAN), max_size=3))
    return replace(made, issued_on=on, service_on=on - timedelta(days=draw(st.integers(0, 60))), paid=tuple(payments))


@st.composite
def lines(draw: st.DrawFn):
    return line(
        str(draw(YUAN)),
        category=draw(st.sampled_from([RevenueCategory.SMALL_BATCH, RevenueCategory.GOODS_SALE])),
        amount_includes_tax=draw(st.booleans()),
        customer_relation=draw(st.sampled_from(list(CustomerRelation))),
        subcontracted=draw(st.booleans()),
    )


def credit_note(of: Document, no: str, on: date) -> Document:
    """A note over all of an invoice."""
    whole = tuple(replace(x, amount=-x.amount) for x in of.lines)
    return replace(of, no=no, issued_on=on, lines=whole, paid=(), credit_note_of=of.no)


@st.composite
def platforms(draw: st.DrawFn) -> Facts:
    documents = draw(st.lists(invoices(), max_size=5, unique_by=lambda d: d.no))
    for i, of in enumerate(draw(st.lists(st.sampled_from(documents), unique=True, max_size=2)) if documents else []):
        documents.append(credit_note(of, f"R-{i}", of.issued_on + timedelta(days=draw(st.integers(0, 900)))))
    locked = locks(y2026="2027-03-31", y2027="2028-03-31", y2028="2029-03-31") if draw(st.booleans()) else ()
    unselected = draw(st.sets(st.integers(2026, 2030), max_size=2))
    return facts(*documents, filings=locked, unselected=tuple(unselected))


def judge(these: Facts, readings: dict) -> Assessment:
    return assess(these, POLICY.settings_with(readings), POLICY)


@given(platforms(), READINGS)
def test_the_shares_are_the_payable_and_the_cap_holds(these, readings):
    result = judge(these, readings)
    for grant in result.grants:
        for part in (grant.payable, grant.clawback):
            assert part.upper + part.own == part.amount
            assert min(part.upper, part.own) >= ZERO
        assert abs(grant.payable.upper.fen - grant.payable.own.fen) <= 1
        assert grant.clawback.amount <= grant.payable.amount
    assert total([g.payable.amount for g in result.grants]) <= CAP
    assert len([g for g in result.grants if g.payable.amount]) <= 3


@given(platforms(), READINGS, st.randoms())
def test_the_order_of_the_documents_changes_nothing(these, readings, random):
    shuffled = list(these.documents)
    random.shuffle(shuffled)
    assert judge(replace(these, documents=tuple(shuffled)), readings) == judge(these, readings)


@given(platforms(), invoices(), READINGS)
def test_an_invoice_credited_in_full_on_the_same_day_changes_nothing(these, made, readings):
    unpaid = replace(made, no="I-0", service_on=made.issued_on, paid=())
    pair = (unpaid, credit_note(unpaid, "R-0", unpaid.issued_on))
    with_pair = replace(these, documents=these.documents + pair)
    assert [g for g in judge(with_pair, readings).grants if g.payable.amount] == [
        g for g in judge(these, readings).grants if g.payable.amount
    ]


@given(platforms(), READINGS)
def test_cutting_off_never_pays_more_than_rounding(these, readings):
    rounded, cut = (judge(these, {**readings, "A12_rounding": {"mode": mode}}) for mode in ("half_up", "truncate"))
    assert total([g.payable.amount for g in cut.grants]) <= total([g.payable.amount for g in rounded.grants])


@given(st.lists(YUAN, min_size=3, max_size=3), st.integers(0, 2), YUAN)
def test_more_revenue_never_pays_less(amounts, at, more):
    # Every year has a grant, so that more revenue cannot make the three years begin earlier.
    base = [amount + Money(100) for amount in amounts]
    larger = [amount + more if i == at else amount for i, amount in enumerate(base)]
    sums = []
    for years in (base, larger):
        made = [invoice(f"I-{i}", f"{2026 + i}-06-30", str(amount)) for i, amount in enumerate(years)]
        sums.append(total([Money.of(paid) for paid in payable(facts(*made)).values()]))
    assert sums[0] <= sums[1]


@given(platforms(), READINGS)
def test_the_figures_of_the_trace_add_up(these, readings):
    result = judge(these, readings)
    for revenue, grant in zip(result.revenue_years, result.grants, strict=True):
        steps = result.steps_of(grant.year)
        figures = {step.code: step.figures for step in steps}
        excluded = total([x for step in steps if step.code == "excluded" for x in step.figures.values()])
        assert figures["revenue"]["with_tax"] - figures["revenue"]["tax"] - excluded == figures["base"]["own"]
        assert max(ZERO, figures["base"]["own"] + figures["base"]["carried_in"]) == figures["base"]["base"]
        assert (
            figures["base"]["base"]
            == revenue.base
            == max(ZERO, total([e.counted for e in revenue.entries]) + revenue.carried_in)
        )
        if grant.payable.amount:
            assert min(figures["cap"]["raw"], figures["cap"]["cap_left"]) == grant.payable.amount
            assert figures["split"]["quanzhou"] + figures["split"]["jinjiang"] == figures["split"]["payable"]
        else:
            assert "refused" in figures


@given(platforms(), READINGS)
def test_to_decide_exactly_what_is_payable_changes_nothing(these, readings):
    result = judge(these, readings)
    decisions = tuple(Decision(one.year, one.programme, one.payable.amount) for one in result.grants)
    again = judge(replace(these, decisions=decisions), readings)
    assert again.grants == result.grants


@given(platforms(), st.data())
def test_what_was_decided_and_nothing_else_uses_up_the_cap(these, data):
    first = [one for one in judge(these, {}).grants if one.payable.amount][:1]
    for one in first:
        less = data.draw(st.integers(0, one.payable.amount.fen).map(Money))
        decided = replace(these, decisions=(Decision(one.year, one.programme, less),))
        later = [each for each in judge(decided, {}).grants if each.year > one.year]
        assert less + total([each.payable.amount for each in later]) <= CAP
        assert next(each for each in judge(decided, {}).grants if each.year == one.year).payable == one.payable


@given(platforms(), READINGS, st.booleans())
def test_facts_kept_as_a_scenario_are_read_back_the_same(these, readings, refs):
    answers = POLICY.settings_with(readings)
    if refs:
        more = {"without_tax": Money(1), "service_on": date(2026, 1, 2), "ref": "17"}
        told = [replace(d, ref=d.no, lines=tuple(replace(x, **more) for x in d.lines)) for d in these.documents]
        these = replace(these, documents=tuple(told))
    kept = json.loads(json.dumps(scenario_of(these, answers, name="C-a-2026"), ensure_ascii=False))
    assert scenario_facts(kept) == these
    assert POLICY.settings_with(kept["settings"]) == answers
    assert FORMAT.checked({"format": 1, "scenarios": [kept]}) == [kept]


@given(platforms(), READINGS)
def test_entries_that_are_judged_alike_can_be_added_up_however_they_are_read(these, readings):
    settings = POLICY.settings_with(readings)
    start = revenue_start(as_if_certified(these.platform), settings)
    earned = earned_of(sales_of(these.documents), settings, start=start)
    one_by_one, in_sums = judge(these, readings), assess(replace(these, documents=()), settings, POLICY, earned)
    assert in_sums.grants == one_by_one.grants
    assert in_sums.flags == one_by_one.flags
    assert in_sums.trace == one_by_one.trace
    assert [(one.year, one.with_tax, one.tax, one.base, one.excluded) for one in in_sums.revenue_years] == [
        (one.year, one.with_tax, one.tax, one.base, one.excluded) for one in one_by_one.revenue_years
    ]


@given(platforms(), READINGS)
def test_which_lines_count_in_a_year_follows_from_the_sums(these, readings):
    settings = POLICY.settings_with(readings)
    start = revenue_start(as_if_certified(these.platform), settings)
    sales = list(sales_of(these.documents))
    in_sums = assess(replace(these, documents=()), settings, POLICY, earned_of(sales, settings, start=start))
    by_year = {one.year: one for one in in_sums.revenue_years}
    for year in judge(these, readings).revenue_years:
        wanted: dict[tuple[str, int], Money] = {}
        for entry in year.entries:
            if entry.excluded is None:
                key = entry.document_no, entry.line_no
                wanted[key] = wanted.get(key, ZERO) + entry.amount
        counting = Counting(by_year[year.year], settings, start=start)
        assert {key: amount for sale in sales for key, amount in counting.of(sale).items()} == wanted


@given(platforms(), READINGS)
def test_lines_that_are_judged_alike_can_be_added_up(these, readings):
    if readings.get("A02_revenue_basis") == "cash_date":
        return
    line_by_line, in_sums = judge(these, readings), judge(summed(these), readings)
    assert in_sums.grants == line_by_line.grants
    assert in_sums.flags == line_by_line.flags
    found, wanted = in_sums.revenue_years, line_by_line.revenue_years
    assert [(one.year, one.with_tax, one.tax, one.base, one.excluded) for one in found] == [
        (one.year, one.with_tax, one.tax, one.base, one.excluded) for one in wanted
    ]
    assert summed(summed(these)) == summed(these)
