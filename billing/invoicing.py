"""From approved charges to issued invoices with gapless numbers: one firm's or a whole month's, by the same way."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import Select, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.booking.services import reservations_serving
from app.catalogue.platforms import operator_of
from app.kernel import audit, clock
from app.kernel.errors import Conflict, NotFound
from app.kernel.money import total
from billing.due import WAITING, due_in, served_in
from billing.invoice_lines import take
from billing.invoice_words import freeze_words
from billing.models import Charge, Invoice, InvoiceCounter, InvoiceLine, PeriodClose, SettledSession
from billing.payers import share_invoice, share_invoices
from billing.rules.period import PeriodState
from billing.rules.words import InvoiceKind, InvoiceState
from devices.usage import changed_since, freeze_usage, sessions_of_reservations

IN_THE_DATABASE = {"synchronize_session": False}


class UsageChanged(Conflict):
    """Sessions changed since they were charged."""


def issue_month(
    session: Session, *, platform_id: int, organization_id: int, month: date, by: int, at: datetime
) -> Invoice:
    """Issue one invoice for all approved charges of one firm in one month, and freeze what is behind it.

    What came late for months that are closed is on it too. Two at once: one issues, the other hears
    that nothing is left. All or nothing, O(charges).

    Errors: ``Conflict`` when nothing is approved, something of the month still waits for review, a
    session changed since it was charged, or the month is closed.
    """
    waiting = session.scalar(
        select(func.count()).where(
            Charge.platform_id == platform_id,
            Charge.organization_id == organization_id,
            Charge.state.in_(WAITING),
            served_in(month),
        )
    )
    if waiting:
        raise Conflict("还有 %(count)s 笔费用待审核，请先审核再开具。", count=waiting)
    issued = issue_for_firms(
        session, platform_id=platform_id, organization_ids=[organization_id], month=month, by=by, at=at
    )
    if not issued:
        raise Conflict("本月没有可开具的费用。")
    return session.get_one(Invoice, issued[0])


def issue_for_firms(
    session: Session, *, platform_id: int, organization_ids: Collection[int], month: date, by: int | None, at: datetime
) -> list[int]:
    """Issue an invoice to each of these firms that has something due, numbered in the order of their ids.

    What waits is left out. Set-based: nothing of a charge passes through this process.
    Returns the invoices' ids. Errors: ``Conflict`` as in :func:`issue_month`, for all of them together.
    """
    month = month.replace(day=1)
    insist_open(session, platform_id=platform_id, month=month)
    seller = operator_of(session, platform_id, on=clock.local_date(at))
    if seller is None:
        raise Conflict("平台当前没有运营主体，无法开具。请先登记运营主体。")
    session.flush()
    due = due_in(platform_id, month) & Charge.organization_id.in_(organization_ids)
    made = select(
        literal(platform_id), literal(seller.id), Charge.organization_id, literal(InvoiceKind.INVOICE),
        literal(month), literal(InvoiceState.DRAFT), literal(0), literal(0), literal(0), literal(at),
    )  # fmt: skip
    columns = [
        "platform_id", "seller_id", "organization_id", "kind", "month", "state", "net_fen", "tax_fen", "gross_fen",
        "created_at",
    ]  # fmt: skip
    drafts = list(
        session.scalars(
            insert(Invoice)
            .from_select(columns, made.where(due).group_by(Charge.organization_id).order_by(Charge.organization_id))
            .returning(Invoice.id)
        )
    )
    if not drafts:
        return []
    take(session, due, drafts=drafts, month=month)
    _freeze(session, drafts, at=at)
    issued = _issue(session, drafts, platform_id=platform_id, by=by, at=at)
    session.expire_all()  # charges and sessions that are known here were changed behind their back
    share_invoices(session, issued)
    freeze_words(session, issued)
    return issued


def insist_open(session: Session, *, platform_id: int, month: date) -> None:
    """The month stays open until the end of the transaction. Errors: ``Conflict`` when it is closed."""
    known_period(session, platform_id=platform_id, month=month)
    state = session.scalar(
        select(PeriodClose.state)
        .where(PeriodClose.platform_id == platform_id, PeriodClose.month == month.replace(day=1))
        .with_for_update(read=True)
    )
    if state is PeriodState.CLOSED:
        raise Conflict("%(month)s 已月结，不再开具该月的单据；迟到的费用会列入下一张结算单。", month=f"{month:%Y-%m}")


def known_period(session: Session, *, platform_id: int, month: date) -> None:
    """See that the month has its row, so that it can be locked."""
    period = postgresql.insert(PeriodClose).values(platform_id=platform_id, month=month.replace(day=1))
    session.execute(period.on_conflict_do_nothing())


def _freeze(session: Session, drafts: list[int], *, at: datetime) -> None:
    """Freeze first, compare then: in between, metering can no longer change what the charges rest on.

    The use that served commissioned work is frozen as its evidence; it made no price, so nothing is compared.
    """
    on_drafts = select(InvoiceLine.charge_id).where(InvoiceLine.invoice_id.in_(drafts))
    charged = (
        select(SettledSession.usage_session_id, SettledSession.session_fingerprint)
        .join(Charge, Charge.use_settlement_id == SettledSession.use_settlement_id)
        .where(Charge.id.in_(on_drafts))
        .distinct()
    )
    freeze_usage(session, charged.with_only_columns(SettledSession.usage_session_id), at=at)
    requests: Select[int | None] = select(Charge.service_request_id).where(
        Charge.id.in_(on_drafts), Charge.service_request_id.is_not(None)
    )
    freeze_usage(session, sessions_of_reservations(reservations_serving(requests)), at=at)
    changed = session.scalar(select(func.count()).select_from(changed_since(charged).subquery()))
    if changed:
        raise UsageChanged("有 %(count)s 次使用的读数刚有变化，正在重新计费，请稍后审核再开具。", count=changed)


def _issue(session: Session, drafts: list[int], *, platform_id: int, by: int | None, at: datetime) -> list[int]:
    """Total the drafts, give them the next numbers of their platform and year, and fix them.

    One whose charges another has taken meanwhile is thrown away.
    """
    day = clock.local_date(at)
    sums = (
        select(
            InvoiceLine.invoice_id,
            func.sum(InvoiceLine.net_fen).label("net"),
            func.sum(InvoiceLine.tax_fen).label("tax"),
            func.sum(InvoiceLine.gross_fen).label("gross"),
        )
        .where(InvoiceLine.invoice_id.in_(drafts))
        .group_by(InvoiceLine.invoice_id)
        .subquery()
    )
    session.execute(
        delete(Invoice).where(Invoice.id.in_(drafts), Invoice.id.not_in(select(sums.c.invoice_id))),
        execution_options=IN_THE_DATABASE,
    )
    count = session.scalar(select(func.count()).select_from(sums)) or 0
    if not count:
        return []
    before = _take_numbers(session, platform_id, day.year, count) - count
    placed = (
        select(sums, func.row_number().over(order_by=Invoice.organization_id).label("place"))
        .join(Invoice, Invoice.id == sums.c.invoice_id)
        .subquery()
    )
    issued = session.execute(
        update(Invoice)
        .where(Invoice.id == placed.c.invoice_id)
        .values(
            net_fen=placed.c.net,
            tax_fen=placed.c.tax,
            gross_fen=placed.c.gross,
            year=day.year,
            number=before + placed.c.place,
            issued_on=day,
            issued_at=at,
            issued_by=by,
            state=InvoiceState.ISSUED,
        )
        .returning(Invoice.id, Invoice.number, Invoice.gross_fen),
        execution_options=IN_THE_DATABASE,
    ).all()
    audit.record_many(
        session,
        [(invoice_id, {"number": number, "gross": str(gross)}) for invoice_id, number, gross in issued],
        at=at, by=by, deed="issued", subject=InvoiceKind.INVOICE.value,
    )  # fmt: skip
    return [invoice_id for invoice_id, *_ in sorted(issued, key=lambda one: one.number)]


def number_and_issue(session: Session, invoice: Invoice, *, by: int, at: datetime) -> None:
    """Total a draft that was written line by line, give it the next number of its platform and year, and fix it."""
    day = clock.local_date(at)
    invoice.net_fen = total([line.net_fen for line in invoice.lines])
    invoice.tax_fen = total([line.tax_fen for line in invoice.lines])
    invoice.gross_fen = total([line.gross_fen for line in invoice.lines])
    invoice.year, invoice.number = day.year, _take_numbers(session, invoice.platform_id, day.year, 1)
    invoice.issued_on, invoice.issued_at, invoice.issued_by = day, at, by
    invoice.state = InvoiceState.ISSUED
    session.flush()
    share_invoice(session, invoice)
    freeze_words(session, [invoice.id])
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


def _take_numbers(session: Session, platform_id: int, year: int, count: int) -> int:
    """The last of ``count`` next numbers. The counter's row stays locked until the end of the transaction:
    no number is lost or given twice.
    """
    taken = postgresql.insert(InvoiceCounter).values(platform_id=platform_id, year=year, last=count)
    return session.scalars(
        taken.on_conflict_do_update(
            index_elements=["platform_id", "year"], set_={"last": InvoiceCounter.last + count}
        ).returning(InvoiceCounter.last)
    ).one()
