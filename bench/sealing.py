"""Readings a second that are sealed, against the floor of hashing the same bytes with one core and nothing else.

Sealing finds the readings of new batches, makes their leaves, hashes them, stores the hashes and signs the root.
It is done beside ever more history: O(new readings), not of all.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.kernel.db import in_transaction
from bench.house import house
from devices.rules import merkle
from devices.rules.leaf import Leaf, leaf_of
from devices.sealing import seal_readings
from tests import makers

PORTION = 500_000
PORTIONS = 3
A_MESSAGE, A_BATCH = 20, 4000
KEY = bytes(32)
NOW = datetime(2026, 11, 25, tzinfo=UTC)

BATCHES = text(
    "INSERT INTO reading_batch (id, stored_at) SELECT nextval(pg_get_serial_sequence('reading_batch', 'id')), now()"
    " FROM generate_series(1, :count)"
)
MESSAGES = text(
    "INSERT INTO raw_message (received_at, meter_id, topic, payload)"
    " SELECT timestamptz '2026-11-01 00:00+00' + number * interval '1 second', :meter, 'm/1/bench/data',"
    " convert_to(repeat('{\"seq\": ' || number || ', \"at_ms\": 1795000000000, \"power_w\": 100}', :readings), 'UTF8')"
    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS number"
)
READINGS = text(
    "INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh,"
    " batch_id) SELECT :meter, timestamptz '2026-11-01 00:00+00' + number * interval '50 milliseconds', 1, number,"
    " decode(md5(number::text), 'hex'), timestamptz '2026-11-01 00:00+00' + ((number - 1) / :each + 1)"
    " * interval '1 second', (number - 1) / :each + 1, 100000 + number % 1000, number * 7,"
    " :batch + (number - :first) / :a_batch"
    " FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS number"
)


def grow(portion: int, meter: int) -> None:
    """One portion more of readings in batches of the usual size."""
    first, last = portion * PORTION + 1, (portion + 1) * PORTION

    def work(session: Session) -> None:
        session.execute(text("SELECT make_month('reading', '2026-11-01'), make_month('raw_message', '2026-11-01')"))
        session.execute(BATCHES, {"count": PORTION // A_BATCH})
        batch = session.scalar(text("SELECT max(id) FROM reading_batch")) - PORTION // A_BATCH + 1
        told = {"meter": meter, "first": first // A_MESSAGE + 1, "last": last // A_MESSAGE, "readings": A_MESSAGE}
        session.execute(MESSAGES, told)
        told = {"meter": meter, "first": first, "last": last, "each": A_MESSAGE, "batch": batch, "a_batch": A_BATCH}
        session.execute(READINGS, told)

    in_transaction(work)


def floor() -> float:
    """Hash as many leaves of the same length, the payloads and the tree above, in Python and nothing else."""
    leaf = b"\0" + leaf_of(
        Leaf(
            "bench", 1, 250_000, 1795000000000000, 100500, 1750000, None, None, 1795000000000000, None, False, "0" * 64
        )
    )
    payload = b"{" * 60 * A_MESSAGE
    began = time.perf_counter()
    hashes = [sha256(leaf).digest() for _ in range(PORTION)]
    for _ in range(PORTION // A_MESSAGE):
        sha256(payload).digest()
    merkle.root(hashes)
    return PORTION / (time.perf_counter() - began)


def main() -> None:
    with house():
        meter = in_transaction(lambda session: makers.meter(session, code="bench").id)
        hashed = floor()
        print(f"readings/s  only hashed, one core {hashed:9.0f}", flush=True)
        for portion in range(PORTIONS):
            grow(portion, meter)
            began = time.perf_counter()
            sealed = 0
            while more := in_transaction(lambda session: seal_readings(session, at=NOW, key=KEY)):
                sealed += more
            rate = sealed / (time.perf_counter() - began)
            history = portion * PORTION
            print(f"  sealed {sealed} beside {history:8} {rate:9.0f}   of hashing {rate / hashed:.2f}", flush=True)


if __name__ == "__main__":
    main()
