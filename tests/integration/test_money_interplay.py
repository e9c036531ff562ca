"""Two people at once, banks that number alike, and days to come: money in stays countable."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money
from billing.ageing import open_invoices
from billing.bank_import import confirm
from billing.deposits import refund, reverse_movement, top_up
from billing.models import BankLine, DepositAccount, Invoice, Payment
from billing.paying import record_payment, reverse_payment
from billing.paying_from_deposits import settle_from_deposits
from billing.rules.bank_statement import MOST_ROWS, read_statement
from billing.rules.money_words import BankLineState, MovementKind
from billing.rules.words import InvoiceState
from tests.integration.money_world import AT, DAY, MoneyWorld
from tests.integration.test_money_in import brought


@pytest.fixture
def world(session) -> MoneyWorld:
    return MoneyWorld(session)


@pytest.fixture
def beside(app):
    """Does a deed in a transaction of its own, beside that of the test."""
    with ThreadPoolExecutor(1) as thread:

        def start(deed: Callable[[Session], Any]) -> Future[Any]:
            def work() -> Any:
                with app.app_context():
                    try:
                        return in_transaction(deed)
                    finally:
                        db.session.remove()

            return thread.submit(work)

        yield start


def waits(session: Session) -> None:
    """Return once somebody waits for a row that this transaction has locked."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while not session.scalar(waiting):
        session.execute(text("SELECT pg_stat_clear_snapshot()"))


def test_a_line_whose_two_receipts_are_taken_back_at_once_waits_for_a_decision_again(session, world, beside):
    first, second = world.invoice("100.00"), world.invoice("50.00")
    brought(world, "20260702,,150.00,示例甲公司,,货款,9")
    line = session.scalars(select(BankLine)).one()
    confirm(session, line.id, invoice_ids=[first.id, second.id], by=world.by, at=AT)
    ids = session.scalars(select(Payment.id).order_by(Payment.id)).all()
    given = {"reason": "示例：认错了", "on": DAY, "by": world.by, "at": AT}
    session.commit()
    reverse_payment(session, ids[0], **given)
    other = beside(lambda s: reverse_payment(s, ids[1], **given).id)
    waits(session)
    session.commit()
    other.result()
    session.expire_all()
    assert line.state is BankLineState.OPEN


def test_an_invoice_that_was_paid_meanwhile_is_open_again_after_a_receipt_is_taken_back(session, world, beside):
    invoice = world.invoice("100.00")
    given = {"paid_on": DAY, "reference": "", "by": world.by, "at": AT}
    part = record_payment(session, invoice.id, amount=Money.of(40), **given).id
    session.commit()
    assert invoice.state is InvoiceState.ISSUED  # as a page reads it before the lock
    number = invoice.id
    beside(lambda s: record_payment(s, number, amount=Money.of(60), **given).id).result()
    reverse_payment(session, part, reason="示例", on=DAY, by=world.by, at=AT)
    session.commit()
    assert [one.due for one in open_invoices(session)] == [Money.of(40)]
    assert session.scalar(select(Invoice.state)) is InvoiceState.ISSUED


def test_the_timetable_leaves_an_invoice_that_somebody_has_in_hand(session, world, beside):
    world.settings(deposit_hold=True)
    top_up(
        session, platform_id=world.platform.id, organization_id=world.firm.id, amount=Money.of(500), paid_on=DAY,
        reference="", by=world.by, at=AT,
    )  # fmt: skip
    first, second = world.invoice("100.00"), world.invoice("50.00")
    session.commit()
    record_payment(session, first.id, paid_on=DAY, amount=Money.of(100), reference="", by=world.by, at=AT)
    assert beside(lambda s: settle_from_deposits(s, at=AT, limit=10)).result() == 1
    session.commit()
    assert {first.state, second.state} == {InvoiceState.PAID}
    assert session.scalar(select(DepositAccount.balance_fen)) == Money.of(450)


def test_payers_of_one_numbered_batch_are_lines_of_their_own_in_any_order(session, world):
    lines = ("20260702,,500.00,示例甲公司,6221,货款,77", "20260702,,500.00,示例乙公司,6222,货款,77")
    assert brought(world, *lines[:1]) == 1
    assert brought(world, *reversed(lines)) == 1
    assert brought(world, *lines) == 0
    assert set(session.scalars(select(BankLine.payer_name))) == {"示例甲公司", "示例乙公司"}


def test_no_money_moves_on_a_day_to_come_and_a_file_has_an_end(session, world):
    tomorrow = DAY + timedelta(days=1)
    account = {"platform_id": world.platform.id, "organization_id": world.firm.id}
    given = {"paid_on": tomorrow, "reference": "", "by": world.by, "at": AT, "amount": Money.of(1)}
    with pytest.raises(InvalidInput, match="今天"):
        record_payment(session, world.invoice("100.00").id, **given)
    with pytest.raises(InvalidInput, match="今天"):
        top_up(session, **account, **given)
    with pytest.raises(InvalidInput, match="企业"):
        top_up(session, **{**account, "organization_id": 999}, **{**given, "paid_on": DAY})
    with pytest.raises(InvalidInput, match=r"第 3 行.*2062-07-02"):
        brought(world, "20620702,,1.00,甲,,,")
    with pytest.raises(InvalidInput, match="30001 行"):
        read_statement(("日期,收入\n" + "2026-07-02,1\n" * MOST_ROWS).encode())


def test_a_refund_that_never_left_is_taken_back_and_no_second_top_up_is_made_of_it(session, world):
    account = {"platform_id": world.platform.id, "organization_id": world.firm.id}
    given = {"paid_on": DAY, "reference": "", "by": world.by, "at": AT}
    movement = top_up(session, amount=Money.of(100), **account, **given)
    paid = refund(session, movement.account_id, amount=Money.of(30), **given)
    mirror = reverse_movement(session, paid.id, reason="示例：退款被银行退回", on=DAY, by=world.by, at=AT)
    assert (mirror.kind, mirror.amount_fen) == (MovementKind.REVERSAL, Money.of(30))
    with pytest.raises(Conflict, match="已经冲销"):
        reverse_movement(session, paid.id, reason="再一次", on=DAY, by=world.by, at=AT)
