"""Issued statements as what the tax bureau is to make out: what is left of each, to each who pays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.identity.models import Organization
from app.identity.rules.notice import msgid
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money, total
from billing.correcting import what_is_left
from billing.models import BuyerDetail, Charge, Invoice, InvoiceLine, InvoiceSetting, InvoiceShare
from billing.rules.tax import Taxed
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.rules.tax_sheet import CAREFUL_LINES, NAME_LENGTH, Buyer, TaxLine, TaxSheet, serial_of
from billing.rules.words import InvoiceKind, InvoiceState
from billing.tax_invoices import live_tax_invoices

REMARK_LENGTH = 120
"""So much of the 230 that the tax bureau takes is the platform's own."""
Told = tuple[str, dict[str, object]]
"""A message id with its facts."""


@dataclass(slots=True)
class Prepared:
    """What goes into the workbook, and what a person should know before."""

    sheets: list[TaxSheet] = field(default_factory=list)
    warnings: list[Told] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return sum(len(one.lines) for one in self.sheets)

    @property
    def gross(self) -> Money:
        return total([line.amount.gross for one in self.sheets for line in one.lines])


def settings_of(session: Session, platform_id: int) -> InvoiceSetting:
    """How the platform has its tax invoices made out; the usual way where it said nothing."""
    return session.get(InvoiceSetting, platform_id) or InvoiceSetting(
        platform_id=platform_id, tax_kind=TaxInvoiceKind.SPECIAL, includes_tax=True, remark=""
    )


def set_usual(
    session: Session, platform_id: int, *, kind: TaxInvoiceKind, includes_tax: bool, remark: str, by: int, at: datetime
) -> None:
    """Change how the platform has its tax invoices made out from now on. Errors: ``InvalidInput``."""
    if len(remark) > REMARK_LENGTH:
        raise InvalidInput("备注最多 %(most)s 个字。", field="remark", most=REMARK_LENGTH)
    row = session.merge(settings_of(session, platform_id))
    row.tax_kind, row.includes_tax, row.remark = kind, includes_tax, remark
    session.flush()
    audit.record(
        session, at=at, by=by, deed="invoice_setting_changed", subject="platform", subject_id=platform_id,
        kind=kind.value, includes_tax=includes_tax, remark=remark,
    )  # fmt: skip


def prepare(session: Session, invoice_ids: Collection[int], *, kind: TaxInvoiceKind | None = None) -> Prepared:
    """Of each invoice what no credit note took back. Credit notes, and what has its tax invoice, are left out and said.

    ``kind`` empty: as each platform has set. Errors: ``InvalidInput`` for none, ``Conflict`` for several sellers.
    """
    invoices = session.scalars(
        select(Invoice)
        .where(Invoice.id.in_(invoice_ids), Invoice.state != InvoiceState.DRAFT, Invoice.kind == InvoiceKind.INVOICE)
        .options(
            joinedload(Invoice.platform),
            joinedload(Invoice.organization),
            selectinload(Invoice.lines).joinedload(InvoiceLine.charge).joinedload(Charge.equipment),
        )
        .order_by(Invoice.platform_id, Invoice.year, Invoice.number)
    ).all()
    if not invoices:
        raise InvalidInput("请至少选择一张结算单。", field="invoices")
    if len({one.seller_id for one in invoices}) > 1:
        raise Conflict("所选结算单属于不同的销售方，税务系统每次只能为一个纳税人导入，请分开选择。")
    found = Prepared()
    for invoice in invoices:
        _add(session, found, invoice, kind)
    if found.lines > CAREFUL_LINES:
        found.warnings.append(
            (
                msgid("共 %(lines)s 行，超过 %(careful)s 行时税务系统可能导入失败，建议分批。"),
                {"lines": found.lines, "careful": CAREFUL_LINES},
            )
        )
    return found


