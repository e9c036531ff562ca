"""What a firm bought in a year, certified: requests, invoices and payments, as PDF and as a workbook.

The firm hands it in where it asks for a science-and-technology voucher (创新券).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import xlsxwriter
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.kernel.errors import NotFound
from app.kernel.money import ZERO, Money, total
from billing.models import Charge, Invoice, InvoiceLine, Payment
from billing.rules.numerals import capital_numerals
from billing.rules.words import ChargeKind, InvoiceState
from billing.typesetting import Press

PRESS = Press("certificate.typ")
_CREDITED = aliased(InvoiceLine)
SAMPLE = "示例 SAMPLE"
Columns: TypeAlias = Sequence[tuple[str, Callable[[Any], Any]]]
SERVICES: Columns = (
    ("平台", lambda one: one.platform.name_zh),
    ("服务内容", lambda one: one.what),
    ("委托号", lambda one: one.reference),
    ("笔数", lambda one: one.count),
    ("价税合计", lambda one: one.gross),
)
INVOICES: Columns = (
    ("号码", lambda one: one.label),
    ("平台", lambda one: one.platform.name_zh),
    ("销售方", lambda one: one.seller.name),
    ("开具日期", lambda one: one.issued_on),
    ("不含税", lambda one: one.net_fen),
    ("税额", lambda one: one.tax_fen),
    ("价税合计", lambda one: one.gross_fen),
    ("红冲的结算单", lambda one: one.credits.label if one.credits else ""),
)
PAYMENTS: Columns = (
    ("付款日期", lambda one: one.paid_on),
    ("结算单", lambda one: one.invoice),
    ("平台", lambda one: one.platform),
    ("凭证", lambda one: one.reference),
    ("金额", lambda one: one.amount),
)


@dataclass(frozen=True, slots=True)
class Bought:
    """One request of commissioned work that was invoiced in the year, or all metered use of one platform."""

    platform: Platform
    request_id: int | None
    title: str
    count: int
    gross: Money

    @property
    def what(self) -> str:
        return f"委托服务 · {self.title}" if self.request_id else "设备机时与使用"

    @property
    def reference(self) -> str:
        return f"#{self.request_id}" if self.request_id else ""


@dataclass(frozen=True, slots=True)
class Paid:
    invoice: str
    platform: str
    paid_on: date
    amount: Money
    reference: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A firm's year, by date of invoice and of payment. Credit notes are negative; ``sample`` says 示例."""

    firm: Organization
    year: int
    bought: Sequence[Bought]
    invoices: Sequence[Invoice]
    payments: Sequence[Paid]
    sample: bool

    @property
    def net(self) -> Money:
        return total([one.net_fen for one in self.invoices])

    @property
    def tax(self) -> Money:
        return total([one.tax_fen for one in self.invoices])

    @property
    def gross(self) -> Money:
        return total([one.gross_fen for one in self.invoices])

    @property
    def paid(self) -> Money:
        return total([one.amount for one in self.payments])


def certificate_of(session: Session, organization_id: int, year: int) -> Certificate:
    """What the firm was invoiced and paid in the year, by platform and date. Errors: ``NotFound``."""
    firm = session.get(Organization, organization_id)
    if firm is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    invoices = session.scalars(
        select(Invoice)
        .where(Invoice.organization_id == organization_id, Invoice.year == year, Invoice.state != InvoiceState.DRAFT)
        .options(joinedload(Invoice.platform), joinedload(Invoice.seller), joinedload(Invoice.credits))
        .order_by(Invoice.platform_id, Invoice.number)
    ).all()
    payments = session.execute(
        select(Payment, Invoice)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(
            Invoice.organization_id == organization_id,
            Payment.payer_id == organization_id,  # what others paid for it is not the firm's to claim
            Payment.paid_on >= date(year, 1, 1),
            Payment.paid_on < date(year + 1, 1, 1),
        )
        .options(joinedload(Invoice.platform))
        .order_by(Payment.paid_on, Payment.id)
    ).all()
    return Certificate(
        firm=firm,
        year=year,
        bought=_bought(session, organization_id, year),
        invoices=invoices,
        payments=[
            Paid(invoice.label, invoice.platform.name_zh, one.paid_on, one.amount_fen, one.reference)
            for one, invoice in payments
        ],
        sample=any(one.platform.illustrative for one in invoices)
        or any(invoice.platform.illustrative for _, invoice in payments),
    )


def certified_years(session: Session, organization_id: int) -> list[int]:
    """The years in which the firm was invoiced something, latest first."""
    years = session.scalars(
        select(Invoice.year)
        .where(Invoice.organization_id == organization_id, Invoice.year.is_not(None))
        .distinct()
        .order_by(Invoice.year.desc())
    )
    return [year for year in years if year is not None]


def certificate_pdf(certificate: Certificate, *, on: date) -> bytes:
    """The certificate as printed on a day; the same facts and day give the same bytes."""
    return PRESS.printed(json.dumps(_told(certificate, on), ensure_ascii=False))


