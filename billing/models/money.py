"""Money: what was paid, deposits, bank statements, the journal behind them, and a platform's settings."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, long_key, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.models.invoice import Invoice
from billing.rules.ledger import Account, EntryKind
from billing.rules.money_words import BankLineState, HoldEnd, MovementKind, PaymentKind, PaymentWay


class BillingSettings(Model):
    """How a platform deals with money. Without a row the defaults hold.

    ``block_overdue_days`` empty: nobody is kept from booking. ``pay_to`` is the account that reminders name.
    """

    __tablename__ = "billing_settings"
    __table_args__ = (CheckConstraint("block_overdue_days >= 0 AND dispute_days >= 0", name="sane_days"),)

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    deposit_hold: Mapped[bool] = mapped_column(default=False)
    block_overdue_days: Mapped[int | None]
    dispute_days: Mapped[int] = mapped_column(default=7)
    pay_to: Mapped[str] = mapped_column(LINE, default="")


class PaymentTerm(Model):
    """How many days after its issue an invoice is due, for invoices issued from a day on."""

    __tablename__ = "payment_term"
    __table_args__ = (CheckConstraint("days BETWEEN 0 AND 365", name="sane_days"),)

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    since: Mapped[date] = mapped_column(primary_key=True)
    days: Mapped[int]


class Payment(Model):
    """Money for an invoice, tax included: received, or given back. Rows are only added.

    A receipt is positive, a refund negative; a reversal is the mirror image of one of them and names it.
    ``payer_id`` is whose share it is: the firm's, or that of another payer of the invoice.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(
            "amount_fen <> 0 AND (kind = 'reversal' OR (kind = 'receipt') = (amount_fen > 0))",
            name="kind_says_direction",
        ),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_receipt"),
        UniqueConstraint("reverses_id"),
        Index(None, "bank_line_id"),
    )

    id: Mapped[int] = primary_key()
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[PaymentKind] = mapped_column(
        word(PaymentKind), default=PaymentKind.RECEIPT, server_default=PaymentKind.RECEIPT.value
    )
    way: Mapped[PaymentWay] = mapped_column(
        word(PaymentWay), default=PaymentWay.BANK, server_default=PaymentWay.BANK.value
    )
    paid_on: Mapped[date]
    amount_fen: Mapped[Money] = mapped_column(Fen)
    reference: Mapped[str] = mapped_column(LINE, default="")
    reason: Mapped[str] = mapped_column(LINE, default="", server_default="")
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    bank_line_id: Mapped[int | None] = mapped_column(ForeignKey("bank_line.id"))
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    invoice: Mapped[Invoice] = relationship()
    payer: Mapped[Organization] = relationship()


class DepositAccount(Model):
    """What a firm has paid a platform in advance. The sums follow movements and holds by triggers."""

    __tablename__ = "deposit_account"
    __table_args__ = (
        UniqueConstraint("platform_id", "organization_id"),
        CheckConstraint("0 <= held_fen AND held_fen <= balance_fen", name="never_overdrawn"),
        Index(None, "organization_id"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    balance_fen: Mapped[Money] = mapped_column(Fen)
    held_fen: Mapped[Money] = mapped_column(Fen)
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
    organization: Mapped[Organization] = relationship()

    @property
    def available(self) -> Money:
        """What is not held for a reservation."""
        return self.balance_fen - self.held_fen


class DepositMovement(Model):
    """One change of a deposit. Rows are only added."""

    __tablename__ = "deposit_movement"
    __table_args__ = (
        CheckConstraint(
            "amount_fen <> 0"
            " AND (kind = 'reversal' OR (kind IN ('top_up', 'overpayment', 'returned')) = (amount_fen > 0))",
            name="kind_says_direction",
        ),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_movement"),
        UniqueConstraint("reverses_id"),
        Index(None, "account_id", "id"),
        Index(None, "payment_id"),
    )

    id: Mapped[int] = primary_key()
    account_id: Mapped[int] = mapped_column(ForeignKey("deposit_account.id"))
    kind: Mapped[MovementKind] = mapped_column(word(MovementKind))
    amount_fen: Mapped[Money] = mapped_column(Fen)
    moved_on: Mapped[date]
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("deposit_movement.id"))
    bank_line_id: Mapped[int | None] = mapped_column(ForeignKey("bank_line.id"), index=True)
    reference: Mapped[str] = mapped_column(LINE, default="")
    reason: Mapped[str] = mapped_column(LINE, default="")
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    account: Mapped[DepositAccount] = relationship()
    payment: Mapped[Payment | None] = relationship()


class DepositHold(Model):
    """The part of a deposit that is kept for one reservation until it is given up or used."""

    __tablename__ = "deposit_hold"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="holds_something"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="end_has_a_cause"),
        Index("ix_deposit_hold_open", "reservation_id", postgresql_where=text("ended_at IS NULL")),
        Index(None, "account_id"),
    )

    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("deposit_account.id"))
    amount_fen: Mapped[Money] = mapped_column(Fen)
    held_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_by: Mapped[HoldEnd | None] = mapped_column(word(HoldEnd))


