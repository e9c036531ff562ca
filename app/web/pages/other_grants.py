"""Grants of authorities above Jinjiang, as the platform's operator records them."""

from __future__ import annotations

import re
from typing import TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import total
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.forms import money_in, number_in
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import wanted_file
from billing.models import OtherGrant
from billing.other_grants import (
    KINDS,
    LEVELS,
    TIMINGS,
    other_grants_of,
    record_other_grant,
    withdraw_other_grant,
)

pages = Blueprint("other_grants", __name__)

Word = TypeVar("Word", bound=str)

LEVEL_WORDS = {"national": _l("国家"), "provincial": _l("省"), "quanzhou": _l("泉州市")}
KIND_WORDS = {"operating": _l("运行补助"), "equipment": _l("设备购置"), "award": _l("认定奖励")}
TIMING_WORDS = {"ex_post": _l("事后补助"), "ex_ante": _l("事前投入")}


@pages.get("/other-grants")
@requires(Permission.SEE_CLAIMS)
def list_grants() -> Response | str:
    platform = chosen_platform(Permission.SEE_CLAIMS)
    if form := wanted_file():
        rows = other_grants_of(db.session(), platform.id)
        return download(
            f"other-grants-{platform.code}", _columns(), rows, form=form, is_sample=lambda _: platform.illustrative
        )
    return _list(platform)


@pages.post("/other-grants")
@requires(Permission.FILE_CLAIMS)
def record() -> Response | tuple[str, int]:
    platform_id, by = chosen_platform(Permission.FILE_CLAIMS).id, current_user.id
    try:
        in_transaction(
            lambda session: record_other_grant(
                session,
                platform_id,
                authority_level=_one_of(LEVELS, "authority_level"),
                programme_kind=_one_of(KINDS, "programme_kind"),
                year=number_in("year", 0),
                amount=money_in("amount"),
                timing=_one_of(TIMINGS, "timing"),
                asset_nos=[one for one in re.split(r"[\s,，、;；]+", request.form.get("asset_nos", "")) if one],
                document=request.form.get("document", ""),
                by=by,
                at=clock.now(),
            )
        )
    except Refusal as refusal:
        return _list(db.session.get_one(Platform, platform_id), refusal), status_of(refusal)
    flash(gettext("已登记上级补助，补助推算已按它更新。"))
    return redirect(url_for(".list_grants", platform_id=platform_id))


@pages.post("/other-grants/<int:grant_id>/withdraw")
@requires(Permission.FILE_CLAIMS)
def withdraw(grant_id: int) -> Response | tuple[str, int]:
    one = db.session.get(OtherGrant, grant_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.FILE_CLAIMS).insist(platform_id=one.platform_id)
    platform_id, by, reason = one.platform_id, current_user.id, request.form.get("reason", "")
    try:
        in_transaction(lambda session: withdraw_other_grant(session, grant_id, reason=reason, by=by, at=clock.now()))
    except Refusal as refusal:
        return _list(db.session.get_one(Platform, platform_id), refusal), status_of(refusal)
    flash(gettext("已撤销这笔登记，原记录留存。"))
    return redirect(url_for(".list_grants", platform_id=platform_id))


def _one_of(known: tuple[Word, ...], field: str) -> Word:
    for one in known:
        if request.form.get(field) == one:
            return one
    raise InvalidInput("请选择其中一项。", field=field)


def _list(platform: Platform, refusal: Refusal | None = None) -> str:
    rows = other_grants_of(db.session(), platform.id)
    return render_template(
        "other_grants.html",
        platform=platform,
        platforms=own_platforms(Permission.SEE_CLAIMS),
        rows=rows,
        amount=total([one.amount_fen for one in rows if one.withdrawn_at is None]),
        may_record=bounds(Permission.FILE_CLAIMS).allows(platform_id=platform.id),
        levels=LEVEL_WORDS,
        kinds=KIND_WORDS,
        timings=TIMING_WORDS,
        year=clock.local_date(clock.now()).year,
        refused=sentence(refusal) if refusal is not None else "",
        field=refusal.field if refusal is not None else "",
        sent=request.form,
    )


def _columns() -> list[Column[OtherGrant]]:
    return [
        Column(gettext("年度"), lambda one: one.year, "number"),
        Column(gettext("补助来源"), lambda one: LEVEL_WORDS[one.authority_level]),
        Column(gettext("补助类型"), lambda one: KIND_WORDS[one.programme_kind]),
        Column(gettext("方式"), lambda one: TIMING_WORDS[one.timing]),
        Column(gettext("金额"), lambda one: one.amount_fen, "money"),
        Column(gettext("涉及资产"), lambda one: "、".join(one.asset_nos)),
        Column(gettext("文号"), lambda one: one.document),
        Column(gettext("撤销理由"), lambda one: one.withdrawn_reason),
    ]
