"""Bank statements: upload, look, import; then use each line for what it was paid for."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import ZERO
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import money
from app.web.forms import money_in, number_in
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import page_of, wanted_file
from app.web.words import state_of
from billing.bank_import import (
    all_certain,
    confirm,
    confirm_all,
    ignore,
    import_statement,
    matcher_of,
    preview,
    reopen,
    suggested,
    upload,
    worth,
)
from billing.models import BankLine, BankStatement, DepositAccount
from billing.rules.money_words import BankLineState

pages = Blueprint("bank", __name__)


@pages.get("/bank")
@requires(Permission.RECORD_PAYMENTS)
def list_lines() -> Response | str:
    return _page(chosen_platform(Permission.RECORD_PAYMENTS))


@pages.post("/bank/upload")
@requires(Permission.RECORD_PAYMENTS)
def send() -> Response | tuple[Response | str, int]:
    """Keep the file to look at. Nothing is imported yet."""
    platform, by = chosen_platform(Permission.RECORD_PAYMENTS), current_user.id
    platform_id = platform.id
    given = request.files.get("file")
    name, content = (given.filename or "", given.read()) if given is not None else ("", b"")
    try:
        statement_id = in_transaction(
            lambda session: (
                upload(session, platform_id=platform_id, file_name=name, content=content, by=by, at=clock.now()).id
            )
        )
    except Refusal as refusal:
        return _page(db.session.get_one(Platform, platform_id), refusal=refusal), status_of(refusal)
    return redirect(url_for(".statement", statement_id=statement_id))


@pages.get("/bank/statements/<int:statement_id>")
@requires(Permission.RECORD_PAYMENTS)
def statement(statement_id: int) -> str:
    """What an import would do."""
    _visible_statement(statement_id)
    return render_template("bank_preview.html", told=preview(db.session(), statement_id), shown=50)


@pages.post("/bank/statements/<int:statement_id>/import")
@requires(Permission.RECORD_PAYMENTS)
def take_in(statement_id: int) -> Response:
    row, by = _visible_statement(statement_id), current_user.id
    platform_id = row.platform_id
    added = in_transaction(lambda session: import_statement(session, statement_id, by=by, at=clock.now()))
    flash(gettext("已导入 %(count)s 笔流水。", count=added))
    return redirect(url_for(".list_lines", platform_id=platform_id))


@pages.post("/bank/lines/<int:bank_line_id>/confirm")
@requires(Permission.RECORD_PAYMENTS)
def use(bank_line_id: int) -> Response | tuple[Response | str, int]:
    invoices = [int(text) for text in request.form.getlist("invoice_id") if text.isdecimal()]
    named = request.form.get("firm", "").strip()

    def deed(session: Session, by: int) -> str:
        firm = request.form.get("deposit_of", type=int)
        if firm is None and not invoices and named:
            firm = session.scalar(select(Organization.id).where(Organization.name == named))
            if firm is None:
                raise InvalidInput("没有叫这个名字的企业，请填写其登记的全称。", field="firm")
        confirm(session, bank_line_id, invoice_ids=invoices, deposit_of=firm, by=by, at=clock.now())
        return gettext("已认领这笔流水。")

    return _do(bank_line_id, deed)


@pages.post("/bank/lines/<int:bank_line_id>/ignore")
@requires(Permission.RECORD_PAYMENTS)
def leave(bank_line_id: int) -> Response | tuple[Response | str, int]:
    def deed(session: Session, by: int) -> str:
        ignore(session, bank_line_id, reason=request.form.get("reason", ""), by=by, at=clock.now())
        return gettext("已忽略这笔流水，可在“已忽略”里恢复。")

    return _do(bank_line_id, deed)


@pages.post("/bank/lines/<int:bank_line_id>/reopen")
@requires(Permission.RECORD_PAYMENTS)
def bring_back(bank_line_id: int) -> Response | tuple[Response | str, int]:
    def deed(session: Session, by: int) -> str:
        reopen(session, bank_line_id, by=by, at=clock.now())
        return gettext("已恢复为待处理。")

    return _do(bank_line_id, deed)


@pages.post("/bank/confirm-all")
@requires(Permission.RECORD_PAYMENTS)
def use_all() -> Response | tuple[Response | str, int]:
    """Confirm the certain ones, if they are still as many and as much as the button said."""
    platform, by = chosen_platform(Permission.RECORD_PAYMENTS), current_user.id
    platform_id = platform.id
    try:
        count, amount = number_in("count", 0), money_in("amount")
        done = in_transaction(
            lambda session: confirm_all(session, platform_id, count=count, amount=amount, by=by, at=clock.now())
        )
    except Refusal as refusal:
        return _page(db.session.get_one(Platform, platform_id), refusal=refusal), status_of(refusal)
    flash(gettext("已确认 %(count)s 笔，合计 %(amount)s。", count=done, amount=money(amount)))
    return redirect(url_for(".list_lines", platform_id=platform_id))


def _do(bank_line_id: int, deed: Callable[[Session, int], str]) -> Response | tuple[Response | str, int]:
    row, by = _visible_line(bank_line_id), current_user.id
    platform_id = row.platform_id
    try:
        said = in_transaction(lambda session: deed(session, by))
    except Refusal as refusal:
        return _page(db.session.get_one(Platform, platform_id), refusal=refusal), status_of(refusal)
    flash(said)
    return redirect(url_for(".list_lines", platform_id=platform_id))


def _visible_line(bank_line_id: int) -> BankLine:
    row = db.session.get(BankLine, bank_line_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.RECORD_PAYMENTS).insist(platform_id=row.platform_id)
    return row


def _visible_statement(statement_id: int) -> BankStatement:
    row = db.session.get(BankStatement, statement_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.RECORD_PAYMENTS).insist(platform_id=row.platform_id)
    return row


def _page(platform: Platform, *, refusal: Refusal | None = None) -> Response | str:
    session, shown = db.session(), request.args.get("state", BankLineState.OPEN.value)
    wanted = request.args.get("q", "").strip()
    if shown not in set(BankLineState):
        shown = BankLineState.OPEN.value
    query = (
        select(BankLine)
        .where(BankLine.platform_id == platform.id, BankLine.state == BankLineState(shown))
        .order_by(BankLine.booked_on.desc(), BankLine.id.desc())
    )
    if wanted:
        like = f"%{wanted}%"
        query = query.where(
            or_(BankLine.payer_name.ilike(like), BankLine.remark.ilike(like), BankLine.reference.ilike(like))
        )
    if request.method == "GET" and (form := wanted_file()):
        columns: list[Column[BankLine]] = [
            Column(gettext("日期"), lambda one: one.booked_on, "day"),
            Column(gettext("金额"), lambda one: one.amount_fen, "money"),
            Column(gettext("对方户名"), lambda one: one.payer_name),
            Column(gettext("对方账号"), lambda one: one.payer_account),
            Column(gettext("附言"), lambda one: one.remark),
            Column(gettext("银行流水号"), lambda one: one.reference),
            Column(gettext("状态"), lambda one: state_of(one.state).word),
            Column(gettext("原因"), lambda one: one.reason),
        ]
        return download(
            "bank-lines", columns, session.scalars(query), form=form, is_sample=lambda _: platform.illustrative
        )
    page = page_of(session, query)
    found = query.with_only_columns(BankLine.amount_fen).order_by(None).subquery()
    is_open = shown == BankLineState.OPEN
    matcher = matcher_of(session, platform.id) if is_open else None
    certain = all_certain(session, platform.id, matcher) if matcher is not None else {}
    return render_template(
        "bank.html",
        platform=platform,
        platforms=own_platforms(Permission.RECORD_PAYMENTS),
        page=page,
        total=session.scalar(select(func.sum(found.c.amount_fen))) or ZERO,
        suggested=suggested(matcher, page.rows) if matcher is not None else {},
        certain=certain,
        certain_worth=worth(certain),
        firms=_firms(session, platform.id) if is_open else [],
        states=BankLineState,
        shown=shown,
        q=wanted,
        refused=sentence(refusal) if refusal is not None else "",
    )


def _firms(session: Session, platform_id: int) -> list[str]:
    """Names of firms with a deposit, for a line that is a top-up."""
    return list(
        session.scalars(
            select(Organization.name)
            .join(DepositAccount, DepositAccount.organization_id == Organization.id)
            .where(DepositAccount.platform_id == platform_id)
            .order_by(Organization.name)
            .limit(500)
        )
    )