def certificate_workbook(certificate: Certificate) -> bytes:
    """Totals, services, invoices, payments. Amounts are numbers; a sum is a formula that carries its value."""
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        looks = {
            "head": book.add_format({"bold": True, "bottom": 1}),
            "money": book.add_format({"num_format": "#,##0.00"}),
            "sum": book.add_format({"num_format": "#,##0.00", "bold": True, "top": 1}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        _totals(book.add_worksheet("汇总 Summary"), certificate, looks)
        for name, columns, rows in (
            ("服务 Services", SERVICES, certificate.bought),
            ("结算单 Invoices", INVOICES, certificate.invoices),
            ("付款 Payments", PAYMENTS, certificate.payments),
        ):
            _sheet(book.add_worksheet(name), looks, columns, rows)
    return out.getvalue()


def _bought(session: Session, organization_id: int, year: int) -> list[Bought]:
    """Commissioned work one by one, metered use in one row a platform; credit notes lower what they take back."""
    rows = session.execute(
        select(
            Invoice.platform_id,
            Charge.service_request_id,
            func.max(Charge.inputs["title"].astext).filter(Charge.kind == ChargeKind.SERVICE),
            func.count(InvoiceLine.charge_id),
            func.sum(InvoiceLine.gross_fen),
        )
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .outerjoin(_CREDITED, _CREDITED.id == InvoiceLine.credits_line_id)
        .join(Charge, Charge.id == func.coalesce(InvoiceLine.charge_id, _CREDITED.charge_id))
        .where(Invoice.organization_id == organization_id, Invoice.year == year)
        .group_by(Invoice.platform_id, Charge.service_request_id)
        .order_by(Invoice.platform_id, Charge.service_request_id.nulls_first())
    ).all()
    platforms = {
        one.id: one for one in session.scalars(select(Platform).where(Platform.id.in_({row[0] for row in rows})))
    }
    return [
        Bought(platforms[platform_id], request_id, title or "", count, gross or ZERO)
        for platform_id, request_id, title, count, gross in rows
    ]


def _totals(sheet: Any, certificate: Certificate, looks: dict[str, Any]) -> None:
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 44)
    rows: list[tuple[str, Any]] = [
        ("企业", certificate.firm.name),
        ("统一社会信用代码", certificate.firm.uscc or "—"),
        ("年度", certificate.year),
        ("不含税合计", certificate.net),
        ("税额合计", certificate.tax),
        ("价税合计", certificate.gross),
        ("价税合计（大写）", f"人民币{capital_numerals(certificate.gross)}"),
        ("本年付款合计", certificate.paid),
    ]
    if certificate.sample:
        rows.insert(0, ("", SAMPLE))
    for number, (word, value) in enumerate(rows):
        sheet.write_string(number, 0, word, looks["head"])
        if isinstance(value, Money):
            sheet.write_number(number, 1, value.yuan, looks["money"])
        else:
            sheet.write(number, 1, value)


def _sheet(sheet: Any, looks: dict[str, Any], columns: Columns, rows: Sequence[Any]) -> None:
    """A table with a sum under each column of money."""
    sheet.freeze_panes(1, 0)
    for place, (title, value_of) in enumerate(columns):
        sheet.set_column(place, place, 22)
        sheet.write_string(0, place, title, looks["head"])
        values = [value_of(row) for row in rows]
        for number, value in enumerate(values, start=1):
            match value:
                case Money():
                    sheet.write_number(number, place, value.yuan, looks["money"])
                case date():
                    sheet.write_datetime(number, place, value, looks["day"])
                case int():
                    sheet.write_number(number, place, value)
                case _:
                    sheet.write_string(number, place, "" if value is None else str(value))
        if values and all(isinstance(one, Money) for one in values):
            letter = chr(ord("A") + place)
            sheet.write_formula(
                len(values) + 1, place, f"=SUM({letter}2:{letter}{len(values) + 1})", looks["sum"], total(values).yuan
            )


def _told(certificate: Certificate, on: date) -> dict[str, Any]:
    return {
        "firm": certificate.firm.name,
        "uscc": certificate.firm.uscc or "—",
        "year": str(certificate.year),
        "on": on.isoformat(),
        "sample": certificate.sample,
        "bought": [_printed_row(SERVICES, one) for one in certificate.bought],
        "invoices": [_printed_row(INVOICES[:-1], one) for one in certificate.invoices],
        "payments": [_printed_row(PAYMENTS, one) for one in certificate.payments],
        "net": _yuan(certificate.net),
        "tax": _yuan(certificate.tax),
        "gross": _yuan(certificate.gross),
        "capital": capital_numerals(certificate.gross),
        "paid": _yuan(certificate.paid),
        "paid_capital": capital_numerals(certificate.paid),
    }


def _printed_row(columns: Columns, row: Any) -> list[str]:
    values = [value_of(row) for _, value_of in columns]
    return [_yuan(one) if isinstance(one, Money) else str(one or "—") for one in values]


def _yuan(amount: Money) -> str:
    return f"{amount.yuan:,.2f}"
