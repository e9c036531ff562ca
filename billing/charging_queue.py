"""What waits to be charged: the database notes a session that ends or changes, or whose settlement is taken back.

The list is derived like all else: :func:`find_again` makes it anew from the sessions and their settlements.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, func, insert, or_, select, true
from sqlalchemy.orm import Session

from app.booking.slots import reservations_under_way
from app.catalogue.models import Equipment, Platform
from billing.models import SettledSession, UnchargedSession, UseSettlement
from billing.settling import Problem
from devices.rules.usage import Usage
from devices.usage import complete_usage, ended_sessions, finished_usage, reviewed_sessions

ONE_AT_A_TIME = 4703
"""Advisory lock class: a platform's cases are settled by one at a time, since steps of a price count across them."""


def platforms_waiting(session: Session) -> list[int]:
    """Platforms of which something waits, the one that has waited longest first. One index lookup for each."""
    oldest = (
        select(UnchargedSession.id)
        .where(UnchargedSession.platform_id == Platform.id)
        .order_by(UnchargedSession.id)
        .limit(1)
        .lateral()
    )
    return list(session.scalars(select(Platform.id).join(oldest, true()).order_by(oldest.c.id)))


def nobody_else_settles(session: Session, platform_id: int) -> bool:
    """Whether this platform's cases are ours until the transaction ends; somebody else may be at it."""
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(ONE_AT_A_TIME, platform_id))))


def settle_alone(session: Session, platform_ids: Collection[int]) -> None:
    """Until this transaction ends nobody else settles cases of these platforms. Waits for whoever does."""
    for platform_id in sorted(platform_ids):
        session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME, platform_id)))


def take(session: Session, platform_id: int, *, until: datetime, at: datetime, limit: int) -> list[int]:
    """Take up to ``limit`` sessions off the list whose use is complete, those that were noted first. Their ids.

    What is not complete stays: O(what waits), however much was charged before.
    """
    rows = session.execute(
        _ready(platform_id, until=until, at=at)
        .with_only_columns(UnchargedSession.id, UnchargedSession.usage_session_id)
        .order_by(UnchargedSession.id)
        .limit(limit)
        .with_for_update(of=UnchargedSession, skip_locked=True)
    ).all()
    if rows:
        session.execute(delete(UnchargedSession).where(UnchargedSession.id.in_([number for number, _ in rows])))
    return [session_id for _, session_id in rows]


def still_to_charge(session: Session, session_ids: Collection[int], *, until: datetime) -> list[Usage]:
    """Those of these sessions that are not settled as they now stand, oldest first."""
    among = SettledSession.usage_session_id.in_(session_ids)
    return finished_usage(session, until=until, among=session_ids, settled=_settled().where(among))


def uncharged(session: Session, *, platform_id: int, until: datetime, at: datetime) -> int:
    """How many sessions of complete use ended by ``until`` and are not charged as they now stand. O(what waits)."""
    waiting = _ready(platform_id, until=until, at=at).with_only_columns(UnchargedSession.usage_session_id)
    found = session.scalars(waiting.distinct()).all()
    return len(still_to_charge(session, found, until=until)) if found else 0


def find_again(session: Session) -> None:
    """Make the list anew from what the sessions and their settlements say. O(all sessions)."""
    session.execute(delete(UnchargedSession))
    waiting = ended_sessions(settled=_settled())
    session_id, equipment_id, ended_at = waiting.subquery().c
    session.execute(
        insert(UnchargedSession).from_select(
            ["platform_id", "usage_session_id"],
            select(Equipment.platform_id, session_id)
            .join(Equipment, Equipment.id == equipment_id)
            .order_by(ended_at, session_id),
        )
    )


def _ready(platform_id: int, *, until: datetime, at: datetime) -> Select[int]:
    complete = complete_usage(UnchargedSession.usage_session_id, until=until, under_way=reservations_under_way(at))
    return select(UnchargedSession.id).join(complete, true()).where(UnchargedSession.platform_id == platform_id)


def _settled() -> Select[int, str]:
    """(usage_session_id, fingerprint) of what needs no other look."""
    accepted: ColumnElement[bool] = (
        reviewed_sessions().where(reviewed_sessions().selected_columns[0] == SettledSession.usage_session_id).exists()
    )
    return (
        select(SettledSession.usage_session_id, SettledSession.session_fingerprint)
        .join(UseSettlement, UseSettlement.id == SettledSession.use_settlement_id)
        .where(or_(UseSettlement.reason != Problem.NEEDS_REVIEW, SettledSession.reviewed, ~accepted))
    )
