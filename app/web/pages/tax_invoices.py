"""Tax invoices: their numbers on the statement, and the tax bureau's workbook filled for many at once."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import XLSX, attached
from app.web.formats import moment
from app.web.forms import day_in, month_in, number_in
from app.web.pages.invoices import page, visible
from app.web.pages.red_letters import corrected, done
from billing.correcting import stands
from billing.models import Invoice, TaxInvoice
from billing.red_letters import request_reissue
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.rules.words import InvoiceKind, InvoiceState
from billing.tax_invoices import correct_number, record_tax_invoice, withdraw_tax_invoice
from billing.tax_requests import Prepared, prepare, set_usual, settings_of
from billing.tax_workbook import fill

pages = Blueprint("tax_invoices", __name__)


@pages.post("/invoices/<int:invoice_id>/tax-invoices")
@requires(Permission.ISSUE_INVOICES)
def record(invoice_id: int) -> Response | tuple[str, int]:
    visible(invoice_id, Permission.ISSUE_INVOICES)
    person_id, buyer_id = current_user.id, number_in("buyer_id", 0)
    try:
        issued_on, kind = day_in("issued_on", clock.local_date(clock.now())), _kind()
        number = in_transaction(
            lambda session: (
                record_tax_invoice(
                    session,
                    invoice_id,
                    buyer_id=buyer_id,
                    number=request.form.get("number", ""),
                    kind=kind or TaxInvoiceKind.SPECIAL,
                    issued_on=issued_on,
                    by=person_id,
                    at=clock.now(),
                ).number
            )
        )
    except Refusal as refusal:
        return page(visible(invoice_id, Permission.ISSUE_INVOICES), refusal=refusal), status_of(refusal)
    flash(gettext("已登记数电票 %(number)s。", number=number))
    return redirect(url_for("invoices.invoice", invoice_id=invoice_id))


@pages.post("/tax-invoices/<int:tax_invoice_id>/withdraw")
@requires(Permission.ISSUE_INVOICES)
def withdraw(tax_invoice_id: int) -> Response | tuple[str, int]:
    invoice_id, person_id = _own(tax_invoice_id).invoice_id, current_user.id

    def work(session: Session) -> str:
        withdraw_tax_invoice(
            session, tax_invoice_id, reason=request.form.get("withdraw_reason", ""), by=person_id, at=clock.now()
        )
        return gettext("已撤销号码登记，可以重新填写。")

    return done(invoice_id, work)


@pages.post("/tax-invoices/<int:tax_invoice_id>/number")
@requires(Permission.ISSUE_INVOICES)
def correct(tax_invoice_id: int) -> Response | tuple[str, int]:
    """Correct a mistyped number; the old one stays with the reason."""
    invoice_id, person_id = _own(tax_invoice_id).invoice_id, current_user.id

    def work(session: Session) -> str:
        row = session.get_one(TaxInvoice, tax_invoice_id)
        correct_number(session, row, **corrected(), by=person_id, at=clock.now())
        return gettext("已更正号码为 %(number)s，原号码已留存。", number=row.number)

    return done(invoice_id, work)


@pages.post("/tax-invoices/<int:tax_invoice_id>/reissue")
@requires(Permission.ISSUE_INVOICES)
def reissue(tax_invoice_id: int) -> Response | tuple[str, int]:
    """Ask for the red letter that takes a wrong tax invoice back whole."""
    invoice_id, person_id = _own(tax_invoice_id).invoice_id, current_user.id
    explanation = request.form.get("explanation", "")

    def work(session: Session) -> str:
        made = request_reissue(session, tax_invoice_id, explanation=explanation, by=person_id, at=clock.now())
        return gettext("已申请红字发票，请在 %(until)s 前完成确认。", until=moment(made.confirm_by))

    return done(invoice_id, work)


@pages.get("/tax-workbook")
@requires(Permission.ISSUE_INVOICES)
def workbook() -> str | tuple[str, int]:
    """What would go into the workbook: how many, how much, and what is to be known before."""
    return _workbook_page()


@pages.post("/tax-workbook")
@requires(Permission.ISSUE_INVOICES)
def filled() -> Response | tuple[str, int] | str:
    """The uploaded workbook, filled. Nothing is kept of it."""
    file = request.files.get("workbook")
    try:
        if file is None or not file.filename:
            raise InvalidInput("请选择电子税务局下载的 .xlsx 模板。", field="workbook")
        if not file.filename.lower().endswith(".xlsx"):
            raise InvalidInput("只收 .xlsx 模板，不收 .xls 或带宏的 .xlsm。请重新下载模板。", field="workbook")
        content = fill(file.read(), prepare(db.session(), _wanted(), kind=_kind()).sheets)
    except Refusal as refusal:
        return _workbook_page(refusal)
    return attached(content, f"tax-import-{clock.local_date(clock.now())}.xlsx", XLSX)


@pages.post("/tax-workbook/usual")
@requires(Permission.ISSUE_INVOICES)
def usual() -> Response:
    """How a platform usually has its tax invoices made out."""
    platform_id, person_id = number_in("platform_id", 0), current_user.id
    bounds(Permission.ISSUE_INVOICES).insist(platform_id=platform_id)
    kind, includes_tax = _kind() or TaxInvoiceKind.SPECIAL, request.form.get("includes_tax") == "yes"
    remark = request.form.get("remark", "").strip()

    def work(session: Session) -> None:
        set_usual(
            session, platform_id, kind=kind, includes_tax=includes_tax, remark=remark, by=person_id, at=clock.now()
        )

    in_transaction(work)
    flash(gettext("已保存开票设置。"))
    return redirect(
        url_for(".workbook", invoice_id=_wanted())
        if request.form.get("invoice_id")
        else url_for("invoices.list_invoices")
    )


def _workbook_page(refusal: Refusal | None = None) -> str | tuple[str, int]:
    chosen, prepared = _wanted(), Prepared()
    try:
        prepared = prepare(db.session(), chosen, kind=_kind()) if chosen else prepared
    except Refusal as found:
        refusal = refusal or found
    platforms = _platforms(chosen)
    shown = render_template(
        "tax_workbook.html",
        chosen=chosen,
        prepared=prepared,
        warnings=[gettext(text) % facts for text, facts in prepared.warnings],
        kind=_kind(),
        tax_kinds=list(TaxInvoiceKind),
        platforms=[(one, settings_of(db.session(), one.id)) for one in platforms],
        refused=sentence(refusal) if refusal is not None else "",
    )
    return (shown, status_of(refusal)) if refusal is not None and request.method == "POST" else shown


def _wanted() -> list[int]:
    """The ticked invoices, or all of the month; others than the actor's are left out."""
    own = (
        select(Invoice.id)
        .where(
            Invoice.platform_id.in_(bounds(Permission.ISSUE_INVOICES).platform_ids),
            Invoice.kind == InvoiceKind.INVOICE,
            Invoice.state != InvoiceState.DRAFT,
        )
        .order_by(Invoice.id)
    )
    ticked = request.values.getlist("invoice_id", type=int)
    if ticked:
        return list(db.session.scalars(own.where(Invoice.id.in_(ticked))))
    if not request.values.get("month"):
        return []
    month: date = month_in("month", clock.local_date(clock.now()))
    recorded = select(TaxInvoice.invoice_id).where(*stands())
    return list(db.session.scalars(own.where(Invoice.month == month, Invoice.id.not_in(recorded))))


def _own(tax_invoice_id: int) -> TaxInvoice:
    """One of an invoice that the actor may handle. Errors: ``NotFound``."""
    row = db.session.get(TaxInvoice, tax_invoice_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    visible(row.invoice_id, Permission.ISSUE_INVOICES)
    return row


def _platforms(chosen: list[int]) -> list[Platform]:
    own = select(Platform).where(Platform.id.in_(bounds(Permission.ISSUE_INVOICES).platform_ids)).order_by(Platform.id)
    if chosen:
        own = own.where(Platform.id.in_(select(Invoice.platform_id).where(Invoice.id.in_(chosen))))
    return list(db.session.scalars(own))


def _kind() -> TaxInvoiceKind | None:
    try:
        return TaxInvoiceKind(request.values.get("kind", ""))
    except ValueError:
        return None
