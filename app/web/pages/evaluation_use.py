"""What the hours, firms and orders of an evaluation are the sums of: by equipment, and by customer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.booking.served import orders_by_customer
from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.interval import local_year
from app.web.access import requires
from app.web.exports import Column, download
from app.web.formats import said
from app.web.pages.evaluation import evaluated_platform
from app.web.paging import wanted_file
from app.web.words import word_of
from devices.hours import CustomerUse, use_by_customer

pages = Blueprint("evaluation_use", __name__)
OWN = CustomerRelation.OWN_USE


@dataclass(slots=True)
class Hours:
    """One row of a table. ``orders`` of a customer are reservations that were used and work that was signed off."""

    running: timedelta = timedelta()
    effective: timedelta = timedelta()
    service: timedelta = timedelta()
    external: timedelta = timedelta()
    orders: int = 0

    def add(self, one: CustomerUse) -> None:
        self.running += one.running
        if one.relation is None:
            return
        self.effective += one.effective
        if one.relation is not OWN:
            self.service += one.effective
            self.orders += one.reservations
        if one.relation is CustomerRelation.EXTERNAL:
            self.external += one.effective


@pages.get("/evaluation/<code>/<int:year>/use")
@requires(Permission.SEE_EVALUATION)
def listed(code: str, year: int) -> Response | str:
    """As the records have it now."""
    platform = evaluated_platform(code, year, Permission.SEE_EVALUATION)
    session, within = db.session(), local_year(year)
    used = use_by_customer(session, platform.id, within)
    by_equipment = _grouped(used, lambda one: one.equipment_id)
    customers = _grouped(used, lambda one: (one.organization_id, one.relation))
    for (organization_id, relation), orders in orders_by_customer(session, platform.id, within).items():
        customers.setdefault((organization_id, relation), Hours()).orders += orders
    equipment = session.scalars(select(Equipment).where(Equipment.platform_id == platform.id).order_by(Equipment.code))
    firms = {
        one.id: one
        for one in session.scalars(select(Organization).where(Organization.id.in_([key[0] for key in customers])))
    }
    rows = [(firms.get(key[0]), key[1], hours) for key, hours in customers.items()]
    rows.sort(key=lambda row: (-row[2].service, -row[2].running))
    if form := wanted_file():
        columns: list[Column[Any]] = [
            Column(gettext("单位"), lambda row: row[0].name if row[0] else gettext("无预约的使用")),
            Column(gettext("统一社会信用代码"), lambda row: (row[0].uscc or "") if row[0] else ""),
            Column(gettext("与平台的关系"), lambda row: word_of(row[1]) if row[1] else ""),
            Column(gettext("运行机时"), lambda row: row[2].running, "hours"),
            Column(gettext("有效机时"), lambda row: row[2].effective, "hours"),
            Column(gettext("服务机时"), lambda row: row[2].service, "hours"),
            Column(gettext("对外机时"), lambda row: row[2].external, "hours"),
            Column(gettext("服务单数"), lambda row: row[2].orders, "number"),
        ]
        name = f"evaluation-use-{code}-{year}"
        return download(name, columns, rows, form=form, is_sample=lambda _: platform.illustrative)
    return render_template(
        "evaluation_use.html",
        platform=platform,
        year=year,
        equipment=sorted(
            ((one, by_equipment.get(one.id, Hours())) for one in equipment), key=lambda row: said(row[0], "name")
        ),
        customers=rows,
    )


def _grouped(used: Iterable[CustomerUse], key: Callable[[CustomerUse], Any]) -> dict[Any, Hours]:
    found: dict[Any, Hours] = {}
    for one in used:
        found.setdefault(key(one), Hours()).add(one)
    return found
