"""The calendar of public holidays and make-up workdays, which administrators keep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.catalogue.rules.words import DayKind
from app.catalogue.special_days import (
    english_names,
    knows_workdays,
    remove_special_day,
    seed_special_days,
    set_special_day,
    special_days,
)
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import requires
from app.web.errors import sentence, status_of
from app.web.formats import is_english
from app.web.forms import day_in

pages = Blueprint("special_days", __name__)
YEARS = range(2000, 2100)


@pages.get("/special-days")
@requires(Permission.MANAGE_CALENDAR)
def list_days() -> str:
    return _page()


@pages.post("/special-days")
@requires(Permission.MANAGE_CALENDAR)
def save() -> Response | tuple[str, int]:
    person_id = current_user.id
    try:
        day, kind = day_in("day"), _kind()
        follows = request.form.get("follows", type=int)
        in_transaction(
            lambda session: (
                set_special_day(
                    session,
                    day=day,
                    kind=kind,
                    name=request.form.get("name", "")[:80],
                    follows=follows,
                    source=request.form.get("source", "")[:300],
                    by=person_id,
                    at=clock.now(),
                ).day
            )
        )
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    flash(gettext("已保存，按节假日开放的设备随即生效。"))
    return redirect(url_for(".list_days", year=day.year))


@pages.post("/special-days/<day>/remove")
@requires(Permission.MANAGE_CALENDAR)
def remove(day: str) -> Response:
    person_id = current_user.id
    try:
        which = date.fromisoformat(day)
    except ValueError:
        raise NotFound("没有这个特殊日期。") from None
    in_transaction(lambda session: remove_special_day(session, which, by=person_id, at=clock.now()))
    flash(gettext("已删除，这一天恢复平常的开放时间。"))
    return redirect(url_for(".list_days", year=which.year))


@pages.post("/special-days/fill")
@requires(Permission.MANAGE_CALENDAR)
def fill() -> Response:
    year = _year()
    added = in_transaction(lambda session: seed_special_days(session, [year]))
    flash(gettext("已补入 %(count)s 天。", count=added))
    return redirect(url_for(".list_days", year=year))


def _page(refusal: Refusal | None = None) -> str:
    session, year = db.session(), _year()
    days = special_days(session, year)
    chosen = next((one for one in days if one.day.isoformat() == request.args.get("day")), None)
    told = request.form.to_dict()
    if chosen is not None:
        told = {"day": chosen.day.isoformat(), "kind": chosen.kind.value, "follows": str(chosen.follows or 0)}
        told |= {"name": chosen.name, "source": chosen.source}
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "special_days.html",
        days=days,
        told=told,
        year=year,
        called=_called(year),
        known=knows_workdays(session, year),
        kinds=list(DayKind),
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )


def _called(year: int) -> Callable[[str], str]:
    """How the reader calls a day: what the library knows is said in English too, what somebody entered as it is."""
    known = english_names(year) if is_english() else {}
    return lambda name: known.get(name) or gettext(name)


def _year() -> int:
    """The year that is looked at; an impossible one is this year."""
    this = clock.local_date(clock.now()).year
    wanted = request.values.get("year", this, type=int)
    return wanted if wanted in YEARS else this


def _kind() -> DayKind:
    try:
        return DayKind(request.form.get("kind", ""))
    except ValueError:
        raise InvalidInput("请选择放假或调休上班。", field="kind") from None
