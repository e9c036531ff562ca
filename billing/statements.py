"""The door of billing: what pages and exports read. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.booking.services import reservations_for
from app.identity.models import Organization
from app.kernel.errors import NotFound
from app.kernel.interval import local_month
from app.kernel.money import ZERO, Money, total
from billing.claims.record import Basis, basis_of
from billing.models import (
    Charge,
    Invoice,
    InvoiceLine,
    Payment,
    RevenueEntry,
    SettledSession,
    UseSettlement,
)
from billing.paying import amount_due
from billing.rules.grant import Grant, Step
from billing.rules.revenue import Entry, RevenueYear
from billing.rules.words import ChargeState, InvoiceKind, RevenueCategory
from billing.settling import WAITING
from devices import usage as door
from devices.rules.usage import Usage


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice or credit note and what came of it."""

    invoice: Invoice
    payments: Sequence[Payment]
    notes: Sequence[Invoice]
    due: Money


@dataclass(frozen=True, slots=True)
class FirmMonth:
    """One firm's charges of one month on one platform, by time of service."""

    organization: Organization
    charges: Sequence[Charge]

    def gross(self, *states: ChargeState) -> Money:
        """The sum of the charges in these states, or of all."""
        return total([one.gross_fen for one in self.charges if not states or one.state in states])

    def count(self, state: ChargeState) -> int:
        return sum(one.state is state for one in self.charges)

    @property
    def ready(self) -> bool:
        """Whether an invoice can be issued: something is approved and nothing waits for review."""
        open_ = self.count(ChargeState.PROPOSED) + self.count(ChargeState.DISPUTED)
        return self.count(ChargeState.APPROVED) > 0 and open_ == 0


@dataclass(frozen=True, slots=True)
class MonthReview:
    """A platform's month: each firm's charges, and the cases that wait for a person."""

    firms: Sequence[FirmMonth]
    problems: Sequence[UseSettlement]


@dataclass(frozen=True, slots=True)
class PlatformYear:
    """How one year's subsidy comes about. ``basis`` is what it rests on, of a lock if there was one.

    With ``lines`` its entries carry the invoice line's id as ``line_ref``; else those that are judged alike are one.
    """

    year: int
    revenue: RevenueYear
    grant: Grant | None
    steps: Sequence[Step]
    flags: Sequence[str]
    basis: Basis

    @property
    def by_month(self) -> dict[date, tuple[Money, Money]]:
        """Counted and not counted, by the first day of each month that has revenue."""
        months: dict[date, list[Entry]] = {}
        for entry in self.revenue.entries:
            months.setdefault(entry.on.replace(day=1), []).append(entry)
        return {first: _counted_or_not(months[first]) for first in sorted(months)}

    @property
    def by_category(self) -> dict[RevenueCategory, tuple[Money, Money]]:
        """Counted and not counted, by kind of income."""
        kinds: dict[RevenueCategory, list[Entry]] = {}
        for entry in self.revenue.entries:
            kinds.setdefault(entry.category, []).append(entry)
        return {kind: _counted_or_not(kinds[kind]) for kind in RevenueCategory if kind in kinds}


@dataclass(frozen=True, slots=True)
class EvidencePath:
    """From an invoice line back to the use behind it. A credit note's line leads over the one it credits.

    ``used`` is the session that is charged, or all that served the commissioned work of ``request_id``.
    """

    line: InvoiceLine
    credited: InvoiceLine | None
    revenue: RevenueEntry | None
    charge: Charge
    request_id: int | None
    used: Sequence[Usage]


def invoices_of(
    *,
    platform_ids: Collection[int] | None = None,
    organization_ids: Collection[int] | None = None,
    month: date | None = None,
) -> Select[Invoice]:
    """Invoices and credit notes as a query, latest first. ``None`` leaves that side open."""
    query = select(Invoice).options(
        joinedload(Invoice.platform), joinedload(Invoice.seller), joinedload(Invoice.organization)
    )
    if platform_ids is not None:
        query = query.where(Invoice.platform_id.in_(platform_ids))
    if organization_ids is not None:
        query = query.where(Invoice.organization_id.in_(organization_ids))
    if month is not None:
        query = query.where(Invoice.month == month.replace(day=1))
    return query.order_by(Invoice.issued_on.desc(), Invoice.id.desc())


def invoice_view(session: Session, invoice_id: int) -> InvoiceView:
    """Errors: ``NotFound``."""
    invoice = session.scalar(invoices_of().where(Invoice.id == invoice_id))
    if invoice is None:
        raise NotFound("没有这张结算单。")
    payments = session.scalars(select(Payment).where(Payment.invoice_id == invoice_id).order_by(Payment.id)).all()
    notes = session.scalars(invoices_of().where(Invoice.credits_id == invoice_id)).all()
    due = amount_due(session, invoice) if invoice.kind is InvoiceKind.INVOICE else ZERO
    return InvoiceView(invoice, payments, notes, due)


