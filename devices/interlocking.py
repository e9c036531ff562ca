"""Switch a machine's power: on at check-in, off after its run. What was asked is kept, and what came of it.

A :class:`PowerCommand` is *open* while it is neither confirmed nor ended. It is sent at once and then ever more
rarely; after ``MOST_TRIES`` it stays open and is shown as unconfirmed. ``confirmed_at`` is when the relay said that
it is as asked. ``ended_at`` is when the wish stopped to hold: because another one came, its reason fell away, or,
for an override, somebody checked in or finished. The newest command of a meter is the only one that can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session, joinedload

from app.booking.slots import presences
from devices.models import Meter, PowerCommand, RelayState
from devices.payloads.commanding import switching
from devices.rules.power import (
    FailSafe,
    Override,
    PowerCause,
    Progress,
    Situation,
    Wish,
    holds,
    is_due,
    progress,
    wanted,
)

JUST_NOW = timedelta(minutes=5)
"""Power that was drawn within this time, and is in no session that has ended, may be a run."""
HEARD_SINCE = timedelta(days=7)
"""So far back a meter's last reading is looked for."""
ONE_DECIDES = 5121  # advisory lock class

SITUATIONS = text(
    """
    SELECT meter.id, meter.equipment_id, meter.fail_safe, relay.on AS relay_on, profile.post_s, profile.max_gap_s,
           run.open, run.started_at, run.ended_at, said.taken_at AS heard_at, busy.first_at, busy.last_at
    FROM meter
    LEFT JOIN meter AS carrier ON carrier.id = meter.carrier_id
    LEFT JOIN relay_state AS relay ON relay.meter_id = meter.id
    CROSS JOIN LATERAL (
        SELECT post_s, max_gap_s, run_off_w FROM meter_profile WHERE meter_id = meter.id AND valid_from <= :at
        ORDER BY valid_from DESC, version DESC LIMIT 1
    ) AS profile
    LEFT JOIN LATERAL (
        SELECT open, started_at, ended_at FROM usage_session WHERE meter_id = meter.id
        ORDER BY started_at DESC LIMIT 1
    ) AS run ON true
    LEFT JOIN LATERAL (
        SELECT taken_at FROM reading WHERE meter_id = meter.id AND taken_at > :heard_since
        ORDER BY taken_at DESC LIMIT 1
    ) AS said ON true
    CROSS JOIN LATERAL (
        SELECT min(taken_at) AS first_at, max(taken_at) AS last_at FROM reading
        WHERE meter_id = meter.id AND taken_at > CAST(:busy_since AS timestamptz) - make_interval(secs => post_s)
          AND taken_at > coalesce(run.ended_at, '-infinity')
          AND coalesce(running, power_mw >= run_off_w * 1000::bigint)
    ) AS busy
    WHERE meter.interlocked AND meter.active AND coalesce(carrier.active, true)
      AND (CAST(:meters AS int[]) IS NULL OR meter.id = ANY(CAST(:meters AS int[])))
    ORDER BY meter.id
    """
)
LET_GO = text(
    """
    UPDATE power_command SET ended_at = :at
    FROM meter LEFT JOIN meter AS carrier ON carrier.id = meter.carrier_id
    WHERE meter.id = power_command.meter_id AND power_command.confirmed_at IS NULL AND power_command.ended_at IS NULL
      AND NOT (meter.interlocked AND meter.active AND coalesce(carrier.active, true))
    """
)
CONFIRM = text(
    """
    UPDATE power_command AS command SET confirmed_at = relay.reported_at
    FROM relay_state AS relay
    WHERE relay.meter_id = command.meter_id AND command.confirmed_at IS NULL AND command.ended_at IS NULL
      AND relay.on = command.on AND relay.reported_at > command.asked_at
    """
)


@dataclass(frozen=True, slots=True)
class Relay:
    """A switched meter: how its machine is, what its relay reported, and the last command."""

    meter_id: int
    situation: Situation
    reported: bool | None
    reservation_id: int | None
    command: PowerCommand | None

    @property
    def progress(self) -> Progress | None:
        return None if self.command is None else progress_of(self.command)


