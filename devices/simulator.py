"""Meters that behave like real ones: for the sample world, for tests and for benchmarks.

A simulated meter runs its equipment during booked slots, with a warm-up, a working load and a ripple
of its own, and idles at standby otherwise. A native one keeps each reading in its outbox until the
application acknowledges it, and sends it again after a while or a reconnect.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.slots import booked_slots
from app.kernel import clock
from app.kernel.clock import FACILITY_ZONE
from app.kernel.db import db, transaction
from app.kernel.interval import Interval
from devices.broker import meter_password
from devices.client import Publisher
from devices.models import Meter
from devices.rules.evidence import Dialect
from devices.rules.topic import topic_of

log = logging.getLogger("pilotshare.simulator")

SECOND = timedelta(seconds=1)
MOST_IN_A_MESSAGE = 100
SENT_AGAIN_AFTER_S = 10.0
PLAN_EVERY_S = 5.0
STARTS_LATE, ENDS_EARLY = timedelta(seconds=10), timedelta(seconds=30)
WARM_UP = 0.15  # the first part of a run, in which the load climbs
MOST_STANDING_BY = 3600.0


def native_message(boot: int, readings: Sequence[tuple[int, datetime, float, float]]) -> bytes:
    """Native v1 of ``(seq, taken_at, watts, watt-hours)``."""
    return json.dumps(
        {
            "v": 1,
            "boot": boot,
            "readings": [
                {
                    "seq": seq,
                    "at_ms": round(at.timestamp() * 1000),
                    "power_w": round(watts, 1),
                    "energy_wh": round(wh, 3),
                }
                for seq, at, watts, wh in readings
            ],
        },
        separators=(",", ":"),
    ).encode()


def tasmota_message(taken_at: datetime, watts: float, energy_wh: float) -> bytes:
    """What a plug publishes under ``tele/SENSOR``, in its own local time."""
    local = taken_at.astimezone(FACILITY_ZONE).replace(tzinfo=None, microsecond=0)
    energy = {"Total": round(energy_wh / 1000, 5), "Power": round(watts), "Voltage": 228, "Factor": 0.96}
    return json.dumps({"Time": local.isoformat(), "ENERGY": energy}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Load:
    """How one piece of equipment draws power. Everything follows from ``seed``, so it can be repeated."""

    standby_w: int
    rated_w: int
    seed: int

    def watts(self, moment: datetime, run: Interval | None) -> float:
        """Power at ``moment``, during ``run`` or standing by."""
        ripple = math.sin(moment.timestamp() / (7 + self.seed % 11) + self.seed)
        if run is None or not run.contains(moment):
            return max(0.0, self.standby_w * (1 + 0.05 * ripple))
        progress = (moment - run.start) / run.duration
        working = self.rated_w * (0.55 + 0.2 * (self.seed % 10) / 10)
        climbing = min(1.0, 0.7 + 0.3 * progress / WARM_UP)
        return working * climbing * (1 + 0.08 * ripple)

    def run_in(self, slot: Interval) -> Interval | None:
        """When the equipment really runs in a booked slot: a little late, done a little early."""
        length = slot.duration - STARTS_LATE - ENDS_EARLY
        if length <= timedelta():
            return None
        start = slot.start + STARTS_LATE
        return Interval(start, start + max(length * (0.75 + 0.25 * (self.seed % 7) / 7), min(length, 20 * SECOND)))


def seed_of(code: str) -> int:
    return int.from_bytes(blake2b(code.encode(), digest_size=4).digest())


@dataclass
class Outbox:
    """Readings that were not acknowledged yet, by number. Kept by the device through a lost connection."""

    boot: int
    next_seq: int = 1
    waiting: OrderedDict[int, tuple[int, datetime, float, float]] = field(default_factory=OrderedDict)
    sent_at: dict[int, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, taken_at: datetime, watts: float, energy_wh: float) -> None:
        with self.lock:
            self.waiting[self.next_seq] = (self.next_seq, taken_at, watts, energy_wh)
            self.next_seq += 1

    def due(
        self, now: float, *, again_after_s: float = SENT_AGAIN_AFTER_S
    ) -> list[list[tuple[int, datetime, float, float]]]:
        """What has to be sent now, in portions; marked as sent."""
        with self.lock:
            ready = [
                row for seq, row in self.waiting.items() if now - self.sent_at.get(seq, -math.inf) >= again_after_s
            ]
            for row in ready:
                self.sent_at[row[0]] = now
        return [ready[start : start + MOST_IN_A_MESSAGE] for start in range(0, len(ready), MOST_IN_A_MESSAGE)]

    def acknowledged(self, payload: bytes) -> None:
        """Forget what the application says it has."""
        told = json.loads(payload)
        if told["boot"] != self.boot:
            return
        with self.lock:
            for seq in [seq for seq in self.waiting if seq <= told["upto"]]:
                del self.waiting[seq]
                self.sent_at.pop(seq, None)


class SimulatedMeter:
    """One meter with its connection, its load and, if it counts, its outbox."""

    def __init__(self, meter: Meter, url: str, password: str, *, boot: int, energy_wh: float) -> None:
        self.code, self.dialect, self.equipment_id = meter.code, meter.dialect, meter.equipment_id
        equipment = meter.equipment
        self.load = Load(equipment.standby_power_w, equipment.rated_power_w, seed_of(meter.code))
        self.outbox = Outbox(boot)
        self.energy_wh = energy_wh
        self.read_at: datetime | None = None
        self.publisher = Publisher(
            url,
            username=self.code,
            password=password,
            listen_to=topic_of(self.code, "ack"),
            hear=self.outbox.acknowledged,
        )

    def tell(self, now: datetime, slots: Sequence[Interval]) -> None:
        """Take a reading and publish it, with whatever was not acknowledged."""
        runs = [run for slot in slots if (run := self.load.run_in(slot)) is not None]
        watts = self.load.watts(now, next((run for run in runs if run.contains(now)), None))
        if self.read_at is not None:
            self.energy_wh += watts * min((now - self.read_at) / SECOND, MOST_STANDING_BY) / 3600
        self.read_at = now
        if self.dialect is Dialect.TASMOTA:
            if self.publisher.connected:
                self.publisher.publish(topic_of(self.code, "tele/SENSOR"), tasmota_message(now, watts, self.energy_wh))
            return
        self.outbox.add(now, watts, self.energy_wh)
        if self.publisher.connected:
            for portion in self.outbox.due(now.timestamp()):
                self.publisher.publish(topic_of(self.code, "data"), native_message(self.outbox.boot, portion))


def run(app: Flask, url: str, key: bytes, *, every_s: float, stop: threading.Event) -> None:
    """Run the fleet until ``stop``. Each start is a new boot; the counters go on."""
    memory = Path(app.config["FOLDER"]) / "simulator.json"
    past: dict[str, Any] = json.loads(memory.read_text()) if memory.exists() else {"boot": 0, "energy_wh": {}}
    boot = past["boot"] + 1
    memory.write_text(json.dumps({**past, "boot": boot}))
    with transaction() as session:
        meters = session.scalars(select(Meter).where(Meter.simulated, Meter.active).order_by(Meter.id)).all()
        fleet = [
            SimulatedMeter(
                meter, url, meter_password(key, meter.code, meter.credential_version), boot=boot,
                energy_wh=past["energy_wh"].get(meter.code, 1000.0),
            )
            for meter in meters
        ]  # fmt: skip
    log.info("%s meters", len(fleet))
    plan: dict[int, list[Interval]] = {}
    planned = -math.inf
    try:
        while not stop.wait(every_s):
            now = clock.now()
            if now.timestamp() - planned >= PLAN_EVERY_S:
                with transaction() as session:
                    plan = _plan(session, fleet, now)
                db.session.remove()
                planned = now.timestamp()
            for meter in fleet:
                meter.tell(now, plan.get(meter.equipment_id, ()))
    finally:
        for meter in fleet:
            meter.publisher.close()
        counters = {meter.code: meter.energy_wh for meter in fleet}
        memory.write_text(json.dumps({"boot": boot, "energy_wh": counters}))


def _plan(session: Session, fleet: Sequence[SimulatedMeter], now: datetime) -> dict[int, list[Interval]]:
    """The booked slots around now, by equipment."""
    slots = booked_slots(
        session, {meter.equipment_id for meter in fleet}, Interval(now - SECOND, now + timedelta(minutes=1))
    )
    plan: dict[int, list[Interval]] = {}
    for slot in slots:
        plan.setdefault(slot.equipment_id, []).append(slot.during)
    return plan
