"""Keep what the meters said, once; keep aside what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg.types.multirange import Int8Multirange
from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as insert_once
from sqlalchemy.orm import Session

from devices.backfilling import note_gaps, note_missing
from devices.hearing import Batch, Told, WireMessage, hear
from devices.models import DeadLetter, DisputedReading, RelayState

Numbers = Int8Multirange

OPEN_BOOTS = text(
    "INSERT INTO received_sequence (meter_id, boot, numbers)"
    " SELECT meter, boot, '{}' FROM unnest(CAST(:meters AS int[]), CAST(:boots AS bigint[])) AS t (meter, boot)"
    " ORDER BY meter, boot ON CONFLICT DO NOTHING"
)
LOCK_BOOTS = text(
    "SELECT meter_id, boot, numbers FROM received_sequence WHERE (meter_id, boot) IN"
    " (SELECT * FROM unnest(CAST(:meters AS int[]), CAST(:boots AS bigint[]))) ORDER BY meter_id, boot FOR UPDATE"
)
EXTEND_BOOTS = text(
    "UPDATE received_sequence AS row SET numbers = row.numbers + CAST(t.added AS int8multirange)"
    " FROM unnest(CAST(:meters AS int[]), CAST(:boots AS bigint[]), CAST(:added AS text[])) AS t (meter, boot, added)"
    " WHERE row.meter_id = t.meter AND row.boot = t.boot RETURNING row.meter_id, row.boot, row.numbers"
)
KNOWN = text(
    "SELECT t.place FROM unnest(CAST(:places AS int[]), CAST(:meters AS int[]), CAST(:times AS timestamptz[]),"
    " CAST(:boots AS bigint[]), CAST(:seqs AS bigint[]), CAST(:hashes AS bytea[]))"
    " AS t (place, meter, taken, boot, seq, hash)"
    " JOIN reading ON reading.meter_id = t.meter AND reading.taken_at = t.taken AND reading.boot = t.boot"
    " AND reading.seq = t.seq AND reading.content_hash = t.hash"
)
MESSAGE_IDS = text("SELECT nextval(pg_get_serial_sequence('raw_message', 'id')) FROM generate_series(1, :count)")
STORE_MESSAGES = "COPY raw_message (id, received_at, meter_id, topic, payload) FROM STDIN (FORMAT binary)"
MESSAGE_TYPES = ("int8", "timestamptz", "int4", "text", "bytea")
COLUMNS = (
    "meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh, running, count,"
    " backfill, key_id, batch_id"
)
STORE_COUNTED = f"COPY reading ({COLUMNS}) FROM STDIN (FORMAT binary)"
STORE_OTHERS = f"COPY arrived ({COLUMNS}) FROM STDIN (FORMAT binary)"
ARRIVED = text("CREATE TEMPORARY TABLE IF NOT EXISTS arrived (LIKE reading) ON COMMIT DELETE ROWS")
KEEP_OTHERS = text("INSERT INTO reading SELECT * FROM arrived ON CONFLICT DO NOTHING")
READING_TYPES = (
    "int4", "timestamptz", "int8", "int8", "bytea", "timestamptz", "int8", "int8", "int8", "bool", "int8", "bool",
    "int4", "int8",
)  # fmt: skip
WAKE_METERING = text(
    "INSERT INTO metering_task (meter_id, dirty_from)"
    " SELECT * FROM unnest(CAST(:meters AS int[]), CAST(:times AS timestamptz[])) AS t (meter, since) ORDER BY meter"
    " ON CONFLICT (meter_id) DO UPDATE SET dirty_from = least(metering_task.dirty_from, excluded.dirty_from)"
)
NEW_BATCH = text("INSERT INTO reading_batch (id, stored_at) VALUES (DEFAULT, :at) RETURNING id")
MAKE_MONTH = text("SELECT make_month(:table, :day)")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Tells a counting meter up to which number everything of one boot is stored."""

    code: str
    boot: int
    upto: int


@dataclass(slots=True)
class Ingested:
    """What became of one batch."""

    stored: int = 0
    known: int = 0
    disputed: int = 0
    kept_aside: int = 0
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    answers: list[tuple[str, bytes]] = field(default_factory=list)


