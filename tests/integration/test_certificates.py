from __future__ import annotations

import io
from datetime import UTC, date, datetime

import openpyxl
import pytest
from pypdf import PdfReader

from app.kernel.money import Money
from billing.certificates import certificate_of, certificate_pdf, certificate_workbook, certified_years
from billing.correcting import credit
from billing.invoicing import issue_month
from billing.models import Invoice, Payment
from billing.rules.numerals import capital_numerals
from tests.integration.close_world import CloseWorld

AT = datetime(2026, 7, 3, 1, tzinfo=UTC)


@pytest.fixture
def bought(session) -> tuple[CloseWorld, Invoice]:
    world = CloseWorld(session, firms=2, at=AT)
    world.add(session, 6, month=date(2026, 6, 1))
    told = {"platform_id": world.platform, "month": date(2026, 6, 1), "by": world.finance, "at": AT}
    invoices = [issue_month(session, organization_id=firm, **told) for firm in world.firms]
    credit(
        session, invoices[0].id, amounts={invoices[0].lines[0].id: Money.of("100.01")}, reason="示例",
        by=world.finance, at=AT,
    )  # fmt: skip
    for year in (2026, 2027):
        session.add(
            Payment(
                invoice_id=invoices[0].id, payer_id=world.firms[0], paid_on=date(year, 2, 1),
                amount_fen=Money.of("1000.50"), reference="=1+1", recorded_by=world.finance, recorded_at=AT,
            )
        )  # fmt: skip
    session.flush()
    return world, invoices[0]


def test_a_certificate_has_the_years_invoices_and_payments_of_one_firm(session, bought):
    world, invoice = bought
    one = certificate_of(session, world.firms[0], 2026)
    assert one.gross == invoice.gross_fen - Money.of("100.01")
    assert one.gross == one.net + one.tax
    assert sum(row.gross.fen for row in one.bought) == one.gross.fen
    assert one.paid == Money.of("1000.50")
    assert len(one.invoices) == 2
    assert certified_years(session, world.firms[0]) == [2026]
    later = certificate_of(session, world.firms[0], 2027)
    assert (later.invoices, later.paid) == ([], Money.of("1000.50"))


def test_the_printed_certificate_says_it_all_and_is_the_same_twice(session, bought):
    world, _ = bought
    one = certificate_of(session, world.firms[0], 2026)
    printed = certificate_pdf(one, on=date(2027, 1, 5))
    assert printed == certificate_pdf(one, on=date(2027, 1, 5))
    said = "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(printed)).pages).split())
    for words in (
        "购买服务年度证明", "".join(one.firm.name.split()), "2026", capital_numerals(one.gross),
        f"{one.gross.yuan:,.2f}",
        one.invoices[0].label, "1,000.50", "-100.01",
    ):  # fmt: skip
        assert words in said


def test_the_workbook_has_numbers_dates_and_sums(session, bought):
    world, _ = bought
    one = certificate_of(session, world.firms[0], 2026)
    one.firm.name = "https://example.com"
    content = certificate_workbook(one)
    shown = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    assert shown.sheetnames == ["汇总 Summary", "服务 Services", "结算单 Invoices", "付款 Payments"]
    invoices = shown["结算单 Invoices"]
    assert invoices["D2"].value.date() == one.invoices[0].issued_on
    assert round(invoices["G4"].value * 100) == one.gross.fen
    assert shown["付款 Payments"]["D2"].value == "=1+1"  # text, not a formula
    written = openpyxl.load_workbook(io.BytesIO(content))
    assert written["结算单 Invoices"]["G4"].value == "=SUM(G2:G3)"
    assert written["付款 Payments"]["D2"].data_type == "s"
    named = [cell for cell in written["汇总 Summary"]["B"] if cell.value == one.firm.name]
    assert [cell.hyperlink for cell in named] == [None]


def test_what_another_payer_paid_is_not_certified_as_the_firms_payment(session, bought):
    world, invoice = bought
    own = certificate_of(session, world.firms[0], 2026).paid
    session.add(
        Payment(
            invoice_id=invoice.id, payer_id=world.firms[1], paid_on=date(2026, 3, 1), amount_fen=Money.of("5.00"),
            recorded_by=world.finance, recorded_at=AT,
        )
    )  # fmt: skip
    session.flush()
    assert certificate_of(session, world.firms[0], 2026).paid == own
