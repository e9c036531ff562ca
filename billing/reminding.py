"""Remind firms of what is due: on the day, a week and a month later, each once.

The key of a notice names invoice and stage, so a second run says nothing twice; after a standstill
only the latest stage is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from app.identity.models import Membership, Notice, Person
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid
from app.identity.rules.permission import Role
from app.kernel.clock import local_date
from billing.ageing import due_on_column, open_invoice, open_invoice_rows
from billing.models import Invoice
from billing.money_settings import settings_of


@dataclass(frozen=True, slots=True)
class Stage:
    """Said from ``after`` days past the due date until ``until``, when the next one takes over."""

    after: int
    until: int | None


STAGES = (Stage(0, 7), Stage(7, 30), Stage(30, None))


def remind_of_due(session: Session, *, at: datetime, limit: int) -> int:
    """Tell the managers of firms what they have not paid. Returns how many people were told something."""
    reminded, today = 0, local_date(at)
    for stage in STAGES:
        key = func.concat(f"due-{stage.after}-", Invoice.id)
        query = (
            open_invoice_rows()
            .join(Membership, Membership.organization_id == Invoice.organization_id)
            .join(Person, Person.id == Membership.person_id)
            .where(
                Membership.role == Role.FIRM_MANAGER,
                Person.active,
                due_on_column() <= today - timedelta(days=stage.after),
                ~exists(select(Notice.id).where(Notice.person_id == Membership.person_id, Notice.key == key)),
            )
            .add_columns(Membership.person_id)
            .limit(limit - reminded)
        )
        if stage.until is not None:
            query = query.where(due_on_column() > today - timedelta(days=stage.until))
        for row in session.execute(query).all():
            invoice = open_invoice(row)
            days = (today - invoice.due_on).days
            reminded += notify(
                session,
                [row.person_id],
                kind=NoticeKind.PAYMENT,
                key=f"due-{stage.after}-{invoice.invoice_id}",
                sentence=msgid("结算单 %(label)s 于 %(due_on)s 到期，应付 ¥%(amount)s，请安排付款。%(pay_to)s")
                if stage.after == 0
                else msgid("结算单 %(label)s 已逾期 %(days)s 天，尚欠 ¥%(amount)s，请尽快付款。%(pay_to)s"),
                facts={
                    "label": invoice.label,
                    "due_on": invoice.due_on.isoformat(),
                    "amount": f"{invoice.due.yuan:,.2f}",
                    "days": days,
                    "pay_to": settings_of(session, invoice.platform_id).pay_to,
                },
                path=f"/invoices/{invoice.invoice_id}",
                at=at,
            )
    return reminded
