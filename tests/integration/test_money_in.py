from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from app.identity.models import Notice
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money
from billing.ageing import open_invoices, overdue_of
from billing.bank_import import all_certain, confirm, confirm_all, ignore, import_statement, preview, upload, worth
from billing.books import statement_of_account, trial_balance
from billing.journal import post_documents
from billing.models import BankLine, BankStatement, DepositAccount, Payment
from billing.money_settings import MoneySettings, save_settings
from billing.paying import record_payment, reverse_payment
from billing.reminding import remind_of_due
from billing.rules.ageing import Bucket, aged
from billing.rules.money_words import BankLineState
from billing.rules.words import InvoiceState
from tests import makers
from tests.integration.money_world import AT, DAY, MoneyWorld, at

HEAD = "交易日期,借方发生额（元）,贷方发生额（元）,对方户名,对方账号,摘要,交易流水号"


@pytest.fixture
def world(session) -> MoneyWorld:
    return MoneyWorld(session)


def brought(world: MoneyWorld, *lines: str, encoding: str = "gb18030") -> int:
    content = "\r\n".join(("某银行账户明细", HEAD, *lines)).encode(encoding)
    given = {"by": world.by, "at": AT}
    statement = upload(world.session, platform_id=world.platform.id, file_name="示例.csv", content=content, **given)
    return import_statement(world.session, statement.id, **given)


def test_a_statement_is_imported_once_in_any_encoding_and_equal_lines_are_two(session, world):
    lines = (
        "20260702,,106.00,晋江示例纺织有限公司,6222,货款,",
        "20260702,,106.00,晋江示例纺织有限公司,6222,货款,",
        "2026-07-02,50.00,,支出,,手续费,77",
    )
    assert brought(world, *lines) == 2
    assert brought(world, *lines) == 0
    assert brought(world, *lines, encoding="utf-8-sig") == 0
    assert brought(world, *lines, "2026-07-01,,1.00,其他,,利息,78") == 1
    told = preview(session, session.scalars(select(BankStatement.id)).first())
    assert (len(told.new), told.known, told.outgoing) == (0, 2, 1)


def test_a_file_that_cannot_be_read_leaves_nothing_behind_and_says_where(session, world):
    with pytest.raises(InvalidInput, match="第 4 行“交易日期”一栏的“昨天”不是日期"):
        brought(world, "20260702,,1.00,甲,,,", "昨天,,2.00,乙,,,")
    assert session.scalar(select(func.count()).select_from(BankStatement)) == 0
    assert session.scalar(select(func.count()).select_from(BankLine)) == 0


def test_certain_lines_are_confirmed_together_and_the_rest_waits_for_a_decision(session, world):
    first, second, third = world.invoice("106.00"), world.invoice("212.00"), world.invoice("318.00")
    other = makers.organization(session, name="泉州示例鞋业有限公司")
    fourth = world.invoice("530.00", firm=other)
    brought(
        world,
        f"20260702,,106.00,晋江示例纺织有限公司,,{first.label} 货款,1",
        "20260702,,530.00,泉州示例鞋业有限公司,,货款,2",
        "20260702,,600.00,晋江示例纺织有限公司,,货款,3",
        "20260702,,9.99,无关个人,,利息,4",
    )
    certain = all_certain(session, world.platform.id)
    assert worth(certain) == Money.of(636)
    with pytest.raises(Conflict):
        confirm_all(session, world.platform.id, count=3, amount=Money.of(636), by=world.by, at=AT)
    assert confirm_all(session, world.platform.id, count=2, amount=Money.of(636), by=world.by, at=AT) == 2
    assert (first.state, fourth.state) == (InvoiceState.PAID, InvoiceState.PAID)
    waiting = session.scalars(select(BankLine).where(BankLine.state == BankLineState.OPEN).order_by(BankLine.id)).all()
    assert [one.amount_fen for one in waiting] == [Money.of(600), Money.of("9.99")]
    confirm(session, waiting[0].id, invoice_ids=[second.id, third.id], by=world.by, at=AT)
    assert session.scalars(select(DepositAccount.balance_fen)).one() == Money.of(70)
    assert (second.state, third.state) == (InvoiceState.PAID, InvoiceState.PAID)
    ignore(session, waiting[1].id, reason="银行利息", by=world.by, at=AT)
    with pytest.raises(Conflict, match="已经处理过"):
        confirm(session, waiting[0].id, invoice_ids=[second.id], by=world.by, at=AT)
    payments = session.scalars(select(Payment.id).where(Payment.bank_line_id == waiting[0].id)).all()
    for payment_id in payments:
        reverse_payment(session, payment_id, reason="认领错误", on=DAY, by=world.by, at=AT)
    assert waiting[0].state is BankLineState.OPEN


