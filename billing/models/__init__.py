"""The tables of billing."""

from __future__ import annotations

from billing.models.charge import Charge, ChargeProblem, ServiceSettlement
from billing.models.invoice import Invoice, InvoiceCounter, InvoiceLine, Payment
from billing.models.revenue import Assessment, Evaluation, Filing, RevenueEntry
from billing.models.tariff import Tariff

__all__ = [
    "Assessment",
    "Charge",
    "ChargeProblem",
    "Evaluation",
    "Filing",
    "Invoice",
    "InvoiceCounter",
    "InvoiceLine",
    "Payment",
    "RevenueEntry",
    "ServiceSettlement",
    "Tariff",
]
