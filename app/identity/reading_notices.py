"""What a person is told in the page, what of it is read, and how they want to hear of each kind of thing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.models import Notice, NoticeChoice
from app.identity.rules.notice import MailState, NoticeKind, Ways

MOST_COUNTED = 100


def notices_of(person_id: int) -> Select[Notice]:
    """What the page shows this person, newest first."""
    return (
        select(Notice)
        .where(Notice.person_id == person_id, Notice.shown)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
    )


def unread_count(session: Session, person_id: int) -> int:
    """How many notices wait to be read; not counted beyond ``MOST_COUNTED``."""
    unread = (
        select(Notice.id)
        .where(Notice.person_id == person_id, Notice.shown, Notice.read_at.is_(None))
        .limit(MOST_COUNTED)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(unread)) or 0


def mark_read(session: Session, person_id: int, *, at: datetime, notice_id: int | None = None) -> None:
    """One notice, or all of them. What is another person's stays as it is."""
    unread = update(Notice).where(Notice.person_id == person_id, Notice.read_at.is_(None))
    session.execute((unread if notice_id is None else unread.where(Notice.id == notice_id)).values(read_at=at))


def choices_of(session: Session, person_id: int) -> dict[NoticeKind, Ways]:
    """Every kind of notice, and how the person hears of it."""
    chosen = {
        choice.kind: Ways(choice.in_page, choice.by_mail)
        for choice in session.scalars(select(NoticeChoice).where(NoticeChoice.person_id == person_id))
    }
    return {kind: chosen.get(kind, Ways()) for kind in NoticeKind}


def choose(session: Session, person_id: int, ways: Mapping[NoticeKind, Ways]) -> None:
    """From now on; mail of a kind that is switched off does not leave any more."""
    if not ways:
        return
    wanted = insert(NoticeChoice).values(
        [
            {"person_id": person_id, "kind": kind, "in_page": way.in_page, "by_mail": way.by_mail}
            for kind, way in ways.items()
        ]
    )
    session.execute(
        wanted.on_conflict_do_update(
            index_elements=[NoticeChoice.person_id, NoticeChoice.kind],
            set_={"in_page": wanted.excluded.in_page, "by_mail": wanted.excluded.by_mail},
        )
    )
    session.execute(
        update(Notice)
        .where(
            Notice.person_id == person_id,
            Notice.mail == MailState.WAITING,
            Notice.kind.in_([kind for kind, way in ways.items() if not way.by_mail]),
        )
        .values(mail=MailState.UNWANTED, next_try_at=None)
    )
