"""The words of money that comes in: payments, deposits, bank lines."""

from __future__ import annotations

from enum import StrEnum


class PaymentKind(StrEnum):
    """``REVERSAL`` takes back a receipt that was recorded wrongly, ``REFUND`` returns what was paid too much."""

    RECEIPT = "receipt"
    REVERSAL = "reversal"
    REFUND = "refund"


class PaymentWay(StrEnum):
    """Where the money came from or went to."""

    BANK = "bank"
    DEPOSIT = "deposit"


class MovementKind(StrEnum):
    """Why a deposit changed. Top-ups, overpayments and returns add to it, the others take away."""

    TOP_UP = "top_up"
    OVERPAYMENT = "overpayment"
    SETTLEMENT = "settlement"
    RETURNED = "returned"
    REFUND = "refund"
    REVERSAL = "reversal"


class HoldEnd(StrEnum):
    """Why money that was held for a reservation is free again."""

    GIVEN_UP = "given_up"
    USED = "used"


class BankLineState(StrEnum):
    OPEN = "open"
    MATCHED = "matched"
    IGNORED = "ignored"