def test_ten_thousand_lines_are_imported_and_looked_through_in_one_go(session, world):
    invoices = [world.invoice(Money(10_000 + number)) for number in range(50)]
    lines = [f"20260702,,{100 + number / 100:.2f},晋江示例纺织有限公司,,货款,{number}" for number in range(10_000)]
    assert brought(world, *lines) == 10_000
    assert len(all_certain(session, world.platform.id)) == len(invoices)


def test_what_is_open_ages_from_the_payment_days_of_its_issue(session, world):
    world.invoice("100.00", on=date(2026, 1, 1))
    save_settings(session, world.platform.id, MoneySettings(payment_days=10), by=world.by, at=at(date(2026, 3, 1)))
    world.invoice("200.00", on=date(2026, 3, 1))
    part = world.invoice("300.00", on=date(2026, 3, 2))
    record_payment(session, part.id, paid_on=DAY, amount=Money.of(120), reference="", by=world.by, at=AT)
    (firm,) = aged(open_invoices(session, platform_ids=[world.platform.id]), date(2026, 4, 11))
    assert [one.due_on for one in firm.invoices] == [date(2026, 1, 31), date(2026, 3, 11), date(2026, 3, 12)]
    assert {bucket: amount for bucket, amount in firm.buckets.items() if amount} == {
        Bucket.TO_30: Money.of(180), Bucket.TO_60: Money.of(200), Bucket.TO_90: Money.of(100),
    }  # fmt: skip


def test_a_firm_is_reminded_once_a_stage_and_kept_from_booking_only_where_the_platform_says_so(session, world):
    invoice = world.invoice("106.00")
    due = DAY + timedelta(days=30)
    told = [remind_of_due(session, at=at(due + timedelta(days=days)), limit=10) for days in (-1, 0, 1, 7, 8, 31, 400)]
    assert told == [0, 1, 0, 1, 0, 1, 0]
    assert set(session.scalars(select(Notice.person_id))) == {world.manager.id}
    late = at(due + timedelta(days=15))
    assert overdue_of(session, world.platform.id, world.firm.id, late) is None
    world.settings(block_overdue_days=14)
    found = overdue_of(session, world.platform.id, world.firm.id, late)
    assert (found.invoice.invoice_id, found.days, found.invoice.due) == (invoice.id, 15, Money.of(106))
    assert overdue_of(session, world.platform.id, world.firm.id, at(due + timedelta(days=14))) is None


def test_a_trial_balance_opens_with_what_the_month_before_closed(session, world):
    invoice = world.invoice("106.00", on=date(2026, 6, 30))
    post_documents(session, at=AT, limit=10)
    record_payment(session, invoice.id, paid_on=DAY, amount=Money.of(6), reference="", by=world.by, at=AT)
    june, july = (trial_balance(session, world.platform.id, date(2026, month, 1)) for month in (6, 7))
    assert [one.closing for one in june.accounts] == [one.opening for one in july.accounts]
    assert (july.total("debit"), july.total("credit"), july.total("closing")) == (Money.of(6), Money.of(6), ZERO)
    rows = statement_of_account(session, platform_id=world.platform.id, organization_id=world.firm.id)
    assert [row.balance for row in rows] == [Money.of(106), Money.of(100)]
