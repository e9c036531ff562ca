from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select, text

from app.kernel.db import db, in_transaction
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.models import ReadingBatch, Seal, SealedBlock
from devices.rules import merkle
from devices.rules.leaf import NO_SEAL_BEFORE, Leaf, leaf_of, message_digest, microseconds
from devices.rules.topic import shard_of, topic_of
from devices.sealing import hash_of, seal_readings, statement
from tests import makers
from tests.makers import BEGINNING

KEY = bytes(range(32))
AT = BEGINNING + timedelta(days=1)


def said(meter, seqs, *, boot: int = 1, **more) -> WireMessage:
    readings = [
        {
            "seq": seq, "at_ms": int(BEGINNING.timestamp() * 1000) + seq * 1001, "power_w": 100 + seq / 8,
            "energy_wh": seq, **more,
        }
        for seq in seqs
    ]  # fmt: skip
    return WireMessage(
        topic_of(meter.code, "data"), json.dumps({"v": 1, "boot": boot, "readings": readings}).encode(), AT
    )


@pytest.fixture
def meter(session):
    return makers.meter(session, code="mt-one", shard=shard_of("mt-one"))


def sealed(session, **given) -> int:
    return seal_readings(session, **{"at": AT, "key": KEY, **given})


def seals(session) -> list[Seal]:
    return list(session.scalars(select(Seal).order_by(Seal.id)))


def test_readings_are_sealed_once_and_seals_are_chained(session, meter):
    ingest(session, [said(meter, range(1, 6)), said(meter, range(6, 9))])
    assert sealed(session) == 8
    assert sealed(session) == 0
    ingest(session, [said(meter, [9])])
    assert sealed(session, at=AT + timedelta(minutes=5)) == 1
    first, second = seals(session)
    assert (first.previous_hash, second.previous_id, second.previous_hash) == (NO_SEAL_BEFORE, first.id, hash_of(first))
    for seal in (first, second):
        Ed25519PublicKey.from_public_bytes(seal.public_key).verify(seal.signature, statement(seal))


def test_the_leaves_are_exactly_what_is_documented(session, meter):
    """Made in SQL, they are the bytes that leaf_of makes: with and without everything a meter may not say."""
    for number, more in enumerate(({}, {"running": True, "count": 7}, {"running": False, "power_w": None})):
        ingest(session, [said(meter, [number * 2 + 1, number * 2 + 2], **more)])
    plug = makers.meter(session, code="plug", shard=shard_of("plug"), dialect="tasmota")
    ingest(
        session,
        [
            WireMessage(
                topic_of(plug.code, "tele/SENSOR"),
                b'{"Time":"2026-01-01T12:00:00","ENERGY":{"Total":1.5,"Power":3}}',
                AT + timedelta(microseconds=1),
            )
        ],
    )
    assert sealed(session) == 7
    rows = session.execute(
        text(
            "SELECT reading.*, code, topic, payload FROM reading JOIN meter ON meter.id = meter_id"
            " JOIN raw_message ON raw_message.id = message_id ORDER BY batch_id, message_id, taken_at"
        )
    )
    hashes = [
        merkle.leaf_hash(
            leaf_of(
                Leaf(
                    row.code, row.boot, row.seq, microseconds(row.taken_at), row.power_mw, row.energy_mwh, row.running,
                    row._mapping["count"], microseconds(row.received_at), row.key_id, row.backfill,
                    message_digest(row.topic, row.payload),
                )
            )
        )
        for row in rows
    ]  # fmt: skip
    assert merkle.split(session.scalars(select(SealedBlock.hashes)).one()) == hashes
    assert merkle.root(hashes) == seals(session)[0].root


def test_a_seal_has_a_limit_but_takes_one_batch_whole(session, meter):
    for first in (1, 11, 21):
        ingest(session, [said(meter, range(first, first + 10))])
    session.commit()
    assert [sealed(session, limit=20) for _ in range(3)] == [20, 10, 0]
    ingest(session, [said(meter, range(31, 61))])
    assert sealed(session, limit=20) == 30


def test_many_blocks_are_one_tree(session, meter):
    """Messages of 37 readings end anywhere in a block of 4096."""
    for first in range(1, 9001, 37 * 50):
        ingest(session, [said(meter, range(at, at + 37)) for at in range(first, first + 37 * 50, 37)])
    count = sealed(session)
    blocks = session.scalars(select(SealedBlock).order_by(SealedBlock.first_leaf)).all()
    assert [one.first_leaf for one in blocks] == list(range(0, count, 4096))
    hashes = [one for block in blocks for one in merkle.split(block.hashes)]
    assert len(hashes) == count
    assert merkle.root(hashes) == merkle.root([block.root for block in blocks]) == seals(session)[0].root
    assert merkle.root(merkle.split(blocks[0].hashes)) == blocks[0].root


def test_of_two_sealers_one_waits_and_the_chain_is_one(app, session, meter):
    for seq in range(1, 7):
        ingest(session, [said(meter, [seq])])
    session.commit()

    def seal(_: int) -> int:
        with app.app_context():
            try:
                return in_transaction(lambda one: sealed(one, limit=2))
            finally:
                db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(seal, range(6))) == 6
    chain = seals(session)
    assert [one.previous_hash for one in chain[1:]] == [hash_of(one) for one in chain[:-1]]
    assert session.scalar(select(ReadingBatch.id).where(ReadingBatch.seal_id.is_(None)).limit(1)) is None


def test_a_batch_that_is_committed_late_is_sealed_with_the_next(app, session, meter):
    late = db.engine.connect()
    late.execute(text("SELECT nextval(pg_get_serial_sequence('reading_batch', 'id'))"))
    number = late.scalar(text("SELECT currval(pg_get_serial_sequence('reading_batch', 'id'))"))
    ingest(session, [said(meter, [1])])
    assert sealed(session) == 1
    late.execute(text("INSERT INTO reading_batch (id, stored_at) VALUES (:id, now())"), {"id": number})
    late.commit()
    late.close()
    ingest(session, [said(meter, [2])])
    assert sealed(session) == 1
    assert session.get_one(ReadingBatch, number).seal_id == seals(session)[1].id


def test_batches_are_found_without_reading_all_history(session, meter):
    """Of many pages only those are read that hold the batch, although nothing was vacuumed."""
    from devices.sealing import COUNTS, _summarize

    session.execute(text("SELECT make_month('reading', '2026-01-01')"))
    session.execute(
        text(
            "INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, batch_id)"
            " SELECT :meter, timestamptz '2026-01-01 00:00+00' + n * interval '1 second', 1, n, '\\x00', now(), n,"
            " 1 + n / 1000 FROM generate_series(1, 60000) AS n"
        ),
        {"meter": meter.id},
    )
    _summarize(session)
    session.execute(text("SET LOCAL enable_seqscan = off"))  # so small a table would else be read whole
    told = session.scalars(
        text(f"EXPLAIN (ANALYZE, COSTS OFF) {COUNTS.text}"), {"first": 30, "last": 31, "ids": [30, 31]}
    ).all()
    plan = "\n".join(told)
    assert "Bitmap Index Scan on reading_2026_01_batch_id_idx" in plan
    removed = next(int(line.split(":")[1]) for line in told if "Rows Removed by Index Recheck" in line)
    assert removed < 12_000
