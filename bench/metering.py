"""Readings a second that become usage sessions, and what a long history costs.

The floor is a plain loop over the same rows, fetched by the same cursor in the same run. Deriving is
O(readings since the start of the session at hand): the history before it is pruned by partition and index.
Rates are given a second of this process's processor time, and by the clock, the database's work included.

    python -m bench.metering [readings of the longest history]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.kernel.db import db, transaction
from bench.house import house
from devices.metering import SAMPLES, _samples, meter_readings
from tests import makers

NEW = 100_000
BEGINNING = datetime(2025, 12, 25, tzinfo=UTC)  # a million seconds reach into the next month's partition
SECOND = timedelta(seconds=1)

# A reading every second: runs of 20 minutes at 1 kW, ten minutes apart.
READINGS = text(
    """
    INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh,
                         batch_id)
    SELECT :meter, CAST(:beginning AS timestamptz) + number * interval '1 second', 1, number,
           sha256(int8send(number)), CAST(:beginning AS timestamptz) + number * interval '1 second', 1,
           CASE WHEN number % 1800 < 1200 THEN 1000000 ELSE 5000 END, number * 200, 1
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS number
    """
)
TASK = text(
    "INSERT INTO metering_task VALUES (:meter, :since) ON CONFLICT (meter_id) DO UPDATE SET dirty_from = :since"
)


class Meter:
    """One meter whose readings grow; only the last portion is new to metering."""

    def __init__(self, session: Session) -> None:
        self.id = makers.meter(session).id
        self.told = 0

    def tell(self, session: Session, count: int) -> None:
        last = BEGINNING + (self.told + count) * SECOND
        month = BEGINNING
        while month <= last:
            session.execute(text("SELECT make_month('reading', CAST(:day AS date))"), {"day": month})
            month = (month + timedelta(days=32)).replace(day=1)
        facts = {"meter": self.id, "beginning": BEGINNING, "first": self.told + 1, "last": self.told + count}
        session.execute(READINGS, facts)
        self.told += count

    @property
    def now(self) -> datetime:
        return BEGINNING + self.told * SECOND

    def dirty(self, session: Session, *, last: int) -> None:
        session.execute(TASK, {"meter": self.id, "since": self.now - last * SECOND})


def timed(work: Callable[[], int]) -> tuple[int, float, float]:
    """What ``work`` says, by the clock and in processor time of this process."""
    clock, used = time.perf_counter(), time.process_time()
    return work(), time.perf_counter() - clock, time.process_time() - used


def plain_loop(session: Session, meter: Meter) -> int:
    """Every row fetched and looked at: what no way of deriving can do without."""
    total = 0
    for taken_at, _, _, power_mw, energy_mwh, _, _, _ in _samples(session, meter.id, meter.now - NEW * SECOND):
        if taken_at is not None and power_mw is not None and energy_mwh is not None:
            total += 1
    return total


def explained(session: Session, meter: Meter) -> list[str]:
    cursor = session.connection().connection.cursor()
    cursor.execute(f"EXPLAIN {SAMPLES}", (meter.id, meter.now - NEW * SECOND))
    plan = [line for (line,) in cursor.fetchall()]
    partitions = session.scalar(text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'reading'::regclass"))
    return [f"What is read of {partitions} partitions:", *plan]


def measure(meter: Meter) -> None:
    with transaction() as session:
        meter.dirty(session, last=NEW)
    with transaction() as session:
        seen, loop_clock, loop_used = timed(lambda: plain_loop(session, meter))
        changed, clock, used = timed(lambda: meter_readings(session, at=meter.now))
    with transaction() as session:
        meter.dirty(session, last=60)
        again, again_clock, _ = timed(lambda: meter_readings(session, at=meter.now + SECOND))
    print(
        f"{meter.told:>12,} readings stored, {NEW:,} new, {changed} sessions changed:"
        f" {NEW / used:>9,.0f}/s processor, {NEW / clock:>9,.0f}/s clock;"
        f" plain loop {seen / loop_used:>9,.0f}/s, {seen / loop_clock:>9,.0f}/s;"
        f" a minute late {1000 * again_clock:.1f} ms, {again} changed",
        flush=True,
    )


def main() -> None:
    longest = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with house(durable=False):
        run(longest)


def run(longest: int) -> None:
    with transaction() as session:
        meter = Meter(session)
    size = NEW
    while size <= longest:
        with transaction() as session:
            meter.tell(session, size - NEW - meter.told)
            meter.tell(session, NEW)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE reading"))
        measure(meter)
        size *= 10
    with transaction() as session:
        print(*explained(session, meter), sep="\n")


if __name__ == "__main__":
    main()
