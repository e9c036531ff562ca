"""Issued invoices without the road to them, for tests of what happens to money afterwards."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.identity.models import Organization
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.money import Money
from billing.models import BillingSettings, Invoice
from billing.rules.words import InvoiceKind, InvoiceState
from tests import makers

AT = makers.BEGINNING.replace(month=7, day=2)
DAY = clock.local_date(AT)


class MoneyWorld:
    """A platform, a firm with a manager, and somebody who keeps the books."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.operator = makers.organization(session)
        self.platform = makers.platform(session, operator=self.operator)
        self.firm = makers.organization(session, name="晋江示例纺织有限公司")
        self.manager = makers.person(session, (self.firm, Role.FIRM_MANAGER))
        self.finance = makers.person(session, (self.operator, Role.OPERATOR_FINANCE))
        self.by = self.finance.id

    def invoice(
        self, gross: str | Money, *, firm: Organization | None = None, on: date = DAY, credits: Invoice | None = None
    ) -> Invoice:
        """An issued invoice of 6 % tax, or a credit note of ``gross`` against ``credits``."""
        amount = gross if isinstance(gross, Money) else Money.of(gross)
        if credits is not None:
            amount = -amount
        net = Money.rounded(amount.yuan / (1 + Decimal("0.06")))
        number = (self.session.scalar(select(func.max(Invoice.number))) or 0) + 1
        made = Invoice(
            platform_id=self.platform.id,
            seller_id=self.operator.id,
            organization_id=(firm or self.firm).id,
            kind=InvoiceKind.INVOICE if credits is None else InvoiceKind.CREDIT_NOTE,
            credits_id=None if credits is None else credits.id,
            reason="" if credits is None else "示例更正",
            month=on.replace(day=1),
            state=InvoiceState.DRAFT,
            net_fen=net,
            tax_fen=amount - net,
            gross_fen=amount,
            created_at=AT,
        )
        self.session.add(made)
        self.session.flush()
        made.year, made.number, made.issued_on, made.issued_at = on.year, number, on, AT
        made.issued_by, made.state = self.by, InvoiceState.ISSUED
        self.session.flush()
        return made

    def settings(self, **given: object) -> None:
        self.session.merge(BillingSettings(platform_id=self.platform.id, **given))
        self.session.flush()


def at(day: date) -> datetime:
    """Noon of a day."""
    return clock.local_midnight(day) + timedelta(hours=12)
