"""A closed month never changes: what happened in it and comes later is booked on the first day after it."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.money import ZERO, Money
from billing.books import trial_balance
from billing.deposits import refund, top_up
from billing.journal import close_books, post_documents
from billing.models import ClosedBalance, JournalEntry, Payment, PeriodClose
from billing.paying import record_payment, reverse_payment
from billing.rules.ledger import Account
from billing.rules.period import PeriodState
from tests.integration.money_world import AT, DAY, MoneyWorld

MAY, JUNE, JULY = date(2026, 5, 1), date(2026, 6, 1), date(2026, 7, 1)
IN_MAY, IN_JUNE = date(2026, 5, 20), date(2026, 6, 30)


@pytest.fixture
def world(session) -> MoneyWorld:
    return MoneyWorld(session)


def close_june(session, world: MoneyWorld) -> None:
    close_books(session, platform_id=world.platform.id, month=JUNE, at=AT)
    session.add(PeriodClose(platform_id=world.platform.id, month=JUNE, state=PeriodState.CLOSED, closed_at=AT))
    session.flush()


def booked(session) -> list[tuple[str, date, date]]:
    """(kind, day of the deed, day in the books), in the order of booking."""
    rows = session.execute(
        select(JournalEntry.kind, JournalEntry.value_on, JournalEntry.booked_on).order_by(JournalEntry.id)
    )
    return [(kind.value, value_on, booked_on) for kind, value_on, booked_on in rows]


def test_money_of_a_closed_month_keeps_its_day_and_is_booked_on_the_first_day_after_it(session, world):
    invoice = world.invoice("100.00", on=IN_JUNE)
    close_june(session, world)
    before = trial_balance(session, world.platform.id, JUNE)
    given = {"reference": "", "by": world.by, "at": AT}
    paid = record_payment(session, invoice.id, paid_on=IN_JUNE, amount=Money.of(60), **given)
    account = {"platform_id": world.platform.id, "organization_id": world.firm.id}
    put_in = top_up(session, paid_on=IN_MAY, amount=Money.of(50), **account, **given)
    refund(session, put_in.account_id, paid_on=IN_JUNE, amount=Money.of(20), **given)
    reverse_payment(session, paid.id, reason="示例", on=DAY, by=world.by, at=AT)
    assert booked(session) == [
        ("invoice", IN_JUNE, IN_JUNE),
        ("receipt", IN_JUNE, JULY),
        ("top_up", IN_MAY, JULY),
        ("deposit_refund", IN_JUNE, JULY),
        ("receipt_reversed", DAY, DAY),
    ]
    assert (paid.paid_on, put_in.moved_on) == (IN_JUNE, IN_MAY)
    assert trial_balance(session, world.platform.id, JUNE) == before
    assert trial_balance(session, world.platform.id, JULY).total("closing") == ZERO


def test_nobody_gets_round_it_in_the_tables(session, world):
    close_june(session, world)
    session.execute(
        text(
            "INSERT INTO journal_entry (platform_id, value_on, booked_on, kind, document, label, created_at)"
            " VALUES (:platform, '2026-06-02', '2026-06-02', 'receipt', 'by-hand', '', now())"
        ),
        {"platform": world.platform.id},
    )
    assert booked(session) == [("receipt", date(2026, 6, 2), JULY)]


def test_what_was_issued_in_the_month_is_in_its_books_when_it_closes(session, world):
    world.invoice("100.00", on=IN_JUNE)
    world.invoice("50.00", on=DAY)
    close_june(session, world)
    assert booked(session) == [("invoice", IN_JUNE, IN_JUNE)]
    post_documents(session, at=AT, limit=10)
    receivable = {one.account: one for one in trial_balance(session, world.platform.id, JULY).accounts}[
        Account.RECEIVABLE
    ]
    assert (receivable.opening, receivable.closing) == (Money.of(100), Money.of(150))


def test_a_balance_goes_on_from_the_last_closed_month_and_not_from_the_first_entry(session, world):
    for account, amount in ((Account.BANK, 7), (Account.DEPOSIT, -7)):
        session.add(ClosedBalance(platform_id=world.platform.id, month=MAY, account=account, balance_fen=Money(amount)))
    given = {"reference": "", "by": world.by, "at": AT, "amount": Money.of(1)}
    top_up(session, platform_id=world.platform.id, organization_id=world.firm.id, paid_on=IN_MAY, **given)
    top_up(session, platform_id=world.platform.id, organization_id=world.firm.id, paid_on=IN_JUNE, **given)
    bank = trial_balance(session, world.platform.id, JULY).accounts[0]
    assert (bank.account, bank.opening) == (Account.BANK, Money(107))
    with pytest.raises(DBAPIError, match="only"):
        session.execute(text("UPDATE closed_balance SET balance_fen = 1"))


def test_a_payment_says_whose_it_is(session, world):
    invoice = world.invoice("10.00")
    record_payment(session, invoice.id, paid_on=DAY, amount=Money.of(10), reference="", by=world.by, at=AT)
    assert session.scalars(select(Payment.payer_id)).one() == world.firm.id
