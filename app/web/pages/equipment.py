"""One piece of equipment: what it can do, what it costs, when it is free."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template, url_for
from flask_login import current_user
from sqlalchemy import func, select

from app.booking.availability import nearest_free_slots
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import NotFound
from app.kernel.interval import Interval
from app.web.access import bounds, requires
from app.web.prices import facts_of_price
from billing.tariffs import prices_of
from devices.usage import live_states

pages = Blueprint("equipment", __name__)
OFFERED_LENGTH = timedelta(hours=2)


@pages.get("/equipment/<code>")
@requires(Permission.BROWSE)
def equipment(code: str) -> str:
    one = db.session.scalar(select(Equipment).where(func.lower(Equipment.code) == code.lower()))
    if one is None:
        raise NotFound("没有这台设备。")
    now = clock.now()
    session = db.session()
    length = max(OFFERED_LENGTH, timedelta(minutes=one.least_minutes))
    soon = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    free = nearest_free_slots(session, one, Interval(soon, soon + length), at=now) if one.bookable else ()
    price = prices_of(session, [one], on=clock.local_date(now)).get(one.id)
    return render_template(
        "equipment.html",
        equipment=one,
        price=price,
        facts=facts_of_price(price) if price is not None else [],
        live=live_states(session, [one.id], at=now)[one.id] if current_user.is_authenticated else None,
        settings_href=url_for("equipment_settings.settings", code=one.code)
        if bounds(Permission.MANAGE_EQUIPMENT).allows(platform_id=one.platform_id)
        else "",
        tariff_href=url_for("tariffs.edit", equipment_id=one.id)
        if bounds(Permission.MANAGE_TARIFFS).allows(platform_id=one.platform_id)
        else "",
        free=free,
    )
