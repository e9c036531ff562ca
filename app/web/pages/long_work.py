"""How far long work is: a page to come back to, and the part of it that other pages show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.errors import NotFound
from app.kernel.long_work import LongWork
from app.web.access import bounds, requires

pages = Blueprint("long_work", __name__)

WORDS: dict[str, Any] = {}
"""What each kind of work is called."""
RESULTS: dict[str, Callable[[LongWork], str]] = {}
"""Where the result of each kind is to be seen."""


@pages.get("/work/<int:work_id>")
@requires(Permission.USE_ACCOUNT)
def work(work_id: int) -> str:
    """Whoever asked may look, and whoever issues invoices for the platform. A script is given the moving part alone."""
    one = db.session.get(LongWork, work_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    if one.asked_by != current_user.id:
        bounds(Permission.ISSUE_INVOICES).insist(platform_id=one.platform_id)
    template = "progress.html" if request.headers.get("HX-Request") else "long_work.html"
    return render_template(template, work=one)


def word(one: LongWork) -> str:
    return str(WORDS.get(one.kind, _l("后台处理")))


def told(one: LongWork) -> str:
    """What the work has to say, in the reader's language."""
    sentence = gettext(one.said) if one.said else ""
    return sentence % one.facts if one.facts else sentence


def result(one: LongWork) -> str:
    """The address of the result, or nothing."""
    return RESULTS[one.kind](one) if one.kind in RESULTS else ""


@pages.record_once
def _register(state: Any) -> None:
    app: Flask = state.app
    app.context_processor(lambda: {"work_word": word, "work_told": told, "work_result": result})
