"""Organizations, people, what a person is in an organization, and what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.identity.rules.language import Language
from app.identity.rules.notice import MailState, NoticeKind
from app.identity.rules.permission import Role
from app.kernel.columns import LINE, SHORT, UtcTime, long_key, primary_key, word
from app.kernel.db import Model


class Organization(Model):
    """A legal body: a firm, a host institution, an operating entity, an authority.

    ``town`` and ``park`` say where in the city it is, once somebody has told.
    """

    __tablename__ = "organization"
    __table_args__ = (CheckConstraint("uscc IS NULL OR length(uscc) = 18", name="uscc_has_18_characters"),)

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(LINE, unique=True)
    uscc: Mapped[str | None] = mapped_column(SHORT, unique=True)
    region: Mapped[str] = mapped_column(SHORT, default="晋江")
    town: Mapped[str | None] = mapped_column(SHORT)
    park: Mapped[str | None] = mapped_column(SHORT)
    illustrative: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class Person(Model):
    """Somebody who signs in. ``email`` is kept in lower case; ``language`` is that of mails and calendars."""

    __tablename__ = "person"
    __table_args__ = (Index("uq_person_email_lower", text("lower(email)"), unique=True),)

    id: Mapped[int] = primary_key()
    email: Mapped[str] = mapped_column(LINE)
    name: Mapped[str] = mapped_column(SHORT)
    password_hash: Mapped[str] = mapped_column(LINE)
    active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[Language] = mapped_column(
        word(Language), default=Language.CHINESE, server_default=Language.CHINESE.value
    )
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    memberships: Mapped[list[Membership]] = relationship(back_populates="person")


class Membership(Model):
    """A person's role in one organization."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("person_id", "organization_id", "role"),)

    id: Mapped[int] = primary_key()
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    role: Mapped[Role] = mapped_column(word(Role))
    person: Mapped[Person] = relationship(back_populates="memberships")
    organization: Mapped[Organization] = relationship()


class Notice(Model):
    """Something that a person should know, in words that are put together when they are read.

    ``sentence`` is a message id with places for ``facts``; ``path`` is the page it is about. The same
    ``key`` tells the same person the same thing only once.
    """

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("person_id", "key"),
        Index(None, "person_id", "created_at"),
        Index("ix_notice_to_send", "next_try_at", postgresql_where=text("mail = 'waiting'")),
    )

    id: Mapped[int] = long_key()
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    kind: Mapped[NoticeKind] = mapped_column(word(NoticeKind))
    key: Mapped[str] = mapped_column(LINE)
    sentence: Mapped[str] = mapped_column(LINE)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    path: Mapped[str] = mapped_column(LINE, default="")
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    shown: Mapped[bool] = mapped_column(default=True)
    read_at: Mapped[datetime | None] = mapped_column(UtcTime)
    mail: Mapped[MailState] = mapped_column(word(MailState))
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcTime)
    mail_error: Mapped[str] = mapped_column(LINE, default="")
    person: Mapped[Person] = relationship()


class NoticeChoice(Model):
    """How a person wants to hear of one kind of thing. Without a row: in the page and by e-mail."""

    __tablename__ = "notice_choice"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(word(NoticeKind), primary_key=True)
    in_page: Mapped[bool] = mapped_column(default=True)
    by_mail: Mapped[bool] = mapped_column(default=True)
