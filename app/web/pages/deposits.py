"""Prepaid deposits: every account, its movements and what is held; a firm sees its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import Money
from app.web.access import bounds, requires
from app.web.booked import with_booked_on
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import money, said
from app.web.forms import day_in, money_in
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import page_of, wanted_file
from app.web.words import word_of
from billing.deposits import REVERSIBLE, refund, reverse_movement, top_up
from billing.models import DepositAccount, DepositHold, DepositMovement
from billing.rules.money_words import MovementKind
from billing.rules.numerals import capital_numerals

pages = Blueprint("deposits", __name__)


@pages.get("/deposits")
@requires(Permission.SEE_DEPOSITS)
def list_accounts() -> Response | str:
    return _list()


@pages.get("/deposits/<int:account_id>")
@requires(Permission.SEE_DEPOSITS)
def account(account_id: int) -> Response | str:
    return _page(_visible(account_id, Permission.SEE_DEPOSITS))


@pages.post("/deposits/top-up")
@requires(Permission.RECORD_PAYMENTS)
def put_in() -> Response | tuple[Response | str, int]:
    """Record a top-up; a firm's first one opens its account."""
    platform_id, by = chosen_platform(Permission.RECORD_PAYMENTS).id, current_user.id
    try:
        named = request.form.get("firm", "").strip()
        firm_id = db.session.scalar(select(Organization.id).where(Organization.name == named))
        if firm_id is None:
            raise InvalidInput("没有叫这个名字的企业，请填写其登记的全称。", field="firm")
        amount, paid_on = money_in("amount"), day_in("paid_on", clock.local_date(clock.now()))
        account_id = in_transaction(
            lambda session: (
                top_up(
                    session,
                    platform_id=platform_id,
                    organization_id=firm_id,
                    amount=amount,
                    paid_on=paid_on,
                    reference=request.form.get("reference", "")[:300],
                    by=by,
                    at=clock.now(),
                ).account_id
            )
        )
    except Refusal as refusal:
        return _list(refusal=refusal), status_of(refusal)
    told = gettext("已登记充值 %(amount)s。", amount=money(amount))
    flash(with_booked_on(db.session(), told, platform_id=platform_id, on=paid_on))
    return redirect(url_for(".account", account_id=account_id))


@pages.post("/deposits/<int:account_id>/refund")
@requires(Permission.RECORD_PAYMENTS)
def pay_back(account_id: int) -> Response | tuple[Response | str, int]:
    def deed(session: Session, by: int) -> str:
        amount, paid_on = money_in("amount"), day_in("paid_on", clock.local_date(clock.now()))
        movement = refund(
            session, account_id, amount=amount, paid_on=paid_on, reference=request.form.get("reference", "")[:300],
            by=by, at=clock.now(),
        )  # fmt: skip
        told = gettext("已登记退款 %(amount)s。", amount=money(amount))
        return with_booked_on(session, told, platform_id=movement.account.platform_id, on=paid_on)

    return _do(_visible(account_id, Permission.RECORD_PAYMENTS), deed)


@pages.post("/deposits/movements/<int:movement_id>/reverse")
@requires(Permission.RECORD_PAYMENTS)
def reverse(movement_id: int) -> Response | tuple[Response | str, int]:
    movement = _movement(movement_id, Permission.RECORD_PAYMENTS)

    def deed(session: Session, by: int) -> str:
        mirror = reverse_movement(
            session, movement_id, reason=request.form.get("reason", "")[:300],
            on=clock.local_date(clock.now()), by=by, at=clock.now(),
        )  # fmt: skip
        return gettext("已冲销 %(amount)s。", amount=money(Money(abs(mirror.amount_fen.fen))))

    return _do(movement.account, deed)


@pages.get("/deposits/movements/<int:movement_id>")
@requires(Permission.SEE_DEPOSITS)
def receipt(movement_id: int) -> str:
    """A receipt for a top-up: no tax invoice, which follows the service."""
    movement = _movement(movement_id, Permission.SEE_DEPOSITS)
    if movement.kind is not MovementKind.TOP_UP:
        raise NotFound("没有找到这一项，或您无权查看。")
    return render_template(
        "receipt.html",
        movement=movement,
        capitals=capital_numerals(movement.amount_fen),
        void=db.session.scalar(_mirrored([movement.id])) is not None,
    )


def _do(one: DepositAccount, deed: Callable[[Session, int], str]) -> Response | tuple[Response | str, int]:
    account_id, by = one.id, current_user.id
    try:
        told = in_transaction(lambda session: deed(session, by))
    except Refusal as refusal:
        return _page(_visible(account_id, Permission.RECORD_PAYMENTS), refusal=refusal), status_of(refusal)
    flash(told)
    return redirect(url_for(".account", account_id=account_id))


