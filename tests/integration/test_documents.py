from __future__ import annotations

import hashlib
import io
import re
import threading
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pytest
from pypdf import PdfReader
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.db import db, transaction
from app.kernel.long_work import WorkState, advance, ask
from app.kernel.money import Money
from billing.correcting import credit
from billing.documents import DepositUsed, invoice_pdf, used
from billing.models import BillingSettings, BuyerDetail, Charge, Invoice, InvoiceDocument, InvoiceLine
from billing.payers import set_details, set_payers
from billing.printing import around, is_as_kept, kept_pdf, print_month
from billing.rules.numerals import capital_numerals
from billing.rules.payers import Part
from billing.statement_sheet import statement_xlsx
from tests import makers
from tests.integration.invoice_world import AT, JUNE, NINE, InvoiceWorld


@pytest.fixture
def world(session) -> InvoiceWorld:
    return InvoiceWorld(session)


def words_of(pdf: bytes) -> list[str]:
    """Each page without white space."""
    return ["".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]


def line_with(inputs: dict[str, object]) -> InvoiceLine:
    return InvoiceLine(served_on=date(2026, 6, 10), charge=Charge(inputs=inputs))


def test_a_line_says_what_it_rests_on_whatever_its_charge_knows():
    assert used(line_with({"signed_at": "2026-06-10T09:00:00+08:00", "title": "示例"})) == "2026-06-10 验收 signed off"
    assert used(line_with({"reservation_id": 7, "unit": "次", "fee": "50"})) == "2026-06-10 · 预约 reservation #7"
    assert used(line_with({})) == "2026-06-10"
    assert used(InvoiceLine(served_on=date(2026, 6, 10), charge=None)) == "2026-06-10"


def test_a_long_statement_repeats_its_head_and_keeps_the_sums_with_the_last_line(session, world):
    long = "示例（晋江）国际运动鞋服新材料科技与智能制造创新发展集团股份有限公司第二分公司"
    firm = makers.organization(session, name=long)
    for count in (1, 6, 7, 8, 9, 61):
        invoice = world.issued(*["100.00"] * count, firm=firm)
        pages = words_of(invoice_pdf(invoice, around(session, invoice)))
        assert long in pages[0]
        for number, page in enumerate(pages, start=1):
            assert f"第{number}/{len(pages)}页" in page
            assert "项目item" in page
            assert invoice.label in page
        assert sum(page.count("合计total") for page in pages) == 1
        last = pages[-1]
        for belongs_together in ("合计total", capital_numerals(invoice.gross_fen), "制单", "盖章"):
            assert belongs_together in last
        assert f"¥{invoice.gross_fen.yuan:,.2f}" in last
        assert re.search(rf"{count}示例设备·机时费", last), "the last line stands with the sums"


def test_a_statement_says_contract_payers_deposit_days_to_object_and_who_made_it(session, world):
    payer = makers.organization(session, name="示例总公司", uscc="91350582TEXT202533")
    session.add(BuyerDetail(platform_id=world.platform.id, organization_id=world.firm.id, contract_no="示例合同-17"))
    parts = [Part(payer.id, Decimal(40)), Part(world.firm.id, Decimal(60), takes_remainder=True)]
    set_payers(
        session,
        platform_id=world.platform.id,
        organization_id=world.firm.id,
        parts=parts,
        since=JUNE,
        by=world.by,
        at=AT,
    )
    invoice = world.issued("1000.00", ("55.55", NINE))
    known = around(session, invoice)
    told = "".join(words_of(invoice_pdf(invoice, known)))
    name = world.finance.name
    for word in ("示例合同-17", "示例总公司", "91350582TEXT202533", "40%", "422.22", "2026-07-09", name, "9%", "55.55"):
        assert word in told
    deposit = DepositUsed(Money.of(2000), Money.of("1055.55"), Money.of("944.45"))
    told = "".join(words_of(invoice_pdf(invoice, replace(known, deposit=deposit))))
    assert "余额closing¥944.45" in told


def test_a_document_is_made_once_and_stays_though_names_change(session, world):
    invoice = world.issued("100.00")
    first = kept_pdf(session, invoice, at=AT)
    world.firm.name = "示例新名称"
    session.flush()
    assert kept_pdf(session, invoice, at=AT) == first
    row = session.get_one(InvoiceDocument, invoice.id)
    assert row.sha256 == hashlib.sha256(first).hexdigest()
    assert is_as_kept(row)
    session.commit()
    for change in ("UPDATE invoice_document SET pdf = ''", "DELETE FROM invoice_document"):
        with pytest.raises(DBAPIError, match="only grows"):
            session.execute(text(change))
        session.rollback()


