from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.errors import InvalidInput
from billing.rules.red_letter import OPEN, RedState
from billing.rules.tax import taxed
from billing.rules.tax_invoice import TaxInvoiceKind, e_invoice_number
from billing.rules.tax_sheet import (
    Buyer,
    Head,
    Item,
    TaxLine,
    TaxSheet,
    find_header,
    head_row,
    header,
    item_row,
    serial_of,
)

LINE = TaxLine(
    name="示例设备 · 机时费",
    code="3040105000000000000",
    rate=Decimal("0.06"),
    amount=taxed(Decimal("1440"), rate=Decimal("0.06"), includes_tax=True),
    quantity=Decimal("2.4"),
    unit="h",
    price=Decimal("600.0000"),
)
SHEET = TaxSheet(
    serial="P1-2026-000001",
    label="P1-2026-000001",
    kind=TaxInvoiceKind.SPECIAL,
    includes_tax=True,
    buyer=Buyer(name="示例企业", uscc="91350582XXXX00027A"),
    remark="结算单 P1-2026-000001",
    lines=(LINE,),
)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("*发票流水号", "发票流水号"),
        ("发票\n流水号 *", "发票流水号"),
        ("购买方名称（必填，100字以内）", "购买方名称"),
        ("金 额 [含税]", "金额"),
        ("商品和服务税收分类编码*", "商品和服务税收编码"),
        (None, ""),
    ],
)
def test_a_header_is_known_by_its_name_however_it_is_dressed(cell, name):
    assert header(cell) == name


def test_the_header_row_is_the_one_that_names_most_and_plain_names_go_before_hinted_ones():
    rows = [
        ["填写说明：金额必填"],
        ["金额", None],
        ["*发票流水号", "项目名称", "商品和服务税收编码", "金额（大写）", "金额", "税率", "不认识的列"],
    ]
    found = find_header(rows, Item, sheet="2-发票明细信息")
    assert found.row == 3
    assert found.columns[Item.AMOUNT] == 5
    assert len(found.columns) == 5


def test_a_missing_column_is_named_with_its_sheet():
    with pytest.raises(InvalidInput, match=r"2-发票明细信息.*税率"):
        find_header([["发票流水号", "项目名称", "商品和服务税收编码", "金额"]], Item, sheet="2-发票明细信息")
    with pytest.raises(InvalidInput, match="发票流水号"):
        find_header([], Head, sheet="1-发票基本信息")


def test_amounts_are_with_or_without_tax_as_the_head_says():
    assert item_row(SHEET, LINE) == {
        Item.SERIAL: "P1-2026-000001",
        Item.NAME: "示例设备 · 机时费",
        Item.CODE: "3040105000000000000",
        Item.UNIT: "h",
        Item.QUANTITY: "2.4",
        Item.PRICE: "600",
        Item.AMOUNT: "1440.00",
        Item.RATE: "0.06",
    }
    net = item_row(replace(SHEET, includes_tax=False), LINE)
    assert net[Item.AMOUNT] == "1358.49"
    assert Item.PRICE not in net  # 2.4 × 600 does not make 1358.49
    assert head_row(replace(SHEET, includes_tax=False))[Head.INCLUDES_TAX] == "否"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"buyer": Buyer(name="示" * 101, uscc="91350582XXXX00027A")}, "100"),
        ({"buyer": Buyer(name="示例企业")}, "税号"),
        ({"remark": "注" * 231}, "230"),
    ],
)
def test_a_head_that_the_tax_bureau_would_refuse_is_refused(changed, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        head_row(replace(SHEET, **changed))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"code": "304"}, "19 位"),
        ({"amount": taxed(Decimal("-1"), rate=Decimal("0.06"), includes_tax=True)}, "手工开具"),
        ({"rate": Decimal(0)}, "免税"),
    ],
)
def test_a_line_that_the_tax_bureau_would_refuse_is_refused(changed, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        item_row(SHEET, replace(LINE, **changed))


def test_an_ordinary_invoice_needs_no_tax_number_of_the_buyer():
    row = head_row(replace(SHEET, kind=TaxInvoiceKind.ORDINARY, buyer=Buyer(name="示例个人")))
    assert row[Head.KIND] == "普通发票"


@given(st.text("ABC-", min_size=1, max_size=30), st.integers(1, 2**31 - 1), st.integers(0, 99))
def test_a_serial_number_has_at_most_20_characters(label, number, part):
    assert len(serial_of(label, number=number, part=part)) <= 20


def test_long_labels_get_a_short_serial_number_of_their_own():
    assert serial_of("P1-2026-000012", number=7) == "P1-2026-000012"
    assert serial_of("HX-TEXTILE-2026-000012", number=7) == "PS0000000007"
    assert serial_of("HX-TEXTILE-2026-000012", number=7, part=2) == "PS0000000007/2"


def test_an_e_invoice_number_is_20_digits():
    assert e_invoice_number(" 2635 0000 0012 3456 7890 ") == "26350000001234567890"
    for wrong in ("2635000000123456789", "2635000000123456789X", "２６３５0000001234567890", ""):
        with pytest.raises(InvalidInput, match="20 位"):
            e_invoice_number(wrong)


def test_a_red_request_ends_and_never_comes_back():
    assert set(OPEN) == {RedState.REQUESTED, RedState.CONFIRMED}
    for state in RedState:
        assert RedState.REQUESTED not in state.next
        assert state.open == bool(state.next)
    assert RedState.ISSUED not in RedState.REQUESTED.next
    assert RedState.EXPIRED not in RedState.CONFIRMED.next
