"""How old what firms owe is, and each firm's statement of account."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import NotFound
from app.kernel.money import ZERO, Money
from app.web.access import bounds, requires
from app.web.exports import Column, download
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import page_of_list, wanted_file
from app.web.words import word_of
from billing.ageing import open_invoices
from billing.books import StatementRow, statement_of_account
from billing.models import DepositAccount
from billing.money_settings import settings_of
from billing.rules.ageing import Bucket, FirmAge, aged

pages = Blueprint("ageing", __name__)


@pages.get("/ageing")
@requires(Permission.RECORD_PAYMENTS)
def list_firms() -> Response | str:
    platform = chosen_platform(Permission.RECORD_PAYMENTS)
    wanted, on = request.args.get("q", "").strip(), clock.local_date(clock.now())
    found = aged(open_invoices(db.session(), platform_ids=[platform.id]), on)
    firms = [one for one in found if wanted.lower() in one.firm.lower()]
    if request.args.get("sort") == "oldest":
        firms.sort(key=lambda one: one.invoices[0].due_on)
    if form := wanted_file():
        columns: list[Column[FirmAge]] = [
            Column(gettext("客户"), lambda one: one.firm),
            *(Column(str(word_of(bucket)), partial(_in_bucket, bucket), "money") for bucket in Bucket),
            Column(gettext("合计"), lambda one: one.total, "money"),
        ]
        return download("ageing", columns, firms, form=form, is_sample=lambda _: platform.illustrative)
    return render_template(
        "ageing.html",
        platform=platform,
        platforms=own_platforms(Permission.RECORD_PAYMENTS),
        page=page_of_list(firms),
        sums={bucket: Money(sum(one.buckets[bucket].fen for one in firms)) for bucket in Bucket},
        total=Money(sum(one.total.fen for one in firms)),
        buckets=Bucket,
        settings=settings_of(db.session(), platform.id),
        on=on,
        q=wanted,
        sort=request.args.get("sort", ""),
    )


@pages.get("/statement-of-account/<int:platform_id>/<int:organization_id>")
@requires(Permission.SEE_DEPOSITS)
def statement(platform_id: int, organization_id: int) -> Response | str:
    """All that a platform invoiced to a firm and what it paid, with the running balance."""
    bounds(Permission.SEE_DEPOSITS).insist(organization_id=organization_id, platform_id=platform_id)
    platform, firm = db.session.get(Platform, platform_id), db.session.get(Organization, organization_id)
    if platform is None or firm is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    rows = statement_of_account(db.session(), platform_id=platform_id, organization_id=organization_id)
    if form := wanted_file():
        columns: list[Column[StatementRow]] = [
            Column(gettext("日期"), lambda one: one.entry.booked_on, "day"),
            Column(gettext("摘要"), lambda one: word_of(one.entry.kind)),
            Column(gettext("单号"), lambda one: one.entry.label),
            Column(gettext("应收"), lambda one: one.amount if one.amount > ZERO else None, "money"),
            Column(gettext("已收"), lambda one: -one.amount if one.amount < ZERO else None, "money"),
            Column(gettext("余额"), lambda one: one.balance, "money"),
        ]
        return download("statement-of-account", columns, rows, form=form, is_sample=lambda _: platform.illustrative)
    return render_template(
        "account_statement.html",
        platform=platform,
        firm=firm,
        rows=rows,
        balance=rows[-1].balance if rows else ZERO,
        account=db.session.scalar(
            select(DepositAccount).where(
                DepositAccount.platform_id == platform_id, DepositAccount.organization_id == organization_id
            )
        ),
    )


def _in_bucket(bucket: Bucket, one: FirmAge) -> Money:
    return one.buckets[bucket]
