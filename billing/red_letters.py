"""The way back from an issued tax invoice: request, confirmation within 72 hours, red number, credit note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import Money
from billing.correcting import credit, creditable, wanted_amounts
from billing.models import Invoice, RedLetter, RedRequest, RedRequestLine, TaxInvoice
from billing.rules.red_letter import CONFIRM_WITHIN, OPEN, RedReason, RedState
from billing.rules.tax_invoice import e_invoice_number
from billing.tax_invoices import live_tax_invoices, number_is_known

REASON_WORDS = {
    RedReason.ISSUED_WRONGLY: "开票有误",
    RedReason.GOODS_RETURNED: "销货退回",
    RedReason.SERVICE_STOPPED: "服务中止",
    RedReason.ALLOWANCE: "销售折让",
}
"""As the tax bureau names them: what the credit note gives as its reason."""


def request_red(
    session: Session,
    invoice_id: int,
    *,
    amounts: Mapping[int, Money],
    reason: RedReason,
    explanation: str,
    by: int,
    at: datetime,
    bill_again: bool = False,
) -> RedRequest:
    """Ask to take back ``amounts`` (tax included) of these lines; they are held until the request is closed.

    With ``bill_again`` the credit note that it comes to charges the same anew.

    Errors: ``Conflict`` where no tax invoice is recorded or one is being replaced; ``InvalidInput`` for nothing or
    more than is free.
    """
    invoice = creditable(session, invoice_id)
    if session.scalar(_open_requests(invoice_id).where(RedRequest.tax_invoice_id.is_not(None))):
        raise Conflict("有数电票正在红冲重开，请先完成或结束那份申请。")
    if not live_tax_invoices(session, invoice_id):
        raise Conflict("这张结算单还没有登记数电票，可以直接开具红字通知单。")
    wanted = wanted_amounts(session, invoice, amounts)
    request = RedRequest(
        invoice_id=invoice_id,
        reason=reason,
        explanation=explanation.strip()[:300],
        bill_again=bill_again,
        state=RedState.REQUESTED,
        asked_by=by,
        asked_at=at,
        confirm_by=at + CONFIRM_WITHIN,
        lines=[RedRequestLine(invoice_line_id=line_id, gross_fen=gross) for line_id, gross in sorted(wanted.items())],
    )
    session.add(request)
    session.flush()
    _told(session, request, "red_requested", by=by, at=at, reason=reason.value)
    return request


def request_reissue(session: Session, tax_invoice_id: int, *, explanation: str, by: int, at: datetime) -> RedRequest:
    """Ask to take back a whole tax invoice that was made out wrongly (01), to issue it anew. The invoice stays.

    Errors: ``Conflict`` where it does not stand, or another request is open.
    """
    row = session.get(TaxInvoice, tax_invoice_id)
    if row is None:
        raise NotFound("没有这张数电票。")
    creditable(session, row.invoice_id)
    if row.id not in {one.id for one in live_tax_invoices(session, row.invoice_id)}:
        raise Conflict("这张数电票已经撤销或被替换，请刷新页面。")
    if session.scalar(_open_requests(row.invoice_id)):
        raise Conflict("这张结算单还有进行中的红字申请，请先完成或结束它。")
    request = RedRequest(
        invoice_id=row.invoice_id,
        tax_invoice_id=row.id,
        reason=RedReason.ISSUED_WRONGLY,
        explanation=explanation.strip()[:300],
        state=RedState.REQUESTED,
        asked_by=by,
        asked_at=at,
        confirm_by=at + CONFIRM_WITHIN,
    )
    session.add(request)
    session.flush()
    _told(session, request, "red_requested", by=by, at=at, reason=request.reason.value, reissue=row.number)
    return request


def confirm_red(session: Session, request_id: int, *, by: int, at: datetime) -> RedRequest:
    """Note that the tax bureau's form was confirmed. Errors: ``Conflict`` after 72 hours or if it is closed."""
    request = _locked(session, request_id)
    _insist(request, RedState.CONFIRMED)
    if at >= request.confirm_by:
        raise Conflict("已超过 72 小时，确认单在税务系统中已作废，请重新申请。")
    request.state, request.confirmed_at = RedState.CONFIRMED, at
    session.flush()
    _told(session, request, "red_confirmed", by=by, at=at)
    return request


def close_red(
    session: Session, request_id: int, *, to: RedState, because: str, by: int | None, at: datetime
) -> RedRequest:
    """End a request without a red letter: refused by the buyer or withdrawn. What it held is free again.

    Errors: ``InvalidInput`` without a reason; ``Conflict`` if it is closed or has a red letter.
    """
    if to not in (RedState.REFUSED, RedState.WITHDRAWN):
        raise ValueError(f"a red request is not closed as {to}")
    request = _locked(session, request_id)
    _insist(request, to)
    if request.letters:
        raise Conflict("已登记红字发票号码，不能撤回；请登记其余号码，完成冲减。")
    if not because.strip():
        raise InvalidInput("请填写原因。", field="because")
    _close(request, to, because.strip()[:300], at=at)
    session.flush()
    _told(session, request, f"red_{to.value}", by=by, at=at)
    return request


