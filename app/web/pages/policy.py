"""The policy's numbers and open questions: how they are read here, how else, and what another answer would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import Money, total
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.formats import is_english
from billing.answering import POLICY, answer, answers_to, setting_by_number, settings_if, settings_in_force
from billing.assessing import judging_facts
from billing.rules.policy import Setting, Settings, SettingValue
from billing.rules.subsidy import assess

pages = Blueprint("policy", __name__)


@pages.get("/policy")
@requires(Permission.SEE_POLICY)
def questions() -> str:
    """What the document states, and A01–A38 as they are answered."""
    return render_template("policy.html", policy=POLICY, settings=settings_in_force(db.session()), plain=plain_answer)


@pages.get("/policy/<number>")
@requires(Permission.SEE_POLICY)
def question(number: str) -> str:
    return _page(_setting(number))


@pages.post("/policy/<number>")
@requires(Permission.ANSWER_POLICY)
def save(number: str) -> Response | tuple[str, int]:
    setting, by = _setting(number), current_user.id
    try:
        value, reason = _answer(setting), request.form.get("reason", "")
        in_transaction(lambda session: answer(session, setting.key, value, reason=reason, by=by, at=clock.now()))
    except Refusal as refusal:
        return _page(setting, refusal=refusal), status_of(refusal)
    flash(gettext("%(number)s 的口径已改变；未锁定的年度会按新口径重新测算。", number=setting.number))
    return redirect(url_for(".question", number=number))


@pages.post("/policy/<number>/effect")
@requires(Permission.ANSWER_POLICY)
def effect(number: str) -> str | tuple[str, int]:
    """What each platform would be paid under the answer in the form. Stores nothing."""
    setting = _setting(number)
    try:
        otherwise = settings_if(db.session(), setting.key, _answer(setting))
    except Refusal as refusal:
        return render_template("policy_effect.html", rows=None, refusal=sentence(refusal))
    platforms = db.session.scalars(
        select(Platform).options(selectinload(Platform.operators), joinedload(Platform.host)).order_by(Platform.id)
    ).all()
    rows = [(one, *_payable(one.id, settings_in_force(db.session()), otherwise)) for one in platforms]
    return render_template("policy_effect.html", rows=rows, refusal="")


def plain_answer(setting: Setting, value: SettingValue | None) -> str:
    """An answer to an open question as one line, in the reader's language."""
    return setting.said(value, english=is_english())


def _payable(platform_id: int, *readings: Settings) -> list[Money]:
    """All that would be payable to a platform under each of these readings."""
    judged = [assess(judging_facts(db.session(), platform_id, one), one, POLICY) for one in readings]
    return [total([grant.payable.amount for grant in one.grants]) for one in judged]


def _setting(number: str) -> Setting:
    setting = setting_by_number(number)
    if setting is None:
        raise NotFound("没有这一条口径。")
    return setting


def _answer(setting: Setting) -> object:
    """What the form says. Errors: ``InvalidInput`` for a word that is none of the answers."""
    if not setting.options:
        raise InvalidInput("这一条目前只有一种可测算的理解，不能改变。", field="value")
    if isinstance(setting.options, Mapping):
        return {part: _one_of(options, f"value.{part}") for part, options in setting.options.items()}
    if isinstance(setting.default, str | bool):
        return _one_of(setting.options, "value")
    return [_one_of(setting.options, "value", given) for given in request.form.getlist("value")]


def _one_of(options: Sequence[Any], field: str, given: str | None = None) -> Any:
    given = request.form.get(field, "") if given is None else given
    for option in options:
        if str(option) == given:
            return option
    raise InvalidInput("请从列出的答案中选择。", field="value")


def _page(setting: Setting, *, refusal: Refusal | None = None) -> str:
    settings = settings_in_force(db.session())
    return render_template(
        "policy_question.html",
        policy=POLICY,
        setting=setting,
        value=settings.values[setting.key],
        changed=setting.key in settings.overridden,
        answers=answers_to(db.session(), setting.key),
        may_answer=bounds(Permission.ANSWER_POLICY).everything,
        plain=plain_answer,
        error=sentence(refusal) if refusal is not None else "",
        error_field=refusal.field if refusal is not None else "",
    )
