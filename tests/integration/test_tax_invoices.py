from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import openpyxl
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money
from billing.correcting import credit
from billing.models import BuyerDetail, TaxInvoice
from billing.payers import set_payers
from billing.rules.payers import Part
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.rules.tax_sheet import TaxLine, TaxSheet
from billing.tax_invoices import buyers_of, live_tax_invoices, record_tax_invoice, withdraw_tax_invoice
from billing.tax_requests import prepare, set_usual
from billing.tax_workbook import fill
from tests import makers
from tests.integration.invoice_world import AT, CODE, JUNE, NINE, InvoiceWorld
from tests.integration.tax_template import HEADS, ITEMS, rows_of, template

NUMBER = "26350000001234567890"
TODAY = date(2026, 7, 2)


@pytest.fixture
def world(session) -> InvoiceWorld:
    return InvoiceWorld(session)


def recorded(world, invoice, number=NUMBER, **given) -> TaxInvoice:
    told = {"buyer_id": world.firm.id, "kind": TaxInvoiceKind.SPECIAL, "issued_on": TODAY, "by": world.by, "at": AT}
    return record_tax_invoice(world.session, invoice.id, number=number, **{**told, **given})


def test_several_invoices_fill_the_uploaded_workbook_by_the_names_of_its_columns(session, world):
    session.add(
        BuyerDetail(platform_id=world.platform.id, organization_id=world.firm.id, bank="示例银行", phone="0595")
    )
    first, second = (
        world.issued("1440.00", ("99.99", NINE), description_zh="=示例 · 机时费"),
        world.issued("50.00", firm=makers.organization(session)),
    )
    note = credit(session, first.id, amounts={first.lines[0].id: Money.of("440.00")}, reason="示例", by=world.by, at=AT)
    prepared = prepare(session, [first.id, second.id, note.id], kind=TaxInvoiceKind.ORDINARY)
    assert (len(prepared.sheets), prepared.lines, prepared.gross) == (2, 3, Money.of("1149.99"))
    filled = fill(template(), prepared.sheets)
    head, other = rows_of(filled, "1-发票基本信息")
    assert head[HEADS[0]] == first.label
    assert head["*发票类型"] == "普通发票"
    assert head["*是否含税"] == "是"
    assert (head[HEADS[5]], head["购买方纳税人识别号"]) == ("示例企业", "91350582XXXX00027A")
    assert (head["购买方开户银行"], head["购买方电话"], head["特定业务类型"]) == ("示例银行", "0595", None)
    assert first.label in head["备注"]
    assert other["购买方纳税人识别号"] is None
    items = rows_of(filled, "2-发票明细信息")
    assert [one["*金额"] for one in items] == ["1000.00", "99.99", "50.00"]
    assert [one["* 税率"] for one in items] == ["0.06", "0.09", "0.06"]
    assert [one["单价"] for one in items] == [None, "99.99", "50"]
    assert items[0]["*项目名称"] == "=示例 · 机时费"
    assert {one["*商品和服务税收编码"] for one in items} == {CODE}
    assert [one["*发票流水号"] for one in items] == [first.label, first.label, second.label]
    sheet = openpyxl.load_workbook(io.BytesIO(filled))["2-发票明细信息"]
    assert {cell.data_type for row in sheet.iter_rows(min_row=4) for cell in row if cell.value} == {"s"}
    assert [one.title for one in openpyxl.load_workbook(io.BytesIO(filled)).worksheets][2:] == [
        "3-特定业务信息",
        "4-附加要素信息",
    ]
    with pytest.raises(Conflict, match=first.label):
        fill(filled, prepared.sheets)


def test_another_version_of_the_workbook_is_filled_too_and_what_is_unknown_stays(session, world):
    set_usual(
        session,
        world.platform.id,
        kind=TaxInvoiceKind.SPECIAL,
        includes_tax=False,
        remark="示例备注",
        by=world.by,
        at=AT,
    )
    invoice = world.issued("1440.00")
    items = ("新列", *reversed(ITEMS))
    given = template(heads=("新列", *HEADS[:5], "备 注", *HEADS[5:11]), items=items, header_row=5)
    book = openpyxl.load_workbook(io.BytesIO(given))
    book["2-发票明细信息"].cell(6, 1, "原有内容")
    out = io.BytesIO()
    book.save(out)
    filled = fill(out.getvalue(), prepare(session, [invoice.id]).sheets)
    (head,) = rows_of(filled, "1-发票基本信息", below=5)
    assert (head["*是否含税"], head["*发票类型"]) == ("否", "增值税专用发票")
    assert head["备 注"].endswith("示例备注")
    (item,) = rows_of(filled, "2-发票明细信息", below=5)
    assert (item["新列"], item["*金额"]) == ("原有内容", "1358.49")


def test_a_workbook_that_lacks_a_column_or_sheet_is_refused_by_name(session, world):
    sheets = prepare(session, [world.issued("10.00").id]).sheets
    for given, sentence in (
        (template(heads=[one for one in HEADS if "是否含税" not in one]), r"1-发票基本信息.*是否含税"),
        (template(items=ITEMS[:-3]), r"2-发票明细信息.*税率"),
        (template(names=("1-发票基本信息", "明细")), "发票明细信息"),
    ):
        with pytest.raises(InvalidInput, match=sentence) as refusal:
            fill(given, sheets)
        assert refusal.value.field == "workbook"


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def changed(extra: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(template())) as archive:
        return zipped({one: archive.read(one) for one in archive.namelist()} | extra)


