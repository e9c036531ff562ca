from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import InvalidInput
from app.kernel.money import Money, total
from billing.correcting import credit
from billing.models import InvoiceShare, PayerAgreement
from billing.payers import agreements_of, payers_on, set_payers, share_invoices, shares_of
from billing.rules.payers import Part
from tests import makers
from tests.integration.invoice_world import AT, JUNE, NINE, InvoiceWorld

JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


class World(InvoiceWorld):
    def __init__(self, session) -> None:
        super().__init__(session)
        self.parent = makers.organization(session, name="示例总公司")

    def pay(self, *parts: tuple[int, str], rest: int, since: date = JUNE) -> None:
        set_payers(
            self.session,
            platform_id=self.platform.id,
            organization_id=self.firm.id,
            parts=[Part(payer, Decimal(percent), payer == rest) for payer, percent in parts],
            since=since,
            by=self.by,
            at=AT,
        )

    def on(self, day: date) -> dict[int, Decimal]:
        found = payers_on(self.session, platform_id=self.platform.id, organization_id=self.firm.id, on=day)
        return {one.payer_id: one.percent for one in found}


@pytest.fixture
def world(session) -> World:
    return World(session)


def test_an_agreement_begins_with_a_month_and_ends_the_one_before(session, world):
    firm, parent = world.firm.id, world.parent.id
    world.pay((parent, "33.33"), (firm, "66.67"), rest=firm)
    world.pay((parent, "100"), rest=parent, since=AUGUST)
    world.pay((firm, "50"), (parent, "50"), rest=firm, since=AUGUST)
    session.commit()
    assert world.on(JULY) == {parent: Decimal("33.33"), firm: Decimal("66.67")}
    assert world.on(AUGUST) == {parent: Decimal(50), firm: Decimal(50)}
    assert world.on(date(2026, 5, 31)) == {}
    world.pay(rest=0, since=AUGUST)
    session.commit()
    assert world.on(AUGUST) == {}
    assert len(agreements_of(session, platform_id=world.platform.id, organization_id=firm)) == 2
    with pytest.raises(InvalidInput, match="1 日"):
        world.pay((firm, "100"), rest=firm, since=date(2026, 7, 2))
    with pytest.raises(InvalidInput, match="100 %"):
        world.pay((firm, "99"), rest=firm)
    with pytest.raises(InvalidInput, match="没有这个付款方"):
        world.pay((0, "100"), rest=0)


def test_nobody_gets_round_the_hundred_percent_in_the_table(session, world):
    world.pay((world.parent.id, "40"), (world.firm.id, "60"), rest=world.firm.id)
    session.commit()
    for change in (
        "UPDATE payer_agreement SET percent = 41 WHERE NOT takes_remainder",
        "UPDATE payer_agreement SET takes_remainder = true",
        "DELETE FROM payer_agreement WHERE takes_remainder",
        "UPDATE payer_agreement SET days = daterange('2026-06-01', '2026-09-01') WHERE takes_remainder",
    ):
        with pytest.raises(DBAPIError, match="100 percent"):
            session.execute(text(f"{change}; SET CONSTRAINTS ALL IMMEDIATE"))
        session.rollback()
    row = session.scalars(select(PayerAgreement)).first()
    row.days = Range(date(2026, 6, 2), None)
    with pytest.raises(DBAPIError, match="whole_months"):
        session.flush()
    session.rollback()


def test_an_invoice_is_shared_when_it_is_issued_and_its_credit_notes_as_it_was(session, world):
    parent, firm = world.parent.id, world.firm.id
    world.pay((parent, "33.33"), (firm, "66.67"), rest=firm)
    invoice = world.issued("1000.00", ("500.01", NINE))
    world.pay((parent, "100"), rest=parent, since=JULY)
    bears = {one.payer.id: one for one in shares_of(session, invoice.id)}
    assert bears[parent].gross == Money.of("333.30") + Money.of("166.65")
    assert bears[firm].gross == Money.of("666.70") + Money.of("333.36")
    assert total([one.net for one in bears.values()]) == invoice.net_fen
    first, second = invoice.lines
    notes = [
        credit(session, invoice.id, amounts=amounts, reason="示例", by=world.by, at=AT)
        for amounts in (
            {first.id: Money(1), second.id: Money.of("100")},
            {first.id: Money.of("333.33")},
            {first.id: Money.of("666.66"), second.id: Money.of("400.01")},
        )
    ]
    for note in notes:
        own = shares_of(session, note.id)
        assert total([one.gross for one in own]) == note.gross_fen
        assert total([one.tax for one in own]) == note.tax_fen
    for column in (InvoiceShare.net_fen, InvoiceShare.tax_fen, InvoiceShare.gross_fen):
        left = session.execute(select(func.sum(column)).group_by(InvoiceShare.payer_id, InvoiceShare.tax_rate))
        assert {one for (one,) in left} == {Money(0)}
    session.commit()
    with pytest.raises(DBAPIError, match="only grows"):
        session.execute(text("UPDATE invoice_share SET percent = 1"))
    session.rollback()


def test_a_firm_without_an_agreement_pays_alone(session, world):
    invoice = world.issued("1000.00")
    assert shares_of(session, invoice.id) == []
    assert share_invoices(session, [invoice.id]) == 0
