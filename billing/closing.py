"""Close a platform's month: an invoice for every firm, and from then on only late lines on later ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from app.identity.rules.notice import msgid
from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import local_month
from app.kernel.long_work import LongWork, ask
from app.kernel.money import ZERO, Money
from billing.charging_queue import uncharged
from billing.due import due_in, in_closed_month, in_state, out_of_look_back
from billing.invoicing import UsageChanged, issue_for_firms, known_period
from billing.journal import close_books
from billing.models import Charge, LateRelease, PeriodClose, SettledSession, UseSettlement
from billing.rules.period import PeriodState, next_month
from billing.rules.words import ChargeState, SettlementStatus
from devices.usage import changed_since

KIND = "period_close"
FIRMS_A_PORTION = 50


@dataclass(frozen=True, slots=True)
class Count:
    """So many charges, with tax together; ``firms`` is how many they are of."""

    charges: int
    gross: Money
    firms: int


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """What a platform's month comes to, and what stands in the way of closing it.

    ``ready`` will be invoiced, ``late`` of it is service of closed months. ``waiting`` is to be reviewed,
    ``disputed`` objected to, ``too_late`` out of the look-back; ``problems`` are cases of use without a
    price, ``uncharged`` sessions that charging has not come to yet. ``earlier`` is a month that has to be
    closed before.
    """

    month: date
    state: PeriodState
    ready: Count
    late: Count
    waiting: Count
    disputed: Count
    too_late: Count
    problems: int
    uncharged: int
    earlier: date | None
    closed: PeriodClose | None

    @property
    def in_the_way(self) -> int:
        """How many charges, cases and sessions have to be decided on, waited for, or carried over."""
        return self.waiting.charges + self.disputed.charges + self.too_late.charges + self.problems + self.uncharged


def month_end(session: Session, *, platform_id: int, month: date) -> MonthEnd:
    """How the month stands now. O(charges of the platform that are not invoiced)."""
    month = month.replace(day=1)
    span = local_month(month.year, month.month)
    due, too_late = due_in(platform_id, month), out_of_look_back(platform_id, month)
    until = and_(Charge.platform_id == platform_id, Charge.served_at < span.end)
    closed = session.scalar(
        select(PeriodClose).where(PeriodClose.platform_id == platform_id, PeriodClose.month == month)
    )
    problems = session.scalar(
        select(func.count()).where(
            UseSettlement.platform_id == platform_id,
            UseSettlement.status.in_((SettlementStatus.NEEDS_REVIEW, SettlementStatus.REFUSED)),
            UseSettlement.used_from < span.end,
        )
    )
    ready, late, waiting, disputed, beyond = _counts(
        session,
        platform_id,
        due,
        and_(due, Charge.served_at < span.start),
        and_(until, in_state(ChargeState.PROPOSED)),
        and_(until, in_state(ChargeState.DISPUTED)),
        too_late,
    )
    return MonthEnd(
        month=month,
        state=closed.state if closed else PeriodState.OPEN,
        ready=ready,
        late=late,
        waiting=waiting,
        disputed=disputed,
        too_late=beyond,
        problems=problems or 0,
        uncharged=uncharged(session, platform_id=platform_id, until=span.end, at=span.end),
        earlier=_earlier_open(session, platform_id, month),
        closed=closed,
    )


def close_month(
    session: Session, *, platform_id: int, month: date, carry_over: bool, by: int, at: datetime
) -> PeriodClose:
    """Ask for the close of a month; :func:`close_portion` does it. Once asked, asking again changes nothing.

    One that could not be finished goes on where it stopped. ``carry_over`` leaves what waits for later:
    it will be on a later invoice, with its month of service.

    Errors: ``Conflict`` for a month that is not over, that is closed, that follows one that is still open,
    or of which something waits or is not charged yet and is not carried over.
    """
    month = month.replace(day=1)
    if clock.local_date(at) < next_month(month):
        raise Conflict("%(month)s 还没有结束，次月 1 日起才能月结。", month=f"{month:%Y-%m}")
    row = _locked(session, platform_id, month)
    if row.state is PeriodState.CLOSED:
        raise Conflict("%(month)s 已经月结。", month=f"{month:%Y-%m}")
    if row.state is PeriodState.CLOSING and row.work is not None and row.work.going_on:
        return row
    standing = month_end(session, platform_id=platform_id, month=month)
    if standing.earlier is not None:
        raise Conflict("请先月结 %(earlier)s，那个月还有未开具的费用。", earlier=f"{standing.earlier:%Y-%m}")
    if standing.uncharged and not carry_over:
        raise Conflict(
            "还有 %(count)s 次已结束的使用尚未计费，通常几秒内完成。请稍后刷新再月结；如果一直没有减少，"
            "请管理员检查后台任务，或确认结转到以后的结算单。",
            count=standing.uncharged,
        )
    if standing.in_the_way and not carry_over:
        raise Conflict(
            "还有 %(waiting)s 笔费用待审核，%(disputed)s 笔有异议，%(too_late)s 笔超出追溯期，"
            "%(problems)s 次使用没能计费。请先处理，或确认结转到以后的结算单。",
            waiting=standing.waiting.charges,
            disputed=standing.disputed.charges,
            too_late=standing.too_late.charges,
            problems=standing.problems,
        )
    work = ask(
        session,
        kind=KIND,
        platform_id=platform_id,
        arguments={"month": month.isoformat(), "after": 0, "passed_over": 0},
        by=by,
        at=at,
    )
    work.progressed(0, total=standing.ready.firms)
    row.state, row.long_work_id = PeriodState.CLOSING, work.id
    audit.record(
        session, at=at, by=by, deed="closing", subject="period_close", subject_id=row.id,
        month=month.isoformat(), charges=standing.ready.charges, gross=str(standing.ready.gross),
        carried_over=standing.in_the_way,
    )  # fmt: skip
    session.flush()
    return row


def close_portion(session: Session, work: LongWork, at: datetime, *, firms: int = FIRMS_A_PORTION) -> None:
    """Invoice the next firms in the order of their ids; when none is left, close the month.

    A firm of which a session changed since it was charged is passed over, and the month stays open for it.
    """
    platform_id, month = work.platform_id or 0, date.fromisoformat(work.arguments["month"])
    due = due_in(platform_id, month)
    following = session.scalars(
        select(Charge.organization_id)
        .where(due, Charge.organization_id > work.arguments["after"])
        .distinct()
        .order_by(Charge.organization_id)
        .limit(firms)
    ).all()
    if not following:
        _close(session, work, platform_id=platform_id, month=month, at=at)
        return
    passed_over = _issue(session, following, platform_id=platform_id, month=month, by=work.asked_by, at=at)
    work.arguments = {
        **work.arguments,
        "after": following[-1],
        "passed_over": work.arguments["passed_over"] + len(passed_over),
    }
    work.progressed(work.done + len(following))


def release_late(session: Session, *, platform_id: int, month: date, reason: str, by: int, at: datetime) -> int:
    """Let what is out of the look-back be on the invoices of ``month`` after all. Returns how many charges.

    Errors: ``InvalidInput`` without a reason.
    """
    if not reason.strip():
        raise InvalidInput("请填写仍然计入的原因。", field="reason")
    late = session.scalars(select(Charge.id).where(out_of_look_back(platform_id, month)).order_by(Charge.id)).all()
    session.add_all(
        LateRelease(charge_id=charge_id, reason=reason.strip(), released_by=by, released_at=at) for charge_id in late
    )
    session.flush()
    audit.record_many(
        session, [(charge_id, {"reason": reason.strip()}) for charge_id in late],
        at=at, by=by, deed="released late", subject="charge",
    )  # fmt: skip
    return len(late)


def _issue(
    session: Session, firms: Collection[int], *, platform_id: int, month: date, by: int | None, at: datetime
) -> set[int]:
    """Issue to these firms, but those of which a session changed. Returns those."""
    issue = partial(issue_for_firms, session, platform_id=platform_id, month=month, by=by, at=at)
    try:
        with session.begin_nested():
            issue(organization_ids=firms)
    except UsageChanged:
        changed = _changed(session, firms, platform_id=platform_id, month=month)
        issue(organization_ids=[one for one in firms if one not in changed])
        return changed
    return set()


def _changed(session: Session, firms: Collection[int], *, platform_id: int, month: date) -> set[int]:
    charged = (
        select(SettledSession.usage_session_id, SettledSession.session_fingerprint)
        .join(Charge, Charge.use_settlement_id == SettledSession.use_settlement_id)
        .where(due_in(platform_id, month), Charge.organization_id.in_(firms))
    )
    found = (
        select(Charge.organization_id)
        .join(SettledSession, SettledSession.use_settlement_id == Charge.use_settlement_id)
        .where(
            due_in(platform_id, month),
            Charge.organization_id.in_(firms),
            SettledSession.usage_session_id.in_(changed_since(charged)),
        )
        .distinct()
    )
    return set(session.scalars(found))


def _close(session: Session, work: LongWork, *, platform_id: int, month: date, at: datetime) -> None:
    row = _locked(session, platform_id, month)
    standing = month_end(session, platform_id=platform_id, month=month)
    if standing.ready.charges:
        raise Conflict(
            "%(firms)s 家企业的费用在月结期间有变化（例如读数刚更新），没有开具。请审核后再次月结，已开具的不会重复。",
            firms=standing.ready.firms,
        )
    close_books(session, platform_id=platform_id, month=month, at=at)
    row.state, row.closed_at, row.closed_by = PeriodState.CLOSED, at, work.asked_by
    row.waiting_count = standing.in_the_way
    session.flush()
    audit.record(
        session, at=at, by=work.asked_by, deed="closed", subject="period_close", subject_id=row.id,
        month=month.isoformat(), firms=work.done, carried_over=standing.in_the_way,
    )  # fmt: skip
    work.finish(
        msgid("%(month)s 已月结：开具 %(count)s 张结算单，结转 %(carried)s 项。"),
        at=at,
        month=f"{month:%Y-%m}",
        count=work.done,
        carried=standing.in_the_way,
    )


def _locked(session: Session, platform_id: int, month: date) -> PeriodClose:
    known_period(session, platform_id=platform_id, month=month)
    return session.scalars(
        select(PeriodClose)
        .where(PeriodClose.platform_id == platform_id, PeriodClose.month == month)
        .with_for_update(of=PeriodClose)
        .execution_options(populate_existing=True)
    ).one()


def _counts(session: Session, platform_id: int, *which: ColumnElement[bool]) -> Iterator[Count]:
    """How many each of these conditions is true of, in one look at what is not invoiced."""
    columns = [
        figure.filter(one)
        for one in which
        for figure in (func.count(), func.sum(Charge.gross_fen), func.count(Charge.organization_id.distinct()))
    ]
    figures = iter(
        session.execute(
            select(*columns).where(Charge.platform_id == platform_id, ~in_state(ChargeState.INVOICED))
        ).one()
    )
    return (
        Count(charges, gross or ZERO, firms) for charges, gross, firms in zip(figures, figures, figures, strict=True)
    )


def _earlier_open(session: Session, platform_id: int, month: date) -> date | None:
    """The first month before this one that has something approved and is not closed."""
    span = local_month(month.year, month.month)
    first = session.scalar(
        select(func.min(Charge.served_at)).where(
            Charge.platform_id == platform_id,
            in_state(ChargeState.APPROVED),
            Charge.served_at < span.start,
            ~in_closed_month(),
        )
    )
    return None if first is None else clock.local_date(first).replace(day=1)
