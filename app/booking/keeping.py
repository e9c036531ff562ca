"""How firms keep their reservations: what is written down, what follows from it, and what is forgiven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from app.booking.models import ConductEntry, Reservation
from app.booking.rules.conduct import Entry, Ladder, Rung, blocked_until, rung, score
from app.booking.rules.reservation import AGREED
from app.booking.rules.words import MisstepKind
from app.catalogue.models import Conduct
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound

USUAL_POINTS = {
    MisstepKind.NO_SHOW: -20,
    MisstepKind.LATE_CANCELLATION: -5,
    MisstepKind.LATE: -2,
    MisstepKind.OVERRUN: -5,
    MisstepKind.GOOD_USE: 1,
}
"""Where a platform has set none of its own."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a firm stands with one platform. ``entries`` are all it has, the latest first, excused ones too."""

    ladder: Ladder
    score: int
    rung: Rung
    blocked_until: datetime | None
    entries: Sequence[ConductEntry]


def ladder_of(session: Session, platform_id: int) -> Ladder | None:
    """The platform's rules; None where it has set none, and then nothing is counted."""
    row = session.get(Conduct, platform_id)
    return None if row is None else _ladder(row)


def standing(session: Session, *, platform_id: int, organization_id: int, at: datetime) -> Standing | None:
    """The firm's score, rung and block at ``at``. Two indexed reads."""
    ladder = ladder_of(session, platform_id)
    if ladder is None:
        return None
    rows = session.scalars(
        select(ConductEntry)
        .where(ConductEntry.platform_id == platform_id, ConductEntry.organization_id == organization_id)
        .order_by(ConductEntry.occurred_at.desc(), ConductEntry.id.desc())
    ).all()
    entries = _entries(rows)
    return Standing(
        ladder=ladder,
        score=score(ladder, entries, at=at),
        rung=rung(ladder, entries, at=at),
        blocked_until=blocked_until(ladder, entries, at=at),
        entries=rows,
    )


def record(session: Session, reservation: Reservation, kind: MisstepKind, *, at: datetime) -> ConductEntry | None:
    """Write down how ``reservation`` was kept and tell its person what a misstep means. Once for each kind."""
    platform_id = reservation.equipment.platform_id
    ladder = ladder_of(session, platform_id)
    if ladder is None:
        return None
    entry_id = session.scalar(
        insert(ConductEntry)
        .values(
            platform_id=platform_id,
            organization_id=reservation.organization_id,
            person_id=reservation.person_id,
            reservation_id=reservation.id,
            kind=kind,
            occurred_at=at,
            effective_at=at + ladder.delay,
            taken_over=False,
            excuse="",
        )
        .on_conflict_do_nothing()
        .returning(ConductEntry.id)
    )
    if entry_id is None:
        return None
    entry = session.get_one(ConductEntry, entry_id)
    if kind is not MisstepKind.GOOD_USE:
        _tell(session, reservation, entry, at=at)
    return entry


def cancelled_late(session: Session, reservation: Reservation, *, at: datetime) -> None:
    """Write down a cancellation that came too late for others to use the slot."""
    conduct = session.get(Conduct, reservation.equipment.platform_id)
    if conduct is not None and reservation.during.start - at < timedelta(hours=conduct.late_cancel_hours):
        record(session, reservation, MisstepKind.LATE_CANCELLATION, at=at)


def excuse(session: Session, entry_id: int, *, by: int, at: datetime, reason: str) -> ConductEntry:
    """Take an entry back: it counts no more, from the beginning. Excusing twice changes nothing.

    Errors: ``NotFound``; ``InvalidInput`` without a reason; ``Conflict`` for what was no misstep.
    """
    entry = session.get(ConductEntry, entry_id, with_for_update=True, populate_existing=True)
    if entry is None:
        raise NotFound("没有这条记录。")
    if entry.kind is MisstepKind.GOOD_USE:
        raise Conflict("这是加分记录，无需豁免。")
    if not reason.strip():
        raise InvalidInput("请填写豁免理由，企业会看到。", field="reason")
    if entry.excused_at is not None:
        return entry
    entry.excused_at, entry.excused_by, entry.excuse = at, by, reason.strip()
    audit.record(
        session,
        at=at,
        by=by,
        deed="excused",
        subject="reservation",
        subject_id=entry.reservation_id,
        kind=entry.kind.value,
        reason=entry.excuse,
    )
    notify(
        session,
        [entry.person_id],
        kind=NoticeKind.CONDUCT,
        key=f"excused:{entry.id}",
        sentence=msgid("预约 #%(reservation)s 的记录已豁免，不再计入信用：%(reason)s"),
        facts={"reservation": entry.reservation_id, "reason": entry.excuse},
        path=f"/reservations/{entry.reservation_id}",
        at=at,
    )
    session.flush()
    return entry


