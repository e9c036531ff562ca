"""Claims of a platform's year: what was filed, asked, frozen, decided, paid and adjusted; and what bears on them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Platform
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.rules.claim import ClaimState
from billing.rules.facts import AuthorityLevel, GrantTiming, Programme, ProgrammeKind


class Claim(Model):
    """A platform's claim for one year, all programmes together. ``requested_m2`` are premises asked for (P5)."""

    __tablename__ = "claim"
    __table_args__ = (UniqueConstraint("platform_id", "policy", "year"), Index(None, "year"))

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    policy: Mapped[str] = mapped_column(SHORT)
    year: Mapped[int]
    state: Mapped[ClaimState] = mapped_column(word(ClaimState))
    requested_m2: Mapped[int | None]
    filed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    filed_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    document: Mapped[str] = mapped_column(LINE, default="", server_default="")
    illustrative: Mapped[bool] = mapped_column(default=False)
    platform: Mapped[Platform] = relationship()
    items: Mapped[list[ClaimItem]] = relationship(back_populates="claim", order_by="ClaimItem.programme")
    questions: Mapped[list[ClaimQuestion]] = relationship(back_populates="claim", order_by="ClaimQuestion.id")
    payments: Mapped[list[ClaimPayment]] = relationship(back_populates="claim", order_by="ClaimPayment.id")
    record: Mapped[ClaimRecord | None] = relationship(back_populates="claim")


class ClaimItem(Model):
    """One programme of a claim: what was claimed when it was filed, what the lock found, what was approved.

    The bearers are those of the policy; ``upper_fen + own_fen = approved_fen``.
    """

    __tablename__ = "claim_item"
    __table_args__ = (
        UniqueConstraint("claim_id", "programme"),
        CheckConstraint("approved_fen IS NULL OR upper_fen + own_fen = approved_fen", name="bearers_sum"),
        CheckConstraint("approved_fen IS NULL OR approved_fen BETWEEN 0 AND locked_fen", name="not_above_the_lock"),
    )

    id: Mapped[int] = primary_key()
    claim_id: Mapped[int] = mapped_column(ForeignKey("claim.id"))
    programme: Mapped[Programme] = mapped_column(SHORT)
    payee: Mapped[str] = mapped_column(LINE, default="", server_default="")
    filed_fen: Mapped[Money] = mapped_column(Fen)
    locked_fen: Mapped[Money | None] = mapped_column(Fen)
    approved_fen: Mapped[Money | None] = mapped_column(Fen)
    upper_fen: Mapped[Money | None] = mapped_column(Fen)
    own_fen: Mapped[Money | None] = mapped_column(Fen)
    claim: Mapped[Claim] = relationship(back_populates="items")
    deductions: Mapped[list[ClaimDeduction]] = relationship(back_populates="item", order_by="ClaimDeduction.id")
    adjustments: Mapped[list[ClaimAdjustment]] = relationship(back_populates="item", order_by="ClaimAdjustment.id")


class ClaimRecord(Model):
    """What a claim was locked with: the facts as the compressed file of a scenario. Append-only.

    ``summary`` is the same with lines that are judged alike added up.
    """

    __tablename__ = "claim_record"

    claim_id: Mapped[int] = mapped_column(ForeignKey("claim.id"), primary_key=True)
    locked_on: Mapped[date]
    locked_at: Mapped[datetime] = mapped_column(UtcTime)
    locked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    scenario: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    summary: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    digest: Mapped[str] = mapped_column(SHORT)
    claim: Mapped[Claim] = relationship(back_populates="record")


class ClaimQuestion(Model):
    """What the official asks before deciding, and the operator's answer."""

    __tablename__ = "claim_question"
    __table_args__ = (CheckConstraint("(answered_at IS NULL) = (answer = '')", name="answered_or_not"),)

    id: Mapped[int] = primary_key()
    claim_id: Mapped[int] = mapped_column(ForeignKey("claim.id"), index=True)
    question: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    answer: Mapped[str] = mapped_column(Text, default="", server_default="")
    answered_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    claim: Mapped[Claim] = relationship(back_populates="questions")


