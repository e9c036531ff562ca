from __future__ import annotations

import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.kernel.audit import AuditEntry
from app.kernel.db import db, transaction
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money
from billing.correcting import credit, free_to_credit, what_is_left
from billing.models import InvoiceShare, RedRequest
from billing.payers import set_payers
from billing.red_letters import (
    close_red,
    confirm_red,
    expire_red_requests,
    letters_wanted,
    record_red_number,
    red_requests_of,
    request_red,
)
from billing.rules.payers import Part
from billing.rules.red_letter import RedReason, RedState
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.tax_invoices import live_tax_invoices, record_tax_invoice, withdraw_tax_invoice
from tests import makers
from tests.integration.invoice_world import AT, JUNE, InvoiceWorld

TODAY = date(2026, 7, 2)
DEADLINE = timedelta(hours=72)


class World(InvoiceWorld):
    numbers = 26350000000000000000

    def number(self) -> str:
        self.numbers += 1
        return str(self.numbers)

    def with_tax_invoice(self, *grosses: str):
        invoice = self.issued(*grosses)
        for buyer in {one.payer_id for one in self.shares(invoice)} or {self.firm.id}:
            record_tax_invoice(
                self.session,
                invoice.id,
                buyer_id=buyer,
                number=self.number(),
                kind=TaxInvoiceKind.SPECIAL,
                issued_on=TODAY,
                by=self.by,
                at=AT,
            )
        return invoice

    def shares(self, invoice):
        return self.session.scalars(select(InvoiceShare).where(InvoiceShare.invoice_id == invoice.id)).all()

    def ask(self, invoice, *grosses: str, at=AT) -> RedRequest:
        amounts = {line.id: Money.of(gross) for line, gross in zip(invoice.lines, grosses, strict=False)}
        return request_red(
            self.session,
            invoice.id,
            amounts=amounts,
            reason=RedReason.ALLOWANCE,
            explanation="示例折让",
            by=self.by,
            at=at,
        )

    def confirm(self, request, at=AT) -> RedRequest:
        return confirm_red(self.session, request.id, by=self.by, at=at)

    def letter(self, request, number: str = ""):
        wanted = letters_wanted(self.session, request)[0]
        return record_red_number(
            self.session,
            request.id,
            tax_invoice_id=wanted.id,
            number=number or self.number(),
            issued_on=TODAY,
            by=self.by,
            at=AT,
        )

    def free(self, invoice) -> list[str]:
        return [str(one) for one in free_to_credit(self.session, invoice).values()]


@pytest.fixture
def world(session) -> World:
    return World(session)


def test_a_request_is_confirmed_its_red_number_recorded_and_comes_to_a_credit_note(session, world):
    invoice = world.with_tax_invoice("1000.00", "50.00")
    with pytest.raises(Conflict, match="申请红字"):
        credit(session, invoice.id, amounts={invoice.lines[0].id: Money(1)}, reason="示例", by=world.by, at=AT)
    request = world.ask(invoice, "300.00", "0")
    assert request.confirm_by == AT + DEADLINE
    with pytest.raises(Conflict, match="确认之后"):
        world.letter(request)
    world.confirm(request, at=AT + DEADLINE - timedelta(seconds=1))
    with pytest.raises(InvalidInput, match="已经登记过"):
        world.letter(request, number=live_tax_invoices(session, invoice.id)[0].number)
    note = world.letter(request)
    assert note.gross_fen == Money.of(-300)
    assert note.reason == "04 销售折让：示例折让"
    assert (request.state, request.note_id) == (RedState.ISSUED, note.id)
    assert world.free(invoice) == ["700.00", "50.00"]
    session.commit()
    with pytest.raises(Conflict, match="状态已经变化"):
        close_red(session, request.id, to=RedState.WITHDRAWN, because="示例", by=world.by, at=AT)
    session.rollback()
    reopened = "UPDATE red_request SET state = 'confirmed', note_id = NULL, closed_at = NULL"
    for change in (reopened, "DELETE FROM red_request"):
        with pytest.raises(DBAPIError, match="not to be changed"):
            session.execute(text(change))
        session.rollback()


def test_open_requests_hold_their_amounts_and_two_never_exceed(session, world):
    invoice = world.with_tax_invoice("100.00")
    first = world.ask(invoice, "60.00")
    with pytest.raises(InvalidInput, match=r"40\.00"):
        world.ask(invoice, "40.01")
    second = world.ask(invoice, "40.00")
    assert world.free(invoice) == ["0.00"]
    close_red(session, first.id, to=RedState.REFUSED, because="对方不同意", by=world.by, at=AT)
    assert world.free(invoice) == ["60.00"]
    world.confirm(second)
    close_red(session, second.id, to=RedState.WITHDRAWN, because="示例", by=world.by, at=AT)
    assert world.free(invoice) == ["100.00"]
    with pytest.raises(InvalidInput, match="原因"):
        close_red(session, world.ask(invoice, "1").id, to=RedState.REFUSED, because=" ", by=world.by, at=AT)


