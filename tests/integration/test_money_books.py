from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.booking.changing import cancel
from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, InvalidInput, Refusal
from app.kernel.interval import Interval
from app.kernel.money import ZERO, Money
from billing.deposits import locked_account, refund, reverse_movement, top_up
from billing.holding import hold_for, release_holds
from billing.journal import post_documents
from billing.models import (
    DepositAccount,
    DepositMovement,
    Invoice,
    JournalEntry,
    JournalPosting,
    Payment,
    UnpostedDocument,
)
from billing.paying import amount_due, record_payment, refund_overpaid, reverse_payment
from billing.paying_from_deposits import pay_from_deposit, settle_from_deposits
from billing.rules.ledger import Account
from billing.rules.money_words import PaymentKind, PaymentWay
from billing.rules.words import InvoiceState
from tests import makers
from tests.integration.money_world import AT, DAY, MoneyWorld


@pytest.fixture
def world(session) -> MoneyWorld:
    return MoneyWorld(session)


def balance(session, account: Account, organization_id: int | None = None) -> Money:
    query = select(func.sum(JournalPosting.amount_fen)).where(JournalPosting.account == account)
    if organization_id is not None:
        query = query.where(JournalPosting.organization_id == organization_id)
    return session.scalar(query) or ZERO


def pay(world: MoneyWorld, invoice: Invoice, amount: str | Money, **given) -> Payment:
    amount = amount if isinstance(amount, Money) else Money.of(amount)
    return record_payment(
        world.session, invoice.id, paid_on=DAY, amount=amount, reference="", by=world.by, at=AT, **given
    )


def put_in(world: MoneyWorld, amount: str | Money) -> DepositMovement:
    amount = amount if isinstance(amount, Money) else Money.of(amount)
    return top_up(
        world.session, platform_id=world.platform.id, organization_id=world.firm.id, amount=amount,
        paid_on=DAY, reference="", by=world.by, at=AT,
    )  # fmt: skip


def check_books(session, world: MoneyWorld) -> None:
    """What has to hold after every deed."""
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    while post_documents(session, at=AT, limit=3):
        pass
    assert (session.scalar(select(func.sum(JournalPosting.amount_fen))) or ZERO) == ZERO
    invoices = session.scalars(select(Invoice).where(Invoice.credits_id.is_(None))).all()
    owed = sum(amount_due(session, one).fen for one in invoices)
    assert balance(session, Account.RECEIVABLE) == Money(owed)
    account = session.scalar(select(DepositAccount).execution_options(populate_existing=True))
    liability = ZERO if account is None else account.balance_fen
    assert balance(session, Account.DEPOSIT) == -liability
    assert (session.scalar(select(func.sum(DepositMovement.amount_fen))) or ZERO) == liability
    for one in invoices:
        paid_for = session.scalar(select(Payment.id).where(Payment.invoice_id == one.id).limit(1))
        if paid_for is not None:
            last_due = amount_due(session, one)
            assert (one.state is InvoiceState.ISSUED) or last_due <= ZERO


def some_deed(session, world: MoneyWorld, invoices: list[Invoice], chance: random.Random) -> None:
    """One deed with money, allowed or not."""
    invoice, amount = chance.choice(invoices), Money(chance.randrange(1, 20_000))
    common = {"by": world.by, "at": AT}
    match chance.randrange(11):
        case 0:
            invoices.append(world.invoice(amount))
        case 1:
            pay(world, invoice, amount)
        case 2:
            pay(world, invoice, amount, excess_to_deposit=True)
        case 3:
            put_in(world, amount)
        case 4:
            pay_from_deposit(session, invoice.id, on=DAY, **common)
        case 5:
            world.settings(deposit_hold=True)
            settle_from_deposits(session, at=AT, limit=5)
        case 6:
            notes = session.scalars(select(Invoice).where(Invoice.credits_id == invoice.id)).all()
            left = invoice.gross_fen.fen + sum(one.gross_fen.fen for one in notes)
            if left:
                world.invoice(Money(chance.randint(1, left)), credits=invoice)
        case 7:
            way = chance.choice(list(PaymentWay))
            refund_overpaid(session, invoice.id, to=way, on=DAY, reference="", **common)
        case 8:
            wrong = session.scalars(select(Payment.id).where(Payment.kind != PaymentKind.REVERSAL)).all()
            if wrong:
                reverse_payment(session, chance.choice(wrong), reason="示例", on=DAY, **common)
        case 9:
            movements = session.scalars(select(DepositMovement.id)).all()
            if movements:
                reverse_movement(session, chance.choice(movements), reason="示例", on=DAY, **common)
        case _:
            if account_id := session.scalar(select(DepositAccount.id)):
                refund(session, account_id, amount=amount, paid_on=DAY, reference="", **common)


