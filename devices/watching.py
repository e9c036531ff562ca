"""Tell operators what is not as it should be about their meters, until it is well again or a person settled it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, text, true
from sqlalchemy.orm import Session, joinedload

from app.catalogue.models import Equipment
from app.catalogue.platforms import operator_of
from app.identity.notifying import notify, people_with
from app.identity.rules.notice import NoticeKind, msgid, names
from app.identity.rules.permission import TABLE, Permission
from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput, NotFound
from devices.causes import LOOKED_BACK, PRIOR, find_causes
from devices.models import Meter, MeterAlert
from devices.refusals import BrokerRefusal
from devices.rules.alert import AlertKind, AlertState, Verdict

GRACE = timedelta(hours=1)
"""A cause that lasts on after somebody said it is resolved comes again after so long."""
LONGEST_REASON = 300
GROUPED_FROM = 4
SETTLED = frozenset({AlertState.RESOLVED, AlertState.WAIVED})

TOLD: dict[AlertKind, str] = {
    AlertKind.SILENT: msgid("%(equipment)s 的电表 %(meter)s 没有信号。"),
    AlertKind.FORGED: msgid("%(equipment)s 的电表 %(meter)s 收到可能是冒充的内容，已拒收。"),
    AlertKind.DISPUTE: msgid("%(equipment)s 的电表 %(meter)s 有互相矛盾的读数，请裁定。"),
    AlertKind.UNCONFIRMED_COMMAND: msgid("%(equipment)s 的电表 %(meter)s 没有确认通断电指令，请到现场看一下。"),
}
"""What people are told of by themselves; the other kinds wait in the queue."""
TOLD_TOGETHER = msgid("有 %(count)s 项新的计量告警，请处理。")

LOCK = text("SELECT pg_advisory_xact_lock(hashtext('watching the meters'))")
CLEAR = text(
    """
    UPDATE meter_alert AS alert SET state = 'cleared', settled_at = :at
    WHERE state = 'open' AND kind <> 'dispute'
      AND (kind NOT IN ('unreadable', 'forged') OR seen_at <= :at - CAST(:back AS interval))
      AND NOT EXISTS (
          SELECT FROM alert_cause AS cause WHERE cause.kind = alert.kind AND cause.key = alert.key
             AND cause.meter_id IS NOT DISTINCT FROM alert.meter_id
      )
    """
)
JUDGED = f"""
    WITH judged AS (
        SELECT cause.*, prior.id AS prior_id, CASE
            WHEN prior.state = 'open' THEN 'goes on'
            WHEN prior.state = 'waived' AND prior.seen_at > cause.seen_at - CAST(:back AS interval)
                AND (NOT cause.lasting OR prior.facts ->> 'mark' = cause.mark) THEN 'goes on'
            WHEN prior.state = 'resolved' AND prior.facts ->> 'mark' = cause.mark
                AND (NOT cause.lasting OR prior.settled_at > :at - CAST(:grace AS interval)) THEN 'settled'
            ELSE 'new' END AS place
        FROM alert_cause AS cause LEFT JOIN LATERAL ({PRIOR}) AS prior ON true
    )
"""  # noqa: S608 - two constants
GROW = text(
    JUDGED
    + """
    UPDATE meter_alert AS alert SET
        times = CASE WHEN judged.times IS NULL THEN alert.times + CAST(judged.seen_at > alert.seen_at AS integer)
                     WHEN judged.lasting THEN greatest(alert.times, judged.times)
                     ELSE alert.times + judged.times END,
        seen_at = greatest(alert.seen_at, judged.seen_at),
        facts = alert.facts || (judged.facts - 'first_id') || jsonb_build_object('mark', judged.mark)
    FROM judged
    WHERE alert.id = judged.prior_id AND judged.place = 'goes on'
      AND (alert.times < judged.times OR (NOT judged.lasting AND judged.times > 0) OR alert.seen_at < judged.seen_at
           OR alert.facts <> alert.facts || (judged.facts - 'first_id') || jsonb_build_object('mark', judged.mark))
    """
)
RAISE = text(
    f"""
    {JUDGED}
    INSERT INTO meter_alert (meter_id, kind, key, facts, times, state, raised_at, seen_at, reason)
    SELECT meter_id, kind, key, facts || jsonb_build_object('mark', mark), coalesce(times, 1), 'open', :at, seen_at, ''
    FROM judged WHERE place = 'new' ORDER BY kind, meter_id, key
    RETURNING id
    """  # noqa: S608 - a constant
)


def watch(session: Session, *, at: datetime, refusals: Sequence[BrokerRefusal] = ()) -> int:
    """Raise, continue and clear alerts. Returns how many were raised or cleared. Twice changes nothing.

    A *waived* alert stays so while its cause lasts unchanged; a *resolved* one comes again with a new occurrence,
    or where the cause still lasts after ``GRACE``. Ten statements whatever there is; what they read is said
    in :mod:`devices.causes`. ``refusals`` are the broker's; those that were told before are no news.
    """
    session.execute(LOCK)
    find_causes(session, refusals, at=at)
    told = {"at": at, "back": LOOKED_BACK, "grace": GRACE}
    cleared = session.execute(CLEAR, {"at": at, "back": LOOKED_BACK}).rowcount  # type: ignore[attr-defined]
    session.execute(GROW, told)
    raised = list(session.scalars(RAISE, told))
    _tell(session, raised, at=at)
    session.expire_all()
    return len(raised) + cleared


def settle(
    session: Session,
    alert_id: int,
    *,
    state: AlertState,
    reason: str,
    by: int,
    at: datetime,
    verdict: Verdict | None = None,
) -> None:
    """Resolve or waive one open alert, for a reason. A ``verdict`` is kept with a dispute.

    A verdict changes no reading. Where the other content is right, what it would change is entered by hand as use
    or as an adjustment of the charge.

    Errors: ``InvalidInput`` without a reason; ``NotFound``; ``Conflict`` where it is not open any more.
    """
    if not settle_all(session, [alert_id], state=state, reason=reason, by=by, at=at, verdict=verdict):
        if session.get(MeterAlert, alert_id) is None:
            raise NotFound("没有找到这一项，或您无权查看。")
        raise Conflict("这项告警已经处理过，或已自行恢复。")


def settle_all(
    session: Session,
    alert_ids: Collection[int],
    *,
    state: AlertState,
    reason: str,
    by: int,
    at: datetime,
    verdict: Verdict | None = None,
) -> int:
    """Settle those of these that are still open, each with its own entry in the log. Returns how many.

    Errors: ``InvalidInput`` without a reason.
    """
    if state not in SETTLED:
        raise InvalidInput("请选择已解决或不处理。", field="state")
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidInput("请填写原因，最多 300 字。", field="reason")
    rows = session.scalars(
        select(MeterAlert)
        .where(MeterAlert.id.in_(alert_ids), MeterAlert.state == AlertState.OPEN)
        .order_by(MeterAlert.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        row.state, row.reason, row.settled_by, row.settled_at = state, reason, by, at
        judged = {"verdict": verdict.value} if verdict is not None and row.kind is AlertKind.DISPUTE else {}
        row.facts = row.facts | judged
        audit.record(
            session, at=at, by=by, deed=f"alert {state.value}", subject="meter_alert", subject_id=row.id,
            meter_id=row.meter_id, kind=row.kind.value, key=row.key, times=row.times, reason=reason, **judged,
        )  # fmt: skip
    session.flush()
    return len(rows)


def alerts_of(platform_ids: Collection[int], *, everything: bool = False) -> ColumnElement[bool]:
    """Alerts about meters on these platforms; about all, and about what nobody registered, with ``everything``."""
    if everything:
        return true()
    meters = select(Meter.id).join(Equipment).where(Equipment.platform_id.in_(platform_ids))
    return MeterAlert.meter_id.in_(meters)


def open_alerts(session: Session, platform_ids: Collection[int]) -> int:
    """How many alerts wait on these platforms."""
    query = select(func.count()).select_from(MeterAlert)
    return session.scalar(query.where(MeterAlert.state == AlertState.OPEN, alerts_of(platform_ids))) or 0


def _tell(session: Session, raised: Collection[int], *, at: datetime) -> None:
    """Once for each alert of the kinds that cannot wait; of many at once on one platform only that there are many."""
    if not raised:
        return
    by_platform: dict[int, list[MeterAlert]] = {}
    rows = session.scalars(
        select(MeterAlert)
        .where(MeterAlert.id.in_(raised), or_(*(MeterAlert.kind == kind for kind in TOLD)))
        .options(joinedload(MeterAlert.meter).joinedload(Meter.equipment))
        .order_by(MeterAlert.id)
    )
    for row in rows:
        if row.meter is not None:
            by_platform.setdefault(row.meter.equipment.platform_id, []).append(row)
    for platform_id, alerts in by_platform.items():
        operator = operator_of(session, platform_id, on=clock.local_date(at))
        people = [] if operator is None else people_with(session, operator.id, *TABLE[Permission.MANAGE_METERS])
        if len(alerts) >= GROUPED_FROM:
            notify(
                session, people, kind=NoticeKind.METERING, key=f"alerts:{platform_id}:{alerts[0].id}",
                sentence=TOLD_TOGETHER, facts={"count": len(alerts)}, path="/alerts", at=at,
            )  # fmt: skip
            continue
        for row in alerts:
            if row.meter is not None:
                notify(
                    session, people, kind=NoticeKind.METERING, key=f"alert:{row.id}", sentence=TOLD[row.kind],
                    facts={"equipment": names(row.meter.equipment), "meter": row.meter.code},
                    path=f"/alerts/{row.id}", at=at,
                )  # fmt: skip
