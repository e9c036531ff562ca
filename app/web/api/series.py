"""Series over the API: looked at, reserved, given back; by the same use cases as the pages."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_login import current_user
from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from app.booking.models import Reservation, Series
from app.booking.repeating import Occurrence, Reach, cancel_series, dates_of, preview, reserve_series
from app.booking.rules.recurrence import Every, Recurrence, occurrences
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import NotFound
from app.web.access import acting_organization, bounds, requires
from app.web.api.reservations import idempotency_key, interval_of, taken_along
from app.web.api.schemas import OccurrenceOut, SeriesCancelIn, SeriesIn, SeriesOut, SeriesWishIn
from app.web.booking_money import hold_deposits, refuse_overdue
from app.web.errors import sentence

blueprint = Blueprint("api_series", __name__, url_prefix="/api/v1/series", description="Series of reservations")


@blueprint.route("/preview", methods=["POST"])
@requires(Permission.RESERVE)
@blueprint.arguments(SeriesWishIn)
@blueprint.response(200, OccurrenceOut(many=True))
def look(told: dict[str, Any]) -> list[dict[str, Any]]:
    """How each date would stand now. Nothing is held."""
    organization_id, person_id = acting_organization(Permission.RESERVE), current_user.id
    whens = occurrences(interval_of(told), _rule(told))
    found = in_transaction(
        lambda session: preview(
            session,
            equipment_id=told["equipment_id"],
            whens=whens,
            organization_id=organization_id,
            person_id=person_id,
            at=clock.now(),
            accessories=taken_along(told),
        )
    )
    return [_occurrence(one) for one in found]


@blueprint.route("", methods=["POST"])
@requires(Permission.RESERVE)
@blueprint.arguments(SeriesIn)
@blueprint.response(201, SeriesOut)
def create(told: dict[str, Any]) -> dict[str, Any]:
    """Reserve every date, or with ``skip_conflicts`` those that can be had; ``left_out`` says which could not."""
    organization_id, person_id, key = acting_organization(Permission.RESERVE), current_user.id, idempotency_key()
    whens = occurrences(interval_of(told), _rule(told))

    def work(session: Session) -> tuple[int, list[Occurrence]]:
        refuse_overdue(session, told["equipment_id"], organization_id, clock.now())
        series, left_out = reserve_series(
            session,
            equipment_id=told["equipment_id"],
            whens=whens,
            rule=request.get_json(),
            organization_id=organization_id,
            person_id=person_id,
            at=clock.now(),
            purpose=told["purpose"],
            accessories=taken_along(told),
            idempotency_key=key,
            skip_conflicts=told["skip_conflicts"],
        )
        hold_deposits(session, dates_of(session, series.id), clock.now())
        return series.id, left_out

    series_id, left_out = in_transaction(work)
    return _told(series_id, left_out)


@blueprint.route("/<int:series_id>", methods=["GET"])
@requires(Permission.SEE_RESERVATIONS)
@blueprint.response(200, SeriesOut)
def one(series_id: int) -> dict[str, Any]:
    """A series and all its reservations."""
    return _told(_visible(series_id, Permission.SEE_RESERVATIONS).id, [])


@blueprint.route("/<int:series_id>", methods=["DELETE"])
@requires(Permission.RESERVE)
@blueprint.arguments(SeriesCancelIn, location="query")
@blueprint.response(200, SeriesOut)
def remove(told: dict[str, Any], series_id: int) -> dict[str, Any]:
    """Give back all dates that have not begun."""
    _visible(series_id, Permission.RESERVE)
    first = dates_of(db.session(), series_id)[0].id
    person_id = current_user.id
    in_transaction(
        lambda session: cancel_series(
            session, first, reach=Reach.ALL, by=person_id, at=clock.now(), reason=told["reason"]
        )
    )
    return _told(series_id, [])


def _rule(told: dict[str, Any]) -> Recurrence:
    return Recurrence(
        Every(told["every"]),
        interval=told["interval"],
        weekdays=frozenset(told["weekdays"]),
        until=told["until"],
        times=told["times"],
        dates=tuple(told["dates"]),
    )


def _occurrence(one: Occurrence) -> dict[str, Any]:
    return {
        "during": one.when,
        "free": one.refusal is None,
        "detail": "" if one.refusal is None else sentence(one.refusal),
        "alternatives": [{"starts_at": slot.start, "ends_at": slot.end} for slot in one.alternatives],
    }


def _told(series_id: int, left_out: list[Occurrence]) -> dict[str, Any]:
    dates: list[Reservation] = list(dates_of(db.session(), series_id))
    return {"id": series_id, "reservations": dates, "left_out": [_occurrence(one) for one in left_out]}


def _visible(series_id: int, permission: Permission) -> Series:
    found = db.session.get(Series, series_id)
    if found is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    equipment = db.session.get_one(Equipment, found.equipment_id)
    bounds(permission).insist(organization_id=found.organization_id, platform_id=equipment.platform_id)
    return found
