"""Credit notes: the only way an issued invoice is ever corrected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel import clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money
from billing.invoicing import invoice_or_refuse, number_and_issue
from billing.models import Invoice, InvoiceLine
from billing.rules.tax import Taxed, credited
from billing.rules.words import InvoiceKind, InvoiceState


def credit(
    session: Session, invoice_id: int, *, amounts: Mapping[int, Money], reason: str, by: int, at: datetime
) -> Invoice:
    """Issue a credit note that takes back ``amounts`` (tax included) of these invoice lines.

    Together the notes against a line never exceed it, and the one that takes the rest takes its last
    fen of tax too. The original stays as it is.

    Errors: ``InvalidInput`` for no reason, no amount, a line of another invoice or more than is left.
    """
    invoice = invoice_or_refuse(session, invoice_id)
    if invoice.kind is not InvoiceKind.INVOICE or invoice.state is InvoiceState.DRAFT:
        raise Conflict("只能对已开具的结算单开具红字单。")
    if not reason.strip():
        raise InvalidInput("请填写红冲原因。", field="reason")
    lines = {line.id: line for line in invoice.lines}
    wanted = {line_id: amount for line_id, amount in amounts.items() if amount}
    if not wanted or not wanted.keys() <= lines.keys():
        raise InvalidInput("请至少填写一行要红冲的金额。", field="amounts")
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
        if not ZERO < gross <= gross_left:
            raise InvalidInput(
                "第 %(position)s 行最多可红冲 ¥%(left)s。",
                field="amounts",
                position=line.position,
                left=str(gross_left),
            )
        part = credited(gross, rate=line.tax_rate, net_left=net_left, gross_left=gross_left)
        note.lines.append(_mirror(position, line, part))
    session.add(note)
    session.flush()
    number_and_issue(session, note, by=by, at=at)
    return note


def what_is_left(session: Session, invoice: Invoice) -> dict[int, tuple[Money, Money]]:
    """Net and gross of each line that no credit note has taken back yet."""
    rows = session.execute(
        select(InvoiceLine.credits_line_id, func.sum(InvoiceLine.net_fen), func.sum(InvoiceLine.gross_fen))
        .where(InvoiceLine.credits_line_id.in_([line.id for line in invoice.lines]))
        .group_by(InvoiceLine.credits_line_id)
    )
    taken = {line_id: (net, gross) for line_id, net, gross in rows}
    nothing = (ZERO, ZERO)
    return {
        line.id: (line.net_fen + taken.get(line.id, nothing)[0], line.gross_fen + taken.get(line.id, nothing)[1])
        for line in invoice.lines
    }


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
