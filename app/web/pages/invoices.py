"""Invoices and credit notes: the list, the paper, its evidence, payments and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import ColumnElement, false, func, or_, select, true
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import NotFound, Refusal
from app.kernel.money import ZERO, Money
from app.web import river
from app.web.access import Bounds, bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import XLSX, Column, attached, download
from app.web.formats import money, said
from app.web.forms import money_in, month_in
from app.web.paging import page_of, page_of_rows, wanted_file
from app.web.words import state_of
from billing import money_settings
from billing.ageing import due_on
from billing.correcting import credit as issue_credit_note
from billing.correcting import free_to_credit
from billing.models import Invoice, InvoiceLine, RedRequest, TaxInvoice
from billing.payers import shares_of
from billing.printing import around, kept_pdf
from billing.red_letters import letters_wanted, red_requests_of
from billing.rules.red_letter import RedReason, RedState
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.rules.words import InvoiceKind, InvoiceState
from billing.statement_sheet import statement_xlsx
from billing.statements import evidence_path, invoice_view, invoices_of
from billing.tax_invoices import buyers_of, live_tax_invoices
from billing.tax_requests import settings_of

pages = Blueprint("invoices", __name__)
FEW_LINES = 30
"""Of a longer invoice the form that takes back line by line is opened when it is asked for."""


@pages.get("/invoices")
@requires(Permission.SEE_INVOICES)
def list_invoices() -> Response | str:
    shown = request.args.get("state", "")
    year = request.args.get("year", type=int)
    wanted = request.args.get("q", "").strip()
    chosen_month = month_in("month", clock.local_date(clock.now())) if request.args.get("month") else None
    query = invoices_of().where(_within_bounds(bounds(Permission.SEE_INVOICES)), Invoice.state != InvoiceState.DRAFT)
    if shown == "credit_note":
        query = query.where(Invoice.kind == InvoiceKind.CREDIT_NOTE)
    elif shown in ("issued", "paid", "credited"):
        query = query.where(Invoice.state == InvoiceState(shown), Invoice.kind == InvoiceKind.INVOICE)
    if year:
        query = query.where(Invoice.year == year)
    if chosen_month:
        query = query.where(Invoice.month == chosen_month)
    if wanted:
        like = f"%{wanted}%"
        query = query.join(Platform, Platform.id == Invoice.platform_id)
        query = query.join(Organization, Organization.id == Invoice.organization_id)
        query = query.where(or_(Organization.name.ilike(like), Platform.name_zh.ilike(like), Platform.code.ilike(like)))
    if form := wanted_file():
        columns: list[Column[Invoice]] = [
            Column(gettext("号码"), lambda one: one.label),
            Column(gettext("平台"), lambda one: said(one.platform, "name")),
            Column(gettext("客户"), lambda one: one.organization.name),
            Column(gettext("开具日期"), lambda one: one.issued_on, "day"),
            Column(gettext("不含税"), lambda one: one.net_fen, "money"),
            Column(gettext("税额"), lambda one: one.tax_fen, "money"),
            Column(gettext("价税合计"), lambda one: one.gross_fen, "money"),
            Column(gettext("状态"), lambda one: state_of(_standing(one)).word),
        ]
        return download(
            "invoices", columns, db.session.scalars(query), form=form, is_sample=lambda one: one.platform.illustrative
        )
    found = query.with_only_columns(Invoice.gross_fen, maintain_column_froms=True).order_by(None).subquery()
    gross = db.session.scalar(select(func.sum(found.c.gross_fen)))
    first, last = db.session.execute(select(func.min(Invoice.issued_on), func.max(Invoice.issued_on))).one()
    return render_template(
        "invoices.html",
        page=page_of(db.session(), query),
        gross=gross,
        state_shown=shown,
        year=year,
        years=range(first.year, last.year + 1) if first and last else (),
        q=wanted,
        month=chosen_month,
        may_issue=current_user.may(Permission.ISSUE_INVOICES),
        platforms=_issuing_platforms(),
    )


@pages.get("/invoices/<int:invoice_id>")
@requires(Permission.SEE_INVOICES)
def invoice(invoice_id: int) -> str:
    return page(visible(invoice_id, Permission.SEE_INVOICES))


@pages.get("/invoices/<int:invoice_id>.pdf")
@requires(Permission.SEE_INVOICES)
def pdf(invoice_id: int) -> Response:
    """The document as it was first made; whoever asks first has it made."""
    label = visible(invoice_id, Permission.SEE_INVOICES).label
    content = in_transaction(lambda session: kept_pdf(session, session.get_one(Invoice, invoice_id), at=clock.now()))
    return attached(content, f"{label}.pdf", "application/pdf")


@pages.get("/invoices/<int:invoice_id>.xlsx")
@requires(Permission.SEE_INVOICES)
def statement_sheet(invoice_id: int) -> Response:
    one = visible(invoice_id, Permission.SEE_INVOICES)
    return attached(statement_xlsx(one, around(db.session(), one)), f"{one.label}.xlsx", XLSX)


@pages.get("/invoices/lines/<int:line_id>")
@requires(Permission.SEE_INVOICES)
def line(line_id: int) -> str:
    """One line's evidence: a side panel on the invoice, a page of its own without script."""
    one = db.session.get(InvoiceLine, line_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    visible(one.invoice_id, Permission.SEE_INVOICES)
    path = evidence_path(db.session(), line_id)
    return render_template(
        "invoice_line.html",
        line=one,
        line_at=river.on_its_invoice(one),
        used=path.used,
        request_id=path.request_id,
        river=river.evidence_path(db.session(), "line", line=one, charge=path.charge),
    )


@pages.post("/invoices/<int:invoice_id>/credit")
@requires(Permission.ISSUE_INVOICES)
def credit(invoice_id: int) -> Response | tuple[str, int]:
    one = visible(invoice_id, Permission.ISSUE_INVOICES)
    person_id, reason = current_user.id, request.form.get("reason", "")
    try:
        amounts: dict[int, Money] = {each.id: money_in(f"line_{each.id}") for each in one.lines}
        note_id = in_transaction(
            lambda session: (
                issue_credit_note(
                    session,
                    invoice_id,
                    amounts=amounts,
                    reason=reason,
                    by=person_id,
                    at=clock.now(),
                    bill_again="bill_again" in request.form,
                ).id
            )
        )
    except Refusal as refusal:
        return page(visible(invoice_id, Permission.ISSUE_INVOICES), refusal=refusal), status_of(refusal)
    note = db.session.get_one(Invoice, note_id)
    flash(gettext("已开具红字通知单 %(label)s，%(amount)s。", label=note.label, amount=money(note.gross_fen)))
    return redirect(url_for(".invoice", invoice_id=note_id))


def _within_bounds(limits: Bounds) -> ColumnElement[bool]:
    if limits.everything:
        return true()
    return or_(
        false(),
        Invoice.organization_id.in_(limits.organization_ids),
        Invoice.platform_id.in_(limits.platform_ids),
    )


def visible(invoice_id: int, permission: Permission) -> Invoice:
    """An issued invoice that the actor may see. Errors: ``NotFound``."""
    one = db.session.get(Invoice, invoice_id)
    if one is None or one.state is InvoiceState.DRAFT:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(organization_id=one.organization_id, platform_id=one.platform_id)
    return one


def _issuing_platforms() -> Sequence[Platform]:
    """Whose documents the reader may prepare together."""
    if not current_user.may(Permission.ISSUE_INVOICES):
        return []
    wanted = bounds(Permission.ISSUE_INVOICES).platform_ids
    return db.session.scalars(select(Platform).where(Platform.id.in_(wanted)).order_by(Platform.id)).all()


def page(one: Invoice, *, refusal: Refusal | None = None) -> str:
    """The invoice with all that came of it, and what the reader may do next."""
    session = db.session()
    view = invoice_view(session, one.id)
    is_invoice = one.kind is InvoiceKind.INVOICE

    def may(permission: Permission) -> bool:
        return is_invoice and bounds(permission).allows(platform_id=one.platform_id)

    tax_invoices = live_tax_invoices(session, one.id)
    requests = red_requests_of(session, one.id) if is_invoice else []
    free = free_to_credit(session, one) if is_invoice else {}
    may_issue = may(Permission.ISSUE_INVOICES)
    count = session.scalar(select(func.count()).where(InvoiceLine.invoice_id == one.id)) or 0
    return render_template(
        "invoice.html",
        invoice=view.invoice,
        page=page_of_rows(count, partial(_lines, one.id), at=_place_asked_for(one.id)),
        view=view,
        is_invoice=is_invoice,
        may_pay=may(Permission.RECORD_PAYMENTS) and view.due > ZERO,
        may_credit=may_issue and not tax_invoices and any(free.values()),
        may_ask_red=may_issue and bool(tax_invoices) and any(free.values()),
        may_issue=may_issue,
        may_withdraw=may_issue and not any(_binds(each) for each in requests),
        may_reissue=may_issue and not any(each.state.open for each in requests),
        free=free,
        each_line=count <= FEW_LINES or "credit" in request.args or refusal is not None,
        lines_at=url_for("invoices.line", line_id=0).removesuffix("0"),
        shares=shares_of(session, one.id),
        tax_invoices=tax_invoices,
        buyers=_without_tax_invoice(one, tax_invoices) if may_issue else [],
        settings=settings_of(session, one.platform_id),
        due_on=due_on(session, one),
        pay_to=money_settings.settings_of(session, one.platform_id).pay_to,
        is_buyer=one.organization_id in bounds(Permission.SEE_INVOICES).organization_ids,
        tax_kinds=list(TaxInvoiceKind),
        red_reasons=list(RedReason),
        red_requests=[
            (each, letters_wanted(session, each) if each.state is RedState.CONFIRMED else []) for each in requests
        ],
        today=clock.local_date(clock.now()),
        refused=sentence(refusal) if refusal is not None else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )


def _lines(invoice_id: int, size: int, at: int) -> Sequence[InvoiceLine]:
    query = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).order_by(InvoiceLine.position)
    return db.session.scalars(query.limit(size).offset(at)).all()


def _place_asked_for(invoice_id: int) -> int:
    """Which of its lines the address names (``?line=7``), counted from zero; zero where it names none of them."""
    query = select(InvoiceLine.position - 1).where(
        InvoiceLine.invoice_id == invoice_id, InvoiceLine.id == request.args.get("line", type=int)
    )
    return db.session.scalar(query) or 0


def _standing(one: Invoice) -> InvoiceKind | InvoiceState:
    """A credit note has no state of payment."""
    return one.kind if one.kind is InvoiceKind.CREDIT_NOTE else one.state


def _binds(one: RedRequest) -> bool:
    """Whether red letters against the tax invoices that stand rest on it, or may."""
    return one.state.open or (one.state is RedState.ISSUED and one.tax_invoice_id is None)


def _without_tax_invoice(one: Invoice, recorded: Sequence[TaxInvoice]) -> list[Organization]:
    have = {each.buyer_id for each in recorded}
    return [body for body in buyers_of(db.session(), one) if body.id not in have]
