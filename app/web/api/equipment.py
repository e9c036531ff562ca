"""Platforms, equipment and what is taken: public, without names."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.booking.slots import booked_slots
from app.catalogue.models import Equipment, Platform
from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.errors import NotFound
from app.web.access import bounds, requires
from app.web.api.reservations import interval_of
from app.web.api.schemas import EquipmentOut, EquipmentQuery, PlatformOut, SlotOut, WindowQuery

blueprint = Blueprint("api_equipment", __name__, url_prefix="/api/v1", description="What can be booked")


@blueprint.route("/platforms")
@requires(Permission.BROWSE)
@blueprint.response(200, PlatformOut(many=True))
def platforms() -> Any:
    """All platforms."""
    return db.session.scalars(select(Platform).order_by(Platform.code)).all()


@blueprint.route("/equipment")
@requires(Permission.BROWSE)
@blueprint.arguments(EquipmentQuery, location="query")
@blueprint.response(200, EquipmentOut(many=True))
def equipment(query: dict[str, Any]) -> Any:
    """All equipment, or that of one platform."""
    wanted = select(Equipment).join(Platform).options(joinedload(Equipment.platform)).order_by(Equipment.code)
    if query["platform"]:
        wanted = wanted.where(Platform.code == query["platform"])
    return db.session.scalars(wanted).all()


@blueprint.route("/equipment/<int:equipment_id>/slots")
@requires(Permission.BROWSE)
@blueprint.arguments(WindowQuery, location="query")
@blueprint.response(200, SlotOut(many=True))
def slots(query: dict[str, Any], equipment_id: int) -> list[dict[str, Any]]:
    """When one piece of equipment is taken, without saying by whom; one's own reservations with their id."""
    thing = db.session.get(Equipment, equipment_id)
    if thing is None:
        raise NotFound("没有这台设备。")
    seen = bounds(Permission.SEE_RESERVATIONS)
    return [
        {"during": slot.during}
        | (
            {"reservation_id": slot.reservation_id}
            if seen.allows(organization_id=slot.organization_id, platform_id=thing.platform_id)
            else {}
        )
        for slot in booked_slots(db.session(), [equipment_id], interval_of(query))
    ]
