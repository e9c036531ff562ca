from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from stdnum.cn import uscc

from app.catalogue.models import Equipment, Platform
from app.catalogue.seeding import load_catalogue, sample_uscc
from app.demo import seed_demo
from app.identity.models import Notice, Organization
from app.identity.rules.notice import NoticeKind
from app.kernel.clock import local_date
from app.kernel.money import ZERO
from billing.ageing import open_invoices
from billing.assessing import judge_platform
from billing.books import trial_balance
from billing.models import (
    BankLine,
    Charge,
    DepositAccount,
    DepositMovement,
    Dispute,
    Invoice,
    InvoiceShare,
    Payment,
    PeriodClose,
    RedLetter,
    UseSettlement,
)
from billing.rules.money_words import BankLineState, MovementKind
from billing.rules.period import PeriodState
from billing.rules.words import InvoiceKind
from devices.models import UsageSession

AT = datetime(2026, 11, 24, 4, tzinfo=UTC)


def test_the_annexes_are_twelve_platforms_and_loading_twice_adds_nothing(session):
    assert load_catalogue(session, at=AT) == 91
    assert load_catalogue(session, at=AT) == 0
    assert session.scalar(select(func.count()).select_from(Platform)) == 12
    assert sum(len(one) for one in session.scalars(select(Platform.annex_entries))) == 19
    assert session.scalar(select(func.count()).select_from(Equipment).where(~Equipment.illustrative)) == 0
    assert all(uscc.is_valid(code) for code in session.scalars(select(Organization.uscc)) if code)


def test_sample_codes_have_right_check_characters():
    assert len({sample_uscc(f"DEMQ{number:04d}") for number in range(200)}) == 200
    assert all(uscc.is_valid(sample_uscc(f"DEMQ{number:04d}")) for number in range(200))


def test_the_sample_world_flows_from_readings_to_a_subsidy_and_is_made_once(session):
    assert seed_demo(session, at=AT)
    session.commit()
    assert not seed_demo(session, at=AT)
    used = session.scalar(select(func.count()).select_from(UsageSession))
    booked = session.scalar(
        select(func.count()).select_from(UsageSession).where(UsageSession.reservation_id.is_not(None))
    )
    assert used == booked > 50
    assert session.scalar(select(func.count()).select_from(UseSettlement).where(UseSettlement.status != "priced")) == 0
    assert {one.value for one in session.scalars(select(Charge.state).distinct())} == {
        "proposed",
        "disputed",
        "invoiced",
    }
    platform = session.scalars(select(Platform).where(Platform.code == "hx-textile")).one()
    _, judgement = judge_platform(session, platform.id)
    assert judgement.grants[-1].payable.amount.fen > 0
    assert session.scalar(select(func.count()).select_from(Invoice).where(Invoice.number.is_(None))) == 0
    shows_money_in_every_state(session, AT)


def test_the_sample_world_shows_as_much_in_the_first_days_of_a_month(session):
    begun = datetime(2027, 1, 2, 4, tzinfo=UTC)
    assert seed_demo(session, at=begun)
    shows_money_in_every_state(session, begun)


def shows_money_in_every_state(session, at):
    def count(what, *where):
        return session.scalar(select(func.count()).select_from(what).where(*where))

    due = {one.invoice_id: one for one in open_invoices(session)}
    paid = set(session.scalars(select(Payment.invoice_id)))
    assert paid - due.keys(), "one is paid in full"
    assert paid & due.keys(), "one in part"
    assert count(DepositMovement, DepositMovement.kind == MovementKind.OVERPAYMENT) == 1
    assert count(DepositMovement, DepositMovement.kind == MovementKind.TOP_UP) == 1
    assert count(DepositAccount, DepositAccount.held_fen > ZERO) == 1
    assert count(PeriodClose, PeriodClose.state == PeriodState.CLOSED) >= 1
    assert any(one.due_on < local_date(at) for one in due.values()), "one is overdue"
    assert count(Notice, Notice.kind == NoticeKind.PAYMENT) >= 1
    assert count(Dispute, Dispute.answered_at.is_(None)) == 1
    assert count(RedLetter) == count(Invoice, Invoice.kind == InvoiceKind.CREDIT_NOTE) == 1
    assert count(BankLine, BankLine.state == BankLineState.OPEN) == 1
    assert session.scalar(select(func.count(InvoiceShare.payer_id.distinct()))) == 2
    for platform_id in session.scalars(select(Invoice.platform_id).distinct()):
        assert trial_balance(session, platform_id, local_date(at)).total("closing") == ZERO