def test_a_document_says_what_held_at_its_issue_whenever_it_is_first_asked_for(session, world):
    payer = makers.organization(session, name="示例总公司", uscc="91350582TEXT202533")
    parts = [Part(payer.id, Decimal(40)), Part(world.firm.id, Decimal(60), takes_remainder=True)]
    given = {"platform_id": world.platform.id, "organization_id": world.firm.id, "by": world.by, "at": AT}
    set_payers(session, parts=parts, since=JUNE, **given)
    set_details(session, given={"contract_no": "示例合同-17"}, **given)
    invoice = world.issued("100.00")
    note = credit(session, invoice.id, amounts={invoice.lines[0].id: Money.of(10)}, reason="示例", by=world.by, at=AT)
    session.commit()
    first = [
        (invoice_pdf(one, around(session, one)), statement_xlsx(one, around(session, one))) for one in (invoice, note)
    ]
    for body in (world.firm, world.operator, payer):
        body.name, body.uscc = f"示例新名称 {body.id}", None
    world.platform.code, world.platform.name_zh, world.platform.name_en = "new", "示例新平台", "Sample new platform"
    world.platform.illustrative, world.equipment.code, world.finance.name = False, "NEW-1", "示例新人"
    set_details(session, given={"contract_no": "示例合同-18"}, **given)
    session.add(BillingSettings(platform_id=world.platform.id, dispute_days=30))
    session.commit()
    for one, (paper, sheet) in zip((invoice, note), first, strict=True):
        assert kept_pdf(session, one, at=AT) == paper
        assert statement_xlsx(one, around(session, one)) == sheet


def test_two_who_ask_first_at_once_are_given_the_same(app, session, world):
    invoice_id = world.issued("100.00").id
    session.commit()
    given, gate = [], threading.Barrier(4)

    def fetch() -> None:
        with app.app_context():
            gate.wait()
            with transaction() as own:
                given.append(kept_pdf(own, own.get_one(Invoice, invoice_id), at=AT))
            db.session.remove()

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 4
    assert len(set(given)) == 1


def test_a_months_documents_are_made_in_portions_and_none_twice(session, world):
    for _ in range(25):
        world.issued("10.00", firm=makers.organization(session))
    work = ask(
        session,
        kind="invoice_pdfs",
        platform_id=world.platform.id,
        arguments={"month": JUNE.isoformat()},
        by=world.by,
        at=AT,
    )
    steps = {"invoice_pdfs": print_month}
    assert advance(session, steps, at=AT) == 1
    assert (work.done, work.total, work.state) == (20, 25, WorkState.RUNNING)
    assert advance(session, steps, at=AT) == 1
    assert (work.done, work.state) == (25, WorkState.DONE)
    assert advance(session, steps, at=AT) == 0
    assert session.scalar(select(func.count()).select_from(InvoiceDocument)) == 25


def test_the_excel_statement_has_real_numbers_and_sums_that_are_formulas_with_their_results(session, world):
    invoice = world.issued("1440.00", ("99.99", NINE), "0.01")
    note = credit(
        session, invoice.id, amounts={invoice.lines[0].id: Money.of("0.50")}, reason="示例", by=world.by, at=AT
    )
    made = statement_xlsx(invoice, around(session, invoice))
    assert made == statement_xlsx(invoice, around(session, invoice))
    values = openpyxl.load_workbook(io.BytesIO(made), data_only=True)["结算单"]
    formulas = openpyxl.load_workbook(io.BytesIO(made))["结算单"]
    first = next(row for row in range(1, 30) if values.cell(row, 1).value == 1)
    assert values["C4"].value.date() == invoice.issued_on
    for offset, line in enumerate(invoice.lines):
        row = first + offset
        assert values.cell(row, 6).value == datetime(2026, 6, 10)  # noqa: DTZ001
        assert values.cell(row, 14).value == line.tax_code
        for place, amount in ((10, line.net_fen), (12, line.tax_fen), (13, line.gross_fen)):
            assert values.cell(row, place).data_type == "n"
            assert Money.of(str(values.cell(row, place).value)) == amount
        assert Decimal(str(values.cell(row, 11).value)) == line.tax_rate.normalize()
    total = first + len(invoice.lines)
    for place, amount in ((10, invoice.net_fen), (12, invoice.tax_fen), (13, invoice.gross_fen)):
        letter = "ABCDEFGHIJKLM"[place - 1]
        assert formulas.cell(total, place).value == f"=SUM({letter}{first}:{letter}{total - 1})"
        assert Money.of(str(values.cell(total, place).value)) == amount
    said = [str(cell.value) for row in values.iter_rows() for cell in row if cell.value]
    assert f"人民币{capital_numerals(invoice.gross_fen)}" in said
    assert sum("其中税率" in one for one in said) == 2
    assert statement_xlsx(note)[:2] == b"PK"
