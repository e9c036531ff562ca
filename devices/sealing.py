"""Seal readings: batches of them become one Merkle tree, its root signed and chained to the seal before.

The leaves are made and hashed by the database, block by block, so that only hashes travel. Their order is that of
(batch_id, message_id, meter_id, taken_at, boot, seq, content_hash). O(new readings); memory of one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from devices.models import ReadingBatch, Seal, SealedBlock
from devices.rules import merkle
from devices.rules.leaf import NO_SEAL_BEFORE, READING_FORMAT, seal_hash, statement_of

BLOCK = merkle.BLOCK
FULL = BLOCK * merkle.SIZE
MOST_LEAVES = 500_000
MOST_BATCHES = 1000
STREAMED = {"stream_results": True, "max_row_buffer": 5000}

ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('sealing'))")
NEXT_SEAL = text("SELECT nextval(pg_get_serial_sequence('seal', 'id'))")
# Batches are found by a BRIN index, which knows new pages only after they were summarized. Vacuum does that too
# seldom for us; if it is at work just now, it is not disturbed: then more pages are read.
SUMMARIZE = text(
    "SELECT brin_summarize_new_values(inhrelid::regclass) FROM pg_inherits"
    " WHERE inhparent = 'reading_batch_id'::regclass"
)
# The bounds find the pages, and a hash the batches among them: an array would be gone through for every reading.
OF_BATCHES = "reading.batch_id BETWEEN :first AND :last AND reading.batch_id IN (SELECT unnest(CAST(:ids AS bigint[])))"
COUNTS = text(
    "SELECT batch_id, count(*) AS readings, min(received_at) AS heard_first, max(received_at) AS heard_last,"  # noqa: S608
    f" min(message_id) AS lowest, max(message_id) AS highest FROM reading WHERE {OF_BATCHES} GROUP BY batch_id"
)
# A message is hashed once, however many readings it has; only the months and numbers that can be in it are looked at.
# What is missing leaves its place empty.
HASHED = f"""
    WITH heard AS MATERIALIZED (
        SELECT id, received_at, encode(sha256(convert_to(topic, 'UTF8') || '\\x00'::bytea || payload), 'hex') AS digest
        FROM raw_message
        WHERE id BETWEEN :lowest AND :highest AND received_at BETWEEN :heard_first AND :heard_last
    )
    SELECT reading.*, meter.code, heard.digest, sha256('\\x00'::bytea || convert_to(concat(
        '{READING_FORMAT}|', meter.code, '|', boot, '|', seq, '|',
        CAST(extract(epoch FROM taken_at) * 1000000 AS bigint), '|', power_mw, '|', energy_mwh, '|', running, '|',
        count, '|', CAST(extract(epoch FROM reading.received_at) * 1000000 AS bigint), '|', key_id, '|', backfill,
        '|', heard.digest
    ), 'UTF8')) AS hash
    FROM reading
    LEFT JOIN heard ON heard.id = reading.message_id AND heard.received_at = reading.received_at
    LEFT JOIN meter ON meter.id = reading.meter_id
    WHERE {OF_BATCHES}
