"""The words that billing's tables and rules share."""

from __future__ import annotations

from enum import StrEnum


class ChargeKind(StrEnum):
    HOURS = "hours"
    SETUP = "setup"
    SERVICE = "service"
    NO_SHOW = "no_show"


class ChargeState(StrEnum):
    """``PROPOSED`` until an operator approves it; frozen with the invoice that takes it."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    INVOICED = "invoiced"


class InvoiceKind(StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceState(StrEnum):
    DRAFT = "draft"
    ISSUED = "issued"
    PAID = "paid"


class RevenueCategory(StrEnum):
    """Kinds of income as the subsidy asks for them (A05)."""

    RESEARCH_TRANSFER = "research_transfer"
    PROCESS_IMPROVEMENT = "process_improvement"
    SCALE_UP = "scale_up"
    TYPE_TEST = "type_test"
    PERFORMANCE_TEST = "performance_test"
    SMALL_BATCH = "small_batch"
    INSTRUMENT_SHARING = "instrument_sharing"
    DATA_SIMULATION = "data_simulation"
    CONTRACT_PILOT_PROCESSING = "contract_pilot_processing"
    CONSULTING_TRAINING = "consulting_training"
    DATA_INFORMATION = "data_information"
    TECH_PROMOTION = "tech_promotion"
    INCUBATION = "incubation"
    FINANCING_MATCHMAKING = "financing_matchmaking"
    TECH_TRANSFER_LICENCE = "tech_transfer_licence"
    EQUITY_RETURN = "equity_return"
    REAL_ESTATE_RENT = "real_estate_rent"
    GOODS_SALE = "goods_sale"
    FISCAL_GRANT = "fiscal_grant"
