"""Nothing is without a way back: mistyped numbers, wrong tax invoices, wrong refunds, invoices credited whole."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money
from billing.ageing import open_invoices
from billing.correcting import credit, free_to_credit, has_tax_invoice
from billing.invoicing import issue_month
from billing.models import Charge, CorrectedNumber, DepositAccount, Invoice, InvoiceLine, JournalPosting, RedLetter
from billing.paying import amount_due, record_payment, refund_overpaid, reverse_payment
from billing.red_letters import confirm_red, record_red_number, request_red, request_reissue
from billing.rules.ledger import Account
from billing.rules.money_words import PaymentWay
from billing.rules.red_letter import RedReason, RedState
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.rules.words import ChargeState, InvoiceState
from billing.tax_invoices import correct_number, live_tax_invoices, record_tax_invoice, withdraw_tax_invoice
from tests.integration.invoice_world import AT, JUNE, InvoiceWorld

DAY = clock.local_date(AT)
BLUE, RED, RIGHT, ANEW = (f"2650200000000000000{last}" for last in range(4))


@pytest.fixture
def world(session) -> InvoiceWorld:
    return InvoiceWorld(session)


def recorded(world: InvoiceWorld, invoice: Invoice, number: str = BLUE):
    return record_tax_invoice(
        world.session, invoice.id, buyer_id=world.firm.id, number=number, kind=TaxInvoiceKind.SPECIAL,
        issued_on=DAY, by=world.by, at=AT,
    )  # fmt: skip


def red(world: InvoiceWorld, request, tax_invoice, number: str = RED) -> Invoice | None:
    confirm_red(world.session, request.id, by=world.by, at=AT)
    return record_red_number(
        world.session, request.id, tax_invoice_id=tax_invoice.id, number=number, issued_on=DAY, by=world.by, at=AT
    )


def whole(invoice: Invoice) -> dict[int, Money]:
    return {line.id: line.gross_fen for line in invoice.lines}


def test_a_mistyped_number_is_corrected_with_a_reason_and_the_old_one_stays_known(session, world):
    invoice = world.issued("100.00", "50.00")
    blue = recorded(world, invoice)
    request = request_red(
        session, invoice.id, amounts={invoice.lines[0].id: Money.of(10)}, reason=RedReason.ALLOWANCE, explanation="",
        by=world.by, at=AT,
    )  # fmt: skip
    red(world, request, blue)
    letter = session.scalars(select(RedLetter)).one()
    given = {"by": world.by, "at": AT}
    for wrong, reason, field in (
        (BLUE, "抄错一位", "corrected_number"),
        ("12", "抄错", "corrected_number"),
        (RIGHT, " ", "correction_reason"),
    ):
        with pytest.raises(InvalidInput) as refused:
            correct_number(session, letter, number=wrong, reason=reason, **given)
        assert refused.value.field == field
    correct_number(session, letter, number=RIGHT, reason="抄错一位", **given)
    correct_number(session, blue, number=ANEW, reason="抄成了别的票", **given)
    kept = session.scalars(select(CorrectedNumber).order_by(CorrectedNumber.id)).all()
    assert [(one.before, one.after, one.reason) for one in kept] == [
        (RED, RIGHT, "抄错一位"),
        (BLUE, ANEW, "抄成了别的票"),
    ]
    assert (letter.number, blue.number) == (RIGHT, ANEW)
    told = session.scalars(select(AuditEntry).where(AuditEntry.deed == "number_corrected")).all()
    assert [(one.detail["before"], one.detail["reason"]) for one in told] == [(RED, "抄错一位"), (BLUE, "抄成了别的票")]
    session.commit()
    for change in (
        "UPDATE red_letter SET number = '26502000000000000009'",
        "UPDATE tax_invoice SET number = '26502000000000000009'",
        "UPDATE red_letter SET issued_on = issued_on - 1",
        "DELETE FROM corrected_number",
    ):
        with pytest.raises(DBAPIError, match=r"corrected|only grows"):
            session.execute(text(change))
        session.rollback()


def test_a_tax_invoice_that_was_made_out_wrongly_is_taken_back_whole_and_issued_anew(session, world):
    invoice = world.issued("100.00")
    blue = recorded(world, invoice)
    request = request_reissue(session, blue.id, explanation="抬头有误", by=world.by, at=AT)
    with pytest.raises(Conflict, match="红冲重开"):
        request_red(
            session, invoice.id, amounts=whole(invoice), reason=RedReason.ALLOWANCE, explanation="", by=world.by, at=AT
        )
    assert red(world, request, blue) is None
    assert (request.state, request.note_id, invoice.state) == (RedState.ISSUED, None, InvoiceState.ISSUED)
    assert (amount_due(session, invoice), live_tax_invoices(session, invoice.id)) == (Money.of(100), [])
    anew = recorded(world, invoice, ANEW)
    assert [one.number for one in live_tax_invoices(session, invoice.id)] == [ANEW]
    withdraw_tax_invoice(session, anew.id, reason="登记到了别的单", by=world.by, at=AT)
    assert not has_tax_invoice(session, invoice.id)
    with pytest.raises(Conflict, match="替换"):
        request_reissue(session, blue.id, explanation="", by=world.by, at=AT)


def test_a_wrong_refund_is_taken_back_from_where_it_went(session, world):
    invoice = world.issued("100.00")
    given = {"by": world.by, "at": AT}
    record_payment(session, invoice.id, paid_on=DAY, amount=Money.of(100), reference="", **given)
    credit(session, invoice.id, amounts={invoice.lines[0].id: Money.of(30)}, reason="示例", **given)
    for way in PaymentWay:
        (paid,) = refund_overpaid(session, invoice.id, to=way, on=DAY, reference="", **given)
        assert amount_due(session, invoice) == ZERO
        back = reverse_payment(session, paid.id, reason="退错了账户", on=DAY, **given)
        assert (back.amount_fen, amount_due(session, invoice)) == (Money.of(30), Money.of(-30))
        with pytest.raises(Conflict, match="已经冲销"):
            reverse_payment(session, paid.id, reason="再一次", on=DAY, **given)
    assert session.scalar(select(DepositAccount.balance_fen)) == ZERO
    posted = session.scalars(select(JournalPosting.amount_fen).where(JournalPosting.account == Account.BANK)).all()
    assert posted == [Money.of(100), Money.of(-30), Money.of(30)]


def test_an_invoice_that_is_credited_whole_says_so_and_its_use_is_billed_again(session, world):
    invoice = world.issued("100.00", "50.00")
    given = {"by": world.by, "at": AT}
    first, second = invoice.lines
    credit(session, invoice.id, amounts={first.id: Money.of(100)}, reason="示例：单价有误", bill_again=True, **given)
    assert invoice.state is InvoiceState.ISSUED
    note = credit(session, invoice.id, amounts={second.id: Money.of(50)}, reason="示例", **given)
    assert (invoice.state, open_invoices(session)) == (InvoiceState.CREDITED, [])
    with pytest.raises(Conflict, match="已付清"):
        record_payment(session, invoice.id, paid_on=DAY, amount=Money.of(1), reference="", **given)
    again = session.scalars(select(Charge).where(Charge.state == ChargeState.PROPOSED)).one()
    assert (again.again_of_id, again.gross_fen, again.net_fen) == (first.charge_id, first.gross_fen, first.net_fen)
    assert (again.quantity, again.unit_price) == (first.quantity, first.unit_price)
    assert f"代替 {invoice.label} 第 1 行" in again.explanation_zh
    again.state = ChargeState.APPROVED
    anew = issue_month(session, platform_id=world.platform.id, organization_id=world.firm.id, month=JUNE, **given)
    assert [line.charge_id for line in anew.lines] == [again.id]
    assert (anew.gross_fen, note.gross_fen) == (Money.of(100), Money.of(-50))
    session.commit()
    with pytest.raises(DBAPIError, match="issued"):
        session.execute(text("UPDATE invoice SET state = 'issued' WHERE state = 'credited'"))


def test_a_part_that_is_billed_again_is_one_sum_and_can_be_credited_again(session, world):
    invoice = world.issued("100.00")
    given = {"by": world.by, "at": AT}
    blue = recorded(world, invoice)
    request = request_red(
        session, invoice.id, amounts={invoice.lines[0].id: Money.of("33.33")}, reason=RedReason.ISSUED_WRONGLY,
        explanation="", bill_again=True, **given,
    )  # fmt: skip
    note = red(world, request, blue)
    again = session.scalars(select(Charge).where(Charge.again_of_id.is_not(None))).one()
    assert (again.gross_fen, again.net_fen, again.quantity) == (-note.gross_fen, -note.net_fen, 1)
    again.state = ChargeState.APPROVED
    anew = issue_month(session, platform_id=world.platform.id, organization_id=world.firm.id, month=JUNE, **given)
    line = session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == anew.id)).one()
    assert free_to_credit(session, anew) == {line.id: Money.of("33.33")}
    credit(session, anew.id, amounts={line.id: Money.of("33.33")}, reason="示例", bill_again=True, **given)
    assert len(session.scalars(select(Charge).where(Charge.again_of_id == again.id)).all()) == 1
