"""Single charges: what the firm sees of its month and may object to, and what the operator does about one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, false, func, or_, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, NotFound, Refusal
from app.kernel.interval import local_month
from app.kernel.money import ZERO, total
from app.web import river
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import money, said
from app.web.forms import money_in, month_in
from app.web.paging import page_of, wanted_file
from app.web.words import state_of, word_of
from billing.disputing import answer, confirm, disputes_of, may_object_until, object_to
from billing.models import Charge, Dispute, InvoiceLine
from billing.reviewing import correct, restore, waive
from billing.rules.words import ChargeState
from billing.statements import sessions_of_charge

pages = Blueprint("charges", __name__)


@pages.get("/charges")
@requires(Permission.SEE_CHARGES)
def list_charges() -> Response | str:
    """A firm's charges of one month: what they are for, why so much, and until when one may object."""
    month = month_in("month", clock.local_date(clock.now()))
    shown = request.args.get("state", "")
    query = _within(month_of=month)
    if shown in set(ChargeState):
        query = query.where(Charge.state == ChargeState(shown))
    if form := wanted_file():
        columns: list[Column[Charge]] = [
            Column(gettext("时间"), lambda one: one.served_at, "time"),
            Column(gettext("企业"), lambda one: one.organization.name),
            Column(gettext("平台"), lambda one: said(one.platform, "name")),
            Column(gettext("设备"), lambda one: said(one.equipment, "name") if one.equipment else ""),
            Column(gettext("项目"), lambda one: str(word_of(one.kind))),
            Column(gettext("计算"), lambda one: said(one, "explanation")),
            Column(gettext("状态"), lambda one: state_of(one.state).word),
            Column(gettext("不含税"), lambda one: one.net_fen, "money"),
            Column(gettext("税额"), lambda one: one.tax_fen, "money"),
            Column(gettext("价税合计"), lambda one: one.gross_fen, "money"),
        ]
        return download(
            f"charges-{month:%Y-%m}", columns, db.session.scalars(query), form=form,
            is_sample=lambda one: one.platform.illustrative,
        )  # fmt: skip
    waiting = db.session.execute(
        query.with_only_columns(Charge.id, Charge.gross_fen).where(
            Charge.organization_id.in_(_firms()), Charge.state == ChargeState.APPROVED, Charge.confirmed_at.is_(None)
        )
    ).all()
    gross = db.session.scalar(
        query.with_only_columns(func.sum(Charge.gross_fen)).where(Charge.state != ChargeState.WAIVED).order_by(None)
    )
    return render_template(
        "charges.html",
        page=page_of(db.session(), query),
        month=month,
        shown=shown,
        states=[one for one in ChargeState if one is not ChargeState.WAIVED or shown],
        gross=gross or ZERO,
        waiting=waiting,
        waiting_gross=total([gross for _, gross in waiting]),
    )


@pages.get("/charges/<int:charge_id>")
@requires(Permission.SEE_CHARGES)
def charge(charge_id: int) -> str:
    return _page(_visible(charge_id, Permission.SEE_CHARGES))


@pages.post("/charges/confirm")
@requires(Permission.OBJECT_TO_CHARGES)
def agree() -> Response:
    """Agree to the charges that the form names; others than the firm's are left as they are."""
    wanted, by = request.form.getlist("charge_id", type=int), current_user.id
    month = month_in("month", clock.local_date(clock.now()))
    firms = _firms()
    count = in_transaction(
        lambda session: sum(
            confirm(session, wanted, organization_id=firm, by=by, at=clock.now()) for firm in sorted(firms)
        )
    )
    flash(gettext("已确认 %(count)s 笔费用。", count=count))
    return redirect(url_for(".list_charges", month=f"{month:%Y-%m}"))


@pages.post("/charges/<int:charge_id>/object")
@requires(Permission.OBJECT_TO_CHARGES)
def dispute(charge_id: int) -> Response | tuple[str, int]:
    invoiced = _visible(charge_id, Permission.OBJECT_TO_CHARGES).state is ChargeState.INVOICED
    by, words = current_user.id, request.form.get("objection", "")
    try:
        in_transaction(lambda session: object_to(session, charge_id, objection=words, by=by, at=clock.now()).id)
    except Refusal as refusal:
        return _page(_visible(charge_id, Permission.SEE_CHARGES), refusal=refusal), status_of(refusal)
    if invoiced:
        flash(gettext("已提交异议。这笔费用已开具，异议成立时由平台开具红字通知单更正。"))
    else:
        flash(gettext("已提交异议，平台答复前不会开具这笔费用。"))
    return redirect(url_for(".charge", charge_id=charge_id))


