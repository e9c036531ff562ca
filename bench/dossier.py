"""Seconds to write and to verify the dossier of a claim, and the memory that it takes, at a fraction and at the whole.

    python -m bench.dossier [--lines 2000] [--readings 500000] [--others 20] [--smaller 4] [--processes 2]

Half of what the meters of the house said belongs to others, so that proofs have something to leave out; ``--others``
of the twenty meters of the claim make it less. A claim year as large as there may be, 200,000 lines and 50,000,000
readings, with 4 others and nothing smaller before takes two hours and 40 GB of disk. Verification
is compared with nothing but hashing: of the same leaves, messages and trees one by one, as any proof has to; of the
unpacked bytes in one go; and of the file.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import os
import subprocess
import sys
import time
import zipfile
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from app.catalogue.models import Recognition, RecognitionLevel
from app.identity.rules.permission import Role
from app.kernel.db import db, in_transaction
from app.kernel.interval import local_days
from bench.house import house
from billing.charging import charge_usage
from billing.dossier import verify
from billing.dossier.writing import House, ask_for, go_on
from billing.invoicing import issue_for_firms
from billing.models import Charge, Dossier, Evaluation
from billing.recognizing import recognize_revenue
from billing.rules.dossier.portion import Reader
from billing.rules.words import ChargeState
from devices.metering import meter_readings
from devices.rules import merkle
from devices.rules.topic import shard_of
from devices.sealing import MOST_LEAVES, seal_readings
from devices.verifying import public_key_of
from tests import makers

METERS, FIRMS, A_MESSAGE, QUIET = 20, 40, 10, 12
SEALS = 20
KEY = bytes(range(32))
BEGAN = datetime(2026, 1, 10, tzinfo=UTC)
AFTER = datetime(2027, 2, 1, tzinfo=UTC)

# Reading ``number`` of every meter: a run of ``run`` readings, then a pause of ``quiet``.
SAID = """
    SELECT meter.id AS meter_id, meter.code, meter.place, number, window_no,
           :began + number * interval '10 seconds' AS taken_at,
           CASE WHEN number % (:run + :quiet) >= :quiet THEN 800 + number % 7 ELSE 3 END AS power_w,
           (number / (:run + :quiet)) * :run * 2 + greatest(0, number % (:run + :quiet) - :quiet) * 2 AS energy_wh
    FROM (SELECT id, code, row_number() OVER (ORDER BY id) - 1 AS place FROM meter) AS meter,
         generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS window_no,
         generate_series(window_no * :each, window_no * :each + :each - 1) AS number
