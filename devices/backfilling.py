"""Numbers that are missing: written down when they are found, asked for until they are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

PATIENCE = timedelta(seconds=5)
"""Messages pass one another on the way: a number may be a little late before it is asked for."""
RARELY = timedelta(minutes=30)
"""The longest wait between two questions for the same gap; each is twice as long as the one before."""

# What is missing below the highest number of a boot, without what is known to be missing already.
FIND = text(
    """
    INSERT INTO sequence_gap (meter_id, boot, first, last, found_at, times_asked)
    SELECT received.meter_id, received.boot, lower(hole), upper(hole) - 1, :at, 0
    FROM received_sequence AS received
    LEFT JOIN LATERAL (
        SELECT range_agg(int8range(first, last + 1)) AS ranges FROM sequence_gap
        WHERE meter_id = received.meter_id AND boot = received.boot AND closed_at IS NULL
    ) AS known ON true
    CROSS JOIN LATERAL unnest(
        int8multirange(int8range(1, upper(received.numbers))) - received.numbers - coalesce(known.ranges, '{}')
    ) AS hole
    WHERE (received.meter_id, received.boot) IN
        (SELECT * FROM unnest(CAST(:meters AS int[]), CAST(:boots AS bigint[])))
      AND NOT isempty(received.numbers)
    """
)
CLOSE = text(
    """
    UPDATE sequence_gap AS gap SET closed_at = :at
    FROM received_sequence AS received
    WHERE gap.meter_id = received.meter_id AND gap.boot = received.boot AND gap.closed_at IS NULL
      AND int8range(gap.first, gap.last + 1) <@ received.numbers
      AND (received.meter_id, received.boot) IN
          (SELECT * FROM unnest(CAST(:meters AS int[]), CAST(:boots AS bigint[])))
    """
)
# A node that counts its own way: number 0, which no reading of ours has, stands for whatever was lost.
LOST = text(
    """
    INSERT INTO sequence_gap (meter_id, boot, first, last, found_at, times_asked)
    SELECT meter, 0, 0, 0, :at, 0 FROM unnest(CAST(:meters AS int[])) AS meter
    WHERE NOT EXISTS (
        SELECT FROM sequence_gap WHERE meter_id = meter AND boot = 0 AND first = 0 AND closed_at IS NULL
    )
    """
)
BORN_AGAIN = text(
    "UPDATE sequence_gap SET closed_at = :at WHERE meter_id = ANY(CAST(:meters AS int[])) AND boot = 0 AND first = 0"
    " AND closed_at IS NULL"
)
ASK = text(
    """
    UPDATE sequence_gap AS gap SET asked_at = :at, times_asked = times_asked + 1
    FROM meter, received_sequence AS received
    WHERE gap.id IN (
        SELECT sequence_gap.id FROM sequence_gap JOIN meter ON meter.id = sequence_gap.meter_id
        WHERE closed_at IS NULL AND meter.active AND meter.shard = ANY(CAST(:shards AS int[]))
          AND CASE WHEN asked_at IS NULL THEN found_at + :patience
                   ELSE asked_at + least(:rarely, :patience * power(2, least(times_asked, 20))) END <= :at
        ORDER BY sequence_gap.id LIMIT :limit FOR UPDATE OF sequence_gap SKIP LOCKED
    ) AND meter.id = gap.meter_id AND received.meter_id = gap.meter_id AND received.boot = gap.boot
    RETURNING meter.code, gap.boot,
        CAST(int8multirange(int8range(gap.first, gap.last + 1)) - received.numbers AS text) AS missing
    """
)
NEWEST = text(
    """
    SELECT meter.code, newest.boot, coalesce(upper(newest.numbers), 1) AS next
    FROM meter
    CROSS JOIN LATERAL (
        SELECT boot, numbers FROM received_sequence WHERE meter_id = meter.id ORDER BY boot DESC LIMIT 1
    ) AS newest
    WHERE meter.active AND meter.shard = ANY(CAST(:shards AS int[])) ORDER BY meter.id
    """
)


@dataclass(frozen=True, slots=True)
class Question:
    """Asks a meter for numbers ``first`` to ``last`` of one boot again; ``last`` None is all that it has."""

    code: str
    boot: int
    first: int
    last: int | None


def note_gaps(session: Session, boots: Collection[tuple[int, int]], *, at: datetime) -> None:
    """Write down what is missing of these (meter, boot) and close what has come. The caller holds their locks."""
    asked = {"meters": [meter for meter, _ in boots], "boots": [boot for _, boot in boots], "at": at}
    session.execute(CLOSE, asked)
    session.execute(FIND, asked)


def note_missing(session: Session, missing: Mapping[int, bool], *, at: datetime) -> None:
    """Of meters whose dialect counts its own way: note that messages are lost, or that this is over."""
    for statement, wanted in ((LOST, True), (BORN_AGAIN, False)):
        if meters := sorted(meter for meter, lost in missing.items() if lost is wanted):
            session.execute(statement, {"meters": meters, "at": at})


def questions(session: Session, shards: Sequence[int], *, at: datetime, limit: int = 200) -> list[Question]:
    """What to ask now, marked as asked. Each gap again after a while that doubles up to ``RARELY``."""
    rows = session.execute(
        ASK, {"shards": list(shards), "at": at, "limit": limit, "patience": PATIENCE, "rarely": RARELY}
    )
    found = []
    for row in rows:
        for part in row.missing.strip("{}").replace("),", ");").split(";"):
            if part:
                low, _, high = part.strip("[)").partition(",")
                found.append(Question(row.code, row.boot, int(low), int(high) - 1))
    return found


def questions_after_a_lost_session(session: Session, shards: Sequence[int]) -> list[Question]:
    """The broker may have lost messages that nobody knows of: ask each counting meter for all after its highest."""
    rows = session.execute(NEWEST, {"shards": list(shards)})
    return [Question(row.code, row.boot, row.next, None) for row in rows]
