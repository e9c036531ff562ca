"""What people are told, how they hear of it, and what became of the e-mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from app.identity.rules.language import Language


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
    METERING = "metering"
    PAYMENT = "payment"
    SUBSIDY = "subsidy"


class MailState(StrEnum):
    """``UNWANTED`` where the person chose so, or has left."""

    UNWANTED = "unwanted"
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ways:
    """How a person hears of one kind of thing. Who chose nothing hears of it in both ways."""

    in_page: bool = True
    by_mail: bool = True


def msgid(sentence: str) -> str:
    """Marks a sentence that is translated when somebody reads it, so that the catalogue finds it."""
    return sentence


class Named(Protocol):
    """What has a name in both languages: equipment, a requirement."""

    @property
    def name_zh(self) -> str: ...
    @property
    def name_en(self) -> str: ...


def names(thing: Named) -> dict[str, str]:
    """Its name as a fact that every reader reads in their own language."""
    return {Language.CHINESE.value: thing.name_zh, Language.ENGLISH.value: thing.name_en}


def told(sentence: str, facts: Mapping[str, Any], *, language: Language, moment: Callable[[datetime], str]) -> str:
    """The ``sentence`` with its ``facts``, where it is already in ``language``.

    Facts named ``…_at`` are ISO times and are said by ``moment``; :func:`names` are said in ``language``.
    """

    def said(name: str, fact: Any) -> Any:
        if isinstance(fact, dict):
            return fact[language.value]
        return moment(datetime.fromisoformat(fact)) if name.endswith("_at") and isinstance(fact, str) else fact

    return sentence % {name: said(name, fact) for name, fact in facts.items()}
