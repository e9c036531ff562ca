from __future__ import annotations

import io
import re
import zipfile

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from app.jobs import STEPS
from app.kernel import clock
from app.kernel.long_work import advance
from app.kernel.money import Money
from billing.models import Invoice, InvoiceDocument, RedLetter, RedRequest, TaxInvoice
from tests import makers
from tests.integration import page_world
from tests.integration.tax_template import rows_of, template
from tests.integration.test_pages import client_of

NUMBER, RED, RIGHT = "26350000001234567890", "26350000001234567891", "26350000000000000888"


@pytest.fixture
def world(session) -> page_world.World:
    return page_world.build(session)


def test_a_tax_invoice_is_recorded_and_taken_back_by_a_red_letter_from_the_page(app, session, world):
    client, here = client_of(app, world, "finance"), f"/invoices/{world.invoice.id}"
    line, buyer = world.invoice.lines[0], world.firm.id
    wrong = client.post(f"{here}/tax-invoices", data={"number": "12", "buyer_id": buyer, "kind": "special"})
    assert wrong.status_code == 422
    assert "20 位数字" in wrong.text
    assert client.post(f"{here}/tax-invoices", data={"number": NUMBER, "buyer_id": buyer, "kind": "special"}).location
    page = client.get(here).text
    assert NUMBER in page
    assert "增值税专用发票" in page
    assert f"{here}/credit" not in page
    assert f"撤销登记 {NUMBER}" in page
    assert client.post(f"{here}/credit", data={f"line_{line.id}": "1.00", "reason": "示例"}).status_code == 409
    asked = {f"line_{line.id}": "10.00", "reason": "04", "explanation": "示例 100% 折让"}
    assert client.post(f"{here}/red-requests", data={**asked, f"line_{line.id}": "9999999"}).status_code == 422
    assert client.post(f"{here}/red-requests", data=asked).status_code == 302
    request = session.scalars(select(RedRequest).order_by(RedRequest.id.desc())).first()
    page = client.get(here).text
    assert "撤销登记" not in page
    assert "待确认" in page
    assert "须在此前确认" in page
    assert "示例 100% 折让" in page
    assert client.post(f"/red-requests/{request.id}/confirm").status_code == 302
    page = client.get(here).text
    assert "登记红字发票，冲减 ¥10.00" in page
    recorded = session.scalars(select(TaxInvoice).where(TaxInvoice.number == NUMBER)).one()
    told = {"tax_invoice_id": recorded.id, "red": "1"}
    assert client.post(f"/red-requests/{request.id}/number", data={**told, "number": "1"}).status_code == 422
    assert client.post(f"/red-requests/{request.id}/number", data={**told, "number": RED}).status_code == 302
    session.expire_all()
    letter = session.scalars(select(RedLetter).order_by(RedLetter.id.desc())).first()
    right = {"corrected_number": RIGHT, "correction_reason": "示例抄错"}
    assert client.post(f"/red-letters/{letter.id}/number", data={**right, "correction_reason": ""}).status_code == 422
    assert client.post(f"/red-letters/{letter.id}/number", data=right).status_code == 302
    session.expire_all()
    page = client.get(here).text
    for seen in (RIGHT, f"原登记 {RED}，示例抄错"):
        assert seen in page
    note = session.get_one(Invoice, session.get_one(RedRequest, request.id).note_id)
    assert note.gross_fen == Money.of(-10)
    page = client_of(app, world, "manager").get(here).text
    for seen in (NUMBER, RIGHT, note.label, "红字已开具"):
        assert seen in page
    assert "tax-invoices" not in page
    assert 'lang="en"' in client_of(app, world, "manager", "en").get(here).text


def test_a_wrong_tax_invoice_is_corrected_withdrawn_or_issued_anew_from_the_page(app, session, world):
    client, here = client_of(app, world, "finance"), f"/invoices/{world.invoice.id}"
    made_out = {"buyer_id": world.firm.id, "kind": "special"}
    client.post(f"{here}/tax-invoices", data={"number": NUMBER, **made_out})
    blue = session.scalars(select(TaxInvoice).where(TaxInvoice.number == NUMBER)).one()
    told = {"corrected_number": RIGHT, "correction_reason": "示例抄错"}
    assert client.post(f"/tax-invoices/{blue.id}/number", data={**told, "corrected_number": "1"}).status_code == 422
    assert client.post(f"/tax-invoices/{blue.id}/number", data=told).status_code == 302
    assert f"原登记 {NUMBER}，示例抄错" in client.get(here).text
    assert client.post(f"/tax-invoices/{blue.id}/withdraw").status_code == 422
    assert client.post(f"/tax-invoices/{blue.id}/reissue", data={"explanation": "示例抬头有误"}).status_code == 302
    request = session.scalars(select(RedRequest).order_by(RedRequest.id.desc())).first()
    client.post(f"/red-requests/{request.id}/confirm")
    assert f"整张红冲 {RIGHT}" in client.get(here).text
    done = client.post(f"/red-requests/{request.id}/number", data={"tax_invoice_id": blue.id, "number": RED})
    assert "登记重新开具的数电票号码" in client.get(done.location).text
    anew = RED[:-1] + "7"
    assert client.post(f"{here}/tax-invoices", data={"number": anew, **made_out}).status_code == 302
    assert f"撤销登记 {anew}" in client.get(here).text


