"""Who pays what a firm owes a platform: agreements by month of service, and the shares of each issued invoice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session, joinedload

from app.identity.models import Organization
from app.kernel import audit
from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.models import BuyerDetail, Invoice, InvoiceLine, InvoiceShare, PayerAgreement
from billing.rules.payers import Part, Share, checked, note_shares, shares
from billing.rules.tax import Taxed
from billing.rules.words import InvoiceKind


@dataclass(frozen=True, slots=True)
class Bears:
    """What one payer bears of one invoice in all, negative of a credit note."""

    payer: Organization
    percent: Decimal
    takes_remainder: bool
    net: Money
    tax: Money
    gross: Money


def set_payers(
    session: Session,
    *,
    platform_id: int,
    organization_id: int,
    parts: Sequence[Part],
    since: date,
    by: int,
    at: datetime,
) -> None:
    """From that month of service on, what the firm owes is paid by ``parts``; by the firm alone if there are none.

    Invoices that are issued keep their shares.

    Errors: ``InvalidInput`` unless percents make 100 and one takes the remainder, or for a day within a month.
    """
    if since.day != 1:
        raise InvalidInput("付款方从某个月的 1 日起更换，请选择月份。", field="since")
    agreed = checked(parts) if parts else ()
    session.execute(select(Organization.id).where(Organization.id == organization_id).with_for_update())
    known = set(session.scalars(select(Organization.id).where(Organization.id.in_([one.payer_id for one in agreed]))))
    if any(one.payer_id not in known for one in agreed):
        raise InvalidInput("没有这个付款方，请先登记单位。", field="payers")
    own = (PayerAgreement.platform_id == platform_id, PayerAgreement.organization_id == organization_id)
    session.execute(delete(PayerAgreement).where(*own, func.lower(PayerAgreement.days) >= since))
    for row in session.scalars(select(PayerAgreement).where(*own, PayerAgreement.days.contains(since))):
        row.days = Range(row.days.lower, since)
    session.flush()
    session.add_all(
        PayerAgreement(
            platform_id=platform_id,
            organization_id=organization_id,
            payer_id=one.payer_id,
            percent=one.percent,
            takes_remainder=one.takes_remainder,
            days=Range(since, None),
            set_by=by,
            set_at=at,
        )
        for one in agreed
    )
    session.flush()
    audit.record(
        session, at=at, by=by, deed="payers_set", subject="organization", subject_id=organization_id,
        platform=platform_id, since=since.isoformat(),
        parts=[[one.payer_id, f"{one.percent:f}", one.takes_remainder] for one in agreed],
    )  # fmt: skip


def set_details(
    session: Session, *, platform_id: int, organization_id: int, given: Mapping[str, str], by: int, at: datetime
) -> None:
    """Keep what a platform's invoices say about a firm: contract number, address, bank. Empty is left out there.

    Errors: ``InvalidInput`` for what is longer than the tax bureau takes.
    """
    columns = BuyerDetail.__table__.columns
    for name, text in given.items():
        most: int = getattr(columns[name].type, "length", 0)
        if len(text.strip()) > most:
            raise InvalidInput("最多 %(most)s 个字，请缩短。", field=name, most=most)
    row = session.merge(BuyerDetail(platform_id=platform_id, organization_id=organization_id))
    for name, text in given.items():
        setattr(row, name, text.strip())
    session.flush()
    audit.record(
        session, at=at, by=by, deed="buyer_detail_changed", subject="organization", subject_id=organization_id,
        platform=platform_id,
    )  # fmt: skip


def payers_on(session: Session, *, platform_id: int, organization_id: int, on: date) -> list[PayerAgreement]:
    """Who bears what a firm owes for that day's service; nobody but the firm where the list is empty."""
    return list(session.scalars(_agreements(platform_id, organization_id).where(PayerAgreement.days.contains(on))))


def agreements_of(session: Session, *, platform_id: int, organization_id: int) -> list[PayerAgreement]:
    """All that was ever agreed, latest first."""
    latest = func.lower(PayerAgreement.days).desc()
    return list(
        session.scalars(_agreements(platform_id, organization_id).order_by(None).order_by(latest, PayerAgreement.id))
    )


def share_invoice(session: Session, invoice: Invoice) -> None:
    """Fix who bears what of an invoice that is being issued. A credit note is shared as its invoice was.

    Does nothing where the firm pays alone. Two queries.
    """
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        _share_note(session, invoice)
        return
    agreed = payers_on(
        session, platform_id=invoice.platform_id, organization_id=invoice.organization_id, on=invoice.month
    )
    if agreed:
        parts = [Part(one.payer_id, one.percent, one.takes_remainder) for one in agreed]
        _keep(session, invoice.id, shares(_by_rate(invoice.lines), parts), sign=1)