class ClaimDeduction(Model):
    """What the decision takes off one programme, and why. ``budget_id`` where the year's money is short."""

    __tablename__ = "claim_deduction"
    __table_args__ = (CheckConstraint("amount_fen > 0", name="positive"),)

    id: Mapped[int] = primary_key()
    claim_item_id: Mapped[int] = mapped_column(ForeignKey("claim_item.id"), index=True)
    amount_fen: Mapped[Money] = mapped_column(Fen)
    reason: Mapped[str] = mapped_column(LINE)
    budget_id: Mapped[int | None] = mapped_column(ForeignKey("subsidy_budget.id"))
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    item: Mapped[ClaimItem] = relationship(back_populates="deductions")


class ClaimPayment(Model):
    """Money that one bearer paid out, or, below zero, took back. Append-only."""

    __tablename__ = "claim_payment"
    __table_args__ = (CheckConstraint("amount_fen <> 0", name="not_zero"),)

    id: Mapped[int] = primary_key()
    claim_id: Mapped[int] = mapped_column(ForeignKey("claim.id"), index=True)
    bearer: Mapped[str] = mapped_column(SHORT)
    amount_fen: Mapped[Money] = mapped_column(Fen)
    paid_on: Mapped[date]
    document: Mapped[str] = mapped_column(LINE)
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    claim: Mapped[Claim] = relationship(back_populates="payments")


class ClaimAdjustment(Model):
    """A change of what was approved, after the decision: the only way to change it. Append-only."""

    __tablename__ = "claim_adjustment"
    __table_args__ = (
        CheckConstraint("amount_fen <> 0", name="not_zero"),
        CheckConstraint("upper_fen + own_fen = amount_fen", name="bearers_sum"),
    )

    id: Mapped[int] = primary_key()
    claim_item_id: Mapped[int] = mapped_column(ForeignKey("claim_item.id"), index=True)
    amount_fen: Mapped[Money] = mapped_column(Fen)
    upper_fen: Mapped[Money] = mapped_column(Fen)
    own_fen: Mapped[Money] = mapped_column(Fen)
    proposed: Mapped[bool]
    reason: Mapped[str] = mapped_column(LINE)
    document: Mapped[str] = mapped_column(LINE)
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    item: Mapped[ClaimItem] = relationship(back_populates="adjustments")


class SubsidyBudget(Model):
    """The money that there is for a year's claims, by a document; the last one holds. Append-only."""

    __tablename__ = "subsidy_budget"
    __table_args__ = (CheckConstraint("amount_fen >= 0", name="not_negative"), Index(None, "policy", "year", "id"))

    id: Mapped[int] = primary_key()
    policy: Mapped[str] = mapped_column(SHORT)
    year: Mapped[int]
    amount_fen: Mapped[Money] = mapped_column(Fen)
    document: Mapped[str] = mapped_column(LINE)
    set_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[datetime] = mapped_column(UtcTime)


class OtherGrant(Model):
    """What an authority above Jinjiang granted a platform; it is topped up, not paid twice (A15, A16, A20)."""

    __tablename__ = "other_grant"
    __table_args__ = (CheckConstraint("amount_fen > 0", name="positive"), Index(None, "platform_id", "year"))

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    authority_level: Mapped[AuthorityLevel] = mapped_column(SHORT)
    programme_kind: Mapped[ProgrammeKind] = mapped_column(SHORT)
    year: Mapped[int]
    amount_fen: Mapped[Money] = mapped_column(Fen)
    timing: Mapped[GrantTiming] = mapped_column(SHORT)
    asset_nos: Mapped[list[str]] = mapped_column(ARRAY(SHORT))
    document: Mapped[str] = mapped_column(LINE)
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    withdrawn_reason: Mapped[str] = mapped_column(LINE, default="", server_default="")
