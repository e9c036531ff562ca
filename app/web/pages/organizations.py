"""Where firms are: each firm's manager tells it of their own, an administrator of all."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import or_, select, true
from werkzeug.wrappers import Response

from app.identity.models import Organization
from app.identity.placing import place_organization
from app.identity.rules.permission import Permission
from app.identity.rules.town import HOME_REGION, PARKS, towns_on
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.paging import page_of

pages = Blueprint("organizations", __name__)


@pages.get("/organizations")
@requires(Permission.PLACE_ORGANIZATIONS)
def list_organizations() -> str:
    return _page()


@pages.post("/organizations/<int:organization_id>")
@requires(Permission.PLACE_ORGANIZATIONS)
def place(organization_id: int) -> Response | tuple[str, int]:
    bounds(Permission.PLACE_ORGANIZATIONS).insist(organization_id=organization_id)
    town, park, person_id = request.form.get("town"), request.form.get("park"), current_user.id
    try:
        in_transaction(
            lambda session: (
                place_organization(session, organization_id, town=town, park=park, by=person_id, at=clock.now()).id
            )
        )
    except Refusal as refusal:
        return _page(refusal, organization_id), status_of(refusal)
    flash(gettext("已保存。全市统计随即按此归入镇（街道）和园区。"))
    return redirect(url_for(".list_organizations", q=request.args.get("q") or None, page=request.args.get("page")))


def _page(refusal: Refusal | None = None, refused_id: int = 0) -> str:
    limits = bounds(Permission.PLACE_ORGANIZATIONS)
    wanted = request.args.get("q", "").strip()
    query = (
        select(Organization)
        .where(
            true() if limits.everything else Organization.id.in_(limits.organization_ids),
            or_(Organization.name.ilike(f"%{wanted}%"), Organization.uscc == wanted) if wanted else true(),
        )
        .order_by(Organization.town.is_not(None), Organization.name)
    )
    return render_template(
        "organizations.html",
        page=page_of(db.session(), query, size=20),
        towns=towns_on(clock.local_date(clock.now())).names,
        home=HOME_REGION,
        parks=PARKS,
        q=wanted,
        searches=limits.everything,
        told=request.form,
        refused_id=refused_id,
        errors={refusal.field: sentence(refusal)} if refusal is not None else {},
    )
