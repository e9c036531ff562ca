"""The books: which accounts there are, and what each deed writes into them.

A posting is positive in debit and negative in credit; the postings of one entry sum to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from app.kernel.money import Money
from billing.rules.money_words import PaymentWay


class Account(StrEnum):
    BANK = "bank"
    RECEIVABLE = "receivable"
    DEPOSIT = "deposit"
    OUTPUT_VAT = "output_vat"
    REVENUE = "revenue"


class EntryKind(StrEnum):
    """One word a deed; it is also the summary (摘要) of the voucher."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    RECEIPT = "receipt"
    RECEIPT_REVERSED = "receipt_reversed"
    REFUND = "refund"
    REFUND_REVERSED = "refund_reversed"
    CREDIT_TO_DEPOSIT = "credit_to_deposit"
    CREDIT_TO_DEPOSIT_REVERSED = "credit_to_deposit_reversed"
    OVERPAID_TO_DEPOSIT = "overpaid_to_deposit"
    TOP_UP = "top_up"
    TOP_UP_REVERSED = "top_up_reversed"
    SETTLED_FROM_DEPOSIT = "settled_from_deposit"
    SETTLEMENT_REVERSED = "settlement_reversed"
    DEPOSIT_REFUND = "deposit_refund"
    DEPOSIT_REFUND_REVERSED = "deposit_refund_reversed"


@dataclass(frozen=True, slots=True)
class Charted:
    """How a chart of accounts calls an account, and where that is written."""

    code: str
    name_zh: str
    name_en: str
    since: date
    source: str


# The chart of 企业会计准则; the standards for small enterprises (财会〔2011〕17号) use the same codes except for
# revenue, which is 5001 there.
_GUIDE = "企业会计准则——应用指南 附录：会计科目和主要账务处理（财会〔2006〕18号）"
_SINCE = date(2007, 1, 1)
CHART: dict[Account, Charted] = {
    Account.BANK: Charted("1002", "银行存款", "Cash at bank", _SINCE, _GUIDE),
    Account.RECEIVABLE: Charted("1122", "应收账款", "Accounts receivable", _SINCE, _GUIDE),
    Account.DEPOSIT: Charted("2203", "预收账款", "Advances from customers", _SINCE, _GUIDE),
    Account.OUTPUT_VAT: Charted(
        "2221",
        "应交税费—应交增值税（销项税额）",
        "Taxes payable – output VAT",
        date(2016, 12, 3),
        "增值税会计处理规定（财会〔2016〕22号）",
    ),
    Account.REVENUE: Charted("6001", "主营业务收入", "Revenue", _SINCE, _GUIDE),
}


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry. Receivables and deposits say whose they are."""

    account: Account
    amount: Money
    organization_id: int | None = None


Postings = tuple[Posting, ...]


def received(amount: Money, organization_id: int, *, way: PaymentWay, payer_id: int) -> Postings:
    """Money for a firm's invoice, from the bank or from the payer's deposit. A negative amount is the mirror image."""
    source = Account.BANK if way is PaymentWay.BANK else Account.DEPOSIT
    owner = None if source is Account.BANK else payer_id
    return (
        Posting(source, amount, owner),
        Posting(Account.RECEIVABLE, -amount, organization_id),
    )


def deposited(amount: Money, organization_id: int) -> Postings:
    """Money at the bank that is the firm's until it is used. A negative amount is the mirror image."""
    return (Posting(Account.BANK, amount), Posting(Account.DEPOSIT, -amount, organization_id))


def balances(postings: Postings) -> bool:
    """Whether an entry may be booked: at least two postings, none of nothing, together zero."""
    return len(postings) >= 2 and all(one.amount for one in postings) and sum(one.amount.fen for one in postings) == 0
