"""Charges, and what could not be charged."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment, Platform
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, Fen, Span, UtcTime, long_key, primary_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval
from app.kernel.money import Money
from billing.rules.words import ChargeKind, ChargeState, NoFee, RevenueCategory, SettlementStatus


class Charge(Model):
    """One priced line of a case of use, or of the accepted quote of commissioned work, with what it was made from.

    That of use is derived again while its sessions change; fixed once ``state`` is invoiced.
    ``usage_session_id`` is the run that its evidence starts from, if there was one. ``again_of_id`` is the charge of
    which a credit note took back what is charged anew here.
    """

    __tablename__ = "charge"
    __table_args__ = (
        UniqueConstraint("use_settlement_id", "position"),
        Index("uq_charge_quote_line_id", "quote_line_id", unique=True, postgresql_where=text("again_of_id IS NULL")),
        Index(
            "uq_charge_conduct_entry_id", "conduct_entry_id", unique=True, postgresql_where=text("again_of_id IS NULL")
        ),
        CheckConstraint(
            "num_nonnulls(use_settlement_id, quote_line_id, conduct_entry_id) = 1"
            " AND (quote_line_id IS NULL) = (service_request_id IS NULL)"
            " AND num_nulls(use_settlement_id, position, tariff_id) IN (0, 3)"
            " AND (use_settlement_id IS NOT NULL OR usage_session_id IS NULL)"
            " AND (use_settlement_id IS NULL OR equipment_id IS NOT NULL)",
            name="one_origin",
        ),
        CheckConstraint("net_fen + tax_fen = gross_fen", name="gross_is_net_plus_tax"),
        Index(None, "platform_id", "served_at"),
        Index(None, "organization_id", "served_at"),
        Index("ix_charge_open", "platform_id", "organization_id", postgresql_where=text("state <> 'invoiced'")),
    )

    id: Mapped[int] = long_key()
    # A session that is derived away takes its open charges along; an invoiced one refuses to go.
    usage_session_id: Mapped[int | None] = mapped_column(ForeignKey("usage_session.id", ondelete="CASCADE"), index=True)
    use_settlement_id: Mapped[int | None] = mapped_column(ForeignKey("use_settlement.id", ondelete="CASCADE"))
    position: Mapped[int | None]
    service_request_id: Mapped[int | None] = mapped_column(ForeignKey("service_request.id"), index=True)
    quote_line_id: Mapped[int | None] = mapped_column(ForeignKey("quote_line.id"))
    conduct_entry_id: Mapped[int | None] = mapped_column(ForeignKey("conduct_entry.id"))
    again_of_id: Mapped[int | None] = mapped_column(ForeignKey("charge.id"), index=True)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    kind: Mapped[ChargeKind] = mapped_column(word(ChargeKind))
    quantity: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    unit: Mapped[str] = mapped_column(SHORT)
    unit_price: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    net_fen: Mapped[Money] = mapped_column(Fen)
    tax_fen: Mapped[Money] = mapped_column(Fen)
    gross_fen: Mapped[Money] = mapped_column(Fen)
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    tax_code: Mapped[str] = mapped_column(SHORT)
    category: Mapped[RevenueCategory] = mapped_column(word(RevenueCategory))
    relation: Mapped[CustomerRelation] = mapped_column(word(CustomerRelation))
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    explanation_zh: Mapped[str] = mapped_column(Text)
    explanation_en: Mapped[str] = mapped_column(Text)
    served_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[ChargeState] = mapped_column(word(ChargeState), default=ChargeState.PROPOSED)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    # What the rules said, where a person corrected or waived it, and why.
    priced_gross_fen: Mapped[Money | None] = mapped_column(Fen)
    reason: Mapped[str] = mapped_column(LINE, default="", server_default="")
    charged_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment | None] = relationship()
    organization: Mapped[Organization] = relationship()
    platform: Mapped[Platform] = relationship()


class UseSettlement(Model):
    """One case of use, priced as a whole: a reservation with all its runs, or one run that nobody had reserved.

    ``facts`` is what :func:`billing.rules.pricing.told.facts_of` reads, so the price can always be found again.
    Written once; derived anew while nothing of it is invoiced. After that a later ``sequence`` holds only what
    came on top.
    """

    __tablename__ = "use_settlement"
    __table_args__ = (
        UniqueConstraint("reservation_id", "sequence"),
        UniqueConstraint("usage_session_id", "sequence"),
        CheckConstraint("num_nonnulls(reservation_id, usage_session_id) = 1", name="one_case"),
        Index(
            "ix_use_settlement_waiting",
            "platform_id",
            postgresql_where=text("status IN ('needs_review', 'refused')"),
        ),
        Index(None, "tariff_id", "organization_id", "used_from"),
        Index(None, "tariff_id", "used_from"),
    )

    id: Mapped[int] = long_key()
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id"))
    usage_session_id: Mapped[int | None] = mapped_column(ForeignKey("usage_session.id", ondelete="CASCADE"))
    sequence: Mapped[int] = mapped_column(default=0)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    status: Mapped[SettlementStatus] = mapped_column(word(SettlementStatus))
    reason: Mapped[str] = mapped_column(SHORT, default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    quantity: Mapped[Decimal] = mapped_column(Numeric(18, 6), default=0)
    used_from: Mapped[datetime] = mapped_column(UtcTime)
    settled_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
    sessions: Mapped[list[SettledSession]] = relationship(order_by="SettledSession.usage_session_id")


class UnchargedSession(Model):
    """A usage session that charging has to look at: it ended or changed, or its settlement was taken back.

    Noted by the database, so that nobody can forget it; noting it twice does no harm. What waits can be found
    again at any time (:func:`billing.charging_queue.find_again`).
    """

    __tablename__ = "uncharged_session"
    __table_args__ = (Index(None, "platform_id", "id"),)

    id: Mapped[int] = long_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    usage_session_id: Mapped[int] = mapped_column(ForeignKey("usage_session.id", ondelete="CASCADE"), index=True)


class SettledSession(Model):
    """A usage session that a settlement took into account, as it then stood, and whether a person had accepted it."""

    __tablename__ = "settled_session"

    use_settlement_id: Mapped[int] = mapped_column(
        ForeignKey("use_settlement.id", ondelete="CASCADE"), primary_key=True
    )
    usage_session_id: Mapped[int] = mapped_column(
        ForeignKey("usage_session.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    session_fingerprint: Mapped[str] = mapped_column(SHORT)
    reviewed: Mapped[bool]


class AcceptedRun(Model):
    """How a frozen run is priced since a person accepted what late readings make of it; ``during`` empty: not at all.

    The run itself stays as the invoice holds it.
    """

    __tablename__ = "accepted_run"

    usage_session_id: Mapped[int] = mapped_column(ForeignKey("usage_session.id", ondelete="CASCADE"), primary_key=True)
    during: Mapped[Interval | None] = mapped_column(Span)
    energy_mwh: Mapped[int] = mapped_column(BigInteger)
    accepted_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    accepted_at: Mapped[datetime] = mapped_column(UtcTime)


class Dispute(Model):
    """A firm's objection to a charge, with the operator's answer. On an invoice it is settled by a credit note."""

    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("num_nulls(answered_at, answered_by, upheld) IN (0, 3)", name="answered_whole"),
        Index("ix_dispute_open", "charge_id", unique=True, postgresql_where=text("answered_at IS NULL")),
    )

    id: Mapped[int] = primary_key()
    charge_id: Mapped[int] = mapped_column(ForeignKey("charge.id", ondelete="CASCADE"), index=True)
    raised_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    raised_at: Mapped[datetime] = mapped_column(UtcTime)
    objection: Mapped[str] = mapped_column(Text)
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    answer: Mapped[str] = mapped_column(Text, default="", server_default="")
    upheld: Mapped[bool | None]
    charge: Mapped[Charge] = relationship()


class EarlierWord(Model):
    """What a person had said of a charge that was then derived anew; a trigger keeps it for the next one.

    ``reason`` goes with a correction or a waiver, ``objection`` with a dispute that nobody had answered.
    """

    __tablename__ = "earlier_word"

    id: Mapped[int] = long_key()
    reservation_id: Mapped[int | None]
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[ChargeKind] = mapped_column(word(ChargeKind))
    state: Mapped[ChargeState] = mapped_column(word(ChargeState))
    gross_fen: Mapped[Money] = mapped_column(Fen)
    priced_gross_fen: Mapped[Money | None] = mapped_column(Fen)
    reason: Mapped[str] = mapped_column(LINE)
    objection: Mapped[str | None] = mapped_column(Text)
    objected_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    served_at: Mapped[datetime] = mapped_column(UtcTime)


class ServiceSettlement(Model):
    """Commissioned work that was looked at for charging, and how many charges it came to (none for own use)."""

    __tablename__ = "service_settlement"

    service_request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    charges: Mapped[int]
    settled_at: Mapped[datetime] = mapped_column(UtcTime)


class FeeSettlement(Model):
    """A missed slot that was looked at for charging. ``reason`` says why it costs nothing."""

    __tablename__ = "fee_settlement"

    conduct_entry_id: Mapped[int] = mapped_column(ForeignKey("conduct_entry.id"), primary_key=True)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    reason: Mapped[NoFee | None] = mapped_column(word(NoFee))
    settled_at: Mapped[datetime] = mapped_column(UtcTime)