class BankStatement(Model):
    """A file from the bank, as it was uploaded. It is looked at first; ``imported_at`` says when it was taken in."""

    __tablename__ = "bank_statement"
    __table_args__ = (UniqueConstraint("platform_id", "digest"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    file_name: Mapped[str] = mapped_column(LINE)
    digest: Mapped[str] = mapped_column(SHORT)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    uploaded_at: Mapped[datetime] = mapped_column(UtcTime)
    imported_at: Mapped[datetime | None] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()


class BankLine(Model):
    """One sum that came in. ``key`` is the bank's own number, or names the content where the bank gives none."""

    __tablename__ = "bank_line"
    __table_args__ = (
        UniqueConstraint("platform_id", "key"),
        CheckConstraint("amount_fen > 0", name="came_in"),
        CheckConstraint("state <> 'ignored' OR reason <> ''", name="ignored_for_a_reason"),
        Index("ix_bank_line_open", "platform_id", "booked_on", postgresql_where=text("state = 'open'")),
        Index(None, "statement_id"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    statement_id: Mapped[int] = mapped_column(ForeignKey("bank_statement.id"))
    key: Mapped[str] = mapped_column(LINE)
    booked_on: Mapped[date]
    amount_fen: Mapped[Money] = mapped_column(Fen)
    payer_name: Mapped[str] = mapped_column(LINE)
    payer_account: Mapped[str] = mapped_column(SHORT)
    remark: Mapped[str] = mapped_column(LINE)
    reference: Mapped[str] = mapped_column(SHORT)
    state: Mapped[BankLineState] = mapped_column(word(BankLineState), default=BankLineState.OPEN)
    reason: Mapped[str] = mapped_column(LINE, default="")
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()


class UnpostedDocument(Model):
    """Issued invoices and credit notes that the journal does not know yet; a trigger puts them here."""

    __tablename__ = "unposted_document"

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True)


class JournalEntry(Model):
    """One deed in the books. ``document`` names what it is about, as ``invoice:12``, and is booked once.

    ``value_on`` is the day of the deed. The database books it on that day, or on the first day after the months
    that are closed (docs/decisions/0010).
    """

    __tablename__ = "journal_entry"
    __table_args__ = (UniqueConstraint("document"), Index(None, "platform_id", "booked_on"))

    id: Mapped[int] = long_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    value_on: Mapped[date]
    booked_on: Mapped[date] = mapped_column(server_default=FetchedValue())
    kind: Mapped[EntryKind] = mapped_column(word(EntryKind))
    document: Mapped[str] = mapped_column(SHORT)
    label: Mapped[str] = mapped_column(LINE)
    booked_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
    postings: Mapped[list[JournalPosting]] = relationship(back_populates="entry", order_by="JournalPosting.id")


class JournalPosting(Model):
    """One line of an entry: debit positive, credit negative. The database lets no entry be out of balance."""

    __tablename__ = "journal_posting"
    __table_args__ = (
        CheckConstraint("amount_fen <> 0", name="of_something"),
        CheckConstraint(
            "(account IN ('receivable', 'deposit')) = (organization_id IS NOT NULL)", name="says_whose_it_is"
        ),
        Index(None, "entry_id"),
        Index(None, "organization_id", "account"),
    )

    id: Mapped[int] = long_key()
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entry.id"))
    account: Mapped[Account] = mapped_column(word(Account))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    amount_fen: Mapped[Money] = mapped_column(Fen)
    entry: Mapped[JournalEntry] = relationship(back_populates="postings")
    organization: Mapped[Organization | None] = relationship()


class ClosedBalance(Model):
    """What an account of a platform stood at when a month was closed: debit positive. Only added to."""

    __tablename__ = "closed_balance"

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    account: Mapped[Account] = mapped_column(word(Account), primary_key=True)
    balance_fen: Mapped[Money] = mapped_column(Fen)


Index(
    "ix_invoice_open",
    Invoice.__table__.c.platform_id,
    Invoice.__table__.c.organization_id,
    postgresql_where=text("state = 'issued' AND kind = 'invoice'"),
)
