"""What the books say: trial balance, entries, and a firm's statement of account. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, case, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from app.kernel.errors import NotFound
from app.kernel.money import ZERO, Money
from billing.models import ClosedBalance, JournalEntry, JournalPosting
from billing.rules.ledger import Account
from billing.rules.period import next_month


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One account's month. Balances are positive in debit, negative in credit."""

    account: Account
    opening: Money
    debit: Money
    credit: Money

    @property
    def closing(self) -> Money:
        return self.opening + self.debit - self.credit


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """A platform's month, accounts in the order of the chart."""

    month: date
    accounts: Sequence[AccountMonth]

    def total(self, of: str) -> Money:
        """The sum of ``opening``, ``debit``, ``credit`` or ``closing`` over all accounts."""
        return Money(sum(getattr(one, of).fen for one in self.accounts))


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One deed on a firm's account, and what it owed afterwards."""

    entry: JournalEntry
    amount: Money
    balance: Money


def first_open_day(session: Session, platform_id: int, day: date) -> date:
    """Where a deed of that day is booked: that day, or the first one after the months that are closed."""
    return session.scalars(select(func.first_open_day(platform_id, day, type_=Date))).one()


def trial_balance(session: Session, platform_id: int, month: date) -> TrialBalance:
    """Opening, debit, credit and closing of every account. O(entries since the last closed month before it)."""
    first = month.replace(day=1)
    opening = standing(session, platform_id, before=first)
    amount = JournalPosting.amount_fen
    rows = session.execute(
        _sums(
            platform_id,
            func.coalesce(func.sum(case((amount > ZERO, amount))), 0),
            func.coalesce(func.sum(case((amount < ZERO, amount))), 0),
        ).where(JournalEntry.booked_on >= first, JournalEntry.booked_on < next_month(month))
    )
    moved = {account: (_fen(debit), -_fen(credit)) for account, debit, credit in rows}
    return TrialBalance(first, [AccountMonth(one, opening[one], *moved.get(one, (ZERO, ZERO))) for one in Account])


def standing(session: Session, platform_id: int, *, before: date) -> dict[Account, Money]:
    """What every account stood at when the day ``before`` began. It goes on from the last closed month."""
    own = (ClosedBalance.platform_id == platform_id, ClosedBalance.month < before.replace(day=1))
    last = session.scalar(select(func.max(ClosedBalance.month)).where(*own))
    since = _sums(platform_id, func.sum(JournalPosting.amount_fen)).where(JournalEntry.booked_on < before)
    found = dict.fromkeys(Account, ZERO)
    if last is not None:
        found |= {
            one.account: one.balance_fen
            for one in session.scalars(select(ClosedBalance).where(*own, ClosedBalance.month == last))
        }
        since = since.where(JournalEntry.booked_on >= next_month(last))
    for account, amount in session.execute(since):
        found[account] += _fen(amount)
    return found


def _sums(platform_id: int, *sums: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Sums of a platform's postings by account."""
    return (
        select(JournalPosting.account, *sums)
        .join(JournalEntry, JournalEntry.id == JournalPosting.entry_id)
        .where(JournalEntry.platform_id == platform_id)
        .group_by(JournalPosting.account)
    )


def postings_of(*, platform_id: int, month: date, account: Account | None = None) -> Select[JournalPosting]:
    """The lines of a platform's month, oldest entry first, each with its entry and firm."""
    query = (
        select(JournalPosting)
        .join(JournalPosting.entry)
        .where(
            JournalEntry.platform_id == platform_id,
            JournalEntry.booked_on >= month.replace(day=1),
            JournalEntry.booked_on < next_month(month),
        )
        .options(contains_eager(JournalPosting.entry), joinedload(JournalPosting.organization))
        .order_by(JournalEntry.booked_on, JournalEntry.id, JournalPosting.id)
    )
    return query if account is None else query.where(JournalPosting.account == account)


def entry_or_refuse(session: Session, entry_id: int) -> JournalEntry:
    """An entry with its lines. Errors: ``NotFound``."""
    entry = session.get(
        JournalEntry,
        entry_id,
        options=[selectinload(JournalEntry.postings).joinedload(JournalPosting.organization)],
    )
    if entry is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return entry


def statement_of_account(
    session: Session, *, platform_id: int, organization_id: int, account: Account = Account.RECEIVABLE
) -> list[StatementRow]:
    """All that was invoiced to a firm and paid by it, oldest first, with the running balance."""
    rows = session.execute(
        select(JournalEntry, JournalPosting.amount_fen)
        .join(JournalPosting, JournalPosting.entry_id == JournalEntry.id)
        .where(
            JournalEntry.platform_id == platform_id,
            JournalPosting.organization_id == organization_id,
            JournalPosting.account == account,
        )
        .order_by(JournalEntry.booked_on, JournalEntry.id)
    )
    balance, found = ZERO, []
    for entry, amount in rows:
        balance += amount
        found.append(StatementRow(entry, amount, balance))
    return found


def _fen(value: object) -> Money:
    return value if isinstance(value, Money) else Money(int(str(value)))