def test_the_tax_bureaus_workbook_is_filled_for_a_month_and_its_refusals_are_said(app, session, world):
    client, month = client_of(app, world, "finance"), f"{world.month:%Y-%m}"
    listed = client.get("/invoices", query_string={"month": month}).text
    assert f'name="invoice_id" value="{world.invoice.id}"' in listed
    page = client.get("/tax-workbook", query_string={"month": month}).text
    assert world.firm.name in page
    ids = re.findall(r'name="invoice_id" value="(\d+)"', page)
    assert str(world.invoice.id) in ids
    given = {"invoice_id": ids, "kind": "ordinary"}

    def upload(content: bytes, name: str = "模板.xlsx"):
        return client.post("/tax-workbook", data={**given, "workbook": (io.BytesIO(content), name)})

    assert upload(b"", "old.xls").status_code == 422
    assert upload(template(items=["*发票流水号"])).status_code == 422
    answer = upload(template())
    assert answer.status_code == 200
    assert [row["*发票类型"] for row in rows_of(answer.data, "1-发票基本信息")] == ["普通发票"] * len(set(ids))
    usual = {"platform_id": world.platform.id, "kind": "ordinary", "includes_tax": "no", "remark": "示例备注"}
    assert client.post("/tax-workbook/usual", data=usual).status_code == 302
    assert "示例备注" in client.get("/tax-workbook", query_string={"month": month}).text
    stranger = client_of(app, world, "other operator")
    assert world.firm.name not in stranger.get("/tax-workbook", query_string={"invoice_id": world.invoice.id}).text


def test_payers_are_set_from_the_page_with_what_was_typed_kept(app, session, world):
    client = client_of(app, world, "finance")
    here = f"/platforms/{world.platform.code}/firms/{world.firm.id}"
    payer = makers.organization(session, name="示例总公司", uscc="91350582TEXT202533")
    session.commit()
    told = {"since": "2026-01", "payer_0": payer.uscc, "percent_0": "40", "payer_1": world.firm.name, "percent_1": "59"}
    refused = client.post(f"{here}/payers", data={**told, "rest": "1"})
    assert refused.status_code == 422
    assert "99 %" in refused.text
    assert payer.uscc in refused.text
    unknown = client.post(f"{here}/payers", data={**told, "payer_1": "无此单位"})
    assert "无此单位" in unknown.text
    assert client.post(f"{here}/payers", data={**told, "percent_1": "60", "rest": "1"}).status_code == 302
    page = client.get(f"{here}/payers").text
    assert "示例总公司" in page
    assert "承担尾差" in page
    assert client.post(f"{here}/details", data={"bank": "示例银行", "phone": "0" * 61}).status_code == 422
    assert client.post(f"{here}/details", data={"bank": "示例银行"}).status_code == 302
    assert "示例银行" in client.get(f"{here}/payers").text


def test_a_firm_takes_its_documents_and_an_operator_all_of_a_month(app, session, world):
    firm = client_of(app, world, "manager")
    first = firm.get(f"/invoices/{world.invoice.id}.pdf").data
    assert first == client_of(app, world, "finance").get(f"/invoices/{world.invoice.id}.pdf").data
    assert firm.get(f"/invoices/{world.invoice.id}.xlsx").data[:2] == b"PK"
    client, month = client_of(app, world, "finance"), f"{world.month:%Y-%m}"
    asked = client.post("/invoices/files", data={"platform_id": world.platform.id, "month": month})
    assert advance(session, STEPS, at=clock.now()) == 1
    session.commit()
    page = client.get(asked.location).text
    address = f"/platforms/{world.platform.code}/invoices/{month}.zip"
    assert address in page
    answer = client.get(address)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert archive.read(f"{world.invoice.label}.pdf") == first
        assert all(PdfReader(io.BytesIO(archive.read(one))).pages for one in archive.namelist())
        assert len(archive.namelist()) == len(session.scalars(select(InvoiceDocument)).all())
    assert firm.get(address).status_code == 403
    assert client_of(app, world, "other operator").get(address).status_code == 404
