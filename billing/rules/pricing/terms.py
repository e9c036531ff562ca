"""The terms of a tariff: their values, how they are read and told, and what is odd in them."""

from __future__ import annotations

from billing.rules.pricing.oddities import warnings_of
from billing.rules.pricing.reading import read_terms, terms_of, terms_told
from billing.rules.pricing.tariff import (
    Band,
    CancellationTerms,
    ChargeMode,
    Extra,
    ExtraKind,
    NoShowTerms,
    Rounding,
    Step,
    Terms,
    TierKind,
    Tiers,
    Unit,
    Urgent,
)

__all__ = [
    "Band",
    "CancellationTerms",
    "ChargeMode",
    "Extra",
    "ExtraKind",
    "NoShowTerms",
    "Rounding",
    "Step",
    "Terms",
    "TierKind",
    "Tiers",
    "Unit",
    "Urgent",
    "read_terms",
    "terms_of",
    "terms_told",
    "warnings_of",
]