def test_what_is_not_confirmed_within_72_hours_expires_and_frees_what_it_held(session, world):
    invoice = world.with_tax_invoice("100.00")
    late, confirmed = world.ask(invoice, "60.00"), world.ask(invoice, "40.00")
    world.confirm(confirmed)
    with pytest.raises(Conflict, match="72 小时"):
        world.confirm(late, at=AT + DEADLINE)
    assert expire_red_requests(session, AT + DEADLINE - timedelta(seconds=1)) == 0
    assert expire_red_requests(session, AT + DEADLINE) == 1
    assert expire_red_requests(session, AT + DEADLINE) == 0
    assert (late.state, confirmed.state) == (RedState.EXPIRED, RedState.CONFIRMED)
    assert world.free(invoice) == ["60.00"]
    assert session.scalars(select(AuditEntry.person_id).where(AuditEntry.deed == "red_expired")).all() == [None]
    assert [one.id for one in red_requests_of(session, invoice.id)] == [confirmed.id, late.id]


def test_without_a_tax_invoice_the_plain_credit_note_stays_and_red_is_refused(session, world):
    invoice = world.issued("100.00")
    with pytest.raises(Conflict, match="直接开具"):
        world.ask(invoice, "1.00")
    credit(session, invoice.id, amounts={invoice.lines[0].id: Money.of(1)}, reason="示例", by=world.by, at=AT)


def test_a_number_is_not_withdrawn_while_red_letters_rest_on_it(session, world):
    invoice = world.with_tax_invoice("100.00")
    (row,) = live_tax_invoices(session, invoice.id)
    request = world.ask(invoice, "1.00")
    with pytest.raises(Conflict, match="红字"):
        withdraw_tax_invoice(session, row.id, reason="示例误记", by=world.by, at=AT)
    close_red(session, request.id, to=RedState.WITHDRAWN, because="示例", by=world.by, at=AT)
    withdraw_tax_invoice(session, row.id, reason="示例误记", by=world.by, at=AT)
    credit(session, invoice.id, amounts={invoice.lines[0].id: Money.of(100)}, reason="示例", by=world.by, at=AT)


def test_each_payers_tax_invoice_needs_its_red_number_before_the_note_is_issued(session, world):
    payer = makers.organization(session)
    parts = [Part(payer.id, Decimal(40)), Part(world.firm.id, Decimal(60), takes_remainder=True)]
    set_payers(
        session,
        platform_id=world.platform.id,
        organization_id=world.firm.id,
        parts=parts,
        since=JUNE,
        by=world.by,
        at=AT,
    )
    invoice = world.with_tax_invoice("100.00")
    request = world.confirm(world.ask(invoice, "100.00"))
    assert world.letter(request) is None
    with pytest.raises(Conflict, match="不能撤回"):
        close_red(session, request.id, to=RedState.WITHDRAWN, because="示例", by=world.by, at=AT)
    note = world.letter(request)
    assert sorted(str(one.gross_fen) for one in world.shares(note)) == ["-40.00", "-60.00"]


@pytest.mark.parametrize("parts", [("33.33", "33.33", "33.35"), ("0.01", "0.01", "99.99"), ("50.00", "50.01", "0")])
def test_notes_by_the_red_flow_never_exceed_and_the_last_takes_the_last_fen(session, world, parts):
    invoice = world.with_tax_invoice("100.01")
    (line,) = invoice.lines
    for part in parts:
        if Money.of(part):
            assert world.letter(world.confirm(world.ask(invoice, part))) is not None
    assert what_is_left(session, invoice) == {line.id: (Money(0), Money(0))}
    with pytest.raises(InvalidInput, match=r"0\.00"):
        world.ask(invoice, "0.01")


def test_of_many_who_ask_for_the_whole_at_once_one_gets_it(app, session, world):
    invoice = world.with_tax_invoice("100.00")
    invoice_id, line_id, by = invoice.id, invoice.lines[0].id, world.by
    session.commit()
    refused, gate = [], threading.Barrier(6)

    def ask() -> None:
        with app.app_context():
            gate.wait()
            try:
                with transaction() as own:
                    request_red(
                        own,
                        invoice_id,
                        amounts={line_id: Money.of(100)},
                        reason=RedReason.ISSUED_WRONGLY,
                        explanation="",
                        by=by,
                        at=AT,
                    )
            except InvalidInput as refusal:
                refused.append(str(refusal))
            finally:
                db.session.remove()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5
    session.execute(
        text(
            "WITH r AS (INSERT INTO red_request (invoice_id, reason, explanation, state, asked_by, asked_at,"
            " confirm_by, closed_because) SELECT invoice_id, reason, '', 'requested', asked_by, asked_at,"
            " confirm_by, '' FROM red_request RETURNING id)"
            " INSERT INTO red_request_line SELECT r.id, :line, 1 FROM r"
        ).bindparams(line=line_id)
    )
    with pytest.raises(DBAPIError, match="more is taken back"):
        session.commit()
    session.rollback()