def test_what_could_do_harm_is_refused_before_it_is_read(session, world):
    sheets = prepare(session, [world.issued("10.00").id]).sheets
    bomb = b"<a>" + b" " * (61 << 20)
    entities = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    for content, sentence in (
        (b"\xd0\xcf\x11\xe0 an old workbook", "打不开"),
        (zipped({"a.txt": b"no workbook"}), "打不开"),
        (b"", "打不开"),
        (template()[:-400], "打不开"),
        (bytes(4 << 20), "3 MB"),
        (changed({"xl/media/image1.xml": bomb}), "过大"),
        (changed({"xl/vbaProject.bin": b"macro"}), "宏"),
        (changed({"xl/styles.xml": entities}), "已拒绝"),
        (changed({"xl/styles.xml": '<?xml version="1.0"?><a/>'.encode("utf-16")}), "已拒绝"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            fill(content, sheets)


def test_too_many_lines_are_refused_and_many_are_warned_of(session, world):
    invoice = world.issued("10.00")
    (sheet,) = prepare(session, [invoice.id]).sheets
    line: TaxLine = sheet.lines[0]
    many: TaxSheet = replace(sheet, lines=(line,) * 5001)
    with pytest.raises(Conflict, match="5000"):
        fill(template(), [many])
    with pytest.raises(InvalidInput, match="至少选择"):
        fill(template(), [])


def test_what_has_its_tax_invoice_or_was_credited_is_left_out_and_said(session, world):
    done, gone = world.issued("10.00"), world.issued("20.00")
    recorded(world, done)
    credit(session, gone.id, amounts={gone.lines[0].id: Money.of(20)}, reason="示例", by=world.by, at=AT)
    prepared = prepare(session, [done.id, gone.id])
    assert prepared.sheets == []
    assert [facts["label"] for _, facts in prepared.warnings] == [done.label, gone.label]


def test_a_special_invoice_needs_the_buyers_tax_number(session, world):
    invoice = world.issued("10.00", firm=makers.organization(session, name="示例无税号企业"))
    with pytest.raises(InvalidInput, match="示例无税号企业"):
        fill(template(), prepare(session, [invoice.id], kind=TaxInvoiceKind.SPECIAL).sheets)


def test_each_payer_has_a_tax_invoice_of_their_own(session, world):
    payer = makers.organization(session, name="示例总公司", uscc="91350582TEXT202533")
    parts = [Part(payer.id, Decimal("33.33")), Part(world.firm.id, Decimal("66.67"), takes_remainder=True)]
    set_payers(
        session,
        platform_id=world.platform.id,
        organization_id=world.firm.id,
        parts=parts,
        since=JUNE,
        by=world.by,
        at=AT,
    )
    invoice = world.issued("1000.00", "0.01")
    assert {one.id for one in buyers_of(session, invoice)} == {payer.id, world.firm.id}
    heads = rows_of(fill(template(), prepare(session, [invoice.id]).sheets), "1-发票基本信息")
    assert len({one[HEADS[0]] for one in heads}) == 2
    items = rows_of(fill(template(), prepare(session, [invoice.id]).sheets), "2-发票明细信息")
    assert sorted(one["*金额"] for one in items) == ["333.30", "666.71"]
    recorded(world, invoice)
    recorded(world, invoice, number=NUMBER[:-1] + "1", buyer_id=payer.id)
    assert len(live_tax_invoices(session, invoice.id)) == 2


def test_a_number_is_recorded_once_withdrawn_and_recorded_again(session, world):
    invoice, other = world.issued("10.00"), world.issued("10.00")
    row = recorded(world, invoice, number=" 2635 0000 0012 3456 7890")
    assert row.number == NUMBER
    with pytest.raises(InvalidInput, match="已经登记过"):
        recorded(world, other)
    with pytest.raises(Conflict, match="已登记过"):
        recorded(world, invoice, number="1" * 20)
    with pytest.raises(InvalidInput, match="20 位"):
        recorded(world, other, number="123")
    with pytest.raises(InvalidInput, match="今天"):
        recorded(world, other, number="1" * 20, issued_on=TODAY + timedelta(days=1))
    with pytest.raises(Conflict, match="付款"):
        recorded(world, other, number="1" * 20, buyer_id=world.operator.id)
    withdraw_tax_invoice(session, row.id, reason="示例误记", by=world.by, at=AT)
    with pytest.raises(Conflict, match="已经撤销"):
        withdraw_tax_invoice(session, row.id, reason="示例误记", by=world.by, at=AT)
    recorded(world, other)
    session.commit()
    for change in (
        "UPDATE tax_invoice SET number = '00000000000000000000'",
        "DELETE FROM tax_invoice",
        "UPDATE tax_invoice SET withdrawn_at = NULL, withdrawn_by = NULL",
    ):
        with pytest.raises(DBAPIError, match="only be withdrawn"):
            session.execute(text(change))
        session.rollback()
    assert session.scalars(select(TaxInvoice.invoice_id).where(TaxInvoice.withdrawn_at.is_(None))).all() == [other.id]