@pages.post("/charges/<int:charge_id>/correct")
@requires(Permission.REVIEW_CHARGES)
def change(charge_id: int) -> Response | tuple[str, int]:
    """Correct, waive or restore, as the button says."""
    _visible(charge_id, Permission.REVIEW_CHARGES)
    deed, reason, by = request.form.get("deed", ""), request.form.get("reason", ""), current_user.id
    try:
        if deed == "waive":
            in_transaction(lambda session: waive(session, charge_id, reason=reason, by=by, at=clock.now()).id)
            flash(gettext("已免除这笔费用。"))
        elif deed == "restore":
            in_transaction(lambda session: restore(session, charge_id, by=by, at=clock.now()).id)
            flash(gettext("已恢复，请重新审核。"))
        else:
            gross = money_in("gross")
            in_transaction(
                lambda session: correct(session, charge_id, gross=gross, reason=reason, by=by, at=clock.now()).id
            )
            flash(gettext("已更正为 %(amount)s，请重新审核。", amount=money(gross)))
    except Refusal as refusal:
        return _page(_visible(charge_id, Permission.SEE_CHARGES), refusal=refusal), status_of(refusal)
    return redirect(url_for(".charge", charge_id=charge_id))


@pages.post("/charges/<int:charge_id>/answer")
@requires(Permission.REVIEW_CHARGES)
def reply(charge_id: int) -> Response | tuple[str, int]:
    _visible(charge_id, Permission.REVIEW_CHARGES)
    upheld, words, by = request.form.get("upheld") == "1", request.form.get("answer", ""), current_user.id
    try:
        dispute_id = _open_dispute(charge_id).id
        in_transaction(
            lambda session: answer(session, dispute_id, upheld=upheld, words=words, by=by, at=clock.now()).id
        )
    except Refusal as refusal:
        return _page(_visible(charge_id, Permission.SEE_CHARGES), refusal=refusal), status_of(refusal)
    flash(gettext("已答复。") if upheld else gettext("已答复，费用保持不变。"))
    return redirect(url_for(".charge", charge_id=charge_id))


def _firms() -> Collection[int]:
    """The firms whose charges the reader may agree to."""
    return (
        bounds(Permission.OBJECT_TO_CHARGES).organization_ids if current_user.may(Permission.OBJECT_TO_CHARGES) else ()
    )


def _open_dispute(charge_id: int) -> Dispute:
    found = db.session.scalar(select(Dispute).where(Dispute.charge_id == charge_id, Dispute.answered_at.is_(None)))
    if found is None:
        raise Conflict("没有待答复的异议。")
    return found


def _within(*, month_of: Any) -> Select[Charge]:
    limits, span = bounds(Permission.SEE_CHARGES), local_month(month_of.year, month_of.month)
    return (
        select(Charge)
        .where(
            or_(
                false(),
                Charge.organization_id.in_(limits.organization_ids),
                Charge.platform_id.in_(limits.platform_ids),
            ),
            Charge.served_at >= span.start,
            Charge.served_at < span.end,
        )
        .options(joinedload(Charge.equipment), joinedload(Charge.platform), joinedload(Charge.organization))
        .order_by(Charge.served_at, Charge.id)
    )


def _visible(charge_id: int, permission: Permission) -> Charge:
    one = db.session.get(Charge, charge_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(organization_id=one.organization_id, platform_id=one.platform_id)
    return one


def _page(one: Charge, *, refusal: Refusal | None = None) -> str:
    session = db.session()
    disputes = disputes_of(session, [one.id]).get(one.id, [])
    reviews = bounds(Permission.REVIEW_CHARGES).allows(platform_id=one.platform_id)
    objects = bounds(Permission.OBJECT_TO_CHARGES).allows(organization_id=one.organization_id)
    waiting = next((each for each in disputes if each.answered_at is None), None)
    line = session.scalar(select(InvoiceLine).where(InvoiceLine.charge_id == one.id))
    return render_template(
        "charge.html",
        charge=one,
        month=f"{clock.local_date(one.served_at):%Y-%m}",
        line=line,
        line_at=line and river.on_its_invoice(line),
        used=sessions_of_charge(session, one) if one.use_settlement_id is not None else [],
        disputes=disputes,
        waiting=waiting,
        may_review=reviews and one.state is not ChargeState.INVOICED,
        may_answer=reviews and waiting is not None,
        may_object=objects and waiting is None and one.state is not ChargeState.WAIVED,
        waived=one.state is ChargeState.WAIVED,
        until=may_object_until(session, one),
        river=river.evidence_path(session, "charge", charge=one),
        refused=sentence(refusal) if refusal is not None else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )
