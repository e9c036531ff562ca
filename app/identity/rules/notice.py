"""What people are told, and what became of the e-mail."""

from __future__ import annotations

from enum import StrEnum


class NoticeKind(StrEnum):
    """Each has its own switch for the page and for e-mail."""

    REMINDER = "reminder"
    RESERVATION_CHANGED = "reservation_changed"
    APPROVAL_WANTED = "approval_wanted"
    DECISION = "decision"
    OFFER = "offer"
    CONDUCT = "conduct"
    QUALIFICATION = "qualification"
    SERVICE_REQUEST = "service_request"


class MailState(StrEnum):
    """``UNWANTED`` where the person chose so or no mail server is set."""

    UNWANTED = "unwanted"
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


def msgid(sentence: str) -> str:
    """Marks a sentence that is translated when somebody reads it, so that the catalogue finds it."""
    return sentence
