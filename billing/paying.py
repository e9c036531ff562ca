"""Money that firms pay for their invoices. What was recorded is never edited, only mirrored."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ColumnElement, and_, cast, func, select, text, type_coerce
from sqlalchemy.orm import Session, aliased

from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.columns import Fen
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money
from billing.bank_lines import reopen_if_unused
from billing.deposits import (
    insist_not_to_come,
    keep_excess,
    locked_account,
    move,
    open_account,
    reverse_movement,
)
from billing.invoicing import invoice_or_refuse
from billing.journal import post
from billing.models import BillingSettings, DepositAccount, DepositMovement, Invoice, Payment
from billing.rules.ledger import EntryKind, received
from billing.rules.money_words import MovementKind, PaymentKind, PaymentWay
from billing.rules.words import InvoiceKind, InvoiceState


def record_payment(
    session: Session,
    invoice_id: int,
    *,
    paid_on: date,
    amount: Money,
    reference: str,
    by: int,
    at: datetime,
    excess_to_deposit: bool = False,
    bank_line_id: int | None = None,
) -> Payment:
    """Note money received for an invoice, tax included; in part, all that is due, or more.

    With ``excess_to_deposit`` what is beyond the invoice becomes the firm's deposit.

    Errors: ``InvalidInput`` for nothing, or for more than is due without that word.
    """
    invoice = _payable(session, invoice_id)
    due = amount_due(session, invoice)
    if not due > ZERO:
        raise Conflict("%(label)s 已付清，没有未收金额。新到的款请登记为预存款。", label=invoice.label)
    insist_not_to_come(paid_on, at=at, field="paid_on")
    if not amount > ZERO or (due < amount and not excess_to_deposit):
        raise InvalidInput("收款金额应大于 0 且不超过未收 ¥%(due)s。", field="amount", due=str(due))
    payment = _add(
        session, invoice, PaymentKind.RECEIPT, PaymentWay.BANK, min(amount, due),
        on=paid_on, by=by, at=at, reference=reference, bank_line_id=bank_line_id,
    )  # fmt: skip
    if due < amount:
        keep_excess(session, payment, amount - due, by=by, at=at)
    return payment


def pay_from_deposit(session: Session, invoice_id: int, *, on: date, by: int, at: datetime) -> Payment:
    """Pay what is due, or as much of it as the firm's deposit has that is not held for reservations.

    Errors: ``Conflict`` where there is nothing to pay, or nothing to pay from.
    """
    invoice = _payable(session, invoice_id)
    due = amount_due(session, invoice)
    account = locked_account(session, platform_id=invoice.platform_id, organization_id=invoice.organization_id)
    amount = ZERO if account is None else min(due, account.available)
    if account is None or not amount > ZERO:
        raise Conflict("没有可用于支付的预存款，或没有未付金额。请先登记充值或银行收款。")
    payment = _add(session, invoice, PaymentKind.RECEIPT, PaymentWay.DEPOSIT, amount, on=on, by=by, at=at)
    move(session, account, MovementKind.SETTLEMENT, -amount, on=on, by=by, at=at, payment_id=payment.id)
    return payment


def reverse_payment(session: Session, payment_id: int, *, reason: str, on: date, by: int, at: datetime) -> Payment:
    """Take back a receipt that was recorded wrongly: its mirror image, and the invoice is open again.

    What it put into the deposit, or took from it, goes back too.

    Errors: ``Conflict`` when it was taken back before or its excess is used; ``InvalidInput`` without a reason.
    """
    receipt = session.get(Payment, payment_id)
    if receipt is None or receipt.kind is not PaymentKind.RECEIPT:
        raise NotFound("没有这笔收款。")
    if not reason.strip():
        raise InvalidInput("请填写冲销原因。", field="reason")
    invoice = _locked(session, receipt.invoice_id)
    if session.scalar(select(Payment.id).where(Payment.reverses_id == receipt.id)):
        raise Conflict("这笔收款已经冲销过。")
    if receipt.way is PaymentWay.BANK:
        for movement_id in session.scalars(
            select(DepositMovement.id).where(
                DepositMovement.payment_id == receipt.id, DepositMovement.kind == MovementKind.OVERPAYMENT,
            )
        ).all():  # fmt: skip
            if session.scalar(select(DepositMovement.id).where(DepositMovement.reverses_id == movement_id)) is None:
                reverse_movement(session, movement_id, reason=reason, on=on, by=by, at=at)
    mirror = _add(
        session, invoice, PaymentKind.REVERSAL, receipt.way, -receipt.amount_fen,
        on=on, by=by, at=at, reference=receipt.reference, reason=reason, reverses_id=receipt.id,
    )  # fmt: skip
    if receipt.way is PaymentWay.DEPOSIT:
        account = open_account(session, platform_id=invoice.platform_id, organization_id=invoice.organization_id, at=at)
        move(
            session, account, MovementKind.RETURNED, receipt.amount_fen,
            on=on, by=by, at=at, reason=reason, payment_id=mirror.id,
        )  # fmt: skip
    reopen_if_unused(session, receipt.bank_line_id)
    return mirror


def refund_overpaid(
    session: Session, invoice_id: int, *, to: PaymentWay, on: date, reference: str, by: int, at: datetime
) -> Payment:
    """Give back what was paid beyond an invoice that was credited afterwards: to the bank, or into the deposit.

    Errors: ``Conflict`` where nothing was paid too much.
    """
    invoice = _payable(session, invoice_id)
    amount = ZERO - amount_due(session, invoice)
    if not amount > ZERO:
        raise Conflict("这张结算单没有多收的款项，不需要退款。")
    payment = _add(session, invoice, PaymentKind.REFUND, to, -amount, on=on, by=by, at=at, reference=reference)
    if to is PaymentWay.DEPOSIT:
        account = open_account(session, platform_id=invoice.platform_id, organization_id=invoice.organization_id, at=at)
        move(session, account, MovementKind.RETURNED, amount, on=on, by=by, at=at, payment_id=payment.id)
    return payment


def amount_due(session: Session, invoice: Invoice) -> Money:
    """What is still to pay: the invoice with its credit notes, less what came in. Negative where it is too much."""
    return session.scalars(select(due_column()).where(Invoice.id == invoice.id)).one()


def due_column() -> ColumnElement[Money]:
    """:func:`amount_due` as a column of a query on invoices; two index lookups a row."""
    note = aliased(Invoice)
    credited = select(func.sum(note.gross_fen)).where(note.credits_id == Invoice.id).scalar_subquery()
    paid = select(func.sum(Payment.amount_fen)).where(Payment.invoice_id == Invoice.id).scalar_subquery()
    sums = Invoice.gross_fen + func.coalesce(credited, text("0")) - func.coalesce(paid, text("0"))
    return type_coerce(cast(sums, BigInteger), Fen)


def settle_from_deposits(session: Session, *, at: datetime, limit: int) -> int:
    """Pay open invoices, oldest first, from deposits where the platform works with them. Again it pays nothing twice.

    Whoever issued an invoice stands in the books for it. Invoices are locked before accounts, as everywhere, and
    those that somebody else has in hand are left for the next time.
    """
    waiting = session.execute(
        select(Invoice.id, Invoice.issued_by, DepositAccount.id.label("account_id"))
        .join(
            DepositAccount,
            and_(
                DepositAccount.platform_id == Invoice.platform_id,
                DepositAccount.organization_id == Invoice.organization_id,
            ),
        )
        .join(BillingSettings, BillingSettings.platform_id == Invoice.platform_id)
        .where(
            Invoice.state == InvoiceState.ISSUED,
            Invoice.kind == InvoiceKind.INVOICE,
            Invoice.issued_by.is_not(None),
            BillingSettings.deposit_hold,
            DepositAccount.balance_fen > DepositAccount.held_fen,
            due_column() > ZERO,
        )
        .order_by(Invoice.issued_on, Invoice.id)
        .limit(limit)
    ).all()
    free = set(
        session.scalars(
            select(Invoice.id)
            .where(Invoice.id.in_([row.id for row in waiting]))
            .order_by(Invoice.id)
            .with_for_update(of=Invoice, skip_locked=True)
        )
    )
    session.execute(
        select(DepositAccount.id)
        .where(DepositAccount.id.in_({row.account_id for row in waiting if row.id in free}))
        .order_by(DepositAccount.id)
        .with_for_update()
    )
    settled = 0
    for invoice_id, issued_by, _ in waiting:
        if invoice_id not in free or issued_by is None:
            continue
        invoice = _locked(session, invoice_id)
        account = locked_account(session, platform_id=invoice.platform_id, organization_id=invoice.organization_id)
        if account is None or not min(account.available, amount_due(session, invoice)) > ZERO:
            continue  # an earlier one took the rest
        pay_from_deposit(session, invoice_id, on=local_date(at), by=issued_by, at=at)
        settled += 1
    return settled


_DEEDS = {
    (PaymentKind.RECEIPT, PaymentWay.BANK): EntryKind.RECEIPT,
    (PaymentKind.RECEIPT, PaymentWay.DEPOSIT): EntryKind.SETTLED_FROM_DEPOSIT,
    (PaymentKind.REVERSAL, PaymentWay.BANK): EntryKind.RECEIPT_REVERSED,
    (PaymentKind.REVERSAL, PaymentWay.DEPOSIT): EntryKind.SETTLEMENT_REVERSED,
    (PaymentKind.REFUND, PaymentWay.BANK): EntryKind.REFUND,
    (PaymentKind.REFUND, PaymentWay.DEPOSIT): EntryKind.CREDIT_TO_DEPOSIT,
}


def _locked(session: Session, invoice_id: int) -> Invoice:
    """The invoice with its row locked, as it is now and not as a page read it before it waited."""
    invoice = invoice_or_refuse(session, invoice_id)
    session.refresh(invoice)
    return invoice


def _payable(session: Session, invoice_id: int) -> Invoice:
    invoice = _locked(session, invoice_id)
    if invoice.kind is not InvoiceKind.INVOICE or invoice.state is InvoiceState.DRAFT:
        raise Conflict("只能为已开具的结算单登记收款。")
    return invoice


def _add(
    session: Session,
    invoice: Invoice,
    kind: PaymentKind,
    way: PaymentWay,
    amount: Money,
    *,
    on: date,
    by: int,
    at: datetime,
    reference: str = "",
    reason: str = "",
    reverses_id: int | None = None,
    bank_line_id: int | None = None,
) -> Payment:
    """One row, its entry in the books, and the state that the invoice is in then."""
    payment = Payment(
        invoice=invoice,
        kind=kind,
        way=way,
        paid_on=on,
        amount_fen=amount,
        reference=reference.strip(),
        reason=reason.strip(),
        reverses_id=reverses_id,
        bank_line_id=bank_line_id,
        recorded_by=by,
        recorded_at=at,
    )
    session.add(payment)
    session.flush()
    post(
        session, received(amount, invoice.organization_id, way=way),
        platform_id=invoice.platform_id, booked_on=on, kind=_DEEDS[kind, way],
        document=f"payment:{payment.id}", label=invoice.label, by=by, at=at,
    )  # fmt: skip
    invoice.state = InvoiceState.ISSUED if amount_due(session, invoice) > ZERO else InvoiceState.PAID
    session.flush()
    deed = "paid" if kind is PaymentKind.RECEIPT else kind.value
    audit.record(
        session, at=at, by=by, deed=deed, subject="invoice", subject_id=invoice.id, amount=str(amount), way=way.value
    )
    return payment
