"""Whose money pays what: each payer's deposit its own share, and a hold lives until the use is billed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.booking.reserving import reserve
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval
from app.kernel.money import ZERO, Money
from billing.charging_again import SAME
from billing.correcting import credit
from billing.deposits import top_up
from billing.holding import hold_for, release_holds
from billing.models import BillingSettings, Charge, DepositAccount, DepositHold, JournalPosting, UseSettlement
from billing.payers import set_payers
from billing.paying import amount_due, due_by_payer, record_payment, refund_overpaid
from billing.paying_from_deposits import pay_from_deposit, settle_from_deposits
from billing.rules.ledger import Account
from billing.rules.money_words import HoldEnd, PaymentWay
from billing.rules.payers import Part
from billing.rules.words import ChargeState, InvoiceState, SettlementStatus
from tests import makers
from tests.integration.invoice_world import AT, JUNE, InvoiceWorld

DAY = clock.local_date(AT)


class Shared(InvoiceWorld):
    """The firm bears 40 % of what it is invoiced, its parent the rest; the platform works with deposits."""

    def __init__(self, session) -> None:
        super().__init__(session)
        self.parent = makers.organization(session, name="示例总公司", uscc="91350582TEXT202533")
        session.add(BillingSettings(platform_id=self.platform.id, deposit_hold=True))
        self.given = {"by": self.by, "at": AT}

    def share(self) -> None:
        set_payers(
            self.session, platform_id=self.platform.id, organization_id=self.firm.id,
            parts=[Part(self.firm.id, Decimal(40)), Part(self.parent.id, Decimal(60), takes_remainder=True)],
            since=JUNE, **self.given,
        )  # fmt: skip

    def put_in(self, firm, amount: int) -> None:
        top_up(
            self.session, platform_id=self.platform.id, organization_id=firm.id, amount=Money.of(amount),
            paid_on=DAY, reference="", **self.given,
        )  # fmt: skip

    def settled(self, reservation, status: SettlementStatus) -> UseSettlement:
        row = UseSettlement(
            reservation_id=reservation.id, platform_id=self.platform.id, equipment_id=self.equipment.id,
            organization_id=self.firm.id, tariff_id=self.tariff.id, status=status, facts={},
            used_from=reservation.during.start, settled_at=AT,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row

    def balances(self) -> dict[int, Money]:
        rows = self.session.scalars(select(DepositAccount)).all()
        return {one.organization_id: one.balance_fen for one in rows}


@pytest.fixture
def world(session) -> Shared:
    return Shared(session)


def test_a_payers_deposit_pays_its_own_share_and_no_more(session, world):
    world.share()
    invoice = world.issued("100.00")
    world.put_in(world.firm, 500)
    assert settle_from_deposits(session, at=AT, limit=10) == 1
    assert (amount_due(session, invoice), invoice.state) == (Money.of(60), InvoiceState.ISSUED)
    assert settle_from_deposits(session, at=AT, limit=10) == 0
    with pytest.raises(Conflict, match="没有未付金额"):
        pay_from_deposit(session, invoice.id, on=DAY, **world.given)
    world.put_in(world.parent, 500)
    assert settle_from_deposits(session, at=AT, limit=10) == 1
    assert world.balances() == {world.firm.id: Money.of(460), world.parent.id: Money.of(440)}
    assert invoice.state is InvoiceState.PAID
    owners = session.execute(
        select(JournalPosting.organization_id, JournalPosting.amount_fen)
        .where(JournalPosting.account == Account.DEPOSIT, JournalPosting.amount_fen > ZERO)
        .order_by(JournalPosting.id)
    ).all()
    assert owners == [(world.firm.id, Money.of(40)), (world.parent.id, Money.of(60))]


def test_what_a_payer_paid_by_the_bank_is_of_its_share_and_what_is_too_much_goes_back_to_it(session, world):
    world.share()
    invoice = world.issued("100.00")
    pay = {"paid_on": DAY, "reference": "", **world.given}
    stranger = makers.organization(session, name="示例无关企业")
    with pytest.raises(InvalidInput, match="付款方"):
        record_payment(session, invoice.id, amount=Money.of(60), payer_id=stranger.id, **pay)
    record_payment(session, invoice.id, amount=Money.of(60), payer_id=world.parent.id, **pay)
    assert due_by_payer(session, invoice) == {world.firm.id: Money.of(40), world.parent.id: ZERO}
    world.put_in(world.parent, 500)
    assert settle_from_deposits(session, at=AT, limit=10) == 0
    record_payment(session, invoice.id, amount=Money.of(40), **pay)
    credit(session, invoice.id, amounts={invoice.lines[0].id: Money.of(50)}, reason="示例", **world.given)
    refund_overpaid(session, invoice.id, to=PaymentWay.DEPOSIT, on=DAY, reference="", **world.given)
    assert world.balances() == {world.firm.id: Money.of(20), world.parent.id: Money.of(530)}
    assert set(due_by_payer(session, invoice).values()) == {ZERO}


def test_a_hold_lives_until_the_use_is_billed_and_one_without_use_for_a_day(session, world):
    world.put_in(world.firm, 500)
    manager = makers.person(session, (world.firm, Role.FIRM_MANAGER))
    used, unused = (
        reserve(
            session, equipment_id=world.equipment.id, when=Interval(start, start + timedelta(hours=2)),
            organization_id=world.firm.id, person_id=manager.id, at=AT,
        )
        for start in (AT.replace(day=10), AT.replace(day=11))
    )  # fmt: skip
    for one in (used, unused):
        hold_for(session, one, AT, platform_id=world.platform.id, estimate=Money.of(200))
    ended = unused.during.end
    later = ended + timedelta(days=1)
    waiting = world.settled(used, SettlementStatus.NEEDS_REVIEW)
    assert release_holds(session, at=ended, limit=10) == 0
    assert release_holds(session, at=later, limit=1) == 1  # what waits is in nobody's way
    assert session.get_one(DepositHold, unused.id).ended_by is HoldEnd.USED
    session.delete(waiting)
    session.flush()
    priced = world.settled(used, SettlementStatus.PRICED)
    like = world.issued("150.00").lines[0].charge
    charge = Charge(
        use_settlement_id=priced.id, position=1, charged_at=later, quantity=1, unit="h", unit_price=150,
        net_fen=like.net_fen, tax_fen=like.tax_fen, gross_fen=like.gross_fen, explanation_zh="示例",
        explanation_en="Sample",
        **{name: getattr(like, name) for name in SAME if name not in ("use_settlement_id", "usage_session_id")},
    )  # fmt: skip
    session.add(charge)
    for state, freed in ((ChargeState.PROPOSED, 0), (ChargeState.APPROVED, 0), (ChargeState.INVOICED, 1)):
        charge.state = state
        session.flush()
        assert release_holds(session, at=later, limit=10) == freed
    assert session.get_one(DepositHold, used.id).ended_by is HoldEnd.USED