"""
MESSAGES = text(
    "INSERT INTO raw_message (id, received_at, meter_id, topic, payload) OVERRIDING SYSTEM VALUE"
    " SELECT window_no * :meters + place + 1, max(taken_at) + interval '1 second', meter_id,"
    " 'm/' || :shard || '/' || code || '/data', convert_to('{\"v\"\\:1,\"boot\"\\:1,\"readings\":[' || string_agg("
    " '{\"seq\":' || number + 1 || ',\"at_ms\":' || CAST(extract(epoch FROM taken_at) * 1000 AS bigint)"
    " || ',\"power_w\":' || power_w || ',\"energy_wh\":' || energy_wh || '}', ',' ORDER BY number) || ']}', 'UTF8')"
    f" FROM ({SAID}) AS said GROUP BY window_no, place, meter_id, code"
)
READINGS = text(
    "INSERT INTO reading (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh,"
    " batch_id) SELECT meter_id, taken_at, 1, number + 1, decode(md5(meter_id || '/' || number), 'hex'),"
    " :began + (window_no * :each + :each - 1) * interval '10 seconds' + interval '1 second',"
    " window_no * :meters + place + 1, power_w * 1000, energy_wh * 1000, window_no + 1000"
    f" FROM ({SAID}) AS said ORDER BY window_no, place, number"
)
RESERVATIONS = text(
    "INSERT INTO reservation (equipment_id, organization_id, person_id, during, state, purpose, created_at, changed_at)"
    " SELECT equipment_id, (CAST(:firms AS int[]))[1 + run_no % :count], :person,"
    " tstzrange(begins, begins + :run * interval '10 seconds'), 'finished', '',"
    " begins, begins FROM meter, generate_series(0, CAST(:runs AS int) - 1) AS run_no,"
    " LATERAL (SELECT :began + (run_no * (:run + :quiet) + :quiet) * interval '10 seconds' AS begins) AS timed"
    " WHERE meter.id = ANY(:claimed)"
)

BATCHES = text(
    "INSERT INTO reading_batch (id, stored_at) OVERRIDING SYSTEM VALUE"
    " SELECT number, :at FROM generate_series(1000, CAST(:count AS int) + 1000) AS number"
)
TASKS = text("INSERT INTO metering_task SELECT unnest(CAST(:meters AS int[])), :began")


def grow(lines: int, readings: int, others: int) -> tuple[int, int]:
    """A claim of so many lines and readings from the wire to recognized revenue. Returns platform and lines.

    ``others`` divides the number of its meters: so many more belong to another platform.
    """
    runs, run, meters = lines // METERS, readings // lines, METERS + others

    def people(session: Session) -> tuple[int, list[int], int, list[int]]:
        platform, other = makers.platform(session, code="bench"), makers.platform(session)
        session.add(
            Recognition(
                platform_id=platform.id, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 1, 1),
                document="示例", newly=True,
            )
        )  # fmt: skip
        session.add(Evaluation(platform_id=platform.id, year=2026, evaluated=True, selected=True, document="示例"))
        firms = [makers.organization(session) for _ in range(FIRMS)]
        person = makers.person(session, (firms[0], Role.FIRM_MEMBER))
        claimed = []
        for number in range(meters):
            theirs = number % (meters // others) == 1
            machine = makers.equipment(session, of=other if theirs else platform)
            meter = makers.meter(session, of=machine, code=f"bench{number}", shard=shard_of("bench0"))
            if not theirs:
                makers.tariff(session, of=machine, terms=makers.terms(setup_fee="0.00", minimum_charge="0.00"))
                claimed.append(meter.id)
        return platform.id, [one.id for one in firms], person.id, claimed

    platform_id, firms, person, claimed = in_transaction(people)
    windows = -(-runs * (run + QUIET) // A_MESSAGE) + 1
    facts = {"began": BEGAN, "run": run, "quiet": QUIET, "each": A_MESSAGE, "meters": meters}

    def before(session: Session) -> None:
        for day in range(0, windows * A_MESSAGE // 8640 + 32, 28):
            told = {"day": (BEGAN + timedelta(days=day)).date()}
            session.execute(text("SELECT make_month('reading', :day), make_month('raw_message', :day)"), told)
        session.execute(BATCHES, {"at": BEGAN, "count": windows})
        told = {"firms": firms, "count": FIRMS, "person": person, "run": run, "quiet": QUIET, "runs": runs}
        session.execute(RESERVATIONS, {**told, "began": BEGAN, "claimed": claimed})
        session.execute(TASKS, {"meters": claimed, "began": BEGAN})

    def said(session: Session, first: int) -> None:
        part = {**facts, "first": first, "last": min(first + 2000, windows) - 1}
        session.execute(MESSAGES, {**part, "shard": shard_of("bench0")})
        session.execute(READINGS, part)

    in_transaction(before)
    for first in range(0, windows, 2000):
        in_transaction(partial(said, first=first))
    in_transaction(lambda session: session.execute(text("ANALYZE")))
    a_seal = min(MOST_LEAVES, windows * A_MESSAGE * meters // SEALS)
    while in_transaction(lambda session: seal_readings(session, at=AFTER, key=KEY, limit=a_seal)):
        pass
    while in_transaction(lambda session: meter_readings(session, at=AFTER, limit=5)):
        pass
    while in_transaction(lambda session: charge_usage(session, until=AFTER, at=AFTER)):
        pass
    in_transaction(lambda session: session.execute(update(Charge).values(state=ChargeState.APPROVED)))
    for month in range(1, 13):
        day = date(2026, month, 1)
        at = local_days(day, 32).end
        in_transaction(
            lambda session, day=day, at=at: issue_for_firms(
                session, platform_id=platform_id, organization_ids=firms, month=day, by=person, at=at
            )
        )
    while in_transaction(lambda session: recognize_revenue(session, at=AFTER)):
        pass
    in_transaction(lambda session: session.execute(text("ANALYZE")))
    return platform_id, in_transaction(lambda session: session.scalar(text("SELECT count(*) FROM invoice_line")))


def peak_mb() -> float:
    """The most memory that this process had since it was last asked (Linux)."""
    highest = status_mb("/proc/self/status", "VmHWM")
    Path("/proc/self/clear_refs").write_text("5")
    return highest


def status_mb(status: str, what: str) -> float:
    """``VmRSS`` is what a process holds now, ``VmHWM`` the most that it held."""
    return int(Path(status).read_text().split(f"{what}:")[1].split()[0]) / 1024


def write(platform_id: int, folder: Path) -> Path:
    house_of = House(folder / "dossiers", KEY)
    peak_mb()
    before = status_mb("/proc/self/status", "VmRSS")  # what growing left behind is not the writing's
    began = time.perf_counter()
    work = in_transaction(lambda session: ask_for(session, platform_id, 2026, by=None, at=AFTER))
    longest, going_on = 0.0, True
    while going_on:
        portion = time.perf_counter()
        going_on, _, total = in_transaction(lambda session: go_on(session, work, house=house_of, at=AFTER))
        longest = max(longest, time.perf_counter() - portion)
        db.session.remove()
    seconds = time.perf_counter() - began
    row = in_transaction(lambda session: session.scalars(select(Dossier).where(Dossier.long_work_id == work)).one())
    print(
        f"  written in {seconds:7.1f} s  {row.readings / seconds:9.0f} readings/s  {row.bytes / 1e6:8.1f} MB"
        f"  {row.bytes / row.readings:5.1f} B a reading  {total} portions, longest {longest:.1f} s"
        f"  peak {peak_mb():.0f} MB, {before:.0f} before",
        flush=True,
    )
    return house_of.folder / row.file


def floors(dossier: Path) -> tuple[float, float, float]:
    """Seconds of nothing but hashing: leaf by leaf with their trees, the unpacked bytes, the file."""
    by_leaf = unpacked = 0.0
    with zipfile.ZipFile(dossier) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            whole = gzip.decompress(content) if name.endswith(".gz") else content
            began = time.perf_counter()
            sha256(whole).digest()
            unpacked += time.perf_counter() - began
            if not name.endswith(".gz"):
                continue
            parts = list(Reader(name, io.BytesIO(whole)).parts())
            began = time.perf_counter()
            for part in parts:
                for block in part.blocks:
                    for message in block.messages:
                        sha256(message.payload).digest()
                    rows = [b"\0" + b"p" * 21 + row + b"d" * 65 for row in block.rows]
                    merkle.root([sha256(row).digest() for row in rows])
            by_leaf += time.perf_counter() - began
    began = time.perf_counter()
    with dossier.open("rb") as source:
        digest = sha256()
        while piece := source.read(1 << 20):
            digest.update(piece)
    return by_leaf, unpacked, time.perf_counter() - began


def check(dossier: Path, processes: int) -> float:
    key = public_key_of(KEY).hex()
    command = [sys.executable, verify.__file__, str(dossier), "--key", key, "--processes", str(processes)]
    began = time.perf_counter()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=dossier.parent)
    peak = 0.0
    while run.poll() is None:
        with contextlib.suppress(OSError, IndexError, subprocess.TimeoutExpired):
            peak = status_mb(f"/proc/{run.pid}/status", "VmHWM")
            run.wait(0.2)
    seconds = time.perf_counter() - began
    assert run.returncode == 0, run.communicate()[0]
    print(f"  verified by {processes} in {seconds:7.1f} s  peak of the first process {peak:.0f} MB", flush=True)
    return seconds


def measure(lines: int, readings: int, others: int, processes: int) -> None:
    with house(durable=False) as (_, _, folder):
        began = time.perf_counter()
        platform_id, made = grow(lines, readings, others)
        print(
            f"{made} lines, {readings} readings behind them (grown in {time.perf_counter() - began:.0f} s)", flush=True
        )
        dossier = write(platform_id, folder)
        by_leaf, unpacked, packed = floors(dossier)
        print(
            f"  only hashed: leaves {by_leaf:.2f} s  unpacked bytes {unpacked:.2f} s  file {packed:.2f} s", flush=True
        )
        for count in sorted({1, processes}):
            seconds = check(dossier, count)
            ratios = [one / seconds for one in (by_leaf, unpacked, packed)]
            print(
                f"    of hashing leaves {ratios[0]:.2f}  unpacked bytes {ratios[1]:.3f}  file {ratios[2]:.3f}"
                f"  {readings / seconds:.0f} readings/s", flush=True,
            )  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--lines", type=int, default=2000)
    asked.add_argument("--readings", type=int, default=500_000)
    asked.add_argument("--others", type=int, default=METERS, choices=(4, 5, 10, 20), help="meters of others")
    asked.add_argument("--smaller", type=int, default=4, help="measure a so many times smaller claim first; 0: do not")
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    told = asked.parse_args()
    if told.smaller:
        measure(told.lines // told.smaller, told.readings // told.smaller, told.others, told.processes)
    measure(told.lines, told.readings, told.others, told.processes)


if __name__ == "__main__":
    main()
