"""What was charged for cases of use before they are looked at again: the rules' prices, less what was credited.

What a person took off by a correction or a waiver stays off: it counts as charged.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.kernel.money import Money
from billing.models import Charge, InvoiceLine, UseSettlement
from billing.rules.tax import taxed

CaseKey = tuple[int | None, int | None]
"""The reservation of a case, or the run that nobody had reserved."""


@dataclass(slots=True)
class Before:
    """The last sequence of a case that stands, and what was charged: (tax rate, net, tax)."""

    sequence: int
    charged: list[tuple[Decimal, Money, Money]] = field(default_factory=list)


def charged_before(
    session: Session, *, reservation_ids: Collection[int], session_ids: Collection[int]
) -> dict[CaseKey, Before]:
    """What stands of earlier settlements of these cases. Two queries for all of them.

    Shape: ``session_ids`` are of runs that nobody had reserved.
    """
    same = or_(
        UseSettlement.reservation_id.in_(reservation_ids),
        UseSettlement.usage_session_id.in_(session_ids),
    )
    found: dict[CaseKey, Before] = {}
    for reservation_id, session_id, sequence, rate, net, tax, priced in session.execute(_charges().where(same)):
        one = found.setdefault((reservation_id, session_id), Before(sequence))
        one.sequence = max(one.sequence, sequence)
        if rate is None:
            continue
        if priced is not None:
            whole = taxed(priced.yuan, rate=rate, includes_tax=True)
            net, tax = whole.net, whole.tax
        one.charged.append((rate, net, tax))
    for reservation_id, session_id, rate, net, tax in session.execute(_credits().where(same)):
        found[reservation_id, session_id].charged.append((rate, net, tax))
    return found


def _charges() -> Select[*tuple[Any, ...]]:
    return select(
        UseSettlement.reservation_id,
        UseSettlement.usage_session_id,
        UseSettlement.sequence,
        Charge.tax_rate,
        Charge.net_fen,
        Charge.tax_fen,
        Charge.priced_gross_fen,
    ).outerjoin(Charge, Charge.use_settlement_id == UseSettlement.id)


def _credits() -> Select[*tuple[Any, ...]]:
    """What credit notes took back, negative."""
    note = aliased(InvoiceLine)
    case = (UseSettlement.reservation_id, UseSettlement.usage_session_id, note.tax_rate)
    return (
        select(*case, func.sum(note.net_fen), func.sum(note.tax_fen))
        .join(Charge, Charge.use_settlement_id == UseSettlement.id)
        .join(InvoiceLine, InvoiceLine.charge_id == Charge.id)
        .join(note, note.credits_line_id == InvoiceLine.id)
        .group_by(*case)
    )
