"""A day of a meter under other thresholds: what they would make of it, and keeping them as a new version."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app.identity.models import Person
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.interval import Interval
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.forms import day_in, moment_in
from app.web.paging import wanted_file
from app.web.uploaded_days import keep_day, kept_day, text_of
from devices.calibrating import last_heard, samples_within, save_profile, values_of, versions_of
from devices.models import Meter, MeterProfile
from devices.rules.sample import Sample
from devices.rules.trace import samples_of_csv
from devices.rules.trial import LIMITS, MAY_BE_EMPTY, ProfileValues, Trial, compared, drawn, trial

pages = Blueprint("calibration", __name__)
STRETCHES = 500
LISTED = 100


@dataclass(frozen=True, eq=False)
class Day:
    """What is looked at: a recorded day of the meter, or an uploaded one, as ``chosen`` names it in an address."""

    samples: list[Sample]
    chosen: dict[str, str]
    until: datetime


@pages.get("/meters/<code>/calibration")
@requires(Permission.MANAGE_METERS)
def calibration(code: str) -> Response | str:
    one = _managed(code)
    if form := wanted_file():
        return _versions_file(one, form)
    return _page(one)


@pages.post("/meters/<code>/calibration/trial")
@requires(Permission.MANAGE_METERS)
def try_out(code: str) -> str | tuple[str, int]:
    """The part of the page that says what the values make of the day."""
    one = _managed(code)
    alone = "HX-Request" in request.headers
    try:
        values = _values_in(values_of(_valid(one)))
        if alone:
            return render_template("calibration_trial.html", **_tried(one, _day(one), values))
    except (InvalidInput, NotFound) as refusal:
        if not alone:
            return _page(one, refusal=refusal), status_of(refusal)
        said = {"label": labels().get(refusal.field or "", ""), "refused": sentence(refusal)}
        return render_template("calibration_trial.html", **said), status_of(refusal)
    return _page(one, values=values)


@pages.post("/meters/<code>/calibration/upload")
@requires(Permission.MANAGE_METERS)
def upload(code: str) -> Response | tuple[str, int]:
    one = _managed(code)
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise InvalidInput("请选择一个 CSV 文件。", field="file")
        samples = samples_of_csv(text_of(file.read()), zone=clock.FACILITY_ZONE)
    except InvalidInput as refusal:
        return _page(one, refusal=refusal), status_of(refusal)
    name = keep_day(_folder(), samples, person_id=current_user.id, at=clock.now())
    return redirect(url_for(".calibration", code=one.code, upload=name))


@pages.post("/meters/<code>/calibration")
@requires(Permission.MANAGE_METERS)
def save(code: str) -> Response | tuple[str, int]:
    one = _managed(code)
    meter_id, person_id = one.id, current_user.id
    values = None
    try:
        values = _values_in(values_of(_valid(one)))
        valid_from, reason = moment_in("valid_from"), request.form.get("reason", "")[:300]
        version = in_transaction(
            lambda session: (
                save_profile(
                    session,
                    meter_id,
                    values=values,
                    valid_from=valid_from,
                    reason=reason,
                    by=person_id,
                    at=clock.now(),
                ).version
            )
        )
    except InvalidInput as refusal:
        return _page(_managed(code), values=values, refusal=refusal), status_of(refusal)
    flash(gettext("版本 %(version)s 已保存，生效以后的使用会按它重新推算。", version=version))
    chosen: dict[str, Any] = {name: request.form[name] for name in ("day", "upload") if request.form.get(name)}
    return redirect(url_for(".calibration", code=code, **chosen))


def labels() -> dict[str, str]:
    return {
        "run_on_w": gettext("启动阈值（W）"),
        "run_off_w": gettext("停止阈值（W）"),
        "min_on_s": gettext("至少运行（秒）"),
        "min_off_s": gettext("停多久算结束（秒）"),
        "max_gap_s": gettext("无信号多久算断档（秒）"),
        "spike_w": gettext("尖峰上限（W）"),
        "rated_w": gettext("额定功率（W）"),
        "lead_s": gettext("运行前需要的时间（秒）"),
        "post_s": gettext("运行后需要的时间（秒）"),
        "counter_modulus_mwh": gettext("计数器归零处（mWh）"),
    }


def _managed(code: str) -> Meter:
    one = db.session.scalar(select(Meter).where(func.lower(Meter.code) == code.lower()))
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.MANAGE_METERS).insist(platform_id=one.equipment.platform_id)
    return one


def _valid(one: Meter) -> MeterProfile:
    return versions_of(db.session(), one.id)[0]


def _folder() -> Path:
    return Path(current_app.config["FOLDER"]) / "uploaded-days"


def _values_in(present: ProfileValues) -> ProfileValues:
    """What the form says; a field that it does not have stays as it is. Errors: ``InvalidInput`` with its field."""
    told: dict[str, int | None] = {}
    for name, (low, high) in LIMITS.items():
        text = request.form.get(name)
        if text is None:
            told[name] = getattr(present, name)
        elif not text.strip() and name in MAY_BE_EMPTY:
            told[name] = None
        elif re.fullmatch(r"\d{1,16}", text.strip(), re.ASCII):
            told[name] = int(text)
        else:
            raise InvalidInput("请填写 %(low)s 到 %(high)s 之间的整数。", field=name, low=low, high=high)
    return ProfileValues(**told)  # type: ignore[arg-type]  # it refuses what must not be empty


def _day(one: Meter) -> Day:
    """The day that the request names: an uploaded one, a recorded one, else the last with readings.

    While values are moved it is the day as the page showed it (``heard``); every page reads it anew.
    """
    if name := request.values.get("upload", ""):
        return _uploaded(name, current_user.id)
    last = last_heard(db.session(), one.id)
    on = day_in("day", clock.local_date(last or clock.now()))
    return _recorded(one.id, on, request.form.get("heard", "")[:40] or clock.now().isoformat())


# Reading a day of seconds takes longer than a hand waits for; each process keeps the days that it was last asked for.
@lru_cache(maxsize=2)
def _uploaded(name: str, person_id: int) -> Day:
    samples = kept_day(_folder(), name, person_id=person_id, at=clock.now())
    return Day(samples, {"upload": name}, samples[-1].taken_at)


@lru_cache(maxsize=2)
def _recorded(meter_id: int, on: date, heard: str) -> Day:
    within = Interval(clock.local_midnight(on), clock.local_midnight(on + timedelta(days=1)))
    samples = samples_within(db.session(), meter_id, within)
    until = min(within.end, max(clock.now(), within.start))
    return Day(samples, {"day": on.isoformat(), "heard": heard}, until)


@lru_cache(maxsize=4)
def _trial(day: Day, values: ProfileValues) -> Trial:
    return trial(day.samples, values, until=day.until)


def _tried(one: Meter, day: Day, values: ProfileValues) -> dict[str, Any]:
    """What the trial's part of the page shows."""
    valid = _valid(one)
    before = values_of(valid)
    present, wanted = _trial(day, before), _trial(day, values)
    rows = compared(present, wanted)
    return {
        "valid": valid,
        "present": present,
        "wanted": wanted,
        "rows": rows[:LISTED],
        "more": len(rows) - LISTED,
        "time": lambda at: f"{at.astimezone(clock.FACILITY_ZONE):%H:%M:%S}",  # all of one day
        "runs": {"running": _times(wanted), "present": _times(present)},
    }


