"""What can be booked: platforms, one platform, and its timeline."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template, request
from flask_login import current_user
from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload

from app.catalogue.models import Equipment, Platform, RecognitionLevel
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import NotFound
from app.web.access import requires
from app.web.prices import headline
from billing.tariffs import prices_of
from devices.usage import live_states

pages = Blueprint("platforms", __name__)
LONGEST_VIEW = timedelta(days=45)


@pages.get("/platforms")
@requires(Permission.BROWSE)
def list_platforms() -> str:
    wanted = request.args.get("q", "").strip()
    field = request.args.get("field", "")
    query = select(Platform).options(selectinload(Platform.equipment), selectinload(Platform.recognitions))
    if wanted:
        like = f"%{wanted}%"
        of_equipment = select(Equipment.platform_id).where(
            or_(Equipment.name_zh.ilike(like), Equipment.name_en.ilike(like), Equipment.code.ilike(like))
        )
        query = query.where(
            or_(Platform.name_zh.ilike(like), Platform.name_en.ilike(like), Platform.id.in_(of_equipment))
        )
    if field:
        query = query.where(Platform.field == field)
    found = db.session.scalars(query.order_by(Platform.field, Platform.id)).all()
    fields = db.session.scalars(select(Platform.field).distinct().order_by(Platform.field)).all()
    return render_template(
        "platforms.html", platforms=found, fields=fields, q=wanted, field=field, certified=RecognitionLevel.QUANZHOU
    )


@pages.get("/platforms/<code>")
@requires(Permission.BROWSE)
def platform(code: str) -> str:
    one = platform_by(code)
    shown = [equipment.id for equipment in one.equipment]
    prices = prices_of(db.session(), one.equipment, on=clock.local_date(clock.now()))
    return render_template(
        "platform.html",
        platform=one,
        prices={equipment_id: headline(tariff) for equipment_id, tariff in prices.items()},
        live=live_states(db.session(), shown, at=clock.now()) if current_user.is_authenticated else {},
    )


def platform_by(code: str) -> Platform:
    """Errors: ``NotFound``."""
    one = db.session.scalar(select(Platform).where(func.lower(Platform.code) == code.lower()))
    if one is None:
        raise NotFound("没有这个平台。")
    return one