def mark_taken_over(session: Session, *, since: datetime) -> None:
    """Mark missed slots of which somebody else has used or reserved a part since: they cost no fee."""
    other = aliased(Reservation)
    session.execute(
        update(ConductEntry)
        .where(
            ConductEntry.kind == MisstepKind.NO_SHOW,
            ~ConductEntry.taken_over,
            ConductEntry.occurred_at > since,
            exists(
                select(other.id)
                .join(Reservation, Reservation.id == ConductEntry.reservation_id)
                .where(
                    other.equipment_id == Reservation.equipment_id,
                    other.id != Reservation.id,
                    other.state.in_(AGREED),
                    other.created_at >= ConductEntry.occurred_at,
                    other.during.op("&&")(Reservation.during),
                )
            ).correlate(ConductEntry),
        )
        .values(taken_over=True),
        execution_options={"synchronize_session": False},
    )


def _ladder(row: Conduct) -> Ladder:
    return Ladder(
        grace=timedelta(minutes=row.grace_minutes),
        warnings=row.warnings,
        fee_from=row.fee_from,
        block_from=row.block_from,
        block=timedelta(days=row.block_days),
        counted_over=timedelta(days=row.counted_days),
        delay=timedelta(hours=row.delay_hours),
        base_score=row.base_score,
        points=USUAL_POINTS | {MisstepKind(kind): int(points) for kind, points in row.points.items()},
    )


def _entries(rows: Sequence[ConductEntry]) -> list[Entry]:
    return [Entry(row.kind, row.occurred_at, row.effective_at, row.excused_at is not None) for row in rows]


def _tell(session: Session, reservation: Reservation, entry: ConductEntry, *, at: datetime) -> None:
    """Say which rung it leads to, when it counts, and how to object."""
    known = standing(
        session, platform_id=entry.platform_id, organization_id=entry.organization_id, at=entry.effective_at
    )
    notify(
        session,
        [entry.person_id],
        kind=NoticeKind.CONDUCT,
        key=f"conduct:{entry.id}",
        sentence=_sentence(entry.kind, Rung.NONE if known is None else known.rung),
        facts={
            "reservation": reservation.id,
            "equipment": names(reservation.equipment),
            "effective_at": entry.effective_at.isoformat(),
        },
        path="/conduct",
        at=at,
    )


def _sentence(kind: MisstepKind, reached: Rung) -> str:
    match kind:
        case MisstepKind.LATE_CANCELLATION:
            return msgid("%(equipment)s 的预约 #%(reservation)s 取消过晚，%(effective_at)s 起扣分。可在此前申请豁免。")
        case MisstepKind.LATE:
            return msgid("%(equipment)s 的预约 #%(reservation)s 签到迟到，%(effective_at)s 起扣分。可在此前申请豁免。")
        case MisstepKind.OVERRUN:
            return msgid("%(equipment)s 的预约 #%(reservation)s 使用超时，%(effective_at)s 起扣分。可在此前申请豁免。")
    match reached:
        case Rung.BLOCK:
            return msgid(
                "%(equipment)s 的预约 #%(reservation)s 记为爽约，%(effective_at)s 起暂停预约。可在此前申请豁免。"
            )
        case Rung.FEE:
            return msgid(
                "%(equipment)s 的预约 #%(reservation)s 记为爽约，%(effective_at)s 起须付爽约费。可在此前申请豁免。"
            )
        case _:
            return msgid(
                "%(equipment)s 的预约 #%(reservation)s 记为爽约，%(effective_at)s 起计入警告。可在此前申请豁免。"
            )
