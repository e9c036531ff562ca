"""Commissioned work (委托 / 送样 / 代工): asked for, quoted, done, signed off."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, Numeric, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.booking.rules.words import ItemKind, QuoteUnit, RequestKind, RequestState
from app.catalogue.models import Equipment, Platform
from app.identity.models import Organization, Person
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money


class ServiceRequest(Model):
    """What a firm wants done for it. ``signed_at`` ends it; from then on it can be charged."""

    __tablename__ = "service_request"
    __table_args__ = (
        UniqueConstraint("organization_id", "idempotency_key"),
        CheckConstraint("(state = 'signed_off') = (signed_at IS NOT NULL)", name="signed_when_done"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[RequestKind] = mapped_column(word(RequestKind))
    title: Mapped[str] = mapped_column(LINE)
    description: Mapped[str] = mapped_column(Text, default="")
    wanted_by: Mapped[date | None]
    state: Mapped[RequestState] = mapped_column(word(RequestState), default=RequestState.SUBMITTED)
    idempotency_key: Mapped[str | None] = mapped_column(SHORT)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    signed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
    equipment: Mapped[Equipment | None] = relationship()
    organization: Mapped[Organization] = relationship()
    person: Mapped[Person] = relationship()
    items: Mapped[list[ServiceItem]] = relationship(order_by="ServiceItem.id")
    quotes: Mapped[list[Quote]] = relationship(order_by="Quote.version", back_populates="request")
    results: Mapped[list[ServiceResult]] = relationship(order_by="ServiceResult.id")


class ServiceItem(Model):
    """A sample or material that the firm sends along."""

    __tablename__ = "service_item"

    id: Mapped[int] = primary_key()
    request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"), index=True)
    kind: Mapped[ItemKind] = mapped_column(word(ItemKind))
    name: Mapped[str] = mapped_column(LINE)
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    unit: Mapped[str] = mapped_column(SHORT)
    hazard: Mapped[str] = mapped_column(LINE, default="")
    received_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Quote(Model):
    """What the platform asks for the work. A new version replaces the last; one is accepted."""

    __tablename__ = "quote"
    __table_args__ = (UniqueConstraint("request_id", "version"),)

    id: Mapped[int] = primary_key()
    request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"))
    version: Mapped[int]
    note: Mapped[str] = mapped_column(Text, default="")
    valid_until: Mapped[date]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    accepted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    request: Mapped[ServiceRequest] = relationship(back_populates="quotes")
    lines: Mapped[list[QuoteLine]] = relationship(order_by="QuoteLine.position")


class QuoteLine(Model):
    """One line of a quote; prices include tax at the line's own rate. Yuan a unit."""

    __tablename__ = "quote_line"
    __table_args__ = (
        UniqueConstraint("quote_id", "position"),
        CheckConstraint("quantity > 0 AND price_yuan >= 0 AND tax_rate >= 0 AND tax_rate < 1", name="sane"),
    )

    id: Mapped[int] = primary_key()
    quote_id: Mapped[int] = mapped_column(ForeignKey("quote.id"))
    position: Mapped[int]
    label: Mapped[str] = mapped_column(LINE)
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    unit: Mapped[QuoteUnit] = mapped_column(word(QuoteUnit))
    price_yuan: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    gross: Mapped[Money] = mapped_column(Fen)


class ServiceResult(Model):
    """A file that the platform hands over. Kept with its digest; a new version is a new row."""

    __tablename__ = "service_result"

    id: Mapped[int] = primary_key()
    request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"), index=True)
    name: Mapped[str] = mapped_column(LINE)
    media_type: Mapped[str] = mapped_column(SHORT)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    digest: Mapped[str] = mapped_column(SHORT)
    size_bytes: Mapped[int]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
