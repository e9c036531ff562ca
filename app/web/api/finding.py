"""Free slots over the API, on all equipment that suits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask_login import current_user
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from app.booking.finding import Wish, find_slots
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import InvalidInput
from app.web.access import acting_organization, requires
from app.web.api.reservations import interval_of
from app.web.api.schemas import AlternativeOut, EquipmentOut

blueprint = Blueprint("api_finding", __name__, url_prefix="/api/v1", description="Where something suitable is free")
LONGEST = timedelta(days=62)


class FreeQuery(Schema):
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)
    minutes = fields.Integer(required=True, validate=validate.Range(1, 31 * 24 * 60))
    words = fields.String(
        load_default="",
        validate=validate.Length(max=100),
        metadata={"description": "part of a name, a code or a kind of equipment"},
    )
    field = fields.String(load_default="")
    platform = fields.String(load_default="", metadata={"description": "a platform's code"})
    region = fields.String(load_default="")
    qualified = fields.Boolean(load_default=False, metadata={"description": "only what one may use already"})
    most = fields.Integer(load_default=100, validate=validate.Range(1, 500))


class FreeOut(Schema):
    equipment = fields.Nested(EquipmentOut)
    slots = fields.List(fields.Nested(AlternativeOut), metadata={"description": "the nearest, and one more"})


@blueprint.route("/slots")
@requires(Permission.BROWSE)
@blueprint.arguments(FreeQuery, location="query")
@blueprint.response(200, FreeOut(many=True))
def slots(query: dict[str, Any]) -> list[dict[str, Any]]:
    """The nearest free slots on everything that suits, soonest first. For a firm by its own terms."""
    window = interval_of(query)
    if window.duration > LONGEST:
        raise InvalidInput("一次最多查看 %(days)s 天。", field="ends_at", days=LONGEST.days)
    firm = None
    if current_user.is_authenticated and current_user.may(Permission.RESERVE):
        firm = acting_organization(Permission.RESERVE)
    wish = Wish(
        duration=timedelta(minutes=query["minutes"]),
        window=window,
        customer=firm,
        qualified=(firm, current_user.id) if firm is not None and query["qualified"] else None,
        **{name: query[name] for name in ("words", "field", "platform", "region", "most")},
    )
    return [
        {"equipment": one.equipment, "slots": [{"starts_at": slot.start, "ends_at": slot.end} for slot in one.slots]}
        for one in find_slots(db.session(), wish, at=clock.now())
    ]
