"""Rows of docs/decisions/0008-pricing-cases.md about billing operations that no other test has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.kernel.errors import InvalidInput
from app.kernel.interval import local_month
from app.kernel.money import ZERO, Money
from billing.correcting import credit, what_is_left
from billing.models import Charge, JournalEntry
from billing.paying import amount_due, record_payment, reverse_payment
from billing.rules.ledger import Account
from billing.rules.words import InvoiceState
from devices.rules.evidence import Flag
from tests.integration.money_world import AT, DAY, MoneyWorld
from tests.integration.test_settling import World


def test_use_that_a_person_settled_but_nobody_priced_waits_for_the_price(session):
    """N66."""
    world = World(session)
    run = world.ran(1, 2, flags=[Flag.GAP.value])
    (case,) = world.settle()
    assert case.reason == "needs_review"
    run.reviewed_at = AT
    session.flush()
    (case,) = world.settle()
    assert (case.reason, session.scalars(select(Charge)).all()) == ("no_tariff", [])


def test_an_odd_fen_is_paid_in_two_halves(session):
    """N82."""
    world = MoneyWorld(session)
    invoice = world.invoice("100.01")
    given = {"paid_on": DAY, "reference": "", "by": world.by, "at": AT}
    record_payment(session, invoice.id, amount=Money.of("50.00"), **given)
    assert invoice.state is InvoiceState.ISSUED
    record_payment(session, invoice.id, amount=Money.of("50.01"), **given)
    assert (invoice.state, amount_due(session, invoice)) == (InvoiceState.PAID, ZERO)


def test_december_ends_at_shanghai_s_midnight():
    """D4."""
    assert local_month(2023, 12).end == datetime(2023, 12, 31, 16, tzinfo=UTC)


def test_what_is_credited_whole_is_not_credited_again(session):
    """E10, E11."""
    world = World(session)
    world.price(setup_fee="0.00", minimum_charge="0.00")
    world.ran(1, 2)
    world.settle()
    invoice = world.issue()
    (line,) = invoice.lines
    given = {"reason": "示例", "by": world.person.id, "at": AT}
    for part in ("200.00", "400.00"):
        credit(session, invoice.id, amounts={line.id: Money.of(part)}, **given)
    assert what_is_left(session, invoice) == {line.id: (ZERO, ZERO)}
    with pytest.raises(InvalidInput, match=r"0\.00"):
        credit(session, invoice.id, amounts={line.id: Money(1)}, **given)


def test_a_receipt_is_taken_back_by_an_opposite_entry_and_stays_as_it_was(session):
    """E17."""
    world = MoneyWorld(session)
    invoice = world.invoice("106.00")
    receipt = record_payment(
        session, invoice.id, paid_on=DAY, amount=Money.of(106), reference="示例", by=world.by, at=AT
    )
    mirror = reverse_payment(session, receipt.id, reason="示例：记错", on=DAY, by=world.by, at=AT)
    first, second = (
        {one.account: one.amount_fen for one in entry.postings}
        for entry in session.scalars(select(JournalEntry).order_by(JournalEntry.id))
    )
    assert first == {Account.BANK: Money.of(106), Account.RECEIVABLE: -Money.of(106)}
    assert second == {account: -amount for account, amount in first.items()}
    assert (mirror.reverses_id, receipt.amount_fen) == (receipt.id, Money.of(106))
