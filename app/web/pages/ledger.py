"""The books: trial balance of a month, the entries behind it, each with its document; vouchers to take away."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import or_
from werkzeug.wrappers import Response

from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.money import ZERO
from app.web.access import bounds, requires
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import month_in
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import page_of, wanted_file
from app.web.words import word_of
from billing.books import AccountMonth, entry_or_refuse, postings_of, trial_balance
from billing.models import DepositMovement, JournalEntry, JournalPosting, Payment
from billing.rules.ledger import CHART, Account
from billing.rules.period import next_month

pages = Blueprint("ledger", __name__)


@pages.get("/ledger")
@requires(Permission.MANAGE_BILLING)
def trial() -> Response | str:
    platform = chosen_platform(Permission.MANAGE_BILLING)
    month = month_in("month", clock.local_date(clock.now()))
    balance = trial_balance(db.session(), platform.id, month)
    if form := wanted_file():
        columns: list[Column[AccountMonth]] = [
            Column(gettext("科目编码"), lambda one: CHART[one.account].code),
            Column(gettext("科目名称"), lambda one: said(CHART[one.account], "name")),
            Column(gettext("期初余额"), lambda one: one.opening, "money"),
            Column(gettext("本期借方"), lambda one: one.debit, "money"),
            Column(gettext("本期贷方"), lambda one: one.credit, "money"),
            Column(gettext("期末余额"), lambda one: one.closing, "money"),
        ]
        return download(
            f"trial-balance-{month:%Y-%m}", columns, balance.accounts, form=form,
            is_sample=lambda _: platform.illustrative,
        )  # fmt: skip
    return render_template(
        "ledger.html",
        platform=platform,
        platforms=own_platforms(Permission.MANAGE_BILLING),
        balance=balance,
        month=month,
        before=(month - timedelta(days=1)).replace(day=1),
        after=next_month(month),
        chart=CHART,
    )


@pages.get("/ledger/entries")
@requires(Permission.MANAGE_BILLING)
def entries() -> Response | str:
    """The lines of a month, of one account or all; as a file they are the vouchers (凭证) for the accountant."""
    platform = chosen_platform(Permission.MANAGE_BILLING)
    month = month_in("month", clock.local_date(clock.now()))
    chosen, wanted = request.args.get("account", ""), request.args.get("q", "").strip()
    account = Account(chosen) if chosen in set(Account) else None
    query = postings_of(platform_id=platform.id, month=month, account=account)
    if wanted:
        like = f"%{wanted}%"
        query = query.outerjoin(Organization, Organization.id == JournalPosting.organization_id).where(
            or_(JournalEntry.label.ilike(like), Organization.name.ilike(like))
        )
    if form := wanted_file():
        columns: list[Column[JournalPosting]] = [
            Column(gettext("日期"), lambda one: one.entry.booked_on, "day"),
            Column(gettext("业务日期"), lambda one: one.entry.value_on, "day"),
            Column(gettext("凭证号"), lambda one: f"记-{one.entry_id:06d}"),
            Column(gettext("摘要"), lambda one: f"{word_of(one.entry.kind)} {one.entry.label}"),
            Column(gettext("科目编码"), lambda one: CHART[one.account].code),
            Column(gettext("科目名称"), lambda one: said(CHART[one.account], "name")),
            Column(gettext("借方金额"), lambda one: one.amount_fen if one.amount_fen > ZERO else None, "money"),
            Column(gettext("贷方金额"), lambda one: -one.amount_fen if one.amount_fen < ZERO else None, "money"),
            Column(gettext("往来单位"), _firm_of),
        ]
        return download(
            f"vouchers-{month:%Y-%m}", columns, db.session.scalars(query), form=form,
            is_sample=lambda _: platform.illustrative,
        )  # fmt: skip
    return render_template(
        "ledger_entries.html",
        platform=platform,
        platforms=own_platforms(Permission.MANAGE_BILLING),
        page=page_of(db.session(), query),
        month=month,
        account=account,
        accounts=Account,
        chart=CHART,
        q=wanted,
    )


@pages.get("/ledger/entries/<int:journal_entry_id>")
@requires(Permission.MANAGE_BILLING)
def entry(journal_entry_id: int) -> str:
    one = entry_or_refuse(db.session(), journal_entry_id)
    bounds(Permission.MANAGE_BILLING).insist(platform_id=one.platform_id)
    return render_template("ledger_entry.html", entry=one, chart=CHART, document=_page_of(one))


def _firm_of(one: JournalPosting) -> str:
    return one.organization.name if one.organization is not None else ""


def _page_of(one: JournalEntry) -> str:
    """The page of what the entry is about."""
    kind, _, number = one.document.partition(":")
    if kind == "invoice":
        return url_for("invoices.invoice", invoice_id=int(number))
    if kind == "payment" and (payment := db.session.get(Payment, int(number))):
        return url_for("payments.invoice", invoice_id=payment.invoice_id)
    if kind == "deposit" and (movement := db.session.get(DepositMovement, int(number))):
        return url_for("deposits.account", account_id=movement.account_id)
    return ""
