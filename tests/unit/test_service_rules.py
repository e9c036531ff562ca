from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.service import (
    NAME_LENGTH,
    NOT_IN_NAMES,
    AgreedLine,
    QuotedLine,
    file_name,
    insist_on_move,
    insist_on_quote,
    quote_total,
)
from app.booking.rules.words import REQUEST_MOVES, QuoteUnit, RequestKind, RequestState
from app.kernel.errors import Conflict
from app.kernel.money import Money
from billing.rules.service import CATEGORIES, UNITS, service_line

TODAY = date(2026, 6, 1)
lines = st.builds(
    QuotedLine,
    label=st.just("示例"),
    quantity=st.decimals("0.001", "9999", places=3),
    unit=st.sampled_from(QuoteUnit),
    price_yuan=st.decimals("0", "99999", places=4),
    tax_rate=st.decimals("0", "0.9999", places=4),
)


@given(st.lists(lines, min_size=1, max_size=6))
def test_a_quote_that_is_taken_is_the_sum_of_its_lines_each_rounded_once(quoted):
    insist_on_quote(quoted, valid_until=TODAY, today=TODAY)
    assert quote_total(quoted) == Money(sum(line.gross.fen for line in quoted))
    for line in quoted:
        assert abs(line.gross.yuan - line.quantity * line.price_yuan) <= Decimal("0.005")


@given(lines)
def test_what_is_charged_is_what_was_agreed_to_the_fen(quoted):
    agreed = AgreedLine(
        quote_line_id=1,
        position=1,
        label=quoted.label,
        quantity=quoted.quantity,
        unit=quoted.unit,
        price_yuan=quoted.price_yuan,
        tax_rate=quoted.tax_rate,
        gross=quoted.gross,
    )
    amount = service_line(agreed, version=2).amount
    assert amount.gross == quoted.gross == amount.net + amount.tax
    assert Money(0) <= amount.tax <= amount.gross


@pytest.mark.parametrize("state", RequestState)
def test_only_the_moves_that_are_written_down_are_made(state):
    for wanted in RequestState:
        if wanted in REQUEST_MOVES[state]:
            insist_on_move(state, wanted)
        else:
            with pytest.raises(Conflict):
                insist_on_move(state, wanted)


def test_every_kind_of_work_has_a_category_and_every_unit_its_words():
    assert set(CATEGORIES) == set(RequestKind)
    assert set(UNITS) == set(QuoteUnit)


@given(st.text(), st.sampled_from([None, ".pdf"]))
def test_a_file_is_saved_under_one_plain_line_however_it_was_called(text, ending):
    name = file_name(text, ending=ending)
    assert name.isprintable()
    assert not NOT_IN_NAMES & set(name)
    assert 0 < len(name) <= NAME_LENGTH
    assert name == name.strip(". ")
    assert ending is None or name.endswith(ending)
    assert file_name(name, ending=ending) == name


@pytest.mark.parametrize(
    ("text", "ending", "name"),
    [
        ("示例报告 v1.2.docx", None, "示例报告 v1.2.docx"),
        ("示例.PDF", ".pdf", "示例.pdf"),
        ("x.hta", ".pdf", "x.pdf"),
        ("x.pdf\u202efdp.hta", None, "x.pdffdp.hta"),
        ("a\r\nSet-Cookie: b\0.pdf", None, "aSet-Cookie b.pdf"),
        ("..\\..\\a/b.txt. ", None, "ab.txt"),
        ("示" * 300 + ".docx", None, "示" * 75 + ".docx"),
        ("\u2066.pdf", ".pdf", "pdf.pdf"),
        ("\0", ".pdf", "文件.pdf"),
    ],
)
def test_a_file_is_called_as_it_came_without_what_hides_or_turns(text, ending, name):
    assert file_name(text, ending=ending) == name
