"""Manual indicators of the evaluation: points with a paper from the operator, the official's word on them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from flask import Blueprint, request
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.booking.rules.service import HandedFile
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import InvalidInput, NotFound
from app.web.access import bounds, requires
from app.web.handed_files import given_out, handed, make_room
from app.web.pages.evaluation import deed
from billing.evaluation_entries import decide, hand_in
from billing.models import EvaluationEntry

pages = Blueprint("evaluation_entries", __name__)
make_room(pages, "give")


@pages.post("/evaluation/<code>/<int:year>/hand-in")
@requires(Permission.HAND_IN_EVALUATION)
def give(code: str, year: int) -> Response | tuple[str, int]:
    by, form, sent = current_user.id, request.form, request.files.get("file")
    file = handed(sent) if sent else HandedFile("", "", b"")
    return deed(
        code, year, Permission.HAND_IN_EVALUATION,
        lambda session, platform_id: hand_in(
            session, platform_id, year, form.get("indicator", ""), value=_points(), reason=form.get("reason", ""),
            file=file, by=by, at=clock.now(),
        ),
        gettext("已提交，等待主管部门确认。"),
    )  # fmt: skip


@pages.post("/evaluation/<code>/<int:year>/decide")
@requires(Permission.CONCLUDE_EVALUATION)
def settle(code: str, year: int) -> Response | tuple[str, int]:
    by, form = current_user.id, request.form
    return deed(
        code, year, Permission.CONCLUDE_EVALUATION,
        lambda session, platform_id: decide(
            session, platform_id, year, form.get("indicator", ""), entry_id=form.get("entry_id", type=int),
            value=_points(), reason=form.get("reason", ""), by=by, at=clock.now(),
        ),
        gettext("已记下主管部门的分值。"),
    )  # fmt: skip


@pages.get("/evaluation/papers/<int:paper_id>")
@requires(Permission.SEE_EVALUATION)
def paper(paper_id: int) -> Response:
    """The file as it was handed in."""
    entry = db.session.get(EvaluationEntry, paper_id)
    if entry is None or entry.file_name is None or entry.content is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.SEE_EVALUATION).insist(platform_id=entry.platform_id)
    return given_out(entry.file_name, entry.content)


def _points() -> Decimal:
    try:
        return Decimal(request.form.get("value", ""))
    except InvalidOperation:
        raise InvalidInput("分值应为 0 至 100，最多两位小数。", field="value") from None
