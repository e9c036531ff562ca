"""The fleet on the wire: simulated meters with connections, following what is booked."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.slots import booked_slots
from app.kernel import clock
from app.kernel.db import db, transaction
from app.kernel.interval import Interval
from devices.accounts import meter_password
from devices.client import Publisher
from devices.models import Meter
from devices.rules.evidence import Dialect
from devices.rules.topic import sparkplug_topic
from devices.simulating import speaking
from devices.simulating.device import Device
from devices.simulating.faults import planned
from devices.simulating.load import Load, seed_of

log = logging.getLogger("pilotshare.simulator")

PLAN_EVERY_S = 5.0
SECOND, A_DAY = timedelta(seconds=1), timedelta(days=1)
FIRST_COUNT_WH = 1000.0


class Connection:
    """A device with its connection."""

    def __init__(self, device: Device, url: str, password: str) -> None:
        self.device = device
        will = None
        if device.dialect is Dialect.SPARKPLUG:
            will = (sparkplug_topic(device.code, "NDEATH"), speaking.sparkplug_death(device.outbox.boot))
        self.publisher = Publisher(
            url,
            username=device.code,
            password=password,
            listen_to=device.hears,
            hear=device.hear,
            connected=device.connected,
            will=will,
        )

    def tell(self, now: datetime, runs: Iterable[Interval]) -> None:
        """Take a reading and publish what is due. What cannot be sent now is lost, or waits, as the dialect has it."""
        self.device.read(now, runs)
        if self.publisher.connected:
            for topic, payload in self.device.due(now, monotonic=time.monotonic()):
                self.publisher.publish(topic, payload)


def run(
    app: Flask,
    url: str,
    key: bytes,
    *,
    every_s: float,
    stop: threading.Event,
    seed: str | None = None,
    truth: Path | None = None,
) -> None:
    """Run the sample fleet until ``stop``. Each start is a new boot; the counters go on.

    With a ``seed`` every fault happens to it now and then, the same ones for the same seed, for a day. What really
    happened is written into the folder ``truth`` at the end, a file for each meter.
    """
    memory = Path(app.config["FOLDER"]) / "simulator.json"
    past: dict[str, Any] = json.loads(memory.read_text()) if memory.exists() else {"boot": 0, "energy_wh": {}}
    boot = past["boot"] + 1
    memory.write_text(json.dumps({**past, "boot": boot}))
    with transaction() as session:
        meters = session.scalars(select(Meter).where(Meter.simulated, Meter.active).order_by(Meter.id)).all()
        machines = {meter.code: meter.equipment_id for meter in meters}
        fleet = [
            Connection(
                _device(meter, boot=boot, energy_wh=past["energy_wh"].get(meter.code, FIRST_COUNT_WH), seed=seed),
                url,
                meter_password(key, meter.code, meter.credential_version),
            )
            for meter in meters
        ]
    log.info("%s meters", len(fleet))
    try:
        _follow(fleet, machines, every_s=every_s, stop=stop)
    finally:
        for one in fleet:
            one.publisher.close()
        counters = {one.device.code: one.device.energy_wh for one in fleet}
        memory.write_text(json.dumps({"boot": boot, "energy_wh": counters}))
        if truth is not None:
            truth.mkdir(parents=True, exist_ok=True)
            for one in fleet:
                one.device.truth.write(truth / f"{one.device.code}.jsonl")


def _device(meter: Meter, *, boot: int, energy_wh: float, seed: str | None) -> Device:
    machine, now = meter.equipment, clock.now()
    mishaps = planned(f"{seed}/{meter.code}", Interval(now, now + A_DAY)) if seed is not None else []
    load = Load(machine.standby_power_w, machine.rated_power_w, seed_of(meter.code))
    return Device(meter.code, meter.dialect, load, boot=boot, energy_wh=energy_wh, mishaps=mishaps)


def _follow(fleet: Sequence[Connection], machines: Mapping[str, int], *, every_s: float, stop: threading.Event) -> None:
    plan: dict[int, list[Interval]] = {}
    planned = -math.inf
    while not stop.wait(every_s):
        now = clock.now()
        if now.timestamp() - planned >= PLAN_EVERY_S:
            with transaction() as session:
                plan = _plan(session, set(machines.values()), now)
            db.session.remove()
            planned = now.timestamp()
        for one in fleet:
            slots = plan.get(machines[one.device.code], ())
            runs = [run for slot in slots if (run := one.device.load.run_in(slot)) is not None]
            one.tell(now, runs)


def _plan(session: Session, equipment_ids: set[int], now: datetime) -> dict[int, list[Interval]]:
    """The booked slots around now, by equipment."""
    slots = booked_slots(session, equipment_ids, Interval(now - SECOND, now + timedelta(minutes=1)))
    plan: dict[int, list[Interval]] = {}
    for slot in slots:
        plan.setdefault(slot.equipment_id, []).append(slot.during)
    return plan