def _times(one: Trial) -> list[tuple[str, str]]:
    return [(each.when.start.isoformat(), each.when.end.isoformat()) for each in one.sessions]


def _page(one: Meter, *, values: ProfileValues | None = None, refusal: Refusal | None = None) -> str:
    session = db.session()
    day = _day(one)
    valid = _valid(one)
    values = values or values_of(valid)
    tried = _tried(one, day, values)
    versions = versions_of(session, one.id)
    highest = max((sample.power_mw or 0 for sample in day.samples), default=0) / 1000
    shown = {name: "" if (value := getattr(values, name)) is None else value for name in LIMITS}
    if refusal is not None and refusal.field in LIMITS:
        shown |= {name: request.form[name] for name in LIMITS if name in request.form}
    return render_template(
        "calibration.html",
        meter=one,
        day=day,
        last=last_heard(session, one.id),
        says_itself=any(sample.running is not None for sample in day.samples),
        shown=shown,
        labels=labels(),
        limits=LIMITS,
        may_be_empty=MAY_BE_EMPTY,
        most_w=max(round(highest * 1.2) + 1, values.run_on_w),
        curve=_curve(day, values, tried),
        versions=versions,
        names=_names(versions),
        told=request.form,
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
        **tried,
    )


def _curve(day: Day, values: ProfileValues, tried: dict[str, Any]) -> dict[str, Any] | None:
    """The chart's data; its form is told in chart.js."""
    gap = timedelta(seconds=values.max_gap_s)
    points = drawn(day.samples, stretches=STRETCHES, longest_gap=gap)
    if not points:
        return None
    gaps = [
        (points[at][0].isoformat(), points[at + 1][0].isoformat())
        for at in range(len(points) - 1)
        if points[at][1] is None
    ]
    return {
        "points": [(at.isoformat(), None if watts is None else round(watts, 1)) for at, watts in points],
        "gaps": gaps,
        "reserved": None,
        "on_w": values.run_on_w,
        "off_w": values.run_off_w,
        "adjustable": True,
        **tried["runs"],
        "words": {
            "power": gettext("功率"),
            "on": gettext("启动阈值"),
            "off": gettext("停止阈值"),
            "running": gettext("试算"),
            "gap": gettext("无信号"),
        },
    }


def _names(versions: list[MeterProfile]) -> dict[int | None, str]:
    made_by = {one.made_by for one in versions if one.made_by}
    return {
        row.id: row.name for row in db.session.execute(select(Person.id, Person.name).where(Person.id.in_(made_by)))
    }


def _versions_file(one: Meter, form: Any) -> Response:
    versions = versions_of(db.session(), one.id)
    names = _names(versions)
    columns: list[Column[MeterProfile]] = [
        Column(gettext("版本"), lambda row: row.version, "number"),
        Column(gettext("生效"), lambda row: row.valid_from, "time"),
        *(Column(labels()[field.name], attrgetter(field.name), "number") for field in fields(ProfileValues)),
        Column(gettext("理由"), lambda row: row.reason),
        Column(gettext("修改人"), lambda row: names.get(row.made_by, "")),
        Column(gettext("保存"), lambda row: row.created_at, "time"),
    ]
    is_sample = one.equipment.illustrative
    return download(f"{one.code}-profiles", columns, versions, form=form, is_sample=lambda row: is_sample)
