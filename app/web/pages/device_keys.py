"""The keys that a meter signs with."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.identity.models import Person
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import moment_in
from app.web.pages.meters import visible_meter
from devices import keying, registering
from devices.models import Meter
from devices.rules.evidence import Dialect

pages = Blueprint("device_keys", __name__)


@pages.get("/meters/<code>/keys")
@requires(Permission.SEE_METERS)
def list_keys(code: str) -> str:
    return _page(visible_meter(code, Permission.SEE_METERS))


@pages.post("/meters/<code>/keys")
@requires(Permission.MANAGE_METERS)
def register(code: str) -> Response | tuple[str, int]:
    def deed(session: Session, meter_id: int, by: int) -> object:
        now, told = clock.now(), request.form
        return keying.register_key(
            session,
            meter_id,
            name=told.get("name", "").strip(),
            public_key=told.get("public_key", ""),
            owner=told.get("owner", "").strip(),
            valid_from=moment_in("valid_from") if told.get("valid_from") else now,
            valid_until=moment_in("valid_until") if told.get("valid_until") else None,
            by=by,
            at=now,
        )

    return _done(code, deed, gettext("已登记密钥。"))


@pages.post("/meters/<code>/keys/<int:key_id>/rotate")
@requires(Permission.MANAGE_METERS)
def rotate(code: str, key_id: int) -> Response | tuple[str, int]:
    def deed(session: Session, meter_id: int, by: int) -> object:
        told = request.form
        return keying.rotate_key(
            session,
            meter_id,
            key_id,
            name=told.get("name", "").strip(),
            public_key=told.get("public_key", ""),
            by=by,
            at=clock.now(),
        )

    return _done(code, deed, gettext("已更换密钥，旧密钥即刻失效。"), key_id=key_id)


@pages.post("/meters/<code>/keys/<int:key_id>/end")
@requires(Permission.MANAGE_METERS)
def end(code: str, key_id: int) -> Response | tuple[str, int]:
    def deed(session: Session, meter_id: int, by: int) -> None:
        keying.end_key(session, meter_id, key_id, by=by, at=clock.now())

    return _done(code, deed, gettext("密钥已失效。"))


@pages.post("/meters/<code>/keys/signed-only")
@requires(Permission.MANAGE_METERS)
def signed_only(code: str) -> Response | tuple[str, int]:
    def deed(session: Session, meter_id: int, by: int) -> object:
        wanted = {"signed_only": "signed_only" in request.form}
        return registering.change_meter(session, meter_id, wanted, by=by, at=clock.now())

    return _done(code, deed, gettext("已保存。"))


def _done(
    code: str, deed: Callable[[Session, int, int], object], said: str, *, key_id: int | None = None
) -> Response | tuple[str, int]:
    meter_id, by = visible_meter(code, Permission.MANAGE_METERS).id, current_user.id
    try:
        in_transaction(lambda session: deed(session, meter_id, by))
    except Refusal as refusal:
        page = _page(visible_meter(code, Permission.MANAGE_METERS), refusal=refusal, rotating=key_id)
        return page, status_of(refusal)
    flash(said)
    return redirect(url_for(".list_keys", code=code))


def _page(meter: Meter, *, refusal: Refusal | None = None, rotating: int | None = None) -> str:
    """``rotating`` is the key that the refused form would have replaced; without, it was the form for a new one."""
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    keys = keying.keys_of(db.session(), meter.id)
    people = select(Person.id, Person.name).where(Person.id.in_({one.registered_by for one in keys}))
    return render_template(
        "device_keys.html",
        meter=meter,
        keys=keys,
        names=dict(db.session.execute(people).all()),
        signs=meter.dialect is Dialect.NATIVE,
        may_manage=bounds(Permission.MANAGE_METERS).allows(platform_id=meter.equipment.platform_id),
        told=request.form,
        errors=errors,
        rotating=rotating,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )
