"""The words that billing's tables and rules share."""

from __future__ import annotations

from enum import StrEnum


class ChargeKind(StrEnum):
    """What a charge is for: a kind of line of a priced case of use, commissioned work, or what came on top later."""

    HOURS = "hours"
    RUN = "run"
    BATCH = "batch"
    SAMPLE = "sample"
    MASS = "mass"
    LENGTH = "length"
    ENERGY = "energy"
    SETUP = "setup"
    MATERIAL = "material"
    LABOUR = "labour"
    BOOKING = "booking"
    URGENT = "urgent"
    MINIMUM_TOP_UP = "minimum_top_up"
    CANCELLATION = "cancellation"
    NO_SHOW = "no_show"
    SERVICE = "service"
    ADJUSTMENT = "adjustment"


class SettlementStatus(StrEnum):
    """What pricing a case of use came to. ``NEEDS_REVIEW`` waits for a person, ``REFUSED`` for a price."""

    PRICED = "priced"
    FREE = "free"
    NEEDS_REVIEW = "needs_review"
    REFUSED = "refused"


class NoFee(StrEnum):
    """Why a missed slot costs nothing here: the ladder asks none, the platform's own, no price yet, its own rule."""

    NOT_YET = "not_yet"
    OWN_USE = "own_use"
    NO_TARIFF = "no_tariff"
    PRICED = "priced"


class ChargeState(StrEnum):
    """``PROPOSED`` until an operator approves it; frozen with the invoice that takes it.

    ``DISPUTED`` by the firm before it was invoiced; ``WAIVED`` is never invoiced, with a reason.
    """

    PROPOSED = "proposed"
    DISPUTED = "disputed"
    APPROVED = "approved"
    WAIVED = "waived"
    INVOICED = "invoiced"


class InvoiceKind(StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceState(StrEnum):
    """``CREDITED`` once credit notes have taken back all of it, paid or not."""

    DRAFT = "draft"
    ISSUED = "issued"
    PAID = "paid"
    CREDITED = "credited"


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