def month_review(session: Session, *, platform_id: int, month: date) -> MonthReview:
    """What was charged for use that began in that month, firms by name."""
    span = local_month(month.year, month.month)
    charges = session.scalars(
        select(Charge)
        .where(Charge.platform_id == platform_id, Charge.served_at >= span.start, Charge.served_at < span.end)
        .options(joinedload(Charge.organization), joinedload(Charge.equipment))
        .order_by(Charge.served_at, Charge.id)
    ).all()
    firms: dict[int, list[Charge]] = {}
    for charge in charges:
        firms.setdefault(charge.organization_id, []).append(charge)
    problems = session.scalars(
        select(UseSettlement)
        .where(
            UseSettlement.platform_id == platform_id,
            UseSettlement.status.in_(WAITING),
            UseSettlement.used_from >= span.start,
            UseSettlement.used_from < span.end,
        )
        .options(joinedload(UseSettlement.equipment), selectinload(UseSettlement.sessions))
        .order_by(UseSettlement.used_from, UseSettlement.id)
    ).all()
    return MonthReview(
        firms=sorted(
            (FirmMonth(own[0].organization, own) for own in firms.values()), key=lambda f: f.organization.name
        ),
        problems=problems,
    )


def charges_of_sessions(session: Session, session_ids: Collection[int]) -> dict[int, list[Charge]]:
    """The charges of each usage session that has some. One query."""
    found: dict[int, list[Charge]] = {}
    rows = session.execute(
        select(SettledSession.usage_session_id, Charge)
        .join(Charge, Charge.use_settlement_id == SettledSession.use_settlement_id)
        .where(SettledSession.usage_session_id.in_(session_ids))
        .order_by(SettledSession.usage_session_id, Charge.use_settlement_id, Charge.position)
    )
    for session_id, charge in rows:
        found.setdefault(session_id, []).append(charge)
    return found


def settlement_of_session(session: Session, session_id: int) -> UseSettlement | None:
    """What the case that a run belongs to last came to, if it was looked at."""
    return session.scalar(
        select(UseSettlement)
        .join(SettledSession, SettledSession.use_settlement_id == UseSettlement.id)
        .where(SettledSession.usage_session_id == session_id)
        .order_by(UseSettlement.sequence.desc())
        .limit(1)
    )


def sessions_of_charge(session: Session, charge: Charge) -> list[Usage]:
    """The runs that a charge of use rests on, by start."""
    ids = session.scalars(
        select(SettledSession.usage_session_id).where(SettledSession.use_settlement_id == charge.use_settlement_id)
    ).all()
    return sorted(door.usages_by_id(session, ids).values(), key=lambda one: one.when)


def charges_of_request(session: Session, request_id: int) -> Sequence[Charge]:
    """The charges of commissioned work, by the lines of its quote."""
    return session.scalars(select(Charge).where(Charge.service_request_id == request_id).order_by(Charge.id)).all()


def use_of_request(session: Session, request_id: int) -> list[Usage]:
    """What the meters saw of the reservations that serve commissioned work, by start."""
    reservations = reservations_for(session, [request_id])[request_id]
    used = door.usage_of_reservations(session, reservations)
    return sorted((one for own in used.values() for one in own), key=lambda one: one.when)


def platform_year(session: Session, platform_id: int, year: int, *, lines: bool = False) -> PlatformYear:
    """A year as it follows from what its claim was locked with, else from what is recorded now; empty if nothing is."""
    basis = basis_of(session, platform_id, year, lines=lines)
    judgement = basis.judged()
    return PlatformYear(
        year=year,
        revenue=next((one for one in judgement.revenue_years if one.year == year), RevenueYear(year)),
        grant=next((one for one in judgement.grants if (one.year, one.programme) == (year, "P2")), None),
        steps=judgement.steps_of(year),
        flags=judgement.flags,
        basis=basis,
    )


def evidence_path(session: Session, line_id: int) -> EvidencePath:
    """Errors: ``NotFound``."""
    line = session.get(InvoiceLine, line_id)
    if line is None:
        raise NotFound("没有这一行。")
    credited = None if line.credits_line_id is None else session.get_one(InvoiceLine, line.credits_line_id)
    charge = (credited or line).charge
    if charge is None:
        raise ValueError(f"invoice line {line_id} has no charge behind it")
    if charge.service_request_id is not None:
        used = use_of_request(session, charge.service_request_id)
    else:
        used = sessions_of_charge(session, charge)
    revenue = session.scalar(select(RevenueEntry).where(RevenueEntry.invoice_line_id == line_id))
    return EvidencePath(line, credited, revenue, charge, charge.service_request_id, used)


def _counted_or_not(entries: Sequence[Entry]) -> tuple[Money, Money]:
    counted = total([entry.counted for entry in entries])
    return counted, total([entry.amount for entry in entries]) - counted
