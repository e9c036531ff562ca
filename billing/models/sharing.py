"""Who built a platform jointly, and what each gets of its revenue."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.kernel.columns import LINE, Fen, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.rules.sharing import ProposalState


class SharingAgreement(Model):
    """What the parties agreed on in writing, for the revenue of these days. Of one platform, one at a time."""

    __tablename__ = "sharing_agreement"
    __table_args__ = (
        ExcludeConstraint(("platform_id", "="), ("days", "&&"), using="gist", name="one_at_a_time"),
        CheckConstraint("NOT isempty(days) AND NOT lower_inf(days)", name="begins"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    title: Mapped[str] = mapped_column(LINE)
    document_no: Mapped[str] = mapped_column(LINE)
    days: Mapped[Range[date]] = mapped_column(DATERANGE)
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
    parties: Mapped[list[SharingParty]] = relationship(order_by="SharingParty.id")


class SharingParty(Model):
    """One party's percent; one of an agreement takes what rounding leaves."""

    __tablename__ = "sharing_party"
    __table_args__ = (
        UniqueConstraint("agreement_id", "organization_id"),
        CheckConstraint("percent > 0 AND percent < 100", name="a_part"),
        Index(
            "uq_sharing_party_takes_remainder",
            "agreement_id",
            unique=True,
            postgresql_where=text("takes_remainder"),
        ),
    )

    id: Mapped[int] = primary_key()
    agreement_id: Mapped[int] = mapped_column(ForeignKey("sharing_agreement.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    percent: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    takes_remainder: Mapped[bool]
    organization: Mapped[Organization] = relationship()


class SharingProposal(Model):
    """What a month's revenue comes to for each party. Computed anew until it is confirmed.

    A later ``sequence`` holds only the difference that came after. ``base_fen`` is net revenue.
    """

    __tablename__ = "sharing_proposal"
    __table_args__ = (
        UniqueConstraint("agreement_id", "month", "sequence"),
        CheckConstraint("extract(day FROM month) = 1", name="a_whole_month"),
        CheckConstraint(
            "(state = 'confirmed') = (confirmed_at IS NOT NULL) AND num_nulls(confirmed_at, confirmed_by) IN (0, 2)",
            name="confirmed_by_whom",
        ),
        Index(
            "uq_sharing_proposal_one_open",
            "agreement_id",
            "month",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
    )

    id: Mapped[int] = primary_key()
    agreement_id: Mapped[int] = mapped_column(ForeignKey("sharing_agreement.id"))
    month: Mapped[date]
    sequence: Mapped[int]
    base_fen: Mapped[Money] = mapped_column(Fen)
    state: Mapped[ProposalState] = mapped_column(word(ProposalState), default=ProposalState.PROPOSED)
    computed_at: Mapped[datetime] = mapped_column(UtcTime)
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    agreement: Mapped[SharingAgreement] = relationship()
    lines: Mapped[list[SharingLine]] = relationship(order_by="SharingLine.party_id", cascade="all, delete-orphan")


class SharingLine(Model):
    """One party's share of a proposal."""

    __tablename__ = "sharing_line"

    proposal_id: Mapped[int] = mapped_column(ForeignKey("sharing_proposal.id"), primary_key=True)
    party_id: Mapped[int] = mapped_column(ForeignKey("sharing_party.id"), primary_key=True)
    amount_fen: Mapped[Money] = mapped_column(Fen)
    party: Mapped[SharingParty] = relationship()
