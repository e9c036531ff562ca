"""What authorities decided about platforms: taken in for cultivation, certified, recognised at a higher level."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform, Recognition, RecognitionLevel
from app.catalogue.recognizing import record_recognition, withdraw_recognition
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, Refusal
from app.web.access import requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import day_in
from app.web.pages.city import asked_year
from app.web.paging import wanted_file
from app.web.words import word_of

pages = Blueprint("recognitions", __name__)


@pages.get("/city/recognitions")
@requires(Permission.SEE_CITY)
def list_recognitions() -> Response | str:
    if form := wanted_file():
        platforms = {one.id: one for one in _platforms()}
        rows = [row for own in _recorded().values() for row in own]
        columns: list[Column[Recognition]] = [
            Column(gettext("平台"), lambda row: said(platforms[row.platform_id], "name")),
            Column(gettext("阶段"), lambda row: word_of(row.level)),
            Column(gettext("日期"), lambda row: row.recognised_on, "day"),
            Column(gettext("文件"), lambda row: row.document),
            Column(gettext("新认定"), lambda row: gettext("是") if row.newly else gettext("否")),
            Column(gettext("撤销理由"), lambda row: row.withdrawn_reason),
        ]
        return download("recognitions", columns, rows, form=form, is_sample=lambda row: row.illustrative)
    return _page()


@pages.post("/city/recognitions")
@requires(Permission.RECORD_RECOGNITION)
def record() -> Response | tuple[str, int]:
    person_id = current_user.id
    try:
        platform_id, level, recognised_on = _platform(), _level(), day_in("recognised_on")
        in_transaction(
            lambda session: (
                record_recognition(
                    session,
                    platform_id=platform_id,
                    level=level,
                    recognised_on=recognised_on,
                    document=request.form.get("document", "")[:300],
                    newly="newly" in request.form,
                    by=person_id,
                    at=clock.now(),
                ).id
            )
        )
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    flash(gettext("已登记。补助测算会在下一次运行时按此更新。"))
    return redirect(url_for(".list_recognitions"))


@pages.post("/city/recognitions/<int:recognition_id>/withdraw")
@requires(Permission.RECORD_RECOGNITION)
def withdraw(recognition_id: int) -> Response | tuple[str, int]:
    by, reason = current_user.id, request.form.get("reason", "")
    try:
        in_transaction(
            lambda session: withdraw_recognition(session, recognition_id, reason=reason, by=by, at=clock.now()).id
        )
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    flash(gettext("已撤销这条登记，原记录留存。补助测算会在下一次运行时按此更新；已锁定的申报不变。"))
    return redirect(url_for(".list_recognitions"))


def _page(refusal: Refusal | None = None) -> str:
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "city_recognitions.html",
        platforms=_platforms(),
        recorded=_recorded(),
        may_record=current_user.may(Permission.RECORD_RECOGNITION),
        levels=list(RecognitionLevel),
        told=request.form,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
        year=asked_year(),
    )


def _platforms() -> list[Platform]:
    return list(db.session.scalars(select(Platform).order_by(Platform.id)))


def _recorded() -> dict[int, list[Recognition]]:
    """All that was recorded, withdrawn or not, by platform."""
    found: dict[int, list[Recognition]] = {}
    rows = select(Recognition).order_by(Recognition.platform_id, Recognition.recognised_on, Recognition.id)
    for one in db.session.scalars(rows):
        found.setdefault(one.platform_id, []).append(one)
    return found


def _platform() -> int:
    wanted = request.form.get("platform_id", type=int)
    if wanted is None:
        raise InvalidInput("请选择平台。", field="platform_id")
    return wanted


def _level() -> RecognitionLevel:
    try:
        return RecognitionLevel(request.form.get("level", ""))
    except ValueError:
        raise InvalidInput("请选择阶段。", field="level") from None
