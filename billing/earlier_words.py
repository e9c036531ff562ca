"""What people had said of charges that were derived anew: said again beside the new ones, never lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.models import Charge, Dispute, EarlierWord
from billing.rules.figures import yuan
from billing.rules.words import ChargeState

NEAR = timedelta(days=1)
LONGEST = 300


def say_again(
    session: Session, settlement_ids: Collection[int], *, equipment_ids: Collection[int], at: datetime
) -> None:
    """Put what was said of earlier charges of these cases beside the new ones, and raise objections again.

    One query where nobody had said anything. A word whose case has no charge now waits until it has one.
    """
    words = session.scalars(
        select(EarlierWord).where(EarlierWord.equipment_id.in_(equipment_ids)).order_by(EarlierWord.id)
    ).all()
    if not words:
        return
    charges = session.scalars(
        select(Charge)
        .where(Charge.use_settlement_id.in_(settlement_ids))
        .order_by(Charge.use_settlement_id, Charge.position)
    ).all()
    for word in words:
        if (charge := _meant(word, charges)) is None:
            continue
        charge.reason = "；".join(filter(None, (charge.reason, _said(word))))[:LONGEST]
        if word.objection is not None:
            session.add(
                Dispute(charge_id=charge.id, raised_by=word.objected_by, raised_at=at, objection=word.objection)
            )
            charge.state = ChargeState.DISPUTED
        session.delete(word)
    session.flush()


def _meant(word: EarlierWord, charges: Iterable[Charge]) -> Charge | None:
    """The new charge of the same kind in the same case, else the case's first."""
    same = [one for one in charges if _same_case(word, one)]
    free = [one for one in same if one.state is not ChargeState.DISPUTED] if word.objection is not None else same
    return next((one for one in free if one.kind is word.kind), next(iter(free), None))


def _same_case(word: EarlierWord, charge: Charge) -> bool:
    if (word.equipment_id, word.organization_id) != (charge.equipment_id, charge.organization_id):
        return False
    reservation_id = charge.inputs.get("reservation_id")
    if word.reservation_id is not None or reservation_id is not None:
        return bool(word.reservation_id == reservation_id)
    return abs(word.served_at - charge.served_at) <= NEAR


def _said(word: EarlierWord) -> str:
    if word.state is ChargeState.WAIVED:
        return f"此前已免除 / waived before {yuan(word.gross_fen)}：{word.reason}"
    if word.priced_gross_fen is not None:
        return f"此前人工更正 / corrected before {yuan(word.priced_gross_fen)} → {yuan(word.gross_fen)}：{word.reason}"
    return ""
