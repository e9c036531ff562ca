"""What the reader is told, and how they want to hear of it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.identity.models import Notice
from app.identity.reading_notices import choices_of, choose, mark_read, notices_of
from app.identity.rules.notice import NoticeKind, Ways, told
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.web.access import requires
from app.web.formats import moment
from app.web.forms import safe_next
from app.web.language import reader_language
from app.web.paging import page_of

pages = Blueprint("notices", __name__)


@pages.get("/notices")
@requires(Permission.USE_ACCOUNT)
def list_notices() -> str:
    return render_template("notices.html", page=page_of(db.session(), notices_of(current_user.id)), told=_told)


@pages.post("/notices/read")
@requires(Permission.USE_ACCOUNT)
def read() -> Response:
    """One notice (``notice_id``), or all; then on to the page that it is about."""
    person_id, notice_id = current_user.id, request.form.get("notice_id", type=int)
    in_transaction(lambda session: mark_read(session, person_id, at=clock.now(), notice_id=notice_id))
    return redirect(safe_next(url_for(".list_notices")))


@pages.get("/notices/choices")
@requires(Permission.USE_ACCOUNT)
def choices() -> str:
    return render_template("notice_choices.html", choices=choices_of(db.session(), current_user.id))


@pages.post("/notices/choices")
@requires(Permission.USE_ACCOUNT)
def save_choices() -> Response:
    person_id, form = current_user.id, request.form
    ways = {kind: Ways(f"page_{kind.value}" in form, f"mail_{kind.value}" in form) for kind in NoticeKind}
    in_transaction(lambda session: choose(session, person_id, ways))
    flash(gettext("提醒方式已保存。"))
    return redirect(url_for(".choices"))


def _told(notice: Notice) -> str:
    return told(gettext(notice.sentence), notice.facts, language=reader_language(), moment=moment)