def record_red_number(
    session: Session,
    request_id: int,
    *,
    tax_invoice_id: int,
    number: str,
    issued_on: date,
    by: int,
    at: datetime,
) -> Invoice | None:
    """Record the red e-invoice against one tax invoice. With the last of them the credit note is issued and returned.

    Where the tax invoice is to be issued anew there is no note: it no longer stands, and a new one can be recorded.

    Errors: ``Conflict`` unless the request is confirmed; ``InvalidInput`` for a number that is none or is known.
    """
    request = _locked(session, request_id)
    if request.state is not RedState.CONFIRMED:
        raise Conflict("申请确认之后才能登记红字发票号码。")
    wanted = {one.id: one for one in letters_wanted(session, request)}
    if tax_invoice_id not in wanted:
        raise Conflict("这张数电票不需要登记红字发票号码。")
    digits = e_invoice_number(number)
    if number_is_known(session, digits):
        raise InvalidInput("这个号码已经登记过，请核对。", field="number")
    if not wanted[tax_invoice_id].issued_on <= issued_on <= clock.local_date(at):
        raise InvalidInput("红字发票的开具日期应在原票之后、今天之前。", field="issued_on")
    request.letters.append(
        RedLetter(tax_invoice_id=tax_invoice_id, number=digits, issued_on=issued_on, recorded_by=by, recorded_at=at)
    )
    session.flush()
    _told(session, request, "red_number_recorded", by=by, at=at, number=digits)
    if wanted.keys() != {tax_invoice_id}:
        return None
    if request.tax_invoice is not None:
        request.tax_invoice.replaced_at = at
        request.state, request.closed_at = RedState.ISSUED, at
        session.flush()
        return None
    return _issue(session, request, by=by, at=at)


def expire_red_requests(session: Session, at: datetime, *, limit: int = 200) -> int:
    """Close what was not confirmed within 72 hours; what it held is free again. Running it again closes nothing."""
    found = session.scalars(
        select(RedRequest)
        .where(RedRequest.state == RedState.REQUESTED, RedRequest.confirm_by <= at)
        .order_by(RedRequest.id)
        .limit(limit)
        .with_for_update(of=RedRequest, skip_locked=True)
    ).all()
    for request in found:
        _close(request, RedState.EXPIRED, "", at=at)
        _told(session, request, "red_expired", by=None, at=at)
    session.flush()
    return len(found)


def red_requests_of(session: Session, invoice_id: int) -> Sequence[RedRequest]:
    """All requests against an invoice, latest first, with their lines and letters."""
    return session.scalars(
        select(RedRequest)
        .where(RedRequest.invoice_id == invoice_id)
        .options(
            selectinload(RedRequest.lines).joinedload(RedRequestLine.invoice_line),
            selectinload(RedRequest.letters).joinedload(RedLetter.tax_invoice),
            selectinload(RedRequest.letters).selectinload(RedLetter.corrections),
        )
        .order_by(RedRequest.id.desc())
    ).all()


def letters_wanted(session: Session, request: RedRequest) -> list[TaxInvoice]:
    """The tax invoices of a confirmed request that have no red number yet."""
    have = {letter.tax_invoice_id for letter in request.letters}
    live = live_tax_invoices(session, request.invoice_id)
    return [one for one in live if one.id not in have and request.tax_invoice_id in (None, one.id)]


def _issue(session: Session, request: RedRequest, *, by: int, at: datetime) -> Invoice:
    reason = f"{request.reason.value} {REASON_WORDS[request.reason]}"
    note = credit(
        session,
        request.invoice_id,
        amounts={line.invoice_line_id: line.gross_fen for line in request.lines},
        reason=f"{reason}：{request.explanation}"[:300] if request.explanation else reason,
        by=by,
        at=at,
        red_request_id=request.id,
        bill_again=request.bill_again,
    )
    request.note_id = note.id
    request.state, request.closed_at = RedState.ISSUED, at
    session.flush()
    return note


def _open_requests(invoice_id: int) -> Select[int]:
    return select(RedRequest.id).where(RedRequest.invoice_id == invoice_id, RedRequest.state.in_(OPEN)).limit(1)


def _locked(session: Session, request_id: int) -> RedRequest:
    """The request, with its invoice's row locked first as everywhere."""
    invoice_id = session.scalar(select(RedRequest.invoice_id).where(RedRequest.id == request_id))
    if invoice_id is None:
        raise NotFound("没有这份红字申请。")
    creditable(session, invoice_id)
    return session.scalars(
        select(RedRequest)
        .where(RedRequest.id == request_id)
        .with_for_update(of=RedRequest)
        .execution_options(populate_existing=True)
    ).one()


def _insist(request: RedRequest, to: RedState) -> None:
    if to not in request.state.next:
        raise Conflict("这份红字申请的状态已经变化，请刷新页面查看。")


def _close(request: RedRequest, to: RedState, because: str, *, at: datetime) -> None:
    request.state, request.closed_at, request.closed_because = to, at, because


def _told(session: Session, request: RedRequest, deed: str, *, by: int | None, at: datetime, **detail: str) -> None:
    audit.record(
        session, at=at, by=by, deed=deed, subject="invoice", subject_id=request.invoice_id, request=request.id, **detail
    )