@pytest.mark.parametrize("seed", range(3))
def test_the_books_balance_after_any_sequence_of_deeds(session, world, seed):
    chance, invoices, done = random.Random(seed), [world.invoice("106.00")], 0
    for _ in range(60):
        try:
            with session.begin_nested():
                some_deed(session, world, invoices, chance)
            done += 1
        except Refusal:
            session.expire_all()
        check_books(session, world)
    assert done > 20


def test_a_document_is_booked_once_with_its_tax_and_a_credit_note_mirrors_it(session, world):
    invoice = world.invoice("106.00")
    world.invoice("53.00", credits=invoice)
    assert post_documents(session, at=AT, limit=10) == 2
    assert post_documents(session, at=AT, limit=10) == 0
    assert session.scalar(select(func.count()).select_from(UnpostedDocument)) == 0
    booked = [
        {one.account: one.amount_fen for one in entry.postings}
        for entry in session.scalars(select(JournalEntry).order_by(JournalEntry.id))
    ]
    assert booked == [
        {Account.RECEIVABLE: Money(10600), Account.REVENUE: Money(-10000), Account.OUTPUT_VAT: Money(-600)},
        {Account.RECEIVABLE: Money(-5300), Account.REVENUE: Money(5000), Account.OUTPUT_VAT: Money(300)},
    ]


def test_the_database_refuses_an_entry_out_of_balance_and_any_change_of_the_books(session, world):
    world.invoice("106.00")
    post_documents(session, at=AT, limit=10)
    session.commit()
    entry = session.scalars(select(JournalEntry)).one()
    session.add(JournalPosting(entry_id=entry.id, account=Account.BANK, amount_fen=Money(1)))
    with pytest.raises(DBAPIError, match="sum to 1"):
        session.commit()
    session.rollback()
    for statement in ("UPDATE journal_posting SET amount_fen = 1", "DELETE FROM journal_entry"):
        with pytest.raises(DBAPIError):
            session.execute(text(statement))
        session.rollback()
    session.execute(
        text(
            "INSERT INTO journal_entry (platform_id, value_on, kind, document, label, created_at)"
            " SELECT platform_id, value_on, kind, 'alone', '', created_at FROM journal_entry"
        )
    )
    with pytest.raises(DBAPIError, match="0 postings"):
        session.commit()
    session.rollback()


def test_more_than_is_due_becomes_a_deposit_and_a_wrong_receipt_is_taken_back_whole(session, world):
    invoice = world.invoice("106.00")
    with pytest.raises(InvalidInput):
        pay(world, invoice, "206.00")
    payment = pay(world, invoice, "206.00", excess_to_deposit=True)
    assert invoice.state is InvoiceState.PAID
    account = locked_account(session, platform_id=world.platform.id, organization_id=world.firm.id)
    assert account.balance_fen == Money.of(100)
    with pytest.raises(Conflict):
        pay(world, invoice, "1.00")
    reverse_payment(session, payment.id, reason="记错企业", on=DAY, by=world.by, at=AT)
    session.refresh(account)
    assert (account.balance_fen, invoice.state, amount_due(session, invoice)) == (
        ZERO, InvoiceState.ISSUED, Money.of(106),
    )  # fmt: skip
    with pytest.raises(Conflict, match="已经冲销"):
        reverse_payment(session, payment.id, reason="再一次", on=DAY, by=world.by, at=AT)


