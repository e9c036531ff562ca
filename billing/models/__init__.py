"""The tables of billing."""

from __future__ import annotations

from billing.models.charge import Charge, Dispute, EarlierWord, ServiceSettlement, SettledSession, UseSettlement
from billing.models.close import LateRelease, PeriodClose
from billing.models.invoice import Invoice, InvoiceCounter, InvoiceLine
from billing.models.money import (
    BankLine,
    BankStatement,
    BillingSettings,
    DepositAccount,
    DepositHold,
    DepositMovement,
    JournalEntry,
    JournalPosting,
    Payment,
    PaymentTerm,
    UnpostedDocument,
)
from billing.models.revenue import Assessment, Evaluation, Filing, RevenueEntry, UnrecognizedInvoice
from billing.models.sharing import SharingAgreement, SharingLine, SharingParty, SharingProposal
from billing.models.tariff import Tariff
from billing.models.tax_invoice import (
    BuyerDetail,
    InvoiceDocument,
    InvoiceSetting,
    InvoiceShare,
    PayerAgreement,
    RedLetter,
    RedRequest,
    RedRequestLine,
    TaxInvoice,
)

__all__ = [
    "Assessment",
    "BankLine",
    "BankStatement",
    "BillingSettings",
    "BuyerDetail",
    "Charge",
    "DepositAccount",
    "DepositHold",
    "DepositMovement",
    "Dispute",
    "EarlierWord",
    "Evaluation",
    "Filing",
    "Invoice",
    "InvoiceCounter",
    "InvoiceDocument",
    "InvoiceLine",
    "InvoiceSetting",
    "InvoiceShare",
    "JournalEntry",
    "JournalPosting",
    "LateRelease",
    "PayerAgreement",
    "Payment",
    "PaymentTerm",
    "PeriodClose",
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
    "UnpostedDocument",
    "UnrecognizedInvoice",
    "UseSettlement",
]