"""  # noqa: S608
ORDER = "meter_id, taken_at, boot, seq, content_hash"
BY_MESSAGE = text(
    f"SELECT batch_id, message_id, string_agg(hash, '' ORDER BY {ORDER}) AS hashes"  # noqa: S608
    f" FROM ({HASHED}) AS leaf GROUP BY batch_id, message_id ORDER BY batch_id, message_id"
)


@dataclass(frozen=True, slots=True)
class Block:
    """The ``hashes`` of up to 4096 leaves, and the batch and message of the first of them."""

    first_leaf: int
    batch_id: int
    message_id: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Batches:
    """Some batches, how many readings they have, and between which messages and times those lie."""

    ids: tuple[int, ...]
    readings: int
    bounds: dict[str, Any]


def seal_readings(session: Session, *, at: datetime, key: bytes, limit: int = MOST_LEAVES) -> int:
    """Seal the oldest unsealed batches, as many as have ``limit`` readings together, but one at least.

    ``key`` is the seed of the Ed25519 key that signs. Returns how many readings were sealed; call it again while
    there are some. A batch whose transaction is still under way is sealed later.
    """
    session.execute(ONE_AT_A_TIME)
    _summarize(session)
    waiting = session.scalars(
        select(ReadingBatch.id).where(ReadingBatch.seal_id.is_(None)).order_by(ReadingBatch.id).limit(MOST_BATCHES)
    ).all()
    if not waiting:
        return 0
    batches = within(session, waiting, limit=limit)
    previous = session.scalar(select(Seal).order_by(Seal.id.desc()).limit(1))
    seal = Seal(
        id=session.scalar(NEXT_SEAL),
        previous_id=previous and previous.id,
        previous_hash=hash_of(previous) if previous else NO_SEAL_BEFORE,
        leaf_count=batches.readings,
        sealed_at=at,
    )
    roots = []
    for block in blocks_of(session, batches):
        roots.append(merkle.root(merkle.split(block.hashes)))
        session.execute(
            insert(SealedBlock),
            {
                "seal_id": seal.id, "first_leaf": block.first_leaf, "batch_id": block.batch_id,
                "message_id": block.message_id, "root": roots[-1], "hashes": block.hashes,
            },
        )  # fmt: skip
    seal.root = merkle.root(roots)
    signer = Ed25519PrivateKey.from_private_bytes(key)
    seal.public_key = signer.public_key().public_bytes_raw()
    seal.signature = signer.sign(statement(seal))
    session.add(seal)
    session.flush()
    session.execute(update(ReadingBatch).where(ReadingBatch.id.in_(batches.ids)).values(seal_id=seal.id))
    return batches.readings


def statement(seal: Seal) -> bytes:
    """The bytes that ``seal`` signs."""
    return statement_of(
        previous_hash=seal.previous_hash, leaf_count=seal.leaf_count, root=seal.root, sealed_at=seal.sealed_at
    )


def hash_of(seal: Seal) -> bytes:
    return seal_hash(statement(seal))


def within(session: Session, ids: Sequence[int], *, limit: int | None = None) -> Batches:
    """The first of the batches ``ids`` (ascending), one at least, that have no more than ``limit`` readings."""
    asked = {"first": ids[0], "last": ids[-1], "ids": list(ids)}
    counted = {row.batch_id: row for row in session.execute(COUNTS, asked)}
    taken: list[int] = []
    readings = 0
    for number in ids:
        more = counted[number].readings if number in counted else 0
        if limit is not None and taken and readings + more > limit:
            break
        taken.append(number)
        readings += more
    rows = [counted[number] for number in taken if number in counted]
    bounds: dict[str, Any] = {"first": taken[0], "last": taken[-1], "ids": taken}
    for name, choose in (("heard_first", min), ("heard_last", max), ("lowest", min), ("highest", max)):
        bounds[name] = choose((getattr(row, name) for row in rows), default=None)
    return Batches(tuple(taken), readings, bounds)


def blocks_of(session: Session, batches: Batches) -> Iterator[Block]:
    """The leaf hashes as the readings are now, a block at a time."""
    if not batches.readings:
        return
    # Enough to sort half a million readings in memory; what is more goes by way of the disk.
    session.execute(text("SET LOCAL work_mem = '192MB'"))
    first, begun, pieces, held = 0, (0, 0), [], 0
    for row in session.execute(BY_MESSAGE, batches.bounds, execution_options=STREAMED):
        begun = begun if held else (row.batch_id, row.message_id)
        pieces.append(bytes(row.hashes))
        held += len(pieces[-1])
        while held >= FULL:
            packed = b"".join(pieces)
            yield Block(first, *begun, packed[:FULL])
            first, begun = first + BLOCK, (row.batch_id, row.message_id)
            pieces, held = [packed[FULL:]], held - FULL
    if held:
        yield Block(first, *begun, b"".join(pieces))


def _summarize(session: Session) -> None:
    try:
        with session.begin_nested():
            session.execute(text("SET LOCAL lock_timeout = '100ms'"))
            session.execute(SUMMARIZE)
    except OperationalError:
        pass