def reserved(world: MoneyWorld, day: int, *, hours: int = 2) -> Reservation:
    start = AT.replace(month=7, day=day)
    return reserve(
        world.session,
        equipment_id=world.equipment.id,
        when=Interval(start, start.replace(hour=start.hour + hours)),
        organization_id=world.firm.id,
        person_id=world.manager.id,
        at=AT,
    )


def test_a_deposit_is_held_at_booking_freed_at_cancellation_and_never_spent_twice(session, world):
    world.equipment = makers.equipment(session, of=world.platform)
    world.settings(deposit_hold=True, pay_to="示例账号 123")
    put_in(world, "300.00")
    first, second = reserved(world, 10), reserved(world, 11)
    given = {"platform_id": world.platform.id, "estimate": Money.of(200)}
    assert hold_for(session, first, AT, **given) == Money.of(200)
    assert hold_for(session, first, AT, **given) == Money.of(200)
    with pytest.raises(Conflict, match=r"还差 ¥100.00.*充值.*示例账号 123"):
        hold_for(session, second, AT, **given)
    account = locked_account(session, platform_id=world.platform.id, organization_id=world.firm.id)
    assert (account.held_fen, account.available) == (Money.of(200), Money.of(100))
    with pytest.raises(InvalidInput):
        refund(session, account.id, amount=Money.of(101), paid_on=DAY, reference="", by=world.by, at=AT)
    assert release_holds(session, at=AT, limit=10) == 0
    cancel(session, first.id, by=world.manager.id, at=AT, reason="")
    assert (release_holds(session, at=AT, limit=10), release_holds(session, at=AT, limit=10)) == (1, 0)
    assert hold_for(session, second, AT, **given) == Money.of(200)
    assert release_holds(session, at=second.during.end, limit=10) == 0  # its use may still be charged
    assert release_holds(session, at=second.during.end + timedelta(days=1), limit=10) == 1
    invoice = world.invoice("250.00")
    assert settle_from_deposits(session, at=AT, limit=10) == 1
    session.refresh(account)
    assert (invoice.state, account.balance_fen, account.held_fen) == (InvoiceState.PAID, Money.of(50), ZERO)
    check_books(session, world)


def test_threads_cannot_overdraw_a_deposit(app, session, world):
    world.equipment = makers.equipment(session, of=world.platform)
    world.settings(deposit_hold=True)
    put_in(world, "1000.00")
    bookings = [reserved(world, day) for day in range(5, 17)]
    invoices = [world.invoice("100.00") for _ in range(8)]
    account_id = session.scalars(select(DepositAccount.id)).one()
    platform_id, by = world.platform.id, world.by
    holds, bills = [one.id for one in bookings], [one.id for one in invoices]
    session.commit()

    def attempt(deed) -> bool:
        with app.app_context():
            try:
                in_transaction(deed)
            except Refusal:
                return False
            finally:
                db.session.remove()
            return True

    deeds = [
        *(
            lambda s, number=number: hold_for(
                s, s.get(Reservation, number), AT, platform_id=platform_id, estimate=Money.of(100)
            )
            for number in holds
        ),
        *(lambda s, number=number: pay_from_deposit(s, number, on=DAY, by=by, at=AT) for number in bills),
        *(
            lambda s: refund(s, account_id, amount=Money.of(100), paid_on=DAY, reference="", by=by, at=AT)
            for _ in range(8)
        ),
    ]
    random.Random(1).shuffle(deeds)
    with ThreadPoolExecutor(8) as threads:
        done = sum(threads.map(attempt, deeds))
    assert done == 10
    session.expire_all()
    account = session.get_one(DepositAccount, account_id)
    assert account.available == ZERO
    check_books(session, world)