def ingest(session: Session, messages: Sequence[WireMessage]) -> Ingested:
    """Store every new reading of a batch once, in the caller's transaction.

    A number that came before is looked up: the same content is known, other content is a dispute. What
    cannot be read is kept with its reason. Nothing here runs a statement per reading. O(batch).
    """
    result = Ingested()
    batch = hear(session, messages)
    if batch.aside:
        session.execute(insert(DeadLetter), batch.aside)
        result.kept_aside = len(batch.aside)
    if batch.told:
        _store(session, batch, result)
    if batch.relays:
        _note_relays(session, batch.relays)
    if batch.missing:
        note_missing(session, batch.missing, at=messages[-1].received_at)
    result.answers = batch.answers
    session.flush()
    return result


def _store(session: Session, batch: Batch, result: Ingested) -> None:
    told = batch.told
    boots = sorted({(one.meter_id, one.sample.boot) for one in told if one.counted})
    received = _lock(session, boots)
    came = {boot: [(part.lower or 0, part.upper or 0) for part in numbers] for boot, numbers in received.items()}
    again = [one for one in told if not one.counted or _contains(came[one.meter_id, one.sample.boot], one.sample.seq)]
    known = _known(session, again)
    fresh: list[Told] = []
    seen: dict[tuple[object, ...], bytes] = {}
    disputed: list[dict[str, Any]] = []
    came_again = set(map(id, again))
    for one in told:
        sample = one.sample
        key: tuple[object, ...]
        if one.counted:
            key = (one.meter_id, sample.boot, sample.seq)
        else:
            key = (one.meter_id, sample.taken_at, sample.content_hash)
        if id(one) in known or seen.get(key) == sample.content_hash:
            result.known += 1
        elif key in seen or (one.counted and id(one) in came_again):
            disputed.append(_dispute(one))
        else:
            seen[key] = sample.content_hash
            fresh.append(one)
    if disputed:
        session.execute(insert_once(DisputedReading).on_conflict_do_nothing(), disputed)
        result.disputed = len(disputed)
    if fresh:
        _write(session, fresh)
        result.stored = len(fresh)
    result.acknowledgements = _extend(
        session, boots, fresh, received, batch.codes, at=max(one.message.received_at for one in told)
    )


def _lock(session: Session, boots: list[tuple[int, int]]) -> dict[tuple[int, int], Numbers]:
    if not boots:
        return {}
    asked = {"meters": [meter for meter, _ in boots], "boots": [boot for _, boot in boots]}
    session.execute(OPEN_BOOTS, asked)
    return {(row.meter_id, row.boot): row.numbers for row in session.execute(LOCK_BOOTS, asked)}


def _known(session: Session, told: list[Told]) -> set[int]:
    """Those whose reading is stored already, to the letter, by ``id``."""
    if not told:
        return set()
    rows = session.execute(
        KNOWN,
        {
            "places": list(range(len(told))),
            "meters": [one.meter_id for one in told],
            "times": [one.sample.taken_at for one in told],
            "boots": [one.sample.boot for one in told],
            "seqs": [one.sample.seq for one in told],
            "hashes": [one.sample.content_hash for one in told],
        },
    )
    return {id(told[row.place]) for row in rows}


def _contains(parts: Sequence[tuple[int, int]], seq: int) -> bool:
    return any(low <= seq < high for low, high in parts)


def _dispute(one: Told) -> dict[str, Any]:
    sample = one.sample
    return {
        "meter_id": one.meter_id,
        "boot": sample.boot,
        "seq": sample.seq,
        "content_hash": sample.content_hash,
        "taken_at": sample.taken_at,
        "power_mw": sample.power_mw,
        "energy_mwh": sample.energy_mwh,
        "topic": one.message.topic,
        "payload": one.message.payload,
        "received_at": one.message.received_at,
    }


