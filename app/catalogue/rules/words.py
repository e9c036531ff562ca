"""The words of the catalogue that tables and rules share."""

from __future__ import annotations

from enum import StrEnum


class RecognitionLevel(StrEnum):
    """``QUANZHOU`` is the certification (泉州市认定) without which nothing is payable; ``CULTIVATED`` is none."""

    CULTIVATED = "cultivated"
    QUANZHOU = "quanzhou"
    PROVINCIAL = "provincial"
    NATIONAL = "national"
    NATIONAL_INNOVATION_CENTRE = "national_innovation_centre"


class ClosureKind(StrEnum):
    CLOSED = "closed"
    MAINTENANCE = "maintenance"


class DayKind(StrEnum):
    """A public holiday, or a weekend day that is worked instead (调休)."""

    HOLIDAY = "holiday"
    WORKDAY = "workday"


class Measure(StrEnum):
    RESERVATIONS = "reservations"
    HOURS = "hours"


class Period(StrEnum):
    """Calendar periods at the facility."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class RequirementKind(StrEnum):
    """What must be there before use; the first three belong to a person, the others to the firm."""

    TRAINING = "training"
    EXAMINATION = "examination"
    AUTHORISATION = "authorisation"
    SAFETY_DOCUMENT = "safety_document"
    ENVIRONMENTAL_DOCUMENT = "environmental_document"
    CONFIDENTIALITY_AGREEMENT = "confidentiality_agreement"


OF_A_PERSON = frozenset({RequirementKind.TRAINING, RequirementKind.EXAMINATION, RequirementKind.AUTHORISATION})
