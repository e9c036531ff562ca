"""How a platform deals with money: read with its defaults, changed with a trace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel import audit, clock
from app.kernel.errors import InvalidInput
from billing.models import BillingSettings, PaymentTerm

PAYMENT_DAYS = 30
DISPUTE_DAYS = 7


@dataclass(frozen=True, slots=True)
class MoneySettings:
    """``payment_days`` holds for invoices issued now; earlier ones keep the days of their issue.

    ``block_overdue_days`` is how long an invoice may be overdue before its firm cannot book; ``None``: for ever.
    """

    payment_days: int = PAYMENT_DAYS
    deposit_hold: bool = False
    block_overdue_days: int | None = None
    dispute_days: int = DISPUTE_DAYS
    pay_to: str = ""


def settings_of(session: Session, platform_id: int, *, on: date | None = None) -> MoneySettings:
    """The platform's settings; the payment days are those of ``on``, or the latest."""
    row = session.get(BillingSettings, platform_id)
    days = payment_days(session, platform_id, on=on)
    if row is None:
        return MoneySettings(payment_days=days)
    return MoneySettings(days, row.deposit_hold, row.block_overdue_days, row.dispute_days, row.pay_to)


def payment_days(session: Session, platform_id: int, *, on: date | None = None) -> int:
    """After how many days an invoice is due that is issued ``on`` that day, or next."""
    terms = select(PaymentTerm.days).where(PaymentTerm.platform_id == platform_id)
    if on is not None:
        terms = terms.where(PaymentTerm.since <= on)
    found = session.scalar(terms.order_by(PaymentTerm.since.desc()).limit(1))
    return PAYMENT_DAYS if found is None else found


def save_settings(session: Session, platform_id: int, wanted: MoneySettings, *, by: int, at: datetime) -> None:
    """Change them from now on; new payment days hold for invoices issued from today on.

    Errors: ``InvalidInput`` for days that are out of range.
    """
    if not 0 <= wanted.payment_days <= 365:
        raise InvalidInput("付款期限应为 0 至 365 天。", field="payment_days")
    if wanted.block_overdue_days is not None and not 0 <= wanted.block_overdue_days <= 3650:
        raise InvalidInput("停约的逾期天数应为 0 至 3650 天；不停约请留空。", field="block_overdue_days")
    if not 0 <= wanted.dispute_days <= 365:
        raise InvalidInput("异议期应为 0 至 365 天。", field="dispute_days")
    before = settings_of(session, platform_id)
    if wanted.payment_days != before.payment_days:
        term = insert(PaymentTerm).values(platform_id=platform_id, since=clock.local_date(at), days=wanted.payment_days)
        session.execute(
            term.on_conflict_do_update(index_elements=["platform_id", "since"], set_={"days": wanted.payment_days})
        )
    row = session.get(BillingSettings, platform_id) or BillingSettings(platform_id=platform_id)
    row.deposit_hold = wanted.deposit_hold
    row.block_overdue_days = wanted.block_overdue_days
    row.dispute_days = wanted.dispute_days
    row.pay_to = wanted.pay_to.strip()[:300]
    session.add(row)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="changed settings", subject="billing_settings", subject_id=platform_id,
        before=_as_facts(before), after=_as_facts(wanted),
    )  # fmt: skip


def _as_facts(settings: MoneySettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__slots__}
