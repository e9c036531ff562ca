"""Money received: the list, and one invoice's payments with all that can be done about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import ZERO, Money, total
from app.web.access import bounds, requires
from app.web.booked import with_booked_on
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import money
from app.web.forms import day_in, money_in
from app.web.paging import page_of, wanted_file
from app.web.words import word_of
from billing.models import DepositAccount, Invoice, Payment
from billing.payers import shares_of
from billing.paying import amount_due, due_by_payer, due_column, record_payment, refund_overpaid, reverse_payment
from billing.paying_from_deposits import pay_from_deposit, payable_from
from billing.rules.money_words import PaymentKind, PaymentWay
from billing.rules.words import InvoiceKind, InvoiceState

pages = Blueprint("payments", __name__)


@pages.get("/payments")
@requires(Permission.RECORD_PAYMENTS)
def list_payments() -> Response | str:
    wanted, kind = request.args.get("q", "").strip(), request.args.get("kind", "")
    since = request.args.get("since", "")
    query = (
        select(Payment)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .join(Organization, Organization.id == Invoice.organization_id)
        .join(Platform, Platform.id == Invoice.platform_id)
        .where(Invoice.platform_id.in_(bounds(Permission.RECORD_PAYMENTS).platform_ids))
        .options(
            joinedload(Payment.invoice).joinedload(Invoice.platform),
            joinedload(Payment.invoice).joinedload(Invoice.organization),
            joinedload(Payment.payer),
        )
        .order_by(Payment.paid_on.desc(), Payment.id.desc())
    )
    if kind in set(PaymentKind):
        query = query.where(Payment.kind == PaymentKind(kind))
    if since:
        query = query.where(Payment.paid_on >= day_in("since"))
    if wanted:
        like = f"%{wanted}%"
        query = query.where(or_(Organization.name.ilike(like), Payment.reference.ilike(like), _label().ilike(like)))
    if form := wanted_file():
        columns: list[Column[Payment]] = [
            Column(gettext("结算单"), lambda one: one.invoice.label),
            Column(gettext("客户"), lambda one: one.invoice.organization.name),
            Column(gettext("付款方"), lambda one: one.payer.name),
            Column(gettext("日期"), lambda one: one.paid_on, "day"),
            Column(gettext("类别"), lambda one: word_of(one.kind)),
            Column(gettext("方式"), lambda one: word_of(one.way)),
            Column(gettext("金额"), lambda one: one.amount_fen, "money"),
            Column(gettext("银行流水号"), lambda one: one.reference),
            Column(gettext("原因"), lambda one: one.reason),
        ]
        return download(
            "payments", columns, db.session.scalars(query), form=form,
            is_sample=lambda one: one.invoice.platform.illustrative,
        )  # fmt: skip
    found = query.with_only_columns(Payment.amount_fen, maintain_column_froms=True).order_by(None).subquery()
    return render_template(
        "payments.html",
        page=page_of(db.session(), query),
        total=db.session.scalar(select(func.sum(found.c.amount_fen))) or ZERO,
        overpaid=db.session.execute(_overpaid()).all(),
        kinds=PaymentKind,
        kind=kind,
        since=since,
        q=wanted,
    )


@pages.get("/payments/invoices/<int:invoice_id>")
@requires(Permission.RECORD_PAYMENTS)
def invoice(invoice_id: int) -> str:
    return _page(_visible(invoice_id))


@pages.post("/payments/invoices/<int:invoice_id>")
@requires(Permission.RECORD_PAYMENTS)
def receive(invoice_id: int) -> Response | tuple[str, int]:
    """Record what came in; more than is due only where the person has said that the rest is a deposit."""

    def deed(session: Session, by: int) -> str:
        amount, paid_on = money_in("amount"), day_in("paid_on")
        payment = record_payment(
            session, invoice_id, paid_on=paid_on, amount=amount, reference=request.form.get("reference", ""), by=by,
            at=clock.now(), payer_id=request.form.get("payer_id", type=int), excess_to_deposit="excess" in request.form,
        )  # fmt: skip
        told = gettext("已登记收款 %(amount)s。", amount=money(amount))
        return with_booked_on(session, told, platform_id=payment.invoice.platform_id, on=paid_on)

    return _do(_visible(invoice_id), deed)


@pages.post("/payments/invoices/<int:invoice_id>/deposit")
@requires(Permission.RECORD_PAYMENTS)
def settle(invoice_id: int) -> Response | tuple[str, int]:
    def deed(session: Session, by: int) -> str:
        paid = pay_from_deposit(
            session, invoice_id, on=clock.local_date(clock.now()), by=by, at=clock.now(),
            payer_id=request.form.get("payer_id", type=int),
        )  # fmt: skip
        return gettext("已用预存款支付 %(amount)s。", amount=money(paid.amount_fen))

    return _do(_visible(invoice_id), deed)


@pages.post("/payments/invoices/<int:invoice_id>/refund")
@requires(Permission.RECORD_PAYMENTS)
def refund(invoice_id: int) -> Response | tuple[str, int]:
    def deed(session: Session, by: int) -> str:
        way = request.form.get("to", "")
        if way not in set(PaymentWay):
            raise InvalidInput("请选择退到银行还是转入预存款。", field="to")
        paid = refund_overpaid(
            session, invoice_id, to=PaymentWay(way), on=clock.local_date(clock.now()),
            reference=request.form.get("reference", ""), by=by, at=clock.now(),
        )  # fmt: skip
        return gettext("已退还多收的 %(amount)s。", amount=money(-total([one.amount_fen for one in paid])))

    return _do(_visible(invoice_id), deed)


@pages.post("/payments/<int:payment_id>/reverse")
@requires(Permission.RECORD_PAYMENTS)
def reverse(payment_id: int) -> Response | tuple[str, int]:
    payment = db.session.get(Payment, payment_id)
    if payment is None:
        raise NotFound("没有找到这一项，或您无权查看。")

    def deed(session: Session, by: int) -> str:
        mirror = reverse_payment(
            session, payment_id, reason=request.form.get("reason", "")[:300],
            on=clock.local_date(clock.now()), by=by, at=clock.now(),
        )  # fmt: skip
        if mirror.amount_fen > ZERO:
            return gettext("已冲销退款 %(amount)s。", amount=money(mirror.amount_fen))
        return gettext("已冲销收款 %(amount)s，结算单恢复为待付款。", amount=money(-mirror.amount_fen))

    return _do(_visible(payment.invoice_id), deed)


def _do(one: Invoice, deed: Callable[[Session, int], str]) -> Response | tuple[str, int]:
    invoice_id, by = one.id, current_user.id
    try:
        said = in_transaction(lambda session: deed(session, by))
    except Refusal as refusal:
        return _page(_visible(invoice_id), refusal=refusal), status_of(refusal)
    flash(said)
    return redirect(url_for(".invoice", invoice_id=invoice_id))


def _visible(invoice_id: int) -> Invoice:
    """An issued invoice of an own platform. Errors: ``NotFound``."""
    one = db.session.get(Invoice, invoice_id)
    if one is None or one.state is InvoiceState.DRAFT or one.kind is not InvoiceKind.INVOICE:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.RECORD_PAYMENTS).insist(platform_id=one.platform_id)
    return one


def _page(one: Invoice, *, refusal: Refusal | None = None) -> str:
    session = db.session()
    payments = session.scalars(select(Payment).where(Payment.invoice_id == one.id).order_by(Payment.id)).all()
    due = amount_due(session, one)
    payers = due_by_payer(session, one)
    accounts = session.scalars(
        select(DepositAccount)
        .where(DepositAccount.platform_id == one.platform_id, DepositAccount.organization_id.in_(payers))
        .options(joinedload(DepositAccount.organization))
        .order_by(DepositAccount.id)
    ).all()
    return render_template(
        "payment.html",
        invoice=one,
        due=due,
        excess=_excess(due, refusal),
        overpaid=-due if due < ZERO else ZERO,
        payments=payments,
        reversed={row.reverses_id for row in payments},
        shares=shares_of(session, one.id),
        payer=session.get(Organization, request.form.get("payer_id", type=int) or one.organization_id),
        accounts=[(account, payable_from(session, one, account)) for account in accounts],
        today=clock.local_date(clock.now()),
        refused=sentence(refusal) if refusal is not None else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )


def _excess(due: Money, refusal: Refusal | None) -> Money:
    """What the form asked for beyond what is due, for the page to ask whether it is a deposit."""
    if refusal is None or refusal.field != "amount" or not due > ZERO:
        return ZERO
    try:
        return max(money_in("amount") - due, ZERO)
    except InvalidInput:
        return ZERO


def _label() -> Any:
    return func.concat(
        func.upper(Platform.code), "-", Invoice.year, "-", func.lpad(func.concat(Invoice.number), 6, "0")
    )


def _overpaid() -> Select[Any]:
    """Invoices that were credited after they were paid; only those with a credit note can be."""
    note = select(Invoice.credits_id).where(Invoice.kind == InvoiceKind.CREDIT_NOTE).scalar_subquery()
    due = due_column()
    return (
        select(Invoice.id, _label().label("label"), Organization.name, due.label("due"))
        .join(Organization, Organization.id == Invoice.organization_id)
        .join(Platform, Platform.id == Invoice.platform_id)
        .where(
            Invoice.platform_id.in_(bounds(Permission.RECORD_PAYMENTS).platform_ids),
            Invoice.id.in_(note),
            due < ZERO,
        )
        .order_by(Invoice.id)
        .limit(20)
    )
