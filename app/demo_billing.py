"""The sample world's money (示例): months invoiced and closed, paid in several ways, objected to, taken back.

Everything goes through the use cases of people and worker, each told the moment at which it happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.reserving import reserve
from app.catalogue.models import Equipment, Platform
from app.catalogue.rules.customer import class_of
from app.identity.models import Organization, Person
from app.kernel import clock
from app.kernel.interval import Interval
from app.kernel.long_work import advance
from app.kernel.money import Money
from billing.bank_import import confirm, ignore, import_statement, upload
from billing.charging import charge_usage
from billing.closing import KIND, close_month, close_portion
from billing.deposits import top_up
from billing.disputing import object_to
from billing.holding import hold_for
from billing.invoicing import issue_month
from billing.journal import post_documents
from billing.models import BankLine, Charge, Invoice
from billing.money_settings import save_settings, settings_of
from billing.payers import set_payers, shares_of
from billing.paying import amount_due, record_payment
from billing.paying_from_deposits import settle_from_deposits
from billing.recognizing import recognize_revenue
from billing.red_letters import confirm_red, record_red_number, request_red
from billing.reminding import remind_of_due
from billing.reviewing import approve
from billing.rules import payers, sharing
from billing.rules.pricing.outcome import Priced
from billing.rules.pricing.price import price_booked
from billing.rules.pricing.terms import terms_of
from billing.rules.red_letter import RedReason
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.rules.words import ChargeState, InvoiceKind
from billing.sharing import agree, propose_shares
from billing.tariffs import PriceList
from billing.tax_invoices import record_tax_invoice

PAY_TO = "请汇至：示例中试平台，示例银行晋江支行 0000 0000 0000 0000，附言写明结算单号。"
E_INVOICE, RED_E_INVOICE = "99359000000000000001", "99359000000000000002"
"""Numbers that no tax bureau gives: the first two digits would be the year 2099."""
PREPAID = Money.of("80000")
MANY = 200


@dataclass(frozen=True, slots=True)
class Books:
    """Who deals with whom. ``prepaying`` works with deposits, ``plain`` without and belongs to
    ``operator`` and ``partner`` together; ``partner`` also pays for others.

    ``first`` pays what it owes; ``second`` is late, objects, and gets something back.
    """

    plain: Platform
    prepaying: Platform
    first: Organization
    second: Organization
    partner: Organization
    operator: Organization
    bookers: tuple[Person, Person]
    by: int
    at: datetime

    def then(self, day: date, *, hour: int = 10) -> datetime:
        """That hour of that day, or now where it is still to come."""
        return min(clock.local_midnight(day) + timedelta(hours=hour), self.at)


def seed_billing(session: Session, books: Books) -> None:
    """Settle what was used, close the earlier months, leave the last one open, and this one to be reviewed."""
    while charge_usage(session, until=books.at, at=books.at):
        continue
    months = _months(session, books.at)
    _agreed(session, books, since=months[0])
    for month in months:
        _invoiced(session, books, month, last=month == months[-1])
    _paid(session, books)
    _taken_back(session, books)
    _held(session, books)
    _objected(session, books)
    while recognize_revenue(session, at=books.at):
        continue
    while post_documents(session, at=books.at, limit=MANY):
        continue
    propose_shares(session, at=books.at)
    remind_of_due(session, at=books.at, limit=MANY)


def _months(session: Session, at: datetime) -> list[date]:
    """The months before this one in which something was used."""
    this_month = clock.local_midnight(clock.local_date(at).replace(day=1))
    served = session.scalars(select(Charge.served_at).where(Charge.served_at < this_month))
    return sorted({clock.local_date(moment).replace(day=1) for moment in served})


def _agreed(session: Session, books: Books, *, since: date) -> None:
    """How each platform deals with money, who pays for whom, and who has a share of what comes in."""
    by, at = books.by, books.then(since)
    for platform, days in ((books.plain, 15), (books.prepaying, 30)):
        usual = settings_of(session, platform.id)
        wanted = replace(usual, payment_days=days, deposit_hold=platform is books.prepaying, pay_to=PAY_TO)
        save_settings(session, platform.id, wanted, by=by, at=at)
    set_payers(
        session,
        platform_id=books.prepaying.id,
        organization_id=books.second.id,
        parts=[payers.Part(books.second.id, Decimal(60), True), payers.Part(books.partner.id, Decimal(40))],
        since=since,
        by=by,
        at=at,
    )
    agree(
        session,
        platform_id=books.plain.id,
        title="示例联合共建协议",
        document_no=f"示例共建〔{since.year}〕1号",
        first_day=since,
        day_after=None,
        parts=[sharing.Part(books.operator.id, Decimal(70), True), sharing.Part(books.partner.id, Decimal(30))],
        by=by,
        at=at,
    )
    top_up(
        session, platform_id=books.prepaying.id, organization_id=books.first.id, amount=PREPAID,
        paid_on=since, reference="示例回单 0001", by=by, at=at,
    )  # fmt: skip


def _invoiced(session: Session, books: Books, month: date, *, last: bool) -> None:
    """Approve and invoice a month: firm by firm the last one, all at once by closing those before it."""
    after = books.then((month + timedelta(days=32)).replace(day=1))
    charges = session.scalars(select(Charge).where(Charge.state == ChargeState.PROPOSED)).all()
    own = [one for one in charges if clock.local_date(one.served_at).replace(day=1) == month]
    approve(session, [one.id for one in own], by=books.by, at=after)
    for platform_id, organization_id in sorted({(one.platform_id, one.organization_id) for one in own}) if last else ():
        issue_month(
            session, platform_id=platform_id, organization_id=organization_id, month=month, by=books.by, at=after
        )
    for platform_id in () if last else sorted({one.platform_id for one in own}):
        close_month(session, platform_id=platform_id, month=month, carry_over=False, by=books.by, at=after)
        while advance(session, {KIND: close_portion}, at=after):
            continue
    settle_from_deposits(session, at=after, limit=MANY)


def _paid(session: Session, books: Books) -> None:
    """Money came in full, too much, and for one payer only; of the bank's lines one still waits."""
    *in_full, too_much = _invoices(session, books.plain, books.first)
    *also_in_full, in_part = _invoices(session, books.prepaying, books.second)
    for invoice in (*in_full, *also_in_full):
        _receipt(session, books, invoice, amount_due(session, invoice))
    _receipt(session, books, too_much, Money.of(too_much.gross_fen.yuan // 1000 * 1000 + 1000))
    _bank(session, books, in_part)


def _receipt(session: Session, books: Books, invoice: Invoice, amount: Money) -> None:
    moment = books.then(_issued(invoice) + timedelta(days=6))
    record_payment(
        session, invoice.id, paid_on=clock.local_date(moment), amount=amount, reference=f"示例回单 {invoice.id:04d}",
        by=books.by, at=moment, excess_to_deposit=True,
    )  # fmt: skip


def _bank(session: Session, books: Books, invoice: Invoice) -> None:
    """A bank's file: the partner's share is used, the firm's waits to be confirmed, interest is left out."""
    by, moment = books.by, books.then(_issued(invoice) + timedelta(days=8))
    share = {one.payer.id: one.gross for one in shares_of(session, invoice.id)}
    day, remark = clock.local_date(moment).isoformat(), f"{invoice.label} 中试服务费"
    rows = [
        ("交易日期", "收入金额", "对方户名", "对方账号", "摘要", "交易流水号"),
        (day, str(share[books.partner.id]), books.partner.name, "示例账号 01", remark, "SAMPLE-0001"),
        (day, str(share[books.second.id]), books.second.name, "示例账号 02", remark, "SAMPLE-0002"),
        (day, "12.60", "示例银行", "", "结息", "SAMPLE-0003"),
    ]
    content = "\n".join(",".join(row) for row in rows).encode()
    statement = upload(
        session, platform_id=invoice.platform_id, file_name="示例银行流水.csv", content=content, by=by, at=moment
    )
    import_statement(session, statement.id, by=by, at=moment)
    used, _, interest = session.scalars(
        select(BankLine).where(BankLine.statement_id == statement.id).order_by(BankLine.id)
    ).all()
    confirm(session, used.id, invoice_ids=[invoice.id], by=by, at=moment)
    ignore(session, interest.id, reason="银行结息", by=by, at=moment)


def _taken_back(session: Session, books: Books) -> None:
    """The late firm's last invoice had its tax invoice; a line of it was taken back by a red letter."""
    invoice = _invoices(session, books.plain, books.second)[-1]
    issued, asked, confirmed, red = (books.then(_issued(invoice) + timedelta(days=days)) for days in (1, 4, 5, 6))
    line = invoice.lines[0]
    tax_invoice = record_tax_invoice(
        session, invoice.id, buyer_id=books.second.id, number=E_INVOICE, kind=TaxInvoiceKind.SPECIAL,
        issued_on=clock.local_date(issued), by=books.by, at=issued,
    )  # fmt: skip
    request = request_red(
        session, invoice.id, amounts={line.id: line.gross_fen}, reason=RedReason.ALLOWANCE,
        explanation="示例：当天设备故障，双方商定不收", by=books.by, at=asked,
    )  # fmt: skip
    confirm_red(session, request.id, by=books.by, at=confirmed)
    record_red_number(
        session, request.id, tax_invoice_id=tax_invoice.id, number=RED_E_INVOICE, issued_on=clock.local_date(red),
        by=books.by, at=red,
    )  # fmt: skip


def _held(session: Session, books: Books) -> None:
    """A slot of next week for which the deposit holds what it is estimated to cost."""
    equipment = session.scalars(select(Equipment).where(Equipment.code == "QZ-MOTOR-PWRAN")).one()
    day = clock.local_date(books.at) + timedelta(days=7)
    day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)
    start = clock.local_midnight(day) + timedelta(hours=9)
    slot = Interval(start, start + timedelta(hours=3))
    reservation = reserve(
        session, equipment_id=equipment.id, when=slot, organization_id=books.first.id, person_id=books.bookers[0].id,
        at=books.at, purpose="示例试验",
    )  # fmt: skip
    tariff, relation = PriceList(session, [equipment]).tariff_for(equipment, books.first.id, day)
    if tariff is None:
        raise ValueError("the sample equipment has no price")
    outcome = price_booked(
        terms_of(tariff.terms), slot, zone=clock.FACILITY_ZONE, customer_class=class_of(relation).value
    )
    if isinstance(outcome, Priced):
        hold_for(session, reservation, books.at, platform_id=books.prepaying.id, estimate=outcome.gross)


def _objected(session: Session, books: Books) -> None:
    """The late firm objects to its latest charge."""
    charge = session.scalars(
        select(Charge)
        .where(Charge.platform_id == books.plain.id, Charge.organization_id == books.second.id)
        .order_by(Charge.served_at.desc(), Charge.id.desc())
        .limit(1)
    ).one()
    objection = "示例异议：当天设备故障停机约一小时，请核对计费时长。"
    object_to(session, charge.id, objection=objection, by=books.bookers[1].id, at=books.at)


def _invoices(session: Session, platform: Platform, firm: Organization) -> Sequence[Invoice]:
    """The firm's invoices, oldest first."""
    return session.scalars(
        select(Invoice)
        .where(
            Invoice.platform_id == platform.id,
            Invoice.organization_id == firm.id,
            Invoice.kind == InvoiceKind.INVOICE,
        )
        .order_by(Invoice.month)
    ).all()


def _issued(invoice: Invoice) -> date:
    if invoice.issued_on is None:
        raise ValueError("a draft among the issued invoices")
    return invoice.issued_on