def _write(session: Session, fresh: list[Told]) -> None:
    messages = list({id(one.message): one for one in fresh}.values())
    for table, days in (
        ("raw_message", {one.message.received_at.date() for one in messages}),
        ("reading", {one.sample.taken_at.date() for one in fresh}),
    ):
        for month in sorted({day.replace(day=1) for day in days}):  # of UTC, as the partitions are cut
            session.execute(MAKE_MONTH, {"table": table, "day": month})
    numbers = session.scalars(MESSAGE_IDS, {"count": len(messages)}).all()
    ids = {id(one.message): number for one, number in zip(messages, numbers, strict=True)}
    batch_id = session.scalar(NEW_BATCH, {"at": max(one.message.received_at for one in messages)})
    with _cursor(session) as cursor, cursor.copy(STORE_MESSAGES) as copy:
        copy.set_types(MESSAGE_TYPES)
        for number, one in zip(numbers, messages, strict=True):
            copy.write_row((number, one.message.received_at, one.meter_id, one.message.topic, one.message.payload))
    counted, others = [one for one in fresh if one.counted], [one for one in fresh if not one.counted]
    if counted:  # their numbers are locked, so nobody else can have stored them
        _copy(session, STORE_COUNTED, counted, ids, batch_id)
    if others:
        session.execute(ARRIVED)
        _copy(session, STORE_OTHERS, others, ids, batch_id)
        session.execute(KEEP_OTHERS)
    since: dict[int, datetime] = {}
    for one in fresh:
        since[one.meter_id] = min(since.get(one.meter_id, one.sample.taken_at), one.sample.taken_at)
    session.execute(WAKE_METERING, {"meters": list(since), "times": list(since.values())})


def _cursor(session: Session) -> psycopg.Cursor[Any]:
    return cast("psycopg.Cursor[Any]", session.connection().connection.cursor())


def _copy(session: Session, statement: str, told: list[Told], ids: Mapping[int, int], batch_id: int | None) -> None:
    with _cursor(session) as cursor, cursor.copy(statement) as copy:
        copy.set_types(READING_TYPES)
        for one in told:
            sample, message = one.sample, one.message
            copy.write_row(
                (
                    one.meter_id, sample.taken_at, sample.boot, sample.seq, sample.content_hash, message.received_at,
                    ids[id(message)], sample.power_mw, sample.energy_mwh, sample.running, sample.count, one.backfill,
                    one.key_id, batch_id,
                )
            )  # fmt: skip


def _extend(
    session: Session,
    boots: list[tuple[int, int]],
    fresh: list[Told],
    received: dict[tuple[int, int], Numbers],
    codes: dict[int, str],
    *,
    at: datetime,
) -> list[Acknowledgement]:
    added: dict[tuple[int, int], list[int]] = {}
    for one in fresh:
        if one.counted:
            added.setdefault((one.meter_id, one.sample.boot), []).append(one.sample.seq)
    if added:
        grown = session.execute(
            EXTEND_BOOTS,
            {
                "meters": [meter for meter, _ in added],
                "boots": [boot for _, boot in added],
                "added": [_as_ranges(numbers) for numbers in added.values()],
            },
        )
        had_holes = {boot for boot in added if _has_holes(received[boot])}
        received |= {(row.meter_id, row.boot): row.numbers for row in grown}
        if holes := {boot for boot in added if boot in had_holes or _has_holes(received[boot])}:
            note_gaps(session, sorted(holes), at=at)
    return [Acknowledgement(codes[boot[0]], boot[1], _contiguous(received[boot])) for boot in boots]


def _note_relays(session: Session, relays: Mapping[int, tuple[bool, datetime]]) -> None:
    rows = [{"meter_id": meter_id, "on": on, "reported_at": at} for meter_id, (on, at) in sorted(relays.items())]
    wanted = insert_once(RelayState).values(rows)
    newer = wanted.excluded
    session.execute(
        wanted.on_conflict_do_update(
            index_elements=[RelayState.meter_id],
            set_={"on": newer.on, "reported_at": newer.reported_at},
            where=newer.reported_at >= RelayState.reported_at,
        )
    )


def _as_ranges(numbers: list[int]) -> str:
    """``{[1,4),[6,7)}`` of 1, 2, 3 and 6."""
    parts: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number:
            parts[-1] = (parts[-1][0], number + 1)
        else:
            parts.append((number, number + 1))
    return "{" + ",".join(f"[{low},{high})" for low, high in parts) + "}"


def _has_holes(numbers: Numbers) -> bool:
    return len(numbers) > 1 or (len(numbers) == 1 and numbers[0].lower != 1)


def _contiguous(numbers: Numbers) -> int:
    """The last number of those that follow one another from 1."""
    first = numbers[0] if len(numbers) else None
    return first.upper - 1 if first is not None and first.lower == 1 and first.upper else 0
