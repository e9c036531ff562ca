"""Refusals and HTTP errors as answers: a page for people, problem details (RFC 9457) for programs."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, jsonify, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from app.kernel.errors import Conflict, InvalidInput, NotAllowed, NotFound, Refusal, SlotTaken
from app.kernel.interval import Interval

log = logging.getLogger("pilotshare.web")
STATUS: dict[type[Refusal], HTTPStatus] = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    NotAllowed: HTTPStatus.FORBIDDEN,
    Conflict: HTTPStatus.CONFLICT,
}


def status_of(refusal: Refusal) -> HTTPStatus:
    return next((status for kind, status in STATUS.items() if isinstance(refusal, kind)), HTTPStatus.BAD_REQUEST)


def sentence(refusal: Refusal) -> str:
    """The refusal in the reader's language."""
    text = gettext(refusal.sentence)
    return text % refusal.facts if refusal.facts else text


def wants_json() -> bool:
    return request.path.startswith("/api/")


def problem(status: HTTPStatus, *, code: str, detail: str, **more: Any) -> Response:
    """A problem-details answer. ``code`` is stable and meant for programs."""
    response = jsonify(
        {"type": "about:blank", "title": status.phrase, "status": status, "code": code, "detail": detail, **more}
    )
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def interval_json(when: Interval) -> dict[str, str]:
    return {"starts_at": when.start.isoformat(), "ends_at": when.end.isoformat()}


def register(app: Flask) -> None:
    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response | tuple[str, int]:
        status = status_of(refusal)
        if wants_json():
            more: dict[str, Any] = {}
            if refusal.field:
                more["field"] = refusal.field
            if isinstance(refusal, SlotTaken):
                more["alternatives"] = [interval_json(slot) for slot in refusal.alternatives]
            return problem(status, code=refusal.code, detail=sentence(refusal), **more)
        return render_template("error.html", status=status, detail=sentence(refusal), refusal=refusal), status

    @app.errorhandler(DataError)
    def not_storable(error: DataError) -> Response | tuple[str, int]:
        """A character that no text can hold, or a number beyond all ids: the wish is at fault, nothing was stored."""
        log.info("refused by the database: %s", error.orig)
        return refused(InvalidInput("内容含有无法保存的字符或超出范围的数字，请修改后再提交。"))

    @app.errorhandler(CSRFError)
    def stale_form(error: CSRFError) -> Response | tuple[str, int]:
        detail = gettext("页面停留太久，表单已失效。请返回刷新后再提交。")
        if wants_json():
            return problem(HTTPStatus.BAD_REQUEST, code="csrf", detail=gettext("请求缺少有效的 CSRF 令牌。"))
        return render_template("error.html", status=HTTPStatus.BAD_REQUEST, detail=detail, refusal=None), 400

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> Response | tuple[str, int]:
        status = HTTPStatus(error.code or 500)
        detail = {
            HTTPStatus.UNAUTHORIZED: gettext("请先登录。"),
            HTTPStatus.FORBIDDEN: gettext("您的角色不能进行此操作。"),
            HTTPStatus.NOT_FOUND: gettext("没有这个页面。"),
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: gettext("上传的内容太大，请减少或压缩文件后再试。"),
            HTTPStatus.TOO_MANY_REQUESTS: gettext("尝试次数过多，请稍后再试。"),
        }.get(status, error.description or status.phrase)
        if wants_json():
            extra = getattr(error, "data", None) or {}
            return problem(
                status,
                code=status.name.lower(),
                detail=detail,
                **({"errors": extra["messages"]} if "messages" in extra else {}),
            )
        return render_template("error.html", status=status, detail=detail, refusal=None), status
