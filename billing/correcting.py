"""Credit notes: the only way an issued invoice is ever corrected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.kernel import clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money
from billing.charging_again import charge_again
from billing.invoicing import invoice_or_refuse, number_and_issue
from billing.models import Charge, Invoice, InvoiceLine, RedRequest, RedRequestLine, TaxInvoice, UseSettlement
from billing.rules.red_letter import OPEN
from billing.rules.tax import Taxed, credited
from billing.rules.words import InvoiceKind, InvoiceState
from billing.settling import Problem


def credit(
    session: Session,
    invoice_id: int,
    *,
    amounts: Mapping[int, Money],
    reason: str,
    by: int,
    at: datetime,
    red_request_id: int | None = None,
    bill_again: bool = False,
) -> Invoice:
    """Issue a credit note that takes back ``amounts`` (tax included) of these invoice lines.

    With ``bill_again`` the same is charged anew, to be reviewed and invoiced like any charge.

    Together the notes against a line, and what open red requests hold of it, never exceed it; the note that
    takes the rest takes its last fen of tax too. The original stays as it is. Where a tax invoice is recorded,
    only a red request whose red letters are recorded comes to a note: ``red_request_id``.

    Errors: ``InvalidInput`` for no reason, no amount, a line of another invoice or more than is left;
    ``Conflict`` where it has to go by a red request.
    """
    invoice = creditable(session, invoice_id)
    if red_request_id is None and has_tax_invoice(session, invoice_id):
        raise Conflict("这张结算单已登记数电票，只能先申请红字、登记红字发票号码，再冲减。")
    if not reason.strip():
        raise InvalidInput("请填写红冲原因。", field="reason")
    wanted = wanted_amounts(session, invoice, amounts, but=red_request_id)
    lines = {line.id: line for line in invoice.lines}
    left = what_is_left(session, invoice)
    note = Invoice(
        platform_id=invoice.platform_id,
        seller_id=invoice.seller_id,
        organization_id=invoice.organization_id,
        kind=InvoiceKind.CREDIT_NOTE,
        credits_id=invoice.id,
        reason=reason.strip(),
        month=clock.local_date(at).replace(day=1),
        state=InvoiceState.DRAFT,
        net_fen=ZERO,
        tax_fen=ZERO,
        gross_fen=ZERO,
        created_at=at,
    )
    for position, (line_id, gross) in enumerate(sorted(wanted.items()), start=1):
        line, (net_left, gross_left) = lines[line_id], left[line_id]
        part = credited(gross, rate=line.tax_rate, net_left=net_left, gross_left=gross_left)
        note.lines.append(_mirror(position, line, part))
    session.add(note)
    session.flush()
    number_and_issue(session, note, by=by, at=at)
    if not any(gross for _, gross in what_is_left(session, invoice).values()):
        invoice.state = InvoiceState.CREDITED
        session.flush()
    if bill_again:
        charge_again(session, note, at=at)
    _look_again(session, [lines[line_id].charge_id for line_id in wanted])
    return note


def _look_again(session: Session, charge_ids: Collection[int | None]) -> None:
    """Cases that wait for a credit note are settled anew now that there is one: perhaps it was all that was due."""
    cases = select(UseSettlement.reservation_id, UseSettlement.usage_session_id).where(
        UseSettlement.id.in_(select(Charge.use_settlement_id).where(Charge.id.in_(charge_ids)))
    )
    credited = cases.subquery()
    session.execute(
        delete(UseSettlement).where(
            UseSettlement.reason == Problem.CREDIT_DUE,
            or_(
                UseSettlement.reservation_id.in_(select(credited.c.reservation_id)),
                UseSettlement.usage_session_id.in_(select(credited.c.usage_session_id)),
            ),
        )
    )


def creditable(session: Session, invoice_id: int) -> Invoice:
    """An issued invoice with its row locked: whoever takes back from it next waits. Errors: ``Conflict``."""
    invoice = invoice_or_refuse(session, invoice_id)
    if invoice.kind is not InvoiceKind.INVOICE or invoice.state is InvoiceState.DRAFT:
        raise Conflict("只能对已开具的结算单开具红字通知单。")
    return invoice


def wanted_amounts(
    session: Session, invoice: Invoice, amounts: Mapping[int, Money], *, but: int | None = None
) -> dict[int, Money]:
    """What is to be taken back, without the lines of nothing.

    Errors: ``InvalidInput`` for nothing, a line of another invoice, or more than is left and not held (but by the
    red request ``but``).
    """
    lines = {line.id: line for line in invoice.lines}
    wanted = {line_id: amount for line_id, amount in amounts.items() if amount}
    if not wanted or not wanted.keys() <= lines.keys():
        raise InvalidInput("请至少填写一行要红冲的金额。", field="amounts")
    free = free_to_credit(session, invoice, but=but)
    for line_id, gross in sorted(wanted.items()):
        if not ZERO < gross <= free[line_id]:
            raise InvalidInput(
                "第 %(position)s 行最多可红冲 ¥%(left)s。",
                field="amounts",
                position=lines[line_id].position,
                left=f"{free[line_id].yuan:,.2f}",
            )
    return wanted


def stands() -> tuple[ColumnElement[bool], ...]:
    """What is true of a tax invoice that stands for its invoice."""
    return TaxInvoice.withdrawn_at.is_(None), TaxInvoice.replaced_at.is_(None)


def has_tax_invoice(session: Session, invoice_id: int) -> bool:
    """Whether a tax invoice is recorded for it."""
    query = select(exists().where(TaxInvoice.invoice_id == invoice_id, *stands()))
    return bool(session.scalar(query))


def free_to_credit(session: Session, invoice: Invoice, *, but: int | None = None) -> dict[int, Money]:
    """Gross of each line that neither a credit note has taken back nor an open red request holds (but ``but``)."""
    holding = (
        select(RedRequestLine.invoice_line_id, func.sum(RedRequestLine.gross_fen))
        .join(RedRequest, RedRequest.id == RedRequestLine.red_request_id)
        .where(RedRequest.invoice_id == invoice.id, RedRequest.state.in_(OPEN))
        .group_by(RedRequestLine.invoice_line_id)
    )
    if but is not None:
        holding = holding.where(RedRequest.id != but)
    held: dict[int, Money] = dict(session.execute(holding).all())
    return {line_id: gross - held.get(line_id, ZERO) for line_id, (_, gross) in what_is_left(session, invoice).items()}


def what_is_left(session: Session, invoice: Invoice) -> dict[int, tuple[Money, Money]]:
    """Net and gross of each line, in their order, that no credit note has taken back yet. One query; O(lines)."""
    line, note = aliased(InvoiceLine), aliased(InvoiceLine)
    rows = session.execute(
        select(line.id, line.net_fen, line.gross_fen, func.sum(note.net_fen), func.sum(note.gross_fen))
        .outerjoin(note, note.credits_line_id == line.id)
        .where(line.invoice_id == invoice.id)
        .group_by(line.id)
        .order_by(line.position)
    )
    return {line_id: (net + (net_back or ZERO), gross + (back or ZERO)) for line_id, net, gross, net_back, back in rows}


def _mirror(position: int, line: InvoiceLine, part: Taxed) -> InvoiceLine:
    return InvoiceLine(
        position=position,
        credits_line_id=line.id,
        description_zh=f"红冲：{line.description_zh}",
        description_en=f"Credit: {line.description_en}",
        explanation_zh=f"冲减原结算单第 {line.position} 行 ¥{part.gross.yuan:,.2f}",
        explanation_en=f"Takes back ¥{part.gross.yuan:,.2f} of line {line.position} of the invoice",
        quantity=Decimal(1),
        unit="次",
        unit_price=-part.gross.yuan,
        net_fen=-part.net,
        tax_fen=-part.tax,
        gross_fen=-part.gross,
        tax_rate=line.tax_rate,
        tax_code=line.tax_code,
        category=line.category,
        relation=line.relation,
        no_show_fee=line.no_show_fee,
        served_on=line.served_on,
    )
