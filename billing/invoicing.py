"""From approved charges to an issued invoice with a gapless number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from app.booking.services import reservations_for
from app.catalogue.platforms import operator_of
from app.kernel import audit, clock
from app.kernel.errors import Conflict, NotFound
from app.kernel.interval import local_month
from app.kernel.money import ZERO, total
from billing.models import Charge, Invoice, InvoiceCounter, InvoiceLine
from billing.rules.words import ChargeKind, ChargeState, InvoiceKind, InvoiceState
from devices.usage import fingerprints_of, freeze_usage, usage_of_reservations

UNITS = {ChargeKind.HOURS: "h", ChargeKind.SETUP: "次"}


def issue_month(
    session: Session, *, platform_id: int, organization_id: int, month: date, by: int, at: datetime
) -> Invoice:
    """Issue one invoice for all approved charges of one firm in one month, and freeze what is behind it.

    Two at once: one issues, the other hears that nothing is left. All or nothing, O(charges).

    Errors: ``Conflict`` when nothing is approved, something of the month still waits for review, or
    a session changed since it was charged.
    """
    span = local_month(month.year, month.month)
    charges = session.scalars(
        select(Charge)
        .where(
            Charge.platform_id == platform_id,
            Charge.organization_id == organization_id,
            Charge.state != ChargeState.INVOICED,
            Charge.served_at >= span.start,
            Charge.served_at < span.end,
        )
        .order_by(Charge.served_at, Charge.id)
        .options(selectinload(Charge.equipment))
        .with_for_update(of=Charge)
    ).all()
    if not charges:
        raise Conflict("本月没有可开具的费用。")
    waiting = sum(charge.state is ChargeState.PROPOSED for charge in charges)
    if waiting:
        raise Conflict("还有 %(count)s 笔费用待审核，请先审核再开具。", count=waiting)
    day = clock.local_date(at)
    seller = operator_of(session, platform_id, on=day)
    if seller is None:
        raise Conflict("平台当前没有运营主体，无法开具。请先登记运营主体。")
    invoice = Invoice(
        platform_id=platform_id,
        seller_id=seller.id,
        organization_id=organization_id,
        kind=InvoiceKind.INVOICE,
        month=month.replace(day=1),
        state=InvoiceState.DRAFT,
        net_fen=ZERO,
        tax_fen=ZERO,
        gross_fen=ZERO,
        created_at=at,
    )
    invoice.lines = [_line(position, charge) for position, charge in enumerate(charges, start=1)]
    session.add(invoice)
    session.flush()
    for charge in charges:
        charge.state = ChargeState.INVOICED
    _freeze(session, charges, at=at)
    number_and_issue(session, invoice, by=by, at=at)
    return invoice


def _freeze(session: Session, charges: Sequence[Charge], *, at: datetime) -> None:
    """Freeze first, compare then: in between, metering can no longer change what the charges rest on.

    The use that served commissioned work is frozen as its evidence; it made no price, so nothing is compared.
    """
    charged = {one.usage_session_id: one.session_fingerprint for one in charges if one.usage_session_id is not None}
    freeze_usage(session, [*charged, *_served(session, charges)], at=at)
    now = fingerprints_of(session, list(charged))
    changed = [session_id for session_id, fingerprint in charged.items() if now[session_id] != fingerprint]
    if changed:
        raise Conflict("有 %(count)s 次使用的读数刚有变化，正在重新计费，请稍后审核再开具。", count=len(changed))


def _served(session: Session, charges: Sequence[Charge]) -> list[int]:
    requests = {one.service_request_id for one in charges if one.service_request_id is not None}
    reservations = [one for own in reservations_for(session, requests).values() for one in own]
    used = usage_of_reservations(session, reservations)
    return [one.session_id for own in used.values() for one in own if not one.open]


def number_and_issue(session: Session, invoice: Invoice, *, by: int, at: datetime) -> None:
    """Total the draft, give it the next number of its platform and year, and fix it."""
    day = clock.local_date(at)
    invoice.net_fen = total([line.net_fen for line in invoice.lines])
    invoice.tax_fen = total([line.tax_fen for line in invoice.lines])
    invoice.gross_fen = total([line.gross_fen for line in invoice.lines])
    invoice.year, invoice.number = day.year, _next_number(session, invoice.platform_id, day.year)
    invoice.issued_on, invoice.issued_at, invoice.issued_by = day, at, by
    invoice.state = InvoiceState.ISSUED
    session.flush()
    audit.record(
        session, at=at, by=by, deed="issued", subject=invoice.kind.value, subject_id=invoice.id,
        number=invoice.number, gross=str(invoice.gross_fen),
    )  # fmt: skip


def invoice_or_refuse(session: Session, invoice_id: int) -> Invoice:
    """The invoice with its row locked. Errors: ``NotFound``."""
    invoice = session.scalar(select(Invoice).where(Invoice.id == invoice_id).with_for_update(of=Invoice))
    if invoice is None:
        raise NotFound("没有这张结算单。")
    return invoice


def _next_number(session: Session, platform_id: int, year: int) -> int:
    """The counter's row stays locked until the end of the transaction: no number is lost or given twice."""
    session.execute(insert(InvoiceCounter).values(platform_id=platform_id, year=year, last=0).on_conflict_do_nothing())
    return session.scalars(
        update(InvoiceCounter)
        .where(InvoiceCounter.platform_id == platform_id, InvoiceCounter.year == year)
        .values(last=InvoiceCounter.last + 1)
        .returning(InvoiceCounter.last)
    ).one()


def _described(charge: Charge) -> tuple[str, str]:
    """What the line is for, in Chinese and English."""
    if charge.kind is ChargeKind.SERVICE:
        request, title = charge.service_request_id, charge.inputs["title"]
        return f"委托服务 #{request} · {title}", f"Commissioned work #{request} · {title}"
    if charge.equipment is None:
        raise ValueError(f"charge {charge.id} for use names no equipment")
    if charge.kind is ChargeKind.NO_SHOW:
        return f"{charge.equipment.name_zh} · 爽约费", f"{charge.equipment.name_en} · no-show fee"
    what_zh = {ChargeKind.HOURS: "机时费", ChargeKind.SETUP: "开机费"}[charge.kind]
    what_en = {ChargeKind.HOURS: "hourly fee", ChargeKind.SETUP: "start-up fee"}[charge.kind]
    return f"{charge.equipment.name_zh} · {what_zh}", f"{charge.equipment.name_en} · {what_en}"


def _line(position: int, charge: Charge) -> InvoiceLine:
    description_zh, description_en = _described(charge)
    return InvoiceLine(
        position=position,
        charge_id=charge.id,
        description_zh=description_zh,
        description_en=description_en,
        explanation_zh=charge.explanation_zh,
        explanation_en=charge.explanation_en,
        quantity=charge.quantity,
        unit=UNITS.get(charge.kind) or charge.inputs["unit"],
        unit_price=charge.unit_price,
        net_fen=charge.net_fen,
        tax_fen=charge.tax_fen,
        gross_fen=charge.gross_fen,
        tax_rate=charge.tax_rate,
        tax_code=charge.tax_code,
        category=charge.category,
        relation=charge.relation,
        no_show_fee=charge.kind is ChargeKind.NO_SHOW,
        served_on=clock.local_date(charge.served_at),
    )
