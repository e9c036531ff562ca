"""Who pays what a firm owes a platform, and what its tax invoices say about it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import or_, select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import month_in
from billing.models import BuyerDetail, PayerAgreement
from billing.payers import agreements_of, payers_on, set_details, set_payers
from billing.rules.payers import Part

pages = Blueprint("payers", __name__)
MOST = 6
DETAILS = ("contract_no", "address", "phone", "bank", "account", "email")


@pages.get("/platforms/<code>/firms/<int:organization_id>/payers")
@requires(Permission.ISSUE_INVOICES)
def payers(code: str, organization_id: int) -> str:
    return _page(_platform(code), _firm(organization_id))


@pages.post("/platforms/<code>/firms/<int:organization_id>/payers")
@requires(Permission.ISSUE_INVOICES)
def save(code: str, organization_id: int) -> Response | tuple[str, int]:
    platform, firm, person_id = _platform(code), _firm(organization_id), current_user.id
    platform_id = platform.id
    try:
        since, parts = month_in("since", clock.local_date(clock.now())), _parts()
        in_transaction(
            lambda session: set_payers(
                session,
                platform_id=platform_id,
                organization_id=organization_id,
                parts=parts,
                since=since,
                by=person_id,
                at=clock.now(),
            )
        )
    except Refusal as refusal:
        return _page(platform, firm, refusal), status_of(refusal)
    flash(gettext("已保存付款方，自 %(month)s 的结算单起生效。", month=f"{since:%Y-%m}"))
    return redirect(url_for(".payers", code=code, organization_id=organization_id))


@pages.post("/platforms/<code>/firms/<int:organization_id>/details")
@requires(Permission.ISSUE_INVOICES)
def details(code: str, organization_id: int) -> Response | tuple[str, int]:
    platform, firm, person_id = _platform(code), _firm(organization_id), current_user.id
    platform_id, given = platform.id, {name: request.form.get(name, "") for name in DETAILS}
    try:
        in_transaction(
            lambda session: set_details(
                session,
                platform_id=platform_id,
                organization_id=organization_id,
                given=given,
                by=person_id,
                at=clock.now(),
            )
        )
    except Refusal as refusal:
        return _page(platform, firm, refusal), status_of(refusal)
    flash(gettext("已保存开票资料。"))
    return redirect(url_for(".payers", code=code, organization_id=organization_id))


def _page(platform: Platform, firm: Organization, refusal: Refusal | None = None) -> str:
    session, today = db.session(), clock.local_date(clock.now())
    month = today.replace(day=1)
    history: dict[tuple[date, date | None], list[PayerAgreement]] = {}
    for one in agreements_of(session, platform_id=platform.id, organization_id=firm.id):
        if one.days.lower is not None:
            history.setdefault((one.days.lower, one.days.upper), []).append(one)
    present = payers_on(session, platform_id=platform.id, organization_id=firm.id, on=month)
    told = request.form.to_dict() or _told(present)
    detail = session.get(BuyerDetail, (platform.id, firm.id))
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "payers.html",
        platform=platform,
        firm=firm,
        history=history,
        present=present,
        told=told,
        month=month,
        rows=range(MOST),
        details={name: request.form.get(name) or getattr(detail, name, "") or "" for name in DETAILS},
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )


def _told(present: list[PayerAgreement]) -> dict[str, str]:
    told: dict[str, str] = {}
    for place, one in enumerate(present):
        told |= {f"payer_{place}": one.payer.name, f"percent_{place}": f"{one.percent.normalize():f}"}
        if one.takes_remainder:
            told["rest"] = str(place)
    return told


def _parts() -> list[Part]:
    """What the rows of the form say; empty rows are left out."""
    parts = []
    for place in range(MOST):
        name = request.form.get(f"payer_{place}", "").strip()
        if not name:
            continue
        payer = db.session.scalar(
            select(Organization.id).where(or_(Organization.name == name, Organization.uscc == name))
        )
        if payer is None:
            raise InvalidInput("没有登记名称或税号为 %(name)s 的单位，请核对全称。", field="payers", name=name)
        parts.append(Part(payer, _percent(place), request.form.get("rest") == str(place)))
    return parts


def _percent(place: int) -> Decimal:
    try:
        percent = Decimal(request.form.get(f"percent_{place}", "").strip().rstrip("%％"))
        exponent = percent.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= -4 and 0 <= percent <= 100:
            return percent
    except InvalidOperation:
        pass
    raise InvalidInput("请填写 0 到 100 的比例，最多四位小数。", field="payers")


def _platform(code: str) -> Platform:
    platform = db.session.scalar(select(Platform).where(Platform.code == code))
    if platform is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.ISSUE_INVOICES).insist(platform_id=platform.id)
    return platform


def _firm(organization_id: int) -> Organization:
    firm = db.session.get(Organization, organization_id)
    if firm is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return firm
