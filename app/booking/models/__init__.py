"""Booking's tables."""

from __future__ import annotations

from app.booking.models.feedback import Feedback, Incident, IncidentClosing
from app.booking.models.reservation import Decision, Occupancy, Reservation, ReservedAccessory, Series
from app.booking.models.service import Quote, QuoteLine, ServiceItem, ServiceRequest, ServiceResult
from app.booking.models.waiting import CalendarFeed, ConductEntry, Waiting

__all__ = [
    "CalendarFeed",
    "ConductEntry",
    "Decision",
    "Feedback",
    "Incident",
    "IncidentClosing",
    "Occupancy",
    "Quote",
    "QuoteLine",
    "Reservation",
    "ReservedAccessory",
    "Series",
    "ServiceItem",
    "ServiceRequest",
    "ServiceResult",
    "Waiting",
]
