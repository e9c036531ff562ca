"""What people do to a claim: file, return, lock, ask, deduct, approve, pay out, adjust."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import total
from app.web.access import requires
from app.web.errors import status_of
from app.web.formats import money
from app.web.forms import day_in, money_in
from app.web.own_platforms import chosen_platform
from app.web.pages.claims import claim_page, claims_page, new_page, visible
from billing.answering import POLICY
from billing.claims.adjusting import accept_proposal, adjust
from billing.claims.asking import answer, ask
from billing.claims.budgeting import set_budget, share_shortfall
from billing.claims.deciding import approve_claim, deduct, withdraw_deduction
from billing.claims.filing import file_claim, return_claim, withdraw_claim
from billing.claims.locking import lock_claim
from billing.claims.settling import pay_out
from billing.claims.statements import claims_of
from billing.models import ClaimDeduction, ClaimItem, ClaimQuestion

pages = Blueprint("claim_deeds", __name__)

Row = TypeVar("Row")
Page = Response | tuple[str, int]
Work = Callable[[Session, int], str]


@pages.post("/claims")
@requires(Permission.FILE_CLAIMS)
def file() -> Page:
    platform_id, by = chosen_platform(Permission.FILE_CLAIMS).id, current_user.id
    year = request.form.get("year", clock.local_date(clock.now()).year - 1, type=int)
    asked = request.form.get("requested_m2", type=int)

    def work(session: Session) -> int:
        return file_claim(session, platform_id, year, by=by, at=clock.now(), requested_m2=asked).id

    try:
        claim_id = in_transaction(work)
    except Refusal as refusal:
        shown = max(year, POLICY.in_force_from.year)
        return new_page(db.session.get_one(Platform, platform_id), shown, refusal), status_of(refusal)
    flash(gettext("已提交 %(year)s 年的补助申报。", year=year))
    return redirect(url_for("claims.claim", claim_id=claim_id))


@pages.post("/claims/<int:claim_id>/withdraw")
@requires(Permission.FILE_CLAIMS)
def withdraw(claim_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        withdraw_claim(session, claim_id, reason=_text("reason"), by=by, at=clock.now())
        return gettext("已撤回申报，更正后可以重新提交。")

    return _done(claim_id, Permission.FILE_CLAIMS, work)


@pages.post("/claims/<int:claim_id>/return")
@requires(Permission.DECIDE_CLAIMS)
def send_back(claim_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        return_claim(session, claim_id, reason=_text("reason"), by=by, at=clock.now())
        return gettext("已退回平台，并告知原因。")

    return _done(claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/<int:claim_id>/lock")
@requires(Permission.DECIDE_CLAIMS)
def lock(claim_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        lock_claim(session, claim_id, by=by, at=clock.now())
        return gettext("已锁定。此后发生的事情不再改变这份申报的依据。")

    return _done(claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/<int:claim_id>/questions")
@requires(Permission.DECIDE_CLAIMS)
def question(claim_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        ask(session, claim_id, _text("question"), by=by, at=clock.now())
        return gettext("问题已发给平台。")

    return _done(claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/questions/<int:question_id>/answer")
@requires(Permission.FILE_CLAIMS)
def reply(question_id: int) -> Page:
    asked = db.session.get(ClaimQuestion, question_id)

    def work(session: Session, by: int) -> str:
        answer(session, question_id, _text("answer"), by=by, at=clock.now())
        return gettext("已答复。")

    return _done(_known(asked).claim_id, Permission.FILE_CLAIMS, work)


@pages.post("/claims/items/<int:item_id>/deduct")
@requires(Permission.DECIDE_CLAIMS)
def take_off(item_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        made = deduct(session, item_id, money_in("amount"), reason=_text("reason"), by=by, at=clock.now())
        return gettext("已核减 %(amount)s。", amount=money(made.amount_fen))

    return _done(_known(db.session.get(ClaimItem, item_id)).claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/deductions/<int:deduction_id>/withdraw")
@requires(Permission.DECIDE_CLAIMS)
def put_back(deduction_id: int) -> Page:
    made = db.session.get(ClaimDeduction, deduction_id)

    def work(session: Session, by: int) -> str:
        withdraw_deduction(session, deduction_id, by=by, at=clock.now())
        return gettext("已撤销这笔核减。")

    return _done(_known(made).item.claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/<int:claim_id>/approve")
@requires(Permission.DECIDE_CLAIMS)
def approve(claim_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        claim = approve_claim(session, claim_id, document=_text("document"), by=by, at=clock.now())
        amount = total([one.approved_fen for one in claim.items if one.approved_fen is not None])
        return gettext("已核定 %(amount)s。", amount=money(amount))

    return _done(claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/<int:claim_id>/payments")
@requires(Permission.DECIDE_CLAIMS)
def pay(claim_id: int) -> Page:
    def work(session: Session, by: int) -> str:
        at = clock.now()
        made = pay_out(
            session, claim_id, _text("bearer"), money_in("amount"), paid_on=day_in("paid_on", clock.local_date(at)),
            document=_text("document"), by=by, at=at,
        )  # fmt: skip
        return gettext("已登记拨付 %(amount)s。", amount=money(made.amount_fen))

    return _done(claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/items/<int:item_id>/adjust")
@requires(Permission.DECIDE_CLAIMS)
def change(item_id: int) -> Page:
    """By hand, or, with ``accept``, as proposed."""

    def work(session: Session, by: int) -> str:
        amount, told = money_in("amount"), {"reason": _text("reason"), "document": _text("document")}
        by_proposal = "accept" in request.form
        act = accept_proposal if by_proposal else adjust
        made = act(session, item_id, amount, **told, by=by, at=clock.now())
        return gettext("已登记调整 %(amount)s。", amount=money(made.amount_fen))

    return _done(_known(db.session.get(ClaimItem, item_id)).claim_id, Permission.DECIDE_CLAIMS, work)


@pages.post("/claims/budget")
@requires(Permission.DECIDE_CLAIMS)
def budget() -> Page:
    def work(session: Session, by: int) -> str:
        made = set_budget(session, _year(), money_in("amount"), document=_text("document"), by=by, at=clock.now())
        return gettext("%(year)s 年预算登记为 %(amount)s。", year=made.year, amount=money(made.amount_fen))

    return _done_to_year(work)


@pages.post("/claims/shortfall")
@requires(Permission.DECIDE_CLAIMS)
def shortfall() -> Page:
    def work(session: Session, by: int) -> str:
        made = share_shortfall(session, _year(), by=by, at=clock.now())
        return gettext(
            "已按比例核减 %(count)s 项，合计 %(amount)s。",
            count=len(made), amount=money(total([one.amount_fen for one in made])),
        )  # fmt: skip

    return _done_to_year(work)


def _done(claim_id: int, permission: Permission, work: Work) -> Page:
    """Do it and say so on the claim, or say there why not."""
    visible(claim_id, permission)
    by = current_user.id
    try:
        said = in_transaction(lambda session: work(session, by))
    except Refusal as refusal:
        return claim_page(visible(claim_id, permission), refusal), status_of(refusal)
    flash(said)
    return redirect(url_for("claims.claim", claim_id=claim_id))


def _done_to_year(work: Work) -> Page:
    by = current_user.id
    try:
        said = in_transaction(lambda session: work(session, by))
    except Refusal as refusal:
        year = request.form.get("year", type=int)
        return claims_page(year, claims_of(db.session(), year=year), refusal), status_of(refusal)
    flash(said)
    return redirect(url_for("claims.list_claims", year=_year()))


def _year() -> int:
    year = request.form.get("year", type=int)
    if year is None:
        raise InvalidInput("请填写年度。", field="year")
    return year


def _text(field: str) -> str:
    return request.form.get(field, "")


def _known(row: Row | None) -> Row:
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return row