def _within() -> ColumnElement[bool]:
    limits = bounds(Permission.SEE_DEPOSITS)
    return or_(
        false(),
        DepositAccount.organization_id.in_(limits.organization_ids),
        DepositAccount.platform_id.in_(limits.platform_ids),
    )


def _visible(account_id: int, permission: Permission) -> DepositAccount:
    one = db.session.get(DepositAccount, account_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(organization_id=one.organization_id, platform_id=one.platform_id)
    return one


def _movement(movement_id: int, permission: Permission) -> DepositMovement:
    movement = db.session.get(DepositMovement, movement_id)
    if movement is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    _visible(movement.account_id, permission)
    return movement


def _list(*, refusal: Refusal | None = None) -> Response | str:
    wanted = request.args.get("q", "").strip()
    query = (
        select(DepositAccount)
        .join(Organization, Organization.id == DepositAccount.organization_id)
        .join(Platform, Platform.id == DepositAccount.platform_id)
        .where(_within())
        .options(joinedload(DepositAccount.organization), joinedload(DepositAccount.platform))
        .order_by(Organization.name, DepositAccount.id)
    )
    if wanted:
        like = f"%{wanted}%"
        query = query.where(or_(Organization.name.ilike(like), Platform.name_zh.ilike(like)))
    if request.method == "GET" and (form := wanted_file()):
        columns: list[Column[DepositAccount]] = [
            Column(gettext("企业"), lambda one: one.organization.name),
            Column(gettext("平台"), lambda one: said(one.platform, "name")),
            Column(gettext("余额"), lambda one: one.balance_fen, "money"),
            Column(gettext("预约占用"), lambda one: one.held_fen, "money"),
            Column(gettext("可用"), lambda one: one.available, "money"),
        ]
        return download(
            "deposits", columns, db.session.scalars(query), form=form, is_sample=lambda one: one.platform.illustrative
        )
    found = (
        query.with_only_columns(DepositAccount.balance_fen, DepositAccount.held_fen, maintain_column_froms=True)
        .order_by(None)
        .subquery()
    )
    sums = db.session.execute(select(func.sum(found.c.balance_fen), func.sum(found.c.held_fen))).one()
    platforms = own_platforms(Permission.RECORD_PAYMENTS) if current_user.may(Permission.RECORD_PAYMENTS) else []
    return render_template(
        "deposits.html",
        page=page_of(db.session(), query),
        balance=sums[0],
        held=sums[1],
        platforms=platforms,
        today=clock.local_date(clock.now()),
        q=wanted,
        refused=sentence(refusal) if refusal is not None and not refusal.field else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )


def _page(one: DepositAccount, *, refusal: Refusal | None = None) -> Response | str:
    session = db.session()
    query = (
        select(DepositMovement)
        .where(DepositMovement.account_id == one.id)
        .options(joinedload(DepositMovement.payment))
        .order_by(DepositMovement.id.desc())
    )
    if request.method == "GET" and (form := wanted_file()):
        columns: list[Column[DepositMovement]] = [
            Column(gettext("日期"), lambda row: row.moved_on, "day"),
            Column(gettext("类别"), lambda row: word_of(row.kind)),
            Column(gettext("金额"), lambda row: row.amount_fen, "money"),
            Column(gettext("结算单"), lambda row: row.payment.invoice.label if row.payment else ""),
            Column(gettext("流水号或原因"), lambda row: row.reason or row.reference),
        ]
        return download(
            f"deposit-{one.id}", columns, session.scalars(query), form=form,
            is_sample=lambda _: one.platform.illustrative,
        )  # fmt: skip
    holds = session.scalars(
        select(DepositHold)
        .where(DepositHold.account_id == one.id, DepositHold.ended_at.is_(None))
        .order_by(DepositHold.reservation_id)
    ).all()
    page = page_of(session, query)
    return render_template(
        "deposit.html",
        account=one,
        page=page,
        reversed=set(session.scalars(_mirrored([row.id for row in page.rows]))),
        reversible=REVERSIBLE,
        holds=holds,
        may_manage=bounds(Permission.RECORD_PAYMENTS).allows(platform_id=one.platform_id)
        if current_user.may(Permission.RECORD_PAYMENTS)
        else False,
        today=clock.local_date(clock.now()),
        refused=sentence(refusal) if refusal is not None and not refusal.field else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
    )


def _mirrored(movement_ids: Sequence[int]) -> Select[int | None]:
    """Those of these movements that were taken back."""
    return select(DepositMovement.reverses_id).where(DepositMovement.reverses_id.in_(movement_ids))
