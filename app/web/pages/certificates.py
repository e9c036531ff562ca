"""A firm's yearly certificate of what it bought, for an innovation voucher."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.web.access import acting_organization, bounds, requires
from app.web.exports import XLSX, attached
from billing.certificates import (
    Certificate,
    certificate_of,
    certificate_pdf,
    certificate_workbook,
    certified_years,
)

pages = Blueprint("certificates", __name__)


@pages.get("/certificate")
@requires(Permission.SEE_CERTIFICATES)
def year() -> str:
    firm_id = acting_organization(Permission.SEE_CERTIFICATES)
    asked = request.args.get("year", clock.local_date(clock.now()).year, type=int)
    own = current_user.reach(Permission.SEE_CERTIFICATES).organizations
    return render_template(
        "certificate.html",
        certificate=_own(firm_id, asked),
        years=certified_years(db.session(), firm_id),
        firms=db.session.scalars(
            select(Organization).where(Organization.id.in_(own)).order_by(Organization.name)
        ).all(),
    )


@pages.get("/certificate/<int:organization_id>/<int:year>.pdf")
@requires(Permission.SEE_CERTIFICATES)
def pdf(organization_id: int, year: int) -> Response:
    one = _own(organization_id, year)
    return attached(
        certificate_pdf(one, on=clock.local_date(clock.now())), f"certificate-{one.year}.pdf", "application/pdf"
    )


@pages.get("/certificate/<int:organization_id>/<int:year>.xlsx")
@requires(Permission.SEE_CERTIFICATES)
def workbook(organization_id: int, year: int) -> Response:
    one = _own(organization_id, year)
    return attached(certificate_workbook(one), f"certificate-{one.year}.xlsx", XLSX)


def _own(organization_id: int, asked: int) -> Certificate:
    """Errors: ``NotFound`` for another's firm."""
    bounds(Permission.SEE_CERTIFICATES).insist(organization_id=organization_id)
    return certificate_of(db.session(), organization_id, min(max(asked, 2000), 2200))
