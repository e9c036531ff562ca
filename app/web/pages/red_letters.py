"""Red letters on the statement: asked for, confirmed, their numbers recorded, or ended without."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import Money
from app.web.access import requires
from app.web.errors import status_of
from app.web.formats import moment, money
from app.web.forms import day_in, money_in, number_in
from app.web.pages.invoices import page, visible
from billing.models import Invoice, RedLetter, RedRequest
from billing.red_letters import close_red, confirm_red, record_red_number, request_red
from billing.rules.red_letter import RedReason, RedState
from billing.tax_invoices import correct_number

pages = Blueprint("red_letters", __name__)


@pages.post("/invoices/<int:invoice_id>/red-requests")
@requires(Permission.ISSUE_INVOICES)
def ask(invoice_id: int) -> Response | tuple[str, int]:
    one = visible(invoice_id, Permission.ISSUE_INVOICES)
    person_id, explanation = current_user.id, request.form.get("explanation", "")
    line_ids = [line.id for line in one.lines]

    def work(session: Session) -> str:
        amounts: dict[int, Money] = {line_id: money_in(f"line_{line_id}") for line_id in line_ids}
        made = request_red(
            session,
            invoice_id,
            amounts=amounts,
            reason=_reason(),
            explanation=explanation,
            by=person_id,
            at=clock.now(),
            bill_again="bill_again" in request.form,
        )
        return gettext("已申请红字发票，请在 %(until)s 前完成确认。", until=moment(made.confirm_by))

    return done(invoice_id, work)


@pages.post("/red-requests/<int:red_id>/confirm")
@requires(Permission.ISSUE_INVOICES)
def confirm(red_id: int) -> Response | tuple[str, int]:
    invoice_id, person_id = _invoice_of(red_id), current_user.id

    def work(session: Session) -> str:
        confirm_red(session, red_id, by=person_id, at=clock.now())
        return gettext("已记为确认，请登记红字发票号码。")

    return done(invoice_id, work)


@pages.post("/red-requests/<int:red_id>/close")
@requires(Permission.ISSUE_INVOICES)
def close(red_id: int) -> Response | tuple[str, int]:
    invoice_id, person_id = _invoice_of(red_id), current_user.id
    to = RedState.REFUSED if request.form.get("to") == RedState.REFUSED.value else RedState.WITHDRAWN
    because = request.form.get("because", "")

    def work(session: Session) -> str:
        close_red(session, red_id, to=to, because=because, by=person_id, at=clock.now())
        return gettext("红字申请已结束，占用的金额已释放。")

    return done(invoice_id, work)


@pages.post("/red-requests/<int:red_id>/number")
@requires(Permission.ISSUE_INVOICES)
def number(red_id: int) -> Response | tuple[str, int]:
    invoice_id, person_id, tax_invoice_id = _invoice_of(red_id), current_user.id, number_in("tax_invoice_id", 0)

    def work(session: Session) -> str:
        note = record_red_number(
            session,
            red_id,
            tax_invoice_id=tax_invoice_id,
            number=request.form.get("number", ""),
            issued_on=day_in("issued_on", clock.local_date(clock.now())),
            by=person_id,
            at=clock.now(),
        )
        if note is None and session.get_one(RedRequest, red_id).state is RedState.ISSUED:
            return gettext("原数电票已红冲，请登记重新开具的数电票号码。")
        if note is None:
            return gettext("已登记，请继续登记其余红字发票号码。")
        return gettext("已开具红字通知单 %(label)s，%(amount)s。", label=note.label, amount=money(note.gross_fen))

    return done(invoice_id, work)


@pages.post("/red-letters/<int:red_letter_id>/number")
@requires(Permission.ISSUE_INVOICES)
def correct(red_letter_id: int) -> Response | tuple[str, int]:
    """Correct a mistyped number; the old one stays with the reason."""
    row = db.session.get(RedLetter, red_letter_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    invoice_id, person_id = _invoice_of(row.red_request_id), current_user.id

    def work(session: Session) -> str:
        letter = session.get_one(RedLetter, red_letter_id)
        correct_number(session, letter, **corrected(), by=person_id, at=clock.now())
        return gettext("已更正号码为 %(number)s，原号码已留存。", number=letter.number)

    return done(invoice_id, work)


def corrected() -> dict[str, str]:
    """The right number and why, as they were typed."""
    return {
        "number": request.form.get("corrected_number", ""),
        "reason": request.form.get("correction_reason", ""),
    }


def done(invoice_id: int, work: Callable[[Session], str]) -> Response | tuple[str, int]:
    """Do it and say so on the invoice, or say there why not."""
    try:
        said = in_transaction(work)
    except Refusal as refusal:
        return page(visible(invoice_id, Permission.ISSUE_INVOICES), refusal=refusal), status_of(refusal)
    flash(said)
    return redirect(url_for("invoices.invoice", invoice_id=invoice_id))


def _invoice_of(red_id: int) -> int:
    """The invoice of a request that the actor may handle. Errors: ``NotFound``."""
    row = db.session.get(RedRequest, red_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    one: Invoice = visible(row.invoice_id, Permission.ISSUE_INVOICES)
    return one.id


def _reason() -> RedReason:
    try:
        return RedReason(request.form.get("reason", ""))
    except ValueError:
        raise InvalidInput("请选择红字原因。", field="reason") from None
