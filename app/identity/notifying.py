"""Tell people something once: in the page, and by e-mail where they want it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.models import Membership, Notice, NoticeChoice, Person
from app.identity.rules.notice import MailState, NoticeKind
from app.identity.rules.permission import Role


def notify(
    session: Session,
    person_ids: Iterable[int],
    *,
    kind: NoticeKind,
    key: str,
    sentence: str,
    facts: Mapping[str, Any],
    path: str,
    at: datetime,
) -> int:
    """Tell each of these people; who was told under this ``key`` before is not told again. Returns how many were.

    ``sentence`` is a Chinese ``msgid(…)`` with ``%(name)s`` places for ``facts``: JSON values, times as ISO
    text under a name that ends in ``_at``, things that have two names as ``names(thing)``. ``path`` is the
    address of the page it is about.
    """
    wanted = sorted(set(person_ids))
    choices = {
        choice.person_id: choice
        for choice in session.scalars(
            select(NoticeChoice).where(NoticeChoice.person_id.in_(wanted), NoticeChoice.kind == kind)
        )
    }
    rows = [
        {
            "person_id": person_id,
            "kind": kind,
            "key": key,
            "sentence": sentence,
            "facts": dict(facts),
            "path": path,
            "created_at": at,
            "shown": choices[person_id].in_page if person_id in choices else True,
            "mail": MailState.WAITING if _by_mail(choices.get(person_id)) else MailState.UNWANTED,
            "tries": 0,
            "next_try_at": at if _by_mail(choices.get(person_id)) else None,
            "mail_error": "",
        }
        for person_id in wanted
    ]
    if not rows:
        return 0
    told = session.execute(insert(Notice).values(rows).on_conflict_do_nothing().returning(Notice.id))
    return len(told.all())


def people_with(session: Session, organization_id: int, *roles: Role) -> list[int]:
    """Active people who have one of these roles in the organization."""
    return list(
        session.scalars(
            select(Membership.person_id)
            .join(Person, Person.id == Membership.person_id)
            .where(Membership.organization_id == organization_id, Membership.role.in_(roles), Person.active)
            .distinct()
        )
    )


def _by_mail(choice: NoticeChoice | None) -> bool:
    return choice is None or choice.by_mail
