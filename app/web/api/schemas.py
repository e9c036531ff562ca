"""What goes over the API, and in which form. Times carry their zone, money is yuan with two decimals."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.booking.rules.recurrence import MOST_DATES, Every


class PlatformOut(Schema):
    code = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    field = fields.String()
    illustrative = fields.Boolean(metadata={"description": "sample data (示例)"})


class EquipmentOut(Schema):
    id = fields.Integer()
    code = fields.String()
    platform = fields.String(attribute="platform.code")
    name_zh = fields.String()
    name_en = fields.String()
    kind = fields.String(attribute="kind.value")
    charge_unit = fields.String(attribute="charge_unit.value")
    step_minutes = fields.Integer()
    bookable = fields.Boolean()
    illustrative = fields.Boolean()


class EquipmentQuery(Schema):
    platform = fields.String(load_default=None, metadata={"description": "a platform's code"})


class WindowQuery(Schema):
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)


class ListQuery(Schema):
    equipment_id = fields.Integer(load_default=None)
    before = fields.Integer(load_default=None, metadata={"description": "the last id of the page before"})


class SlotOut(Schema):
    reservation_id = fields.Integer(metadata={"description": "only of reservations that you may see"})
    starts_at = fields.AwareDateTime(attribute="during.start")
    ends_at = fields.AwareDateTime(attribute="during.end")


class TakenAlong(Schema):
    accessory_id = fields.Integer(required=True, strict=True)
    quantity = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1_000_000))


class ReservationIn(Schema):
    equipment_id = fields.Integer(required=True, strict=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)
    purpose = fields.String(load_default="", validate=validate.Length(max=500))
    accessories = fields.List(fields.Nested(TakenAlong), load_default=list, validate=validate.Length(max=50))


class SeriesWishIn(Schema):
    """The first date, and how it repeats: to ``until`` or ``times`` in all."""

    equipment_id = fields.Integer(required=True, strict=True)
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)
    every = fields.String(required=True, validate=validate.OneOf([one.value for one in Every]))
    interval = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 1000))
    weekdays = fields.List(
        fields.Integer(strict=True, validate=validate.Range(0, 6)),
        load_default=list,
        metadata={"description": "Monday is 0; of weekly series"},
    )
    until = fields.Date(load_default=None)
    times = fields.Integer(load_default=None, strict=True, validate=validate.Range(1, MOST_DATES))
    dates = fields.List(fields.Date(), load_default=list, validate=validate.Length(max=MOST_DATES))
    accessories = fields.List(
        fields.Nested(TakenAlong),
        load_default=list,
        validate=validate.Length(max=50),
        metadata={"description": "what each date takes along"},
    )


class SeriesIn(SeriesWishIn):
    purpose = fields.String(load_default="", validate=validate.Length(max=500))
    skip_conflicts = fields.Boolean(load_default=False)


class SeriesCancelIn(Schema):
    reason = fields.String(load_default="", validate=validate.Length(max=300))


class MoveIn(Schema):
    starts_at = fields.AwareDateTime(required=True)
    ends_at = fields.AwareDateTime(required=True)


class CancelIn(Schema):
    reason = fields.String(load_default="", validate=validate.Length(max=500))


class ReservationOut(Schema):
    id = fields.Integer()
    equipment_id = fields.Integer()
    organization_id = fields.Integer()
    starts_at = fields.AwareDateTime(attribute="during.start")
    ends_at = fields.AwareDateTime(attribute="during.end")
    state = fields.String(attribute="state.value")
    purpose = fields.String()
    accessories = fields.List(fields.Nested(TakenAlong))


class AlternativeOut(Schema):
    starts_at = fields.AwareDateTime()
    ends_at = fields.AwareDateTime()


class OccurrenceOut(Schema):
    starts_at = fields.AwareDateTime(attribute="during.start")
    ends_at = fields.AwareDateTime(attribute="during.end")
    free = fields.Boolean()
    detail = fields.String(metadata={"description": "why it is not free, for people"})
    alternatives = fields.List(fields.Nested(AlternativeOut))


class SeriesOut(Schema):
    id = fields.Integer()
    reservations = fields.List(fields.Nested(ReservationOut))
    left_out = fields.List(fields.Nested(OccurrenceOut))


class SignIn(Schema):
    email = fields.String(required=True)
    password = fields.String(required=True)


class SignedIn(Schema):
    name = fields.String()
    csrf_token = fields.String(metadata={"description": "send it back as X-CSRFToken with every change"})


class ProblemOut(Schema):
    """RFC 9457. ``code`` is stable and meant for programs, ``detail`` is a sentence for people."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    code = fields.String()
    detail = fields.String()
    field = fields.String(metadata={"description": "the input that has to change"})
    errors = fields.Dict(metadata={"description": "what is wrong with which field"})
    alternatives = fields.List(fields.Nested(AlternativeOut), metadata={"description": "free slots, nearest first"})
