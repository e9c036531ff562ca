"""Work that takes longer than a person waits: asked for once, done in portions, watched while it goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.columns import SHORT, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.errors import Refusal

log = logging.getLogger("pilotshare.long_work")
UNFORESEEN = Refusal("出现了意外情况，没有做完；已经完成的部分保留。请重新发起，仍不行请联系管理员。")


class WorkState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class LongWork(Model):
    """One piece of long work. ``said`` is a sentence with places for ``facts``, once there is something to say.

    ``done`` of ``total`` are whatever its kind counts; ``total`` is zero while it is not known.
    """

    __tablename__ = "long_work"
    __table_args__ = (
        CheckConstraint("done >= 0 AND total >= 0", name="counts"),
        CheckConstraint("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name="finished_or_not"),
        Index("ix_long_work_open", "advanced_at", "id", postgresql_where=text("state IN ('waiting', 'running')")),
    )

    id: Mapped[int] = primary_key()
    kind: Mapped[str] = mapped_column(SHORT)
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"), index=True)
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[WorkState] = mapped_column(word(WorkState), default=WorkState.WAITING)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    said: Mapped[str] = mapped_column(Text, default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    advanced_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)

    @property
    def going_on(self) -> bool:
        return self.state in (WorkState.WAITING, WorkState.RUNNING)

    def progressed(self, done: int, *, total: int | None = None) -> None:
        """``done`` of ``total`` are done now; the total stays if none is given."""
        self.done = done
        self.total = max(done, self.total if total is None else total)

    def finish(self, said: str = "", *, at: datetime, **facts: Any) -> None:
        """Nothing is left to do. ``said`` is a message id with places for ``facts``."""
        self.state, self.finished_at = WorkState.DONE, at
        self.said, self.facts = said, facts

    def fail(self, refusal: Refusal, *, at: datetime) -> None:
        """It cannot go on. What earlier portions did stays."""
        self.state, self.finished_at = WorkState.FAILED, at
        self.said = refusal.sentence
        self.facts = {name: fact if isinstance(fact, str | int) else str(fact) for name, fact in refusal.facts.items()}


Step: TypeAlias = Callable[[Session, LongWork, datetime], None]
"""Does one portion, and says so with ``progressed`` or ``finish``."""


def ask(
    session: Session, *, kind: str, platform_id: int | None, arguments: Mapping[str, Any], by: int | None, at: datetime
) -> LongWork:
    """Put work in line. ``kind`` names its step, ``arguments`` are what JSON can say."""
    work = LongWork(
        kind=kind, platform_id=platform_id, asked_by=by, arguments=dict(arguments), asked_at=at, advanced_at=at
    )
    session.add(work)
    session.flush()
    return work


def advance(session: Session, steps: Mapping[str, Step], *, at: datetime) -> int:
    """Do one portion of the work that has waited longest for its turn; one if there was some, else zero.

    The portion is the caller's transaction: a process that dies loses no more than it, and of two
    workers each has another row. A portion that is refused, or breaks, leaves nothing of itself and
    fails its work; what broke is in the log too. A lost connection and a broken deadlock fail nothing:
    they are the caller's, and the portion is done again.
    """
    work = session.scalar(
        select(LongWork)
        .where(LongWork.state.in_((WorkState.WAITING, WorkState.RUNNING)), LongWork.kind.in_(steps))
        .order_by(LongWork.advanced_at, LongWork.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if work is None:
        return 0
    try:
        with session.begin_nested():
            work.state = WorkState.RUNNING
            steps[work.kind](session, work, at)
    except Refusal as refusal:
        work.fail(refusal, at=at)
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in ("40P01", "40001"):
            raise
        _broke(work, at=at)
    except Exception:
        _broke(work, at=at)
    work.advanced_at = at
    session.flush()
    return 1


def _broke(work: LongWork, *, at: datetime) -> None:
    log.exception("long work %s (%s) broke", work.id, work.kind)
    work.fail(UNFORESEEN, at=at)
