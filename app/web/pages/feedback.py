"""What firms thought of their use (满意度): said on the reservation's page, read in one list."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, or_, select
from sqlalchemy.orm import contains_eager, joinedload
from werkzeug.wrappers import Response

from app.booking.models import Feedback, Reservation
from app.booking.rating import rate as keep_opinion
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Refusal
from app.kernel.interval import local_year
from app.web.access import bounds, requires
from app.web.errors import status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import year_in
from app.web.opinion_form import was_used
from app.web.pages.reservations import reservation_page, visible
from app.web.paging import page_of, wanted_file

pages = Blueprint("feedback", __name__)


@pages.post("/reservations/<int:reservation_id>/feedback")
@requires(Permission.GIVE_FEEDBACK)
def rate(reservation_id: int) -> Response | tuple[str, int]:
    row, person_id = visible(reservation_id, Permission.GIVE_FEEDBACK), current_user.id
    used, stars, words = was_used(db.session(), row), request.form.get("stars", 0, int), request.form.get("words", "")
    try:
        in_transaction(
            lambda session: keep_opinion(
                session, reservation_id, stars=stars, words=words, used=used, by=person_id, at=clock.now()
            )
        )
    except Refusal as refusal:
        return reservation_page(visible(reservation_id, Permission.GIVE_FEEDBACK), refusal=refusal), status_of(refusal)
    flash(gettext("谢谢您的评价。"))
    return redirect(url_for("reservations.reservation", reservation_id=reservation_id))


@pages.get("/feedback")
@requires(Permission.SEE_FEEDBACK)
def list_feedback() -> Response | str:
    """By the day of use. Authorities see stars without the words, which may name people."""
    limits, year = bounds(Permission.SEE_FEEDBACK), year_in("year")
    within, begins = local_year(year), func.lower(Reservation.during)
    query = (
        select(Feedback)
        .join(Feedback.reservation)
        .join(Equipment, Equipment.id == Reservation.equipment_id)
        .where(begins >= within.start, begins < within.end)
        .options(
            contains_eager(Feedback.reservation).options(
                joinedload(Reservation.equipment).joinedload(Equipment.platform), joinedload(Reservation.organization)
            )
        )
        .order_by(begins.desc(), Feedback.id)
    )
    if not limits.everything:
        query = query.where(
            or_(
                Reservation.organization_id.in_(limits.organization_ids), Equipment.platform_id.in_(limits.platform_ids)
            )
        )
    if platform_id := request.args.get("platform_id", type=int):
        query = query.where(Equipment.platform_id == platform_id)
    if form := wanted_file():
        columns: list[Column[Feedback]] = [
            Column(gettext("设备"), lambda one: said(one.reservation.equipment, "name")),
            Column(gettext("平台"), lambda one: said(one.reservation.equipment.platform, "name")),
            Column(gettext("单位"), lambda one: one.reservation.organization.name),
            Column(gettext("使用日期"), lambda one: clock.local_date(one.reservation.during.start), "day"),
            Column(gettext("星级"), lambda one: one.stars, "number"),
        ]
        if not limits.everything:
            columns.append(Column(gettext("意见"), lambda one: one.words))
        rows = db.session.scalars(query).unique()
        return download(
            f"feedback-{year}", columns, rows, form=form, is_sample=lambda one: one.reservation.equipment.illustrative
        )
    told = query.order_by(None).with_only_columns(Feedback.stars).subquery()
    count, mean = db.session.execute(select(func.count(), func.avg(told.c.stars))).one()
    return render_template(
        "feedback.html",
        page=page_of(db.session(), query),
        year=year,
        count=count,
        mean=mean,
        platform_id=platform_id,
        with_words=not limits.everything,
        own=bool(limits.organization_ids),
    )
