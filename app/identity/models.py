"""Organizations, people and what a person is in an organization."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.identity.rules.permission import Role
from app.kernel.columns import LINE, SHORT, UtcTime, primary_key, word
from app.kernel.db import Model


class Organization(Model):
    """A legal body: a firm, a host institution, an operating entity, an authority."""

    __tablename__ = "organization"
    __table_args__ = (CheckConstraint("uscc IS NULL OR length(uscc) = 18", name="uscc_has_18_characters"),)

    id: Mapped[int] = primary_key()
    name: Mapped[str] = mapped_column(LINE, unique=True)
    uscc: Mapped[str | None] = mapped_column(SHORT, unique=True)
    region: Mapped[str] = mapped_column(SHORT, default="晋江")
    illustrative: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class Person(Model):
    """Somebody who signs in. ``email`` is kept in lower case."""

    __tablename__ = "person"
    __table_args__ = (Index("uq_person_email_lower", text("lower(email)"), unique=True),)

    id: Mapped[int] = primary_key()
    email: Mapped[str] = mapped_column(LINE)
    name: Mapped[str] = mapped_column(SHORT)
    password_hash: Mapped[str] = mapped_column(LINE)
    active: Mapped[bool] = mapped_column(default=True)
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
