"""What may be in a dossier only once, what credit notes take back, and which document is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dossier.verify import Register
from billing.rules.dossier.credits import SAME, Credits
from billing.rules.dossier.judgement import insist_same
from billing.rules.dossier.once import Portion, Whole
from billing.rules.dossier.sales import Numbers, sales_told
from billing.rules.dossier.wrong import DoesNotHold
from billing.rules.facts import Document
from tests.unit.subsidy_makers import line

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
SPANS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 5)), max_size=8)


def whole_of(*portions: Portion) -> Whole:
    whole = Whole(Register())
    for number, portion in enumerate(portions):
        whole.add(f"cases/{number}.jsonl", portion)
    return whole


@given(SPANS, st.integers(1, 3))
def test_use_of_a_meter_never_overlaps_whatever_portion_it_is_in(spans, count):
    uses = [
        (number, meter, BEGAN + timedelta(hours=first), BEGAN + timedelta(hours=first + hours))
        for number, (meter, first, hours) in enumerate(spans)
    ]
    whole = whole_of(*(Portion(uses=uses[at::count]) for at in range(count)))
    overlap = any(
        one[1] == other[1] and one[2] < other[3] and other[2] < one[3]
        for at, one in enumerate(uses)
        for other in uses[at + 1 :]
    )
    if overlap:
        with pytest.raises(DoesNotHold, match="use after meter"):
            whole.close()
    else:
        whole.close()


def test_a_settlement_on_top_has_the_same_session_and_another_sequence():
    case, use = ("reservation", 7), (1, "m", BEGAN, BEGAN + timedelta(hours=1))
    first = Portion(cases=[(1, case, 0)], belongs=[(1, case)], uses=[use], terms=[(3, "600")])
    on_top = Portion(cases=[(2, case, 1)], belongs=[(1, case)], uses=[use], terms=[(3, "600")])
    whole_of(first, on_top).close()


@pytest.mark.parametrize(
    "again",
    [
        Portion(cases=[(1, ("reservation", 8), 0)]),
        Portion(cases=[(2, ("reservation", 7), 0)]),
        Portion(belongs=[(1, ("reservation", 8))]),
        Portion(uses=[(1, "m", BEGAN, BEGAN + timedelta(hours=2))]),
        Portion(terms=[(3, "700")]),
    ],
)
def test_what_is_told_otherwise_in_another_portion_is_named(again):
    case = ("reservation", 7)
    use = (1, "m", BEGAN, BEGAN + timedelta(hours=1))
    first = Portion(cases=[(1, case, 0)], belongs=[(1, case)], uses=[use], terms=[(3, "600")])
    with pytest.raises(DoesNotHold):
        whole_of(first, again)


def a_line(number: int, net: str, **more: object) -> dict[str, object]:
    return {
        "line": number, "no": "X-2026-000001", "origin": "use", "credits_no": None, "credits_line": None,
        "net": net, "tax": "0.00", "category": "instrument_sharing", "relation": "external", "rate": "0.06",
        "served_on": "2026-05-05", "no_show_fee": False, **more,
    }  # fmt: skip


def a_credit(number: int, net: str, *, of: int = 1, no: str = "X-2026-000001") -> dict[str, object]:
    return a_line(number, net, origin="credit", credits_no=no, credits_line=of)


def taken(*lines: dict[str, object]) -> None:
    credits = Credits("lines.jsonl")
    for one in lines:
        credits.take(f"line {one['line']}", one)
    credits.close()


def test_credits_take_back_no_more_than_there_is():
    taken(a_credit(2, "-4.00"), a_line(1, "10.00"), a_credit(3, "-6.00"))
    for wrong in (
        (a_line(1, "10.00"), a_credit(2, "-4.00"), a_credit(3, "-6.01")),
        (a_line(1, "10.00"), a_credit(2, "4.00")),
        (a_line(1, "10.00"), a_credit(2, "0.00") | {"tax": "-4.00"}),
        (a_line(1, "10.00"), a_credit(2, "-4.00") | {"tax": "0.50"}),
        *((a_line(1, "10.00"), a_credit(2, "-4.00") | {key: "another"}) for key in SAME),
        (a_line(1, "10.00"), a_credit(2, "-4.00", of=5)),
        (a_line(1, "10.00"), a_credit(2, "-4.00", no="X-2026-000009")),
        (a_line(1, "-10.00"),),
        (a_line(1, "10.00", credits_no="X-2026-000009"),),
    ):
        with pytest.raises(DoesNotHold):
            taken(*wrong)


def last_numbers(*numbers: str, code: str) -> list[str]:
    day = date(2026, 6, 1)
    gathered = Numbers(Register(), code=code)
    for place, one in enumerate(numbers):
        gathered.take(Document(one, day, day, (line("1.00", ref=f"{place}"),)))
    return gathered.last()


@given(st.permutations(range(1, 7)), st.sets(st.integers(1, 6)))
def test_a_number_that_is_missing_before_the_last_is_named(order, left_out):
    there = [number for number in order if number not in left_out]
    some = [f"HX-TEXTILE-2026-{number:06d}" for number in there]
    missing = [number for number in range(1, max(there, default=0) + 1) if number in left_out]
    if missing:
        with pytest.raises(DoesNotHold, match=f"2026-{missing[0]:06d}"):
            last_numbers(*some, code="hx-textile")
    else:
        last = [f"HX-TEXTILE-2026-{max(there):06d}"] if there else []
        assert last_numbers(*some, code="hx-textile") == last


@pytest.mark.parametrize(
    "number", ["OTHER-2026-000001", "HX-2025-000001", "HX-2026-X", "HX-2026-000000", "HX-2026-" + "1" * 5000, "HX"]
)
def test_a_number_of_another_platform_or_year_is_none(number):
    with pytest.raises(DoesNotHold, match="HX-2026-NUMBER"):
        last_numbers(number, code="hx")


def test_a_document_without_lines_is_none():
    day = date(2026, 6, 1)
    with pytest.raises(DoesNotHold, match="lines"):
        Numbers(Register(), code="hx").take(Document("HX-2026-000001", day, day, ()))


def test_a_number_stands_once_however_it_is_written():
    with pytest.raises(DoesNotHold, match="once"):
        last_numbers("HX-2026-000001", "HX-2026-1", code="hx")


def a_document(no: str, of: str | None = None) -> dict[str, object]:
    day = "2026-06-01"
    return {"no": no, "issued_on": day, "service_on": day, "lines": [], "paid": [], "credit_note_of": of}


def test_a_credit_note_stands_behind_its_invoice():
    told = [a_document("I-1"), a_document("R-1", "I-1"), a_document("R-2", "I-1"), a_document("I-2")]
    assert [[one.no for one in sale.documents] for sale in sales_told(told)] == [["I-1", "R-1", "R-2"], ["I-2"]]
    for order in ([1, 0, 3], [0, 3, 1], [1]):
        with pytest.raises(DoesNotHold, match="document R-1"):
            list(sales_told(told[at] for at in order))


def test_what_is_told_of_a_key_first_stays():
    register = Register()
    assert register.add("case", "2", "one") is None
    assert register.add("case", "2", "another") == "one"
    assert register.add("charge", "2", "of its own kind") is None
    assert register.add("case", "10", "two") is None
    assert (register.get("case", "2"), register.get("case", "3")) == ("one", None)
    assert list(register.in_order("case")) == [("10", "two"), ("2", "one")]


@pytest.mark.parametrize(("expected", "found"), [({"a": None}, {}), ({}, {"a": None}), ({"a": [1]}, {"a": [1, 2]})])
def test_nothing_is_not_the_same_as_what_is_not_there(expected, found):
    with pytest.raises(DoesNotHold, match="a"):
        insist_same("claim.json", expected, found)