def _add(session: Session, found: Prepared, invoice: Invoice, kind: TaxInvoiceKind | None) -> None:
    if live_tax_invoices(session, invoice.id):
        found.warnings.append((msgid("%(label)s 已登记数电票，没有放入。"), {"label": invoice.label}))
        return
    left = what_is_left(session, invoice)
    rows = [
        (line, Taxed(left[line.id][0], left[line.id][1] - left[line.id][0], left[line.id][1])) for line in invoice.lines
    ]
    rows = [(line, amount) for line, amount in rows if amount.gross]
    if not rows:
        found.warnings.append((msgid("%(label)s 已全部冲减，没有放入。"), {"label": invoice.label}))
        return
    for line, _ in rows:
        if len(line.description_zh) > NAME_LENGTH:
            found.warnings.append(
                (
                    msgid("%(label)s 第 %(position)s 行的项目名称超过 %(most)s 个字，导入表中已截短。"),
                    {"label": invoice.label, "position": line.position, "most": NAME_LENGTH},
                )
            )
    settings = settings_of(session, invoice.platform_id)
    chosen = kind or settings.tax_kind
    remark = f"结算单 {invoice.label}，服务月份 {invoice.month:%Y-%m}"
    if settings.remark:
        remark = f"{remark}。{settings.remark}"
    for part, (buyer, lines) in enumerate(_parts(session, invoice, rows)):
        number = 0 if buyer is None else part + 1
        found.sheets.append(
            TaxSheet(
                serial=serial_of(invoice.label, number=invoice.id, part=number),
                label=invoice.label,
                kind=chosen,
                includes_tax=settings.includes_tax,
                buyer=_buyer(session, invoice, buyer or invoice.organization),
                remark=remark,
                lines=tuple(lines),
            )
        )


def _parts(
    session: Session, invoice: Invoice, rows: Sequence[tuple[InvoiceLine, Taxed]]
) -> list[tuple[Organization | None, list[TaxLine]]]:
    """The firm's lines as they are, or what each payer bears at each VAT rate."""
    bears = _still_borne(session, invoice)
    if not bears:
        return [(None, [_line(line, amount) for line, amount in rows])]
    return [
        (payer, [_shared_line(invoice, rows, rate, amount) for rate, amount in own if amount.gross])
        for payer, own in bears
    ]


def _line(line: InvoiceLine, amount: Taxed) -> TaxLine:
    whole = amount.gross == line.gross_fen
    return TaxLine(
        name=line.description_zh,
        code=line.tax_code,
        rate=line.tax_rate,
        amount=amount,
        quantity=line.quantity if whole else None,
        unit=line.unit[:20],
        price=line.unit_price if whole else None,
    )


def _shared_line(invoice: Invoice, rows: Sequence[tuple[InvoiceLine, Taxed]], rate: Decimal, amount: Taxed) -> TaxLine:
    own = [line for line, _ in rows if line.tax_rate == rate]
    codes = {line.tax_code for line in own}
    if len(codes) != 1:
        raise Conflict("%(label)s 由多方付款且同一税率有不同的税收编码，请在税务系统中手工开具。", label=invoice.label)
    name = own[0].description_zh if len(own) == 1 else f"{own[0].description_zh} 等 {len(own)} 项"
    return TaxLine(name=name, code=codes.pop(), rate=rate, amount=amount)


def _still_borne(session: Session, invoice: Invoice) -> list[tuple[Organization, list[tuple[Decimal, Taxed]]]]:
    """What each payer bears after the credit notes, by VAT rate."""
    rows = session.execute(
        select(
            InvoiceShare.payer_id,
            InvoiceShare.tax_rate,
            func.sum(InvoiceShare.net_fen),
            func.sum(InvoiceShare.gross_fen),
        )
        .join(Invoice, Invoice.id == InvoiceShare.invoice_id)
        .where((Invoice.id == invoice.id) | (Invoice.credits_id == invoice.id))
        .group_by(InvoiceShare.payer_id, InvoiceShare.tax_rate)
        .order_by(InvoiceShare.payer_id, InvoiceShare.tax_rate)
    ).all()
    by_payer: dict[int, list[tuple[Decimal, Taxed]]] = {}
    for payer_id, rate, net, gross in rows:
        if gross != ZERO:
            by_payer.setdefault(payer_id, []).append((rate, Taxed(net, gross - net, gross)))
    return [(session.get_one(Organization, payer_id), own) for payer_id, own in by_payer.items()]


def _buyer(session: Session, invoice: Invoice, body: Organization) -> Buyer:
    detail = session.get(BuyerDetail, (invoice.platform_id, body.id))
    if detail is None:
        return Buyer(name=body.name, uscc=body.uscc or "")
    return Buyer(
        name=body.name,
        uscc=body.uscc or "",
        address=detail.address,
        phone=detail.phone,
        bank=detail.bank,
        account=detail.account,
        email=detail.email,
    )