def decide_power(session: Session, *, at: datetime, limit: int = 200) -> int:
    """Write down what relays have to be asked, and end what does not hold any more. Twice changes nothing.

    Returns how many commands were added. O(switched meters), a fixed number of queries.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(ONE_DECIDES, 0))):
        return 0  # another process decides just now
    confirm_commands(session)
    session.execute(LET_GO, {"at": at})
    added = 0
    for relay in relays(session, at=at):
        if added == limit:
            break
        added += _decide(session, relay, at=at)
    session.flush()
    return added


def _decide(session: Session, relay: Relay, *, at: datetime) -> bool:
    wish, last = wanted(relay.situation, at=at), relay.command
    if last is not None and last.ended_at is None:
        if last.cause is PowerCause.OVERRIDE and last.confirmed_at is not None:
            if not holds(Override(last.on, last.asked_at), relay.situation.turned_at):
                last.ended_at = at
        elif last.confirmed_at is None and not _holds(last, wish, relay):
            last.ended_at = at
    if wish is None or wish.on == relay.reported or _was_asked(relay, wish):
        return False
    of = relay.reservation_id if wish.cause is PowerCause.CHECKED_IN else None
    session.add(
        PowerCommand(meter_id=relay.meter_id, on=wish.on, cause=wish.cause, reservation_id=of, asked_at=at, reason="")
    )
    return True


def _holds(command: PowerCommand, wish: Wish | None, relay: Relay) -> bool:
    """Whether an open command is still wanted. An override waits for the end of a run that it was not meant for."""
    if command.cause is PowerCause.OVERRIDE:
        return holds(Override(command.on, command.asked_at), relay.situation.turned_at)
    return wish is not None and wish.on == command.on


def _was_asked(relay: Relay, wish: Wish) -> bool:
    """Whether the last command says the same.

    A relay that was switched on for this check-in, or by this override, and off again by hand, stays off:
    no machine starts by itself under somebody's hands. To switch off is asked as often as it takes.
    """
    last = relay.command
    if last is None or last.ended_at is not None or last.on != wish.on:
        return False
    if last.confirmed_at is None:
        return True
    same = last.reservation_id == relay.reservation_id or wish.cause is not PowerCause.CHECKED_IN
    return wish.on and last.cause is wish.cause and same


def confirm_commands(session: Session) -> int:
    """Relays that say what was asked, since it was asked, confirm it. Returns how many did."""
    return len(session.execute(text(f"{CONFIRM.text} RETURNING command.id")).all())


def due_commands(session: Session, shards: Sequence[int], *, at: datetime, limit: int = 200) -> list[tuple[str, bytes]]:
    """(topic, payload) to publish now under these shards, marked as sent.

    Each is judged once more: what is not wanted now is not sent, though nobody has ended it yet.
    """
    confirm_commands(session)
    open_ones = session.scalars(
        select(PowerCommand)
        .where(PowerCommand.confirmed_at.is_(None), PowerCommand.ended_at.is_(None))
        .order_by(PowerCommand.id)
        .options(joinedload(PowerCommand.meter).joinedload(Meter.carrier))
        .with_for_update(of=PowerCommand, skip_locked=True)
    ).all()
    due = {
        one.meter_id: one
        for one in open_ones
        if (one.meter.carrier or one.meter).shard in shards and is_due(sent_at=one.sent_at, tries=one.tries, at=at)
    }
    found: list[tuple[str, bytes]] = []
    for relay in relays(session, at=at, meter_ids=list(due)[:limit]) if due else ():
        command, wish = due[relay.meter_id], wanted(relay.situation, at=at)
        if wish is None or wish.on != command.on:
            continue
        meter = command.meter
        told = switching(
            meter.dialect,
            code=(meter.carrier or meter).code,
            channel=meter.channel,
            on=command.on,
            number=command.id,
        )
        command.sent_at, command.tries = at, command.tries + 1
        if told is not None:
            found.append(told)
    session.flush()
    return found


def relays(session: Session, *, at: datetime, meter_ids: Sequence[int] | None = None) -> list[Relay]:
    """The switched meters (those of ``meter_ids``) as they are now, by id. Three queries."""
    rows = session.execute(
        SITUATIONS,
        {
            "at": at,
            "heard_since": at - HEARD_SINCE,
            "busy_since": at - JUST_NOW,
            "meters": None if meter_ids is None else list(meter_ids),
        },
    ).all()
    if not rows:
        return []
    present = presences(session, {row.equipment_id for row in rows}, at=at)
    latest = {
        one.meter_id: one
        for one in session.scalars(
            select(PowerCommand)
            .where(PowerCommand.id.in_(_latest_ids(session, [row.id for row in rows])))
            .execution_options(populate_existing=True)
        )
    }
    found = []
    for row in rows:
        here, last = present[row.equipment_id], latest.get(row.id)
        situation = _situation(row, here.reservation_id is not None, here.turned_at, last, at=at)
        found.append(Relay(row.id, situation, row.relay_on, here.reservation_id, last))
    return found


def _latest_ids(session: Session, meter_ids: Sequence[int]) -> list[int]:
    """One index lookup a meter, however long the history."""
    newest = text(
        "SELECT newest.id FROM unnest(CAST(:meters AS int[])) AS wanted (meter_id) CROSS JOIN LATERAL (SELECT id"
        " FROM power_command WHERE meter_id = wanted.meter_id ORDER BY asked_at DESC, id DESC LIMIT 1) AS newest"
    )
    return list(session.scalars(newest, {"meters": list(meter_ids)}))


def _situation(
    row: Row[Any], checked_in: bool, turned_at: datetime | None, last: PowerCommand | None, *, at: datetime
) -> Situation:
    just_now = row.last_at is not None and row.last_at > at - JUST_NOW
    standing = last is not None and last.cause is PowerCause.OVERRIDE and last.ended_at is None
    return Situation(
        checked_in=checked_in,
        turned_at=turned_at,
        running_since=row.started_at if row.open else row.first_at if just_now else None,
        ended_at=max(filter(None, (row.ended_at, row.last_at)), default=None),
        post=timedelta(seconds=row.post_s),
        heard_at=row.heard_at,
        patience=timedelta(seconds=row.max_gap_s),
        fail_safe=FailSafe(row.fail_safe),
        override=Override(last.on, last.asked_at) if last is not None and standing else None,
    )


def last_commands(session: Session, meter_id: int, *, limit: int = 20) -> list[PowerCommand]:
    """The newest first."""
    query = select(PowerCommand).where(PowerCommand.meter_id == meter_id)
    return list(session.scalars(query.order_by(PowerCommand.asked_at.desc(), PowerCommand.id.desc()).limit(limit)))


def relays_of_equipment(session: Session, equipment_id: int, *, at: datetime) -> list[Relay]:
    """The relays that switch this equipment."""
    ids = session.scalars(select(Meter.id).where(Meter.equipment_id == equipment_id, Meter.interlocked)).all()
    return relays(session, at=at, meter_ids=ids) if ids else []


def reported_state(session: Session, meter_id: int) -> RelayState | None:
    return session.get(RelayState, meter_id)


def progress_of(command: PowerCommand) -> Progress:
    return progress(tries=command.tries, confirmed=command.confirmed_at is not None, ended=command.ended_at is not None)
