"""The rules of pricing as properties, against a reference that goes minute by minute."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.kernel.interval import Interval
from app.kernel.money import Money, total
from billing.rules.figures import exact_text, plain, price_text
from billing.rules.pricing.bands import segments
from billing.rules.pricing.bill import FixedCharge, Payer, credit_notes, fixed_line, make_100, shares_of
from billing.rules.pricing.facts import Booked, UseFacts
from billing.rules.pricing.minutes import EPOCH, merged, minus, minute_of
from billing.rules.pricing.outcome import REASONS, Free, Priced
from billing.rules.pricing.price import price_use
from billing.rules.pricing.terms import read_terms, terms_of, terms_told, warnings_of
from billing.rules.pricing.told import facts_of, facts_told
from tests.unit.pricing_makers import (
    BERLIN,
    bands,
    facts,
    runs,
    tariffs,
    terms,
)

quick = settings(max_examples=80)


@given(facts())
@settings(max_examples=200)
def test_valid_facts_always_have_an_outcome_and_a_bill_adds_up(f):
    outcome = price_use(f)
    if not isinstance(outcome, Priced):
        assert outcome.reason in REASONS
        return
    assert outcome.lines
    for line in outcome.lines:
        assert line.amount.gross == line.amount.net + line.amount.tax
        assert line.amount.gross.fen > 0
        assert line.explanation_zh
        assert line.explanation_en
    assert outcome.gross == total([line.amount.gross for line in outcome.lines])
    assert outcome.gross == outcome.net + outcome.tax
    assert outcome.payable == outcome.gross - outcome.support
    assert outcome.support.fen >= 0
    assert outcome.billing_month.day == 1


@given(facts(), st.randoms())
@quick
def test_the_order_of_runs_and_of_others_does_not_matter(f, random):
    def shuffled(some):
        return None if some is None else tuple(random.sample(some, len(some)))

    other = replace(f, runs=shuffled(f.runs), other_usage=shuffled(f.other_usage))
    assert price_use(other) == price_use(f)


@given(tariffs().map(read_terms), runs(apart=True), st.data())
@quick
def test_a_longer_run_never_costs_less_unless_the_terms_warn_of_it(of, some, data):
    assume("longer_costs_less" not in warnings_of(of))
    booked = data.draw(st.none() | st.just(Booked(Interval(some[0].start, some[-1].end))))
    number = data.draw(st.integers(0, len(some) - 1))
    shorter = some[number]
    cut = shorter.start + (shorter.end - shorter.start) * Fraction(data.draw(st.integers(1, 9)), 10).numerator / 10
    shorter = replace(shorter, end=cut) if data.draw(st.booleans()) else replace(shorter, start=cut)
    long = price_use(UseFacts(of, BERLIN, reservation=booked, runs=some))
    short = price_use(UseFacts(of, BERLIN, reservation=booked, runs=(*some[:number], shorter, *some[number + 1 :])))
    if isinstance(short, Priced) and isinstance(long, Priced | Free):
        assert (long.gross if isinstance(long, Priced) else Money(0)) >= short.gross


@given(facts())
@quick
def test_facts_that_were_written_down_price_the_same_for_ever(f):
    told = json.loads(json.dumps(facts_told(f)))
    again = facts_of(told)
    assert price_use(again) == price_use(f)
    assert facts_told(again) == told


@given(tariffs())
@quick
def test_terms_survive_being_written_down(given_terms):
    of = terms_of(given_terms)
    assert terms_of(json.loads(json.dumps(terms_told(of)))) == of


def by_the_minute(of, spans, zone):
    """Each charged minute by the wall clock, one after the other."""
    result = []
    for start, end in spans:
        for minute in range(start, end):
            local = (EPOCH + timedelta(minutes=minute)).astimezone(zone)
            now = local.hour * 60 + local.minute
            offs = [b.percent_off for b in of.bands if local.weekday() in b.days and b.start <= now < b.end]
            result.append(offs[0] if offs else Decimal(0))
    return result


YEAR = minute_of(datetime(2026, 1, 1, tzinfo=UTC))
starts = st.integers(0, 520000) | st.integers(0, 1500).map(
    lambda n: minute_of(datetime(2026, 3, 28, 12, tzinfo=UTC)) - YEAR + n
)


@given(bands(), st.lists(st.tuples(starts, st.integers(1, 3000)), min_size=1, max_size=3))
@settings(max_examples=40)
def test_cutting_by_segments_is_the_same_as_going_minute_by_minute(some, pieces):
    of = terms(bands=some)
    spans = merged((YEAR + start, YEAR + start + length) for start, length in pieces)
    flat = [off for minutes, off in segments(spans, of.schedule, BERLIN) for _ in range(minutes)]
    assert flat == by_the_minute(of, spans, BERLIN)


@given(bands(), runs(apart=True), st.integers(0, 500), st.sampled_from(["up", "nearest", "none"]), st.integers(1, 40))
@settings(max_examples=30)
def test_graduated_hours_with_bands_are_what_every_minute_costs_added_up(some, of_runs, prior, rounding, step):
    tiers = {"kind": "graduated", "steps": [{"up_to": "1.5", "rate": "91.7"}, {"up_to": "7", "rate": "60.01"},
                                            {"up_to": None, "rate": "13.13"}]}  # fmt: skip
    of = terms(rate=..., tiers=tiers, bands=some, increment_minutes=step, increment_rounding=rounding)
    spans = merged((minute_of(r.start), max(minute_of(r.end), minute_of(r.start) + 1)) for r in of_runs)
    costs = []
    for i, off in enumerate(by_the_minute(of, spans, BERLIN), start=prior * 3):
        rate = next(Fraction(s.rate) for s in of.tiers.steps if s.up_to is None or i < s.up_to * 60)
        costs.append(rate * (100 - Fraction(off)) / 6000)
    n = len(costs)
    charged = {"none": n, "up": -(-n // step) * step, "nearest": max((n + step / 2) // step, 1) * step}[rounding]
    costs = [*costs[: int(charged)], *[costs[-1]] * int(charged - n)]
    outcome = price_use(UseFacts(of, BERLIN, runs=of_runs, prior_quantity=Decimal(prior * 3) / 60))
    assume((prior * 3) % 15 == 0)
    expected = Money.rounded(sum(costs, Fraction(0)))
    assert (outcome.gross if isinstance(outcome, Priced) else Money(0)) == expected


minutes = st.integers(0, 200)
some_spans = st.lists(st.builds(lambda a, n: (a, a + n), minutes, st.integers(1, 30)), max_size=6)


@given(some_spans, some_spans)
def test_spans_are_sets_of_minutes(left, right):
    as_set = {m for a, b in left for m in range(a, b)}
    holes = {m for a, b in right for m in range(a, b)}
    assert [m for a, b in merged(left) for m in range(a, b)] == sorted(as_set)
    assert [m for a, b in minus(merged(left), right) for m in range(a, b)] == sorted(as_set - holes)


percents = st.lists(st.integers(0, 10**6), min_size=1, max_size=6).filter(any)
line_lists = st.lists(
    st.builds(
        lambda fen, rate, includes, credit: fixed_line(
            FixedCharge(price=Money(fen), vat_rate=Decimal(rate), includes_vat=includes, is_credit=credit)
        ),
        st.integers(0, 10**7),
        st.sampled_from(["0", "0.06", "0.13"]),
        st.booleans(),
        st.just(False),
    ),
    min_size=1,
    max_size=5,
)


@given(line_lists, percents, st.integers(0, 10**5))
def test_no_fen_is_lost_among_payers(lines, weights, support):
    whole = sum(weights)
    parts = [Decimal(weight * 10**6 // whole).scaleb(-4) for weight in weights]
    parts[-1] += 100 - sum(parts)
    payers = [Payer(str(i), part, takes_remainder=i == 0) for i, part in enumerate(parts)]
    assert make_100(payers)
    gross = total([line.amount.gross for line in lines])
    shares = shares_of(lines, Money(min(support, gross.fen)), payers)
    assert total([share.payable for share in shares]) == gross - Money(min(support, gross.fen))
    assert total([share.net for share in shares]) == total([line.amount.net for line in lines])
    assert total([share.tax for share in shares]) == total([line.amount.tax for line in lines])
    for share in shares[1:]:
        assert share.payable == share.net + share.tax


def test_one_payer_alone_is_no_split():
    lines = [fixed_line(FixedCharge(price=Money(10001), vat_rate=Decimal("0.06")))]
    (share,) = shares_of(lines, Money(0), [Payer("甲", Decimal(100), takes_remainder=True)])
    assert (share.net, share.tax) == (lines[0].amount.net, lines[0].amount.tax)


asks = st.lists(st.tuples(st.sampled_from(["net", "gross"]), st.integers(0, 10**6).map(Money)), max_size=8)


@given(line_lists, asks)
def test_credit_notes_never_exceed_the_bill_and_the_last_takes_the_odd_fen(lines, asked):
    notes = credit_notes(lines, [*asked, ("gross", None)])
    given_ = [note for note in notes if note is not None]
    assert notes[-1] is not None
    for note in given_:
        assert note.gross == note.net + note.tax
        assert min(note.net.fen, note.tax.fen) >= 0
    assert total([note.gross for note in given_]) == total([line.amount.gross for line in lines])
    assert total([note.net for note in given_]) == total([line.amount.net for line in lines])


@given(st.integers(0, 10**7), st.integers(1, 366), st.integers(0, 366))
def test_a_credit_is_the_mirror_of_its_charge(fen, of_days, days):
    first = datetime(2026, 1, 1, tzinfo=UTC).date()
    period, covered = ((first, first + timedelta(days=n)) for n in (of_days, days))
    charge = FixedCharge(price=Money(fen), period=period, covered=covered, vat_rate=Decimal("0.06"))
    back = fixed_line(replace(charge, is_credit=True)).amount
    there = fixed_line(charge).amount
    assert (back.net, back.tax, back.gross) == (-there.net, -there.tax, -there.gross)


@given(st.fractions(-1000, 1000, max_denominator=10**4))
def test_a_figure_in_a_sentence_is_the_whole_number(number):
    assert Fraction(exact_text(number)) == number


def test_no_decimal_of_a_price_is_rounded_away():
    assert [plain(Decimal(n)) for n in ("1.33333", "1200", "0.50", "0.00")] == ["1.33333", "1200", "0.5", "0"]
    assert [price_text(Decimal(n)) for n in ("1.33333", "1200", "0.5")] == ["1.33333", "1,200.00", "0.50"]
