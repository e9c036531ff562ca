"""Calendars to subscribe to: making and revoking an address, and what a calendar program reads there."""

from __future__ import annotations

import hashlib

import segno
from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.feeds import calendar_text, feed_by_token, open_feed, revoke_feed
from app.booking.models import CalendarFeed
from app.booking.rules.words import FeedScope
from app.catalogue.models import Equipment, Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import requires
from app.web.errors import sentence, status_of
from app.web.language import in_language
from app.web.limits import FEED, limiter

pages = Blueprint("feeds", __name__)


@pages.get("/feeds")
@requires(Permission.SEE_RESERVATIONS)
def list_feeds() -> str:
    return _page()


@pages.post("/feeds")
@requires(Permission.SEE_RESERVATIONS)
def create() -> str | tuple[str, int]:
    """The only answer that ever holds the address, so it is no redirect."""
    person_id = current_user.id
    try:
        scope, subject_id = _subject()
        token = in_transaction(
            lambda session: open_feed(session, person_id, scope, subject_id=subject_id, at=clock.now())[1]
        )
    except Refusal as refusal:
        return _page(refusal=refusal), status_of(refusal)
    return _page(address=f"{_site()}{url_for('.calendar', token=token)}")


@pages.post("/feeds/revoke")
@requires(Permission.SEE_RESERVATIONS)
def revoke() -> Response:
    person_id, feed_id = current_user.id, request.form.get("feed_id", type=int)
    if feed_id is None:
        raise InvalidInput("请选择要停用的订阅。", field="feed_id")
    in_transaction(lambda session: revoke_feed(session, feed_id, by=person_id, at=clock.now()))
    flash(gettext("订阅地址已停用，日历程序不能再读取。"))
    return redirect(url_for(".list_feeds"))


@pages.get("/calendar/<token>.ics")
@requires(Permission.READ_FEED)
@limiter.limit(FEED)
def calendar(token: str) -> Response:
    """What a calendar program reads, again and again: only if it has changed is it sent again."""
    now, site = clock.now(), _site()

    def work(session: Session) -> bytes:
        feed = feed_by_token(session, token)
        if feed is None:
            raise NotFound("没有这个页面。")
        feed.read_at = now
        return calendar_text(session, feed, at=now, site=site, translate=in_language)

    answer = current_app.response_class(in_transaction(work), mimetype="text/calendar")
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Content-Disposition"] = 'inline; filename="pilotshare.ics"'
    answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest())
    return answer.make_conditional(request)


def _site() -> str:
    """How people reach this site: as it is set, else as the reader does."""
    return str(current_app.config["PUBLIC_URL"] or request.url_root.rstrip("/"))


def _subject() -> tuple[FeedScope, int | None]:
    """``person``, ``platform:3`` or ``equipment:5``."""
    word, _, number = request.form.get("subject", "").partition(":")
    try:
        return FeedScope(word), int(number) if number else None
    except ValueError:
        raise InvalidInput("请选择要订阅的日历。", field="subject") from None


def _page(*, address: str = "", refusal: Refusal | None = None) -> str:
    session = db.session()
    feeds = session.execute(
        select(CalendarFeed, Equipment, Platform)
        .outerjoin(Equipment, Equipment.id == CalendarFeed.equipment_id)
        .outerjoin(Platform, Platform.id == CalendarFeed.platform_id)
        .where(CalendarFeed.person_id == current_user.id, CalendarFeed.revoked_at.is_(None))
        .order_by(CalendarFeed.id.desc())
    ).all()
    subscribe = f"webcal://{address.partition('://')[2]}" if address else ""
    return render_template(
        "feeds.html",
        feeds=feeds,
        platforms=session.scalars(select(Platform).order_by(Platform.id)).all(),
        equipment=session.scalars(select(Equipment).order_by(Equipment.platform_id, Equipment.code)).all(),
        address=address,
        subscribe=subscribe,
        picture=segno.make(subscribe, micro=False).svg_data_uri(scale=4, light="white") if address else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None else {},
    )
