"""How a platform deals with money: payment days, deposits, who is kept from booking."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, Refusal
from app.web.access import requires
from app.web.errors import sentence, status_of
from app.web.own_platforms import chosen_platform, own_platforms
from billing.money_settings import MoneySettings, save_settings, settings_of

pages = Blueprint("billing_settings", __name__)


@pages.get("/billing-settings")
@requires(Permission.MANAGE_BILLING)
def form() -> str:
    return _page(chosen_platform(Permission.MANAGE_BILLING))


@pages.post("/billing-settings")
@requires(Permission.MANAGE_BILLING)
def save() -> Response | tuple[str, int]:
    platform_id, by = chosen_platform(Permission.MANAGE_BILLING).id, current_user.id
    try:
        block = request.form.get("block_overdue_days", "").strip()
        wanted = MoneySettings(
            payment_days=_days("payment_days"),
            deposit_hold="deposit_hold" in request.form,
            block_overdue_days=_days("block_overdue_days") if block else None,
            dispute_days=_days("dispute_days"),
            pay_to=request.form.get("pay_to", ""),
        )
        in_transaction(lambda session: save_settings(session, platform_id, wanted, by=by, at=clock.now()))
    except Refusal as refusal:
        return _page(db.session.get_one(Platform, platform_id), refusal=refusal), status_of(refusal)
    flash(gettext("已保存收款设置。"))
    return redirect(url_for(".form", platform_id=platform_id))


def _days(field: str) -> int:
    text = request.form.get(field, "").strip()
    if not text.isdecimal() or len(text) > 4:
        raise InvalidInput("请填写天数，0 或更大的整数。", field=field)
    return int(text)


def _page(platform: Platform, *, refusal: Refusal | None = None) -> str:
    return render_template(
        "billing_settings.html",
        platform=platform,
        platforms=own_platforms(Permission.MANAGE_BILLING),
        settings=settings_of(db.session(), platform.id),
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )
