"""The tables of billing."""

from __future__ import annotations

from billing.models.asset import Asset
from billing.models.charge import (
    AcceptedRun,
    Charge,
    Dispute,
    EarlierWord,
    FeeSettlement,
    ServiceSettlement,
    SettledSession,
    UnchargedSession,
    UseSettlement,
)
from billing.models.close import LateRelease, PeriodClose
from billing.models.invoice import Invoice, InvoiceCounter, InvoiceLine
from billing.models.money import (
    BankLine,
    BankStatement,
    BillingSettings,
    ClosedBalance,
    DepositAccount,
    DepositHold,
    DepositMovement,
    JournalEntry,
    JournalPosting,
    Payment,
    PaymentTerm,
    UnpostedDocument,
)
from billing.models.policy import PolicyAnswer
from billing.models.revenue import Assessment, Evaluation, Filing, RevenueEntry, UnrecognizedInvoice
from billing.models.sharing import SharingAgreement, SharingLine, SharingParty, SharingProposal
from billing.models.tariff import Tariff
from billing.models.tax_invoice import (
    BuyerDetail,
    CorrectedNumber,
    InvoiceDocument,
    InvoiceSetting,
    InvoiceShare,
    InvoiceWords,
    PayerAgreement,
    RedLetter,
    RedRequest,
    RedRequestLine,
    TaxInvoice,
)

__all__ = [
    "AcceptedRun",
    "Assessment",
    "Asset",
    "BankLine",
    "BankStatement",
    "BillingSettings",
    "BuyerDetail",
    "Charge",
    "ClosedBalance",
    "CorrectedNumber",
    "DepositAccount",
    "DepositHold",
    "DepositMovement",
    "Dispute",
    "EarlierWord",
    "Evaluation",
    "FeeSettlement",
    "Filing",
    "Invoice",
    "InvoiceCounter",
    "InvoiceDocument",
    "InvoiceLine",
    "InvoiceSetting",
    "InvoiceShare",
    "InvoiceWords",
    "JournalEntry",
    "JournalPosting",
    "LateRelease",
    "PayerAgreement",
    "Payment",
    "PaymentTerm",
    "PeriodClose",
    "PolicyAnswer",
    "RedLetter",
    "RedRequest",
    "RedRequestLine",
    "RevenueEntry",
    "ServiceSettlement",
    "SettledSession",
    "SharingAgreement",
    "SharingLine",
    "SharingParty",
    "SharingProposal",
    "Tariff",
    "TaxInvoice",
    "UnchargedSession",
    "UnpostedDocument",
    "UnrecognizedInvoice",
    "UseSettlement",
]
