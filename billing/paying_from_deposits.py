"""Pay invoices from the deposits of those who bear them, each its own share."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text, type_coerce
from sqlalchemy.orm import Session, aliased

from app.kernel.clock import local_date
from app.kernel.columns import Fen
from app.kernel.errors import Conflict
from app.kernel.money import ZERO, Money
from billing.deposits import locked_account, move
from billing.models import BillingSettings, DepositAccount, Invoice, InvoiceShare, Payment
from billing.paying import amount_due, due_by_payer, due_column, pay, payable
from billing.rules.deed import Deed
from billing.rules.money_words import MovementKind, PaymentKind, PaymentWay
from billing.rules.words import InvoiceKind, InvoiceState


def pay_from_deposit(
    session: Session, invoice_id: int, *, on: date, by: int, at: datetime, payer_id: int | None = None
) -> Payment:
    """Pay what a payer (the firm, if none is named) owes of it, or as much of that as the deposit has free.

    Errors: ``Conflict`` where there is nothing to pay, or nothing to pay from.
    """
    deed = Deed(on, by, at)
    invoice = payable(session, invoice_id)
    payer = invoice.organization_id if payer_id is None else payer_id
    account = locked_account(session, platform_id=invoice.platform_id, organization_id=payer)
    amount = ZERO if account is None else payable_from(session, invoice, account)
    if account is None or not amount > ZERO:
        raise Conflict("没有可用于支付的预存款，或没有未付金额。请先登记充值或银行收款。")
    payment = pay(session, invoice, PaymentKind.RECEIPT, PaymentWay.DEPOSIT, amount, deed, payer_id=payer)
    move(session, account, MovementKind.SETTLEMENT, -amount, deed, payment_id=payment.id)
    return payment


def payable_from(session: Session, invoice: Invoice, account: DepositAccount) -> Money:
    """How much of an invoice a deposit can pay now: the own share, and only what is not held."""
    own = due_by_payer(session, invoice).get(account.organization_id, ZERO)
    return max(ZERO, min(own, amount_due(session, invoice), account.available))


def settle_from_deposits(session: Session, *, at: datetime, limit: int) -> int:
    """Pay open invoices, oldest first, from deposits where the platform works with them. Again it pays nothing twice.

    Whoever issued an invoice stands in the books for it. Invoices are locked before accounts, as everywhere, and
    those that somebody else has in hand are left for the next time.
    """
    shared = exists().where(InvoiceShare.invoice_id == Invoice.id)
    waiting = session.execute(
        select(Invoice.id, Invoice.issued_by, DepositAccount.id.label("account_id"), DepositAccount.organization_id)
        .join(
            DepositAccount,
            and_(
                DepositAccount.platform_id == Invoice.platform_id,
                or_(_own_share() > ZERO, and_(DepositAccount.organization_id == Invoice.organization_id, ~shared)),
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
        .order_by(Invoice.issued_on, Invoice.id, DepositAccount.id)
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
    for invoice_id, issued_by, _, payer_id in waiting:
        if invoice_id not in free or issued_by is None:
            continue
        invoice = payable(session, invoice_id)
        account = locked_account(session, platform_id=invoice.platform_id, organization_id=payer_id)
        if account is None or not payable_from(session, invoice, account) > ZERO:
            continue  # an earlier one took the rest
        pay_from_deposit(session, invoice_id, on=local_date(at), by=issued_by, at=at, payer_id=payer_id)
        settled += 1
    return settled


def _own_share() -> ColumnElement[Money]:
    """What the owner of the account still bears of a shared invoice; nothing where it bears none."""
    document = aliased(Invoice)
    borne = (
        select(func.sum(InvoiceShare.gross_fen))
        .join(document, document.id == InvoiceShare.invoice_id)
        .where(
            or_(document.id == Invoice.id, document.credits_id == Invoice.id),
            InvoiceShare.payer_id == DepositAccount.organization_id,
        )
        .scalar_subquery()
    )
    paid = (
        select(func.sum(Payment.amount_fen))
        .where(Payment.invoice_id == Invoice.id, Payment.payer_id == DepositAccount.organization_id)
        .scalar_subquery()
    )
    return type_coerce(borne - func.coalesce(paid, text("0")), Fen)
