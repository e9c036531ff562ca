"""A fleet with every fault, on real parts that are killed at random, compared with what really happened.

``python -m tests.soak --minutes 20 --meters 200 --truth FOLDER``; tests/integration/test_soak.py runs a short one.
Time runs faster for the devices than for the house, and begins so far back that no reading lies in the future.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import flask_migrate
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from app import create_app
from app.kernel import clock
from app.kernel.db import db, transaction
from app.kernel.interval import Interval
from app.kernel.postgres import PostgresFailed, PrivatePostgres
from app.kernel.secrets import key_for
from devices.accounts import LISTENER, listener_account, meter_account, meter_password
from devices.broker import PrivateBroker
from devices.metering import meter_readings
from devices.models import DeviceKey, Meter, UsageSession
from devices.rules.counter import counted_energy
from devices.rules.evidence import Dialect
from devices.rules.sample import Sample
from devices.rules.topic import shard_of, sparkplug_topic, topic_of
from devices.simulating.device import Device
from devices.simulating.faults import Fault, planned
from devices.simulating.fleet import Connection
from devices.simulating.load import Load, seed_of
from tests import makers
from tests.integration.test_listener import wait_for
from tests.web_server import free_port

SECOND = timedelta(seconds=1)
STEP = timedelta(seconds=10)
SPEED = 60
STANDBY_W, RATED_W = 100, 5000
PROFILE = {"run_on_w": 400, "run_off_w": 300, "min_on_s": 30, "min_off_s": 300, "max_gap_s": 300, "rated_w": RATED_W}
QUIET = timedelta(minutes=20)  # at both ends, without mishaps
SHIFT = 3 * STEP + timedelta(seconds=90)  # a run that a drifting clock saw
COARSE_MWH = {
    Dialect.NATIVE: 10,
    Dialect.TASMOTA: 20,
    Dialect.SHELLY: 10,
    Dialect.ZIGBEE2MQTT: 200,
    Dialect.SPARKPLUG: 10,
}
DRAIN_LIMIT_S = 300
SAMPLES = text(
    "SELECT taken_at, boot, seq, power_mw, energy_mwh, running, content_hash, count FROM reading"
    " WHERE meter_id = CAST(:meter AS int) ORDER BY taken_at, boot, seq, content_hash"
)


@dataclass
class Report:
    """What did not fit, by kind, each with the meter; what was near it; and what was seen in all."""

    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def complain(self, what: str, about: str, *near: str) -> None:
        self.wrong[what] += 1
        self.examples.setdefault(what, about)
        if near:
            self.told.append("\n".join([f"{what}: {about}", *(f"    {line}" for line in near)]))

    def __str__(self) -> str:
        lines = [f"{number:9,}  {what}" for what, number in sorted(self.seen.items())]
        lines += [f"WRONG {number:3}  {what}, such as {self.examples[what]}" for what, number in self.wrong.items()]
        return "\n".join([*lines, *self.told])


class Soak:
    """All parts, the fleet, and the hand that kills."""

    def __init__(
        self, folder: Path, *, meters: int, minutes: float, seed: int, dialects: Sequence[Dialect] = tuple(Dialect)
    ) -> None:
        self.chance = random.Random(seed)
        self.dialects = dialects
        self.real_s = minutes * 60
        began = clock.now() - timedelta(seconds=self.real_s * SPEED)
        self.within = Interval(began, began + timedelta(seconds=self.real_s * SPEED))
        self.postgres = PrivatePostgres(folder / "postgres")
        self.url = self.postgres.start()
        self.app = create_app(SQLALCHEMY_DATABASE_URI=self.url, FOLDER=folder)
        self.key = key_for("meters", master=self.app.config["MASTER_KEY"])
        with self.app.app_context():
            flask_migrate.upgrade()
            self.devices = [self._device(number, seed) for number in range(meters)]
            self._register()
            db.session.remove()
            db.engine.dispose()
        self.runs = {device.code: self._runs() for device in self.devices}
        self.broker = PrivateBroker(folder / "broker", port=free_port())
        self.accounts = [listener_account(self._password(LISTENER))]
        self.accounts += [
            meter_account(one.code, shard_of(one.code), self._password(one.code), one.dialect) for one in self.devices
        ]
        self.broker.start(self.accounts)
        self.environment = os.environ | {
            "DATABASE_URL": self.url, "MQTT_URL": self.broker.url, "PILOTSHARE_FOLDER": str(folder),
        }  # fmt: skip
        self.log = folder / "listen.log"
        self.listener = self._listen()
        self.kills: list[tuple[datetime, str]] = []  # by the devices' time
        self.began = 0.0

    def _device(self, number: int, seed: int) -> Device:
        dialect = self.dialects[number % len(self.dialects)]
        code = f"soak-{number}"
        calm = Interval(self.within.start + QUIET, self.within.end - QUIET)
        return Device(
            code, dialect, Load(STANDBY_W, RATED_W, seed_of(code)), energy_wh=50_000,
            mishaps=planned(f"{seed}/{code}", calm),
            signs_with=("factory", Ed25519PrivateKey.generate()) if dialect is Dialect.NATIVE and number % 2 else None,
        )  # fmt: skip

    def _register(self) -> None:
        with transaction() as session:
            machine = makers.equipment(session)
            for one in self.devices:
                meter = makers.meter(
                    session, of=machine, code=one.code, dialect=one.dialect, shard=shard_of(one.code), profile=PROFILE
                )
                if one.signs_with is not None:
                    name, key = one.signs_with
                    session.add(
                        DeviceKey(
                            meter_id=meter.id, name=name, public_key=key.public_key().public_bytes_raw(), owner="示例",
                            valid_from=self.within.start, registered_at=self.within.start,
                        )
                    )  # fmt: skip

    def _runs(self) -> list[Interval]:
        found, moment = [], self.within.start + timedelta(minutes=self.chance.uniform(15, 90))
        while moment < self.within.end - timedelta(hours=1):
            end = min(moment + timedelta(minutes=self.chance.uniform(20, 150)), self.within.end - timedelta(minutes=30))
            found.append(Interval(moment, end))
            moment = end + timedelta(minutes=self.chance.uniform(30, 180))
        return found

    def _password(self, code: str) -> str:
        return meter_password(self.key, code, 1)

    def _listen(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flask", "--app", "app", "listen"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def run(self) -> None:
        """The fleet on, parts killed now and then; at the end everything that waits is delivered."""
        fleet = [Connection(one, self.broker.url, self._password(one.code)) for one in self.devices]
        done = threading.Event()
        with ThreadPoolExecutor(1) as other, ExitStack() as opened:
            for one in fleet:
                opened.callback(one.publisher.close)
            opened.callback(done.set)
            for one in fleet:
                assert one.publisher.wait_until_connected()
            self._wait_for_the_listener(fleet[0])
            self.began = time.monotonic()
            killer = other.submit(self._kill_at_random, done)
            moment = self._go_on(fleet, killer, done)
            done.set()
            killer.result()
            self.within = Interval(self.within.start, moment)  # a busy machine gets less far
            self._drain(fleet, moment)

    def _go_on(self, fleet: list[Connection], killer: Future[None], done: threading.Event) -> datetime:
        """All devices read and tell, faster than the clock. Returns how far they got."""
        moment = self.within.start
        while moment < self.within.end and time.monotonic() < self.began + self.real_s:
            for one in fleet:
                one.tell(moment, self.runs[one.device.code])
            moment += STEP
            if killer.done():
                killer.result()  # it only ends by itself when something went wrong
            done.wait(max(0.0, self.began + (moment - self.within.start) / SECOND / SPEED - time.monotonic()))
        return moment

    def _wait_for_the_listener(self, one: Connection) -> None:
        """It hears once something that cannot be read is kept aside."""

        def heard() -> bool:
            one.publisher.publish(_topic_of(one.device), b"is anybody there?")
            return bool(self._count("dead_letter"))

        wait_for(heard, DRAIN_LIMIT_S)

    def _kill_at_random(self, done: threading.Event) -> None:
        while not done.wait(self.chance.uniform(8, 30)):
            what = self.chance.choice(["listener", "broker", "database"])
            self.kills.append((self.within.start + (time.monotonic() - self.began) * SPEED * SECOND, what))
            if what == "listener":
                self.listener.kill()
                self.listener.wait()
                self.listener = self._listen()
            elif what == "broker":
                self.broker.kill()
                done.wait(self.chance.uniform(0, 2))
                self.broker.start(self.accounts)
            else:
                os.kill(self.postgres.process_id or 0, signal.SIGKILL)
                done.wait(self.chance.uniform(0.5, 3))
                self._restart_postgres()
            if self.listener.poll() is not None:
                self.listener = self._listen()

    def _restart_postgres(self) -> None:
        """What a killed server leaves behind takes a moment to end; until then a new one does not start."""
        self.postgres.stop()
        again = Retrying(
            retry=retry_if_exception_type(PostgresFailed), stop=stop_after_delay(60), wait=wait_fixed(1), reraise=True
        )
        again(self.postgres.start)

    def _drain(self, fleet: list[Connection], moment: datetime) -> None:
        """Until every counting device has heard that all is safe, and the broker has nothing left for us."""

        def delivered() -> bool:
            if self.listener.poll() is not None:
                self.listener = self._listen()
            for one in fleet:
                for topic, payload in one.device.due(moment, monotonic=time.monotonic()):
                    one.publisher.publish(topic, payload)
            return not any(one.device.outbox.waiting for one in fleet)

        def all_heard() -> bool:
            """A broker keeps one publisher's order: what is kept aside last was published last."""
            return self._count("dead_letter", "payload = convert_to('the end', 'UTF8')") >= len(fleet)

        for one in fleet:
            # A stale node is asked again after a while. That is after the end, so each is born once more.
            one.device.connected()
            one.tell(moment, self.runs[one.device.code])
        self._while_it_goes_on(delivered)
        for one in fleet:
            one.publisher.publish(_topic_of(one.device), b"the end")
            assert one.publisher.drain()
        self._while_it_goes_on(all_heard)

    def _while_it_goes_on(self, true: Callable[[], bool]) -> None:
        """A busy machine is slow, not wrong: give up only when nothing more is stored."""
        batches = -1
        while True:
            try:
                return wait_for(true, DRAIN_LIMIT_S)
            except AssertionError:
                stored = self._count("reading_batch")
                if stored == batches:
                    raise
                batches = stored

    def _count(self, table: str, where: str = "true") -> int:
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            return connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]  # noqa: S608 (our own)

    def compare(self) -> Report:
        report = Report(seen=Counter(f"kills of the {what}" for _, what in self.kills))
        with self.app.app_context():
            at = self.within.end + timedelta(hours=1)
            while True:
                with transaction() as session:
                    if not meter_readings(session, at=at, limit=50):
                        break
            with transaction() as session:
                meters = {meter.code: meter.id for meter in session.scalars(select(Meter))}
                for device in self.devices:
                    samples = [Sample(*row) for row in session.execute(SAMPLES, {"meter": meters[device.code]})]
                    sessions = session.scalars(
                        select(UsageSession)
                        .where(UsageSession.meter_id == meters[device.code])
                        .order_by(UsageSession.started_at)
                    ).all()
                    self._compare_readings(report, device, samples)
                    self._compare_energy(report, device, samples)
                    self._compare_sessions(report, device, samples, list(sessions))
            db.session.remove()
            db.engine.dispose()
        return report

    def _compare_readings(self, report: Report, device: Device, samples: list[Sample]) -> None:
        truth = device.truth
        report.seen["readings taken"] += len(truth.readings)
        report.seen["readings stored"] += len(samples)
        report.seen["mishaps"] += len(truth.faults)
        if device.dialect is Dialect.NATIVE:
            numbers = Counter((sample.boot, sample.seq) for sample in samples)
            if any(count > 1 for count in numbers.values()):
                report.complain("a number stored twice", device.code)
            if missing := truth.told_safe - set(numbers):
                report.complain("told safe and not stored", f"{device.code} {sorted(missing)[:3]}")
            if missing := {(boot, said.seq) for boot, said in truth.readings} - set(numbers):
                report.complain("taken and never stored", f"{device.code} {sorted(missing)[:3]}")
            if extra := set(numbers) - {(boot, said.seq) for boot, said in truth.readings}:
                report.complain("stored and never taken", f"{device.code} {sorted(extra)[:3]}")
        moments = {second for _, said in truth.readings for second in _told_as(said.at)}
        if invented := {_second(sample.taken_at) for sample in samples} - moments:
            report.complain("a moment that never was", f"{device.code} {min(invented)}")

    def _compare_energy(self, report: Report, device: Device, samples: list[Sample]) -> None:
        """What the counter rose since its first reading, against what was used; resets hide nothing here."""
        first = device.truth.readings[0][1].energy_wh - 50_000
        used = round((device.truth.energy_wh - first) * 1000)
        counted = counted_energy(samples, rated_w=RATED_W)
        off = abs(counted.until(self.within.end + timedelta(hours=1)) - used)
        resets = sum(one.fault is Fault.RESET for one in device.truth.faults)
        allowed = COARSE_MWH[device.dialect] * (1 + 2 * resets)
        report.seen["milliwatt-hours used"] += used
        report.seen["milliwatt-hours off"] += off
        if off > allowed and not (counted.estimated_at or counted.quarantined_at or _missing(device, samples)):
            report.complain(
                "energy differs and nothing says so", f"{device.code} {device.dialect} by {off} of {used} mWh"
            )
        if off > allowed:
            report.seen["meters whose energy differs and says so"] += 1

    def _compare_sessions(
        self, report: Report, device: Device, samples: list[Sample], sessions: list[UsageSession]
    ) -> None:
        missing = _missing(device, samples)
        runs = [run for run in self.runs[device.code] if run.end + QUIET < self.within.end]
        under_way = [run for run in self.runs[device.code] if run.overlaps(self.within) and run not in runs]
        sessions = [one for one in sessions if not any(run.overlaps(one.during) for run in under_way)]
        report.seen["runs"] += len(runs)
        report.seen["sessions"] += len(sessions)
        for run in runs:
            wide = run.padded(before=SHIFT, after=SHIFT)
            over = [one for one in sessions if one.during.overlaps(run)]
            if len(over) == 1 and wide.start <= over[0].started_at and over[0].ended_at <= wide.end:
                narrow = over[0].started_at - run.start <= SHIFT and run.end - over[0].ended_at <= SHIFT
                if narrow:
                    report.seen["runs metered as they were"] += 1
                    continue
            inside = _count_within(missing, wide)
            if not inside:
                report.complain(
                    "a run metered otherwise, though nothing was lost",
                    f"{device.code} {device.dialect} {_spelled(run)}",
                    *self._near(run.padded(before=QUIET, after=QUIET), device, samples, sessions),
                )
            elif any(one.flags for one in over) or inside * STEP >= timedelta(seconds=PROFILE["max_gap_s"]) or not over:
                report.seen["runs with lost readings, flagged or gone"] += 1
            else:
                report.seen["runs shifted by a short loss"] += 1
        for one in sessions:
            wide = one.during.padded(before=SHIFT, after=SHIFT)
            if not any(run.overlaps(wide) for run in self.runs[device.code]):
                report.complain(
                    "a session without a run",
                    f"{device.code} {device.dialect} {_spelled(one.during)}",
                    *self._near(one.during.padded(before=QUIET, after=QUIET), device, samples, sessions),
                )

    def _near(
        self, when: Interval, device: Device, samples: list[Sample], sessions: list[UsageSession]
    ) -> Iterator[str]:
        """What may explain it: the sessions near it, what went wrong, and what the readings say nothing of."""
        yield from (f"run     {_spelled(run)}" for run in self.runs[device.code] if run.overlaps(when))
        for one in sessions:
            if one.during.overlaps(when):
                yield f"session {_spelled(one.during)} {' '.join(one.flags) or 'no flags'}"
        yield from (
            f"mishap  {_spelled(one.when)} {one.fault}" for one in device.truth.faults if one.when.overlaps(when)
        )
        yield from (
            f"kill    {moment:%m-%d %H:%M:%S} of the {what}" for moment, what in self.kills if when.contains(moment)
        )
        without = [one.taken_at for one in samples if one.power_mw is None and when.contains(one.taken_at)]
        if without:
            yield f"power   not told by {len(without)} readings from {min(without):%H:%M:%S} to {max(without):%H:%M:%S}"

    def write_truth(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for device in self.devices:
            device.truth.write(folder / f"{device.code}.jsonl")

    def close(self) -> None:
        self.listener.kill()
        self.listener.wait()
        self.broker.stop()
        self.postgres.stop()


def _topic_of(device: Device) -> str:
    """Where a device may say something that nobody can read."""
    if device.dialect is Dialect.SPARKPLUG:
        return sparkplug_topic(device.code, "NDATA")
    return topic_of(device.code, device.code if device.dialect is Dialect.ZIGBEE2MQTT else "unknown")


def _spelled(when: Interval) -> str:
    return f"{when.start:%m-%d %H:%M:%S} – {when.end:%m-%d %H:%M:%S}"


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _told_as(moment: datetime) -> set[datetime]:
    """The seconds that a dialect may name for a moment: cut off, or rounded to hundredths as a Shelly does."""
    return {_second(moment), _second(moment + timedelta(milliseconds=5))}


def _missing(device: Device, samples: list[Sample]) -> list[datetime]:
    """When readings were taken that nobody has, at the device or on the way."""
    stored = {_second(sample.taken_at) for sample in samples}
    return sorted(
        [*device.truth.gone, *(said.at for _, said in device.truth.readings if stored.isdisjoint(_told_as(said.at)))]
    )


def _count_within(moments: list[datetime], when: Interval) -> int:
    return bisect_right(moments, when.end) - bisect_left(moments, when.start)


def soaked(
    folder: Path,
    *,
    meters: int,
    minutes: float,
    seed: int,
    truth: Path | None = None,
    dialects: Sequence[Dialect] = tuple(Dialect),
) -> Report:
    soak = Soak(folder, meters=meters, minutes=minutes, seed=seed, dialects=dialects)
    try:
        soak.run()
        if truth is not None:
            soak.write_truth(truth)
        return soak.compare()
    finally:
        soak.close()


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--minutes", type=float, default=20)
    wanted.add_argument("--meters", type=int, default=200)
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--truth", type=Path)
    wanted.add_argument("--dialects", type=Dialect, nargs="+", choices=list(Dialect), default=list(Dialect))
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="pilotshare-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        report = soaked(
            folder, meters=given.meters, minutes=given.minutes, seed=given.seed, truth=given.truth,
            dialects=given.dialects,
        )  # fmt: skip
    print(report)
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
