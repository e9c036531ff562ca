"""The catalogue's tables."""

from __future__ import annotations

from app.catalogue.models.access import (
    ClassTerms,
    Closure,
    Conduct,
    EquipmentRequirement,
    OwnUseWindow,
    Qualification,
    Quota,
    Requirement,
    SpecialDay,
)
from app.catalogue.models.equipment import (
    Accessory,
    Approval,
    ChargeUnit,
    Equipment,
    EquipmentKind,
    EquipmentPart,
    OpeningHours,
)
from app.catalogue.models.platform import Platform, PlatformOperator, Recognition, RecognitionLevel, RelatedParty

__all__ = [
    "Accessory",
    "Approval",
    "ChargeUnit",
    "ClassTerms",
    "Closure",
    "Conduct",
    "Equipment",
    "EquipmentKind",
    "EquipmentPart",
    "EquipmentRequirement",
    "OpeningHours",
    "OwnUseWindow",
    "Platform",
    "PlatformOperator",
    "Qualification",
    "Quota",
    "Recognition",
    "RecognitionLevel",
    "RelatedParty",
    "Requirement",
    "SpecialDay",
]
