"""Money that firms pay for their invoices. What was recorded is never edited, only mirrored."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ColumnElement, cast, func, or_, select, text, type_coerce
from sqlalchemy.orm import Session, aliased

from app.kernel import audit
from app.kernel.columns import Fen
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money
from billing.bank_lines import reopen_if_unused
from billing.deposits import keep_excess, mirror_of, move, open_account, reverse_movement
from billing.invoicing import invoice_or_refuse
from billing.journal import post
from billing.models import DepositMovement, Invoice, InvoiceShare, Payment
from billing.rules.deed import Deed
from billing.rules.ledger import EntryKind, received
from billing.rules.money_words import MovementKind, PaymentKind, PaymentWay
from billing.rules.words import InvoiceKind, InvoiceState

_DEEDS = {
    (PaymentKind.RECEIPT, PaymentWay.BANK): EntryKind.RECEIPT,
    (PaymentKind.RECEIPT, PaymentWay.DEPOSIT): EntryKind.SETTLED_FROM_DEPOSIT,
    (PaymentKind.REFUND, PaymentWay.BANK): EntryKind.REFUND,
    (PaymentKind.REFUND, PaymentWay.DEPOSIT): EntryKind.CREDIT_TO_DEPOSIT,
}
_TAKEN_BACK = {
    (PaymentKind.RECEIPT, PaymentWay.BANK): EntryKind.RECEIPT_REVERSED,
    (PaymentKind.RECEIPT, PaymentWay.DEPOSIT): EntryKind.SETTLEMENT_REVERSED,
    (PaymentKind.REFUND, PaymentWay.BANK): EntryKind.REFUND_REVERSED,
    (PaymentKind.REFUND, PaymentWay.DEPOSIT): EntryKind.CREDIT_TO_DEPOSIT_REVERSED,
}


def record_payment(
    session: Session,
    invoice_id: int,
    *,
    paid_on: date,
    amount: Money,
    reference: str,
    by: int,
    at: datetime,
    payer_id: int | None = None,
    excess_to_deposit: bool = False,
    bank_line_id: int | None = None,
) -> Payment:
    """Note money received for an invoice, tax included; in part, all that is due, or more.

    ``payer_id`` says who of several paid, else the firm. With ``excess_to_deposit`` what is beyond the invoice
    becomes the payer's deposit.

    Errors: ``InvalidInput`` for nothing, for more than is due without that word, or a payer who bears nothing.
    """
    deed = Deed(paid_on, by, at, reference, bank_line_id=bank_line_id)
    invoice = payable(session, invoice_id)
    due = amount_due(session, invoice)
    if not due > ZERO:
        raise Conflict("%(label)s 已付清，没有未收金额。新到的款请登记为预存款。", label=invoice.label)
    deed.insist_not_to_come(field="paid_on")
    if not amount > ZERO or (due < amount and not excess_to_deposit):
        raise InvalidInput("收款金额应大于 0 且不超过未收 ¥%(due)s。", field="amount", due=str(due))
    payer = invoice.organization_id if payer_id is None else payer_id
    if payer != invoice.organization_id and payer not in due_by_payer(session, invoice):
        raise InvalidInput("这家单位不承担这张结算单，请选择付款方。", field="payer_id")
    payment = pay(session, invoice, PaymentKind.RECEIPT, PaymentWay.BANK, min(amount, due), deed, payer_id=payer)
    if due < amount:
        keep_excess(session, payment, amount - due, deed)
    return payment


def reverse_payment(session: Session, payment_id: int, *, reason: str, on: date, by: int, at: datetime) -> Payment:
    """Take back a receipt or refund that was recorded wrongly by its mirror image; the invoice is as it was before.

    What it put into the deposit, or took from it, goes back too.

    Errors: ``Conflict`` when it was taken back before or what it put there is used; ``InvalidInput`` without a reason.
    """
    wrong = session.get(Payment, payment_id)
    if wrong is None or wrong.kind is PaymentKind.REVERSAL:
        raise NotFound("没有这笔收款或退款。")
    deed = Deed(on, by, at, wrong.reference, reason)
    deed.insist_on_reason()
    invoice = _locked(session, wrong.invoice_id)
    if session.scalar(select(Payment.id).where(Payment.reverses_id == wrong.id)):
        raise Conflict("这笔款已经冲销过。")
    put_in = session.scalars(
        select(DepositMovement).where(DepositMovement.payment_id == wrong.id, DepositMovement.amount_fen > ZERO)
    ).one_or_none()
    if (
        put_in is not None
        and put_in.kind is MovementKind.OVERPAYMENT
        and session.scalar(select(DepositMovement.id).where(DepositMovement.reverses_id == put_in.id)) is None
    ):
        reverse_movement(session, put_in.id, reason=reason, on=on, by=by, at=at)
    mirror = pay(
        session, invoice, PaymentKind.REVERSAL, wrong.way, -wrong.amount_fen, deed, payer_id=wrong.payer_id, wrong=wrong
    )
    if wrong.way is PaymentWay.DEPOSIT:
        account = open_account(session, platform_id=invoice.platform_id, organization_id=wrong.payer_id, at=at)
        if put_in is None:
            move(session, account, MovementKind.RETURNED, wrong.amount_fen, deed, payment_id=mirror.id)
        else:
            mirror_of(session, account, put_in, deed, payment_id=mirror.id)
    reopen_if_unused(session, wrong.bank_line_id)
    return mirror


def refund_overpaid(
    session: Session, invoice_id: int, *, to: PaymentWay, on: date, reference: str, by: int, at: datetime
) -> list[Payment]:
    """Give back what was paid beyond an invoice that was credited afterwards: to the bank, or into the deposit.

    Of several payers each is given back what is beyond the own share, the most overpaid first.

    Errors: ``Conflict`` where nothing was paid too much.
    """
    deed = Deed(on, by, at, reference)
    invoice = payable(session, invoice_id)
    left = -amount_due(session, invoice)
    if not left > ZERO:
        raise Conflict("这张结算单没有多收的款项，不需要退款。")
    made = []
    for payer_id, due in sorted(due_by_payer(session, invoice).items(), key=lambda one: (one[1].fen, one[0])):
        amount = min(-due, left)
        if not amount > ZERO:
            break
        payment = pay(session, invoice, PaymentKind.REFUND, to, -amount, deed, payer_id=payer_id)
        if to is PaymentWay.DEPOSIT:
            account = open_account(session, platform_id=invoice.platform_id, organization_id=payer_id, at=at)
            move(session, account, MovementKind.RETURNED, amount, deed, payment_id=payment.id)
        made.append(payment)
        left -= amount
    return made


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


def due_by_payer(session: Session, invoice: Invoice) -> dict[int, Money]:
    """:func:`amount_due` by who has to pay it: the own share after credit notes, less what that payer paid."""
    borne = session.execute(
        select(InvoiceShare.payer_id, func.sum(InvoiceShare.gross_fen))
        .join(Invoice, Invoice.id == InvoiceShare.invoice_id)
        .where(or_(Invoice.id == invoice.id, Invoice.credits_id == invoice.id))
        .group_by(InvoiceShare.payer_id)
    ).all()
    if not borne:
        return {invoice.organization_id: amount_due(session, invoice)}
    paid = session.execute(
        select(Payment.payer_id, func.sum(Payment.amount_fen))
        .where(Payment.invoice_id == invoice.id)
        .group_by(Payment.payer_id)
    ).all()
    found: dict[int, Money] = {row[0]: row[1] for row in borne}
    for payer_id, amount in paid:
        found[payer_id] = found.get(payer_id, ZERO) - amount
    return found


def payable(session: Session, invoice_id: int) -> Invoice:
    """An issued invoice with its row locked. Errors: ``Conflict`` for a credit note or a draft."""
    invoice = _locked(session, invoice_id)
    if invoice.kind is not InvoiceKind.INVOICE or invoice.state is InvoiceState.DRAFT:
        raise Conflict("只能为已开具的结算单登记收款。")
    return invoice


def pay(
    session: Session,
    invoice: Invoice,
    kind: PaymentKind,
    way: PaymentWay,
    amount: Money,
    deed: Deed,
    *,
    payer_id: int,
    wrong: Payment | None = None,
) -> Payment:
    """One row for a locked invoice, its entry in the books, and the state that the invoice is in then.

    ``wrong`` is what a reversal takes back.
    """
    payment = Payment(
        invoice=invoice, payer_id=payer_id, kind=kind, way=way, paid_on=deed.on, amount_fen=amount,
        reverses_id=None if wrong is None else wrong.id, **deed.recorded,
    )  # fmt: skip
    session.add(payment)
    session.flush()
    post(
        session, received(amount, invoice.organization_id, way=way, payer_id=payer_id),
        platform_id=invoice.platform_id, on=deed.on,
        kind=_DEEDS[kind, way] if wrong is None else _TAKEN_BACK[wrong.kind, way],
        document=f"payment:{payment.id}", label=invoice.label, by=deed.by, at=deed.at,
    )  # fmt: skip
    if invoice.state is not InvoiceState.CREDITED:
        invoice.state = InvoiceState.ISSUED if amount_due(session, invoice) > ZERO else InvoiceState.PAID
    session.flush()
    audit.record(
        session, at=deed.at, by=deed.by, deed="paid" if kind is PaymentKind.RECEIPT else kind.value,
        subject="invoice", subject_id=invoice.id, amount=str(amount), way=way.value,
    )  # fmt: skip
    return payment


def _locked(session: Session, invoice_id: int) -> Invoice:
    """The invoice with its row locked, as it is now and not as a page read it before it waited."""
    invoice = invoice_or_refuse(session, invoice_id)
    session.refresh(invoice)
    return invoice
