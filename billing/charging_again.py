"""Charge anew what a credit note took back: the note and a new line, never a change of the old one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.models import Charge, Invoice, InvoiceLine
from billing.rules.words import ChargeState

SAME = (
    "usage_session_id", "use_settlement_id", "service_request_id", "quote_line_id", "conduct_entry_id", "platform_id",
    "organization_id", "equipment_id", "tariff_id", "kind", "tax_rate", "tax_code", "category", "relation", "inputs",
    "served_at",
)  # fmt: skip


def charge_again(session: Session, note: Invoice, *, at: datetime) -> None:
    """Propose each line of a credit note as a charge of the same use or work. It says which line it is instead of."""
    for line in note.lines:
        credited = session.get_one(InvoiceLine, line.credits_line_id)
        if credited.charge is None:
            raise ValueError(f"invoice line {credited.id} has no charge behind it")
        session.add(
            Charge(
                **{name: getattr(credited.charge, name) for name in SAME},
                **_price(credited, line),
                position=_next_position(session, credited.charge),
                again_of_id=credited.charge.id,
                state=ChargeState.PROPOSED,
                charged_at=at,
            )
        )
        session.flush()


def _price(credited: InvoiceLine, line: InvoiceLine) -> dict[str, Any]:
    """As it was where all of the line was taken back, else the part as one sum."""
    whole = -line.gross_fen == credited.gross_fen
    where_zh = f"重新计费，代替 {credited.invoice.label} 第 {credited.position} 行"
    where_en = f"Charged anew instead of line {credited.position} of {credited.invoice.label}"
    part = -line.gross_fen.yuan
    return {
        "quantity": credited.quantity if whole else Decimal(1),
        "unit": credited.unit if whole else "次",
        "unit_price": credited.unit_price if whole else part,
        "net_fen": -line.net_fen,
        "tax_fen": -line.tax_fen,
        "gross_fen": -line.gross_fen,
        "explanation_zh": f"{where_zh}\n{credited.explanation_zh}" if whole else f"{where_zh}中的 ¥{part:,.2f}",
        "explanation_en": f"{where_en}\n{credited.explanation_en}" if whole else f"¥{part:,.2f} of it. {where_en}",
    }


def _next_position(session: Session, charge: Charge) -> int | None:
    if charge.use_settlement_id is None:
        return None
    last = select(func.max(Charge.position)).where(Charge.use_settlement_id == charge.use_settlement_id)
    return (session.scalar(last) or 0) + 1
