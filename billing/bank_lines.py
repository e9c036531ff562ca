"""What a line of a bank statement has been used for."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from billing.models import BankLine, DepositMovement, Payment
from billing.rules.money_words import BankLineState, MovementKind, PaymentKind


def reopen_if_unused(session: Session, bank_line_id: int | None) -> None:
    """A line whose receipts and top-ups are all taken back waits for a decision again.

    Its row is locked before it is looked at: of two who take back a part each, the second sees the first.
    """
    if bank_line_id is None:
        return
    line = session.get(BankLine, bank_line_id, with_for_update={"of": BankLine}, populate_existing=True)
    paid, moved = aliased(Payment), aliased(DepositMovement)
    used = session.scalar(
        select(
            exists()
            .where(
                Payment.bank_line_id == bank_line_id,
                Payment.kind == PaymentKind.RECEIPT,
                ~exists().where(paid.reverses_id == Payment.id),
            )
            .select()
            .scalar_subquery()
            | exists()
            .where(
                DepositMovement.bank_line_id == bank_line_id,
                DepositMovement.kind.in_((MovementKind.TOP_UP, MovementKind.OVERPAYMENT)),
                ~exists().where(moved.reverses_id == DepositMovement.id),
            )
            .select()
            .scalar_subquery()
        )
    )
    if line is not None and not used:
        line.state, line.decided_by, line.decided_at = BankLineState.OPEN, None, None
        session.flush()
