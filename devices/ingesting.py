"""Keep what the meters said, once; keep aside what cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from psycopg.types.multirange import Int8Multirange
from psycopg.types.range import Int8Range
from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as insert_once
from sqlalchemy.orm import Session

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
EXTEND_BOOT = text(
    "UPDATE received_sequence SET numbers = numbers + :added WHERE meter_id = CAST(:meter AS int) AND boot = :boot"
    " RETURNING numbers"
)
KNOWN = text(
    "SELECT t.place FROM unnest(CAST(:places AS int[]), CAST(:meters AS int[]), CAST(:times AS timestamptz[]),"
    " CAST(:boots AS bigint[]), CAST(:seqs AS bigint[]), CAST(:hashes AS bytea[]))"
    " AS t (place, meter, taken, boot, seq, hash)"
    " JOIN reading ON reading.meter_id = t.meter AND reading.taken_at = t.taken AND reading.boot = t.boot"
    " AND reading.seq = t.seq AND reading.content_hash = t.hash"
)
MESSAGE_IDS = text("SELECT nextval(pg_get_serial_sequence('raw_message', 'id')) FROM generate_series(1, :count)")
STORE_MESSAGES = (
    "INSERT INTO raw_message (id, received_at, meter_id, topic, payload) OVERRIDING SYSTEM VALUE"
    " SELECT * FROM unnest(%b::bigint[], %b::timestamptz[], %b::int[], %b::text[], %b::bytea[])"
)
STORE_READINGS = (
    "INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh,"
    " running, count, backfill, key_id, batch_id) SELECT *, %s::bigint FROM unnest(%b::int[], %b::timestamptz[],"
    " %b::bigint[], %b::bigint[], %b::bytea[], %b::timestamptz[], %b::bigint[], %b::bigint[], %b::bigint[],"
    " %b::bool[], %b::bigint[], %b::bool[], %b::int[]) ON CONFLICT DO NOTHING"
)
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
    result.answers = batch.answers
    session.flush()
    return result


def _store(session: Session, batch: Batch, result: Ingested) -> None:
    told = batch.told
    boots = sorted({(one.meter_id, one.sample.boot) for one in told if one.counted})
    received = _lock(session, boots)
    known = _known(session, told)
    fresh: list[Told] = []
    seen: dict[tuple[object, ...], bytes] = {}
    disputed: list[dict[str, Any]] = []
    for place, one in enumerate(told):
        sample = one.sample
        boot = (one.meter_id, sample.boot)
        key = (*boot, sample.seq) if one.counted else (one.meter_id, sample.taken_at, sample.content_hash)
        if place in known or seen.get(key) == sample.content_hash:
            result.known += 1
        elif one.counted and (key in seen or _contains(received[boot], sample.seq)):
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
    result.acknowledgements = _extend(session, boots, fresh, received, batch.codes)


def _lock(session: Session, boots: list[tuple[int, int]]) -> dict[tuple[int, int], Numbers]:
    if not boots:
        return {}
    asked = {"meters": [meter for meter, _ in boots], "boots": [boot for _, boot in boots]}
    session.execute(OPEN_BOOTS, asked)
    return {(row.meter_id, row.boot): row.numbers for row in session.execute(LOCK_BOOTS, asked)}


def _known(session: Session, told: list[Told]) -> set[int]:
    """Places in the batch whose reading is stored already, to the letter."""
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
    return {row.place for row in rows}


def _contains(numbers: Numbers, seq: int) -> bool:
    return any((part.lower or 0) <= seq < (part.upper or 0) for part in numbers)


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
        ("raw_message", {_month(one.message.received_at) for one in messages}),
        ("reading", {_month(one.sample.taken_at) for one in fresh}),
    ):
        for day in sorted(days):
            session.execute(MAKE_MONTH, {"table": table, "day": day})
    numbers = session.scalars(MESSAGE_IDS, {"count": len(messages)}).all()
    ids = {id(one.message): number for one, number in zip(messages, numbers, strict=True)}
    cursor = session.connection().connection.cursor()
    cursor.execute(
        STORE_MESSAGES,
        (
            list(numbers),
            [one.message.received_at for one in messages],
            [one.meter_id for one in messages],
            [one.message.topic for one in messages],
            [one.message.payload for one in messages],
        ),
    )
    samples = [one.sample for one in fresh]
    cursor.execute(
        STORE_READINGS,
        (
            session.scalar(NEW_BATCH, {"at": max(one.message.received_at for one in fresh)}),
            [one.meter_id for one in fresh],
            [sample.taken_at for sample in samples],
            [sample.boot for sample in samples],
            [sample.seq for sample in samples],
            [sample.content_hash for sample in samples],
            [one.message.received_at for one in fresh],
            [ids[id(one.message)] for one in fresh],
            [sample.power_mw for sample in samples],
            [sample.energy_mwh for sample in samples],
            [sample.running for sample in samples],
            [sample.count for sample in samples],
            [one.backfill for one in fresh],
            [one.key_id for one in fresh],
        ),
    )
    cursor.close()
    since: dict[int, datetime] = {}
    for one in fresh:
        since[one.meter_id] = min(since.get(one.meter_id, one.sample.taken_at), one.sample.taken_at)
    session.execute(WAKE_METERING, {"meters": list(since), "times": list(since.values())})


def _month(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)  # as the partitions are cut


def _extend(
    session: Session,
    boots: list[tuple[int, int]],
    fresh: list[Told],
    received: dict[tuple[int, int], Numbers],
    codes: dict[int, str],
) -> list[Acknowledgement]:
    added: dict[tuple[int, int], list[int]] = {}
    for one in fresh:
        if one.counted:
            added.setdefault((one.meter_id, one.sample.boot), []).append(one.sample.seq)
    acknowledgements = []
    for boot in boots:
        numbers = received[boot]
        if boot in added:
            grown = {"added": _as_ranges(added[boot]), "meter": boot[0], "boot": boot[1]}
            numbers = session.execute(EXTEND_BOOT, grown).scalar_one()
        acknowledgements.append(Acknowledgement(codes[boot[0]], boot[1], _contiguous(numbers)))
    return acknowledgements


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


def _as_ranges(numbers: list[int]) -> Numbers:
    parts: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number:
            parts[-1] = (parts[-1][0], number + 1)
        else:
            parts.append((number, number + 1))
    return Int8Multirange([Int8Range(low, high) for low, high in parts])


def _contiguous(numbers: Numbers) -> int:
    """The last number of those that follow one another from 1."""
    first = numbers[0] if len(numbers) else None
    return first.upper - 1 if first is not None and first.lower == 1 and first.upper else 0
