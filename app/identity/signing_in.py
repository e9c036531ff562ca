"""Somebody says who they are, and what they read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.identity.models import Person
from app.identity.passwords import fits, hashed, outdated
from app.identity.rules.language import Language
from app.kernel import audit
from app.kernel.errors import InvalidInput


def sign_in(session: Session, *, email: str, password: str, at: datetime) -> Person:
    """The person with this e-mail and password.

    Errors: ``InvalidInput`` with one sentence for every reason: a stranger learns nothing.
    """
    person = session.scalar(select(Person).where(func.lower(Person.email) == email.strip().lower(), Person.active))
    if not fits(person.password_hash if person else None, password) or person is None:
        raise InvalidInput("邮箱或密码不正确，请重试。", field="password")
    if outdated(person.password_hash):
        person.password_hash = hashed(password)
    audit.record(session, at=at, by=person.id, deed="signed in", subject="person", subject_id=person.id)
    session.flush()
    return person


def choose_language(session: Session, person_id: int, language: Language) -> None:
    """From now on pages, mails and calendars of this person are in ``language``."""
    session.get_one(Person, person_id).language = language
    session.flush()
