"""A switched machine's power: what its relay reports, what was asked of it, and the operator's word."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment
from app.identity.models import Person
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.pages.meters import visible_meter
from devices.interlocking import Relay, last_commands, progress_of, relays, relays_of_equipment, reported_state
from devices.models import Meter
from devices.overriding import end_override, override
from devices.payloads.commanding import fail_safe_setting
from devices.rules.power import Progress

pages = Blueprint("power", __name__)


@pages.get("/meters/<code>/power")
@requires(Permission.SEE_METERS)
def meter(code: str) -> str:
    return _page(visible_meter(code, Permission.SEE_METERS))


@pages.post("/meters/<code>/power/override")
@requires(Permission.MANAGE_METERS)
def switch(code: str) -> Response | tuple[str, int]:
    """On or off by the operator's word."""
    one, by = visible_meter(code, Permission.MANAGE_METERS), current_user.id
    meter_id, on, name = one.id, request.form.get("power") == "on", one.equipment.name_zh
    try:
        if request.form.get("power") not in ("on", "off"):
            raise InvalidInput("请选择通电或断电。", field="power")
        in_transaction(
            lambda session: (
                override(
                    session,
                    meter_id,
                    on=on,
                    reason=request.form.get("reason", ""),
                    by=by,
                    at=clock.now(),
                    emergency="emergency" in request.form,
                ).id
            )
        )
    except Refusal as refusal:
        return _page(visible_meter(code, Permission.MANAGE_METERS), refusal), status_of(refusal)
    flash(
        gettext("已要求 %(name)s 通电，等待设备确认。", name=name)
        if on
        else gettext("已要求 %(name)s 断电，等待设备确认。", name=name)
    )
    return redirect(url_for(".meter", code=code))


@pages.post("/meters/<code>/power/automatic")
@requires(Permission.MANAGE_METERS)
def automatic(code: str) -> Response | tuple[str, int]:
    """Take the operator's word back."""
    meter_id, by = visible_meter(code, Permission.MANAGE_METERS).id, current_user.id
    try:
        in_transaction(lambda session: end_override(session, meter_id, by=by, at=clock.now()))
    except Refusal as refusal:
        return _page(visible_meter(code, Permission.MANAGE_METERS), refusal), status_of(refusal)
    flash(gettext("已恢复自动通断电。"))
    return redirect(url_for(".meter", code=code))


def power_at(equipment: Equipment) -> str:
    """What the one at the machine is told: ``on``, ``preparing``, ``waiting``, ``failed``; "" if nothing is switched.

    Several relays are as far as the one that is least far.
    """
    said = {_said(relay) for relay in relays_of_equipment(db.session(), equipment.id, at=clock.now())}
    return next((word for word in ("failed", "preparing", "waiting", "on") if word in said), "")


def _said(relay: Relay) -> str:
    if relay.reported:
        return "on"
    command = relay.command
    if command is None or not command.on or command.ended_at is not None:
        return "preparing"
    match progress_of(command):
        case Progress.SENT:
            return "waiting"
        case Progress.UNCONFIRMED | Progress.CONFIRMED:  # confirmed, and switched off by hand since
            return "failed"
    return "preparing"


def _page(one: Meter, refusal: Refusal | None = None) -> str:
    session, now = db.session(), clock.now()
    commands = last_commands(session, one.id)
    people = {command.asked_by for command in commands if command.asked_by is not None}
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "power.html",
        meter=one,
        relay=next(iter(relays(session, at=now, meter_ids=[one.id])), None),
        reported=reported_state(session, one.id),
        commands=commands,
        progress_of=progress_of,
        names=dict(session.execute(select(Person.id, Person.name).where(Person.id.in_(people))).all()),
        setting=fail_safe_setting(one.dialect, channel=one.channel, fail_safe=one.fail_safe),
        may_manage=bounds(Permission.MANAGE_METERS).allows(platform_id=one.equipment.platform_id),
        told=request.form,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )
