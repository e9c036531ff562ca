"""A firm looks at its charges: agrees, or objects; the operator answers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound
from billing.models import Charge, Dispute, Invoice, InvoiceLine
from billing.money_settings import settings_of
from billing.reviewing import locked_charge
from billing.rules.words import ChargeState

LONGEST = 2000


def confirm(session: Session, charge_ids: Collection[int], *, organization_id: int, by: int, at: datetime) -> int:
    """The firm agrees to its approved charges. Returns to how many it had not agreed before."""
    agreed = session.scalars(
        update(Charge)
        .where(
            Charge.id.in_(charge_ids),
            Charge.organization_id == organization_id,
            Charge.state == ChargeState.APPROVED,
            Charge.confirmed_at.is_(None),
        )
        .values(confirmed_at=at, confirmed_by=by)
        .returning(Charge.id)
    ).all()
    for charge_id in agreed:
        audit.record(session, at=at, by=by, deed="confirmed", subject="charge", subject_id=charge_id)
    return len(agreed)


def object_to(session: Session, charge_id: int, *, objection: str, by: int, at: datetime) -> Dispute:
    """Object to a charge. One that is not invoiced yet is held back until the operator has answered.

    Errors: ``InvalidInput`` for no words; ``Conflict`` where an objection is open, there is nothing to pay, or
    the time to object to what is invoiced is over.
    """
    charge, objection = locked_charge(session, charge_id), _given(objection, "objection")
    if charge.state is ChargeState.WAIVED:
        raise Conflict("这笔费用已免除，无需提出异议。")
    until = may_object_until(session, charge)
    if until is not None and until < local_date(at):
        raise Conflict("异议期已于 %(day)s 结束，请直接联系平台。", day=until.isoformat())
    if session.scalar(select(Dispute.id).where(Dispute.charge_id == charge_id, Dispute.answered_at.is_(None))):
        raise Conflict("这笔费用已有待答复的异议。")
    dispute = Dispute(charge_id=charge_id, raised_by=by, raised_at=at, objection=objection)
    session.add(dispute)
    if charge.state is not ChargeState.INVOICED:
        charge.state = ChargeState.DISPUTED
    session.flush()
    audit.record(session, at=at, by=by, deed="objected", subject="charge", subject_id=charge_id, objection=objection)
    return dispute


def answer(session: Session, dispute_id: int, *, upheld: bool, words: str, by: int, at: datetime) -> Dispute:
    """Answer an objection. Upheld, the charge is to be corrected or waived, or credited if it is invoiced.

    Errors: ``InvalidInput`` for no words; ``Conflict`` where it was answered.
    """
    dispute = session.get(Dispute, dispute_id, with_for_update=True, populate_existing=True)
    if dispute is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    if dispute.answered_at is not None:
        raise Conflict("这项异议已经答复。")
    words = _given(words, "answer")
    charge = locked_charge(session, dispute.charge_id)
    dispute.upheld, dispute.answer, dispute.answered_by, dispute.answered_at = upheld, words, by, at
    if charge.state is ChargeState.DISPUTED:
        keeps = charge.approved_at is not None and not upheld
        charge.state = ChargeState.APPROVED if keeps else ChargeState.PROPOSED
    session.flush()
    audit.record(
        session, at=at, by=by, deed="objection upheld" if upheld else "objection refused", subject="charge",
        subject_id=charge.id, answer=words,
    )  # fmt: skip
    return dispute


def may_object_until(session: Session, charge: Charge) -> date | None:
    """The last day on which an invoiced charge is open to objection, as its statement says."""
    issued_on = session.scalar(
        select(Invoice.issued_on)
        .join(InvoiceLine, InvoiceLine.invoice_id == Invoice.id)
        .where(InvoiceLine.charge_id == charge.id)
    )
    if issued_on is None:
        return None
    return issued_on + timedelta(days=settings_of(session, charge.platform_id).dispute_days)


def disputes_of(session: Session, charge_ids: Collection[int]) -> dict[int, list[Dispute]]:
    """The objections to each of these charges, by time. One query."""
    found: dict[int, list[Dispute]] = {}
    for one in session.scalars(select(Dispute).where(Dispute.charge_id.in_(charge_ids)).order_by(Dispute.id)):
        found.setdefault(one.charge_id, []).append(one)
    return found


def _given(words: str, field: str) -> str:
    words = words.strip()
    if not words or len(words) > LONGEST:
        raise InvalidInput("请写明内容，最多 2000 字。", field=field)
    return words