def share_invoices(session: Session, invoice_ids: Collection[int]) -> int:
    """:func:`share_invoice` for many: only those whose firm has an agreement are looked at. Returns how many."""
    found = session.scalars(
        select(Invoice)
        .join(
            PayerAgreement,
            (PayerAgreement.platform_id == Invoice.platform_id)
            & (PayerAgreement.organization_id == Invoice.organization_id)
            & PayerAgreement.days.contains(Invoice.month),
        )
        .where(Invoice.id.in_(invoice_ids), Invoice.kind == InvoiceKind.INVOICE)
        .distinct()
    ).all()
    for invoice in found:
        share_invoice(session, invoice)
    return len(found)


def shares_of(session: Session, invoice_id: int) -> list[Bears]:
    """Who bears what of an issued invoice, over all VAT rates; empty where the firm pays alone."""
    rows = session.scalars(
        select(InvoiceShare)
        .where(InvoiceShare.invoice_id == invoice_id)
        .options(joinedload(InvoiceShare.payer))
        .order_by(InvoiceShare.takes_remainder, InvoiceShare.payer_id, InvoiceShare.tax_rate)
    ).all()
    by_payer: dict[int, list[InvoiceShare]] = {}
    for row in rows:
        by_payer.setdefault(row.payer_id, []).append(row)
    return [_together(own) for own in by_payer.values()]


def _agreements(platform_id: int, organization_id: int) -> Select[PayerAgreement]:
    return (
        select(PayerAgreement)
        .where(PayerAgreement.platform_id == platform_id, PayerAgreement.organization_id == organization_id)
        .options(joinedload(PayerAgreement.payer))
        .order_by(PayerAgreement.takes_remainder, PayerAgreement.payer_id)
    )


def _share_note(session: Session, note: Invoice) -> None:
    rows = session.scalars(
        select(InvoiceShare)
        .where(InvoiceShare.invoice_id == note.credits_id)
        .order_by(InvoiceShare.takes_remainder, InvoiceShare.payer_id)
    ).all()
    if not rows:
        return
    parts = {row.payer_id: Part(row.payer_id, row.percent, row.takes_remainder) for row in rows}
    credited = {rate: _minus(amount) for rate, amount in _by_rate(note.lines).items()}
    _keep(session, note.id, note_shares(credited, list(parts.values()), _left(session, note, rows)), sign=-1)


def _left(session: Session, note: Invoice, rows: Sequence[InvoiceShare]) -> dict[tuple[int, Decimal], Taxed]:
    """What each payer still bears of the invoice, by rate, after the notes before this one."""
    earlier = session.execute(
        select(
            InvoiceShare.payer_id,
            InvoiceShare.tax_rate,
            func.sum(InvoiceShare.net_fen),
            func.sum(InvoiceShare.gross_fen),
        )
        .join(Invoice, Invoice.id == InvoiceShare.invoice_id)
        .where(Invoice.credits_id == note.credits_id, Invoice.id != note.id)
        .group_by(InvoiceShare.payer_id, InvoiceShare.tax_rate)
    )
    taken = {(payer, rate): (net, gross) for payer, rate, net, gross in earlier}
    nothing = (Money(0), Money(0))
    left = {}
    for row in rows:
        net, gross = taken.get((row.payer_id, row.tax_rate), nothing)
        left[row.payer_id, row.tax_rate] = _taxed(row.net_fen + net, row.gross_fen + gross)
    return left


def _keep(session: Session, invoice_id: int, found: Iterable[Share], *, sign: int) -> None:
    session.add_all(
        InvoiceShare(
            invoice_id=invoice_id,
            payer_id=one.part.payer_id,
            tax_rate=one.rate,
            percent=one.part.percent,
            takes_remainder=one.part.takes_remainder,
            net_fen=Money(sign * one.amount.net.fen),
            tax_fen=Money(sign * one.amount.tax.fen),
            gross_fen=Money(sign * one.amount.gross.fen),
        )
        for one in found
    )
    session.flush()


def _by_rate(lines: Iterable[InvoiceLine]) -> dict[Decimal, Taxed]:
    sums: dict[Decimal, tuple[int, int]] = {}
    for line in lines:
        net, gross = sums.get(line.tax_rate, (0, 0))
        sums[line.tax_rate] = (net + line.net_fen.fen, gross + line.gross_fen.fen)
    return {rate: _taxed(Money(net), Money(gross)) for rate, (net, gross) in sums.items()}


def _taxed(net: Money, gross: Money) -> Taxed:
    return Taxed(net, gross - net, gross)


def _minus(amount: Taxed) -> Taxed:
    return Taxed(-amount.net, -amount.tax, -amount.gross)


def _together(own: Sequence[InvoiceShare]) -> Bears:
    net, tax = sum(row.net_fen.fen for row in own), sum(row.tax_fen.fen for row in own)
    return Bears(own[0].payer, own[0].percent, own[0].takes_remainder, Money(net), Money(tax), Money(net + tax))
