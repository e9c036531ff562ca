"""Publish a recorded power trace as if a meter said it now."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from app.kernel.clock import FACILITY_ZONE
from app.kernel.errors import Refusal
from devices.client import Publisher
from devices.rules.evidence import Dialect
from devices.rules.topic import topic_of
from devices.rules.trace import samples_of_plug
from devices.simulating.speaking import native_message, tasmota_message

NATIVE_BATCH = 100
UNDER_WAY = 1000
SECOND = timedelta(seconds=1)


def replay(
    file: Path,
    url: str,
    *,
    code: str,
    password: str,
    dialect: Dialect,
    speed: float,
    start: datetime | None,
    told: Callable[[int, int], object],
) -> int:
    """Publish every sample of ``file`` with the meter's own account; returns how many were delivered.

    The whole file is read first, so that a bad line publishes nothing. ``speed`` 0 is as fast as the
    broker takes it. Errors: ``InvalidInput``; ``Refusal`` when the broker does not let us in.
    """
    trace = read_trace(file)
    if start is not None:
        by = start.replace(tzinfo=FACILITY_ZONE) - trace[0][0]
        trace = [(moment + by, watts) for moment, watts in trace]
    publisher = Publisher(url, username=code, password=password)
    try:
        if not publisher.wait_until_connected():
            raise Refusal(
                "MQTT 服务没有接受电表 %(code)s 的连接（%(why)s）。", code=code, why=publisher.refused or "无应答"
            )
        sent, began = 0, time.monotonic()
        for payload, count, moment in _messages(trace, dialect):
            if speed:
                due = began + (moment - trace[0][0]) / SECOND / speed
                time.sleep(max(0.0, due - time.monotonic()))
            publisher.publish(topic_of(code, "data" if dialect is Dialect.NATIVE else "tele/SENSOR"), payload)
            _wait(publisher, most_left=UNDER_WAY)
            sent += count
            told(sent, len(trace))
        _wait(publisher, most_left=0)
        return sent
    finally:
        publisher.close()


def _wait(publisher: Publisher, *, most_left: int) -> None:
    if not publisher.drain(most_left=most_left):
        raise Refusal("MQTT 服务没有在时限内收下读数，请重试：重复的读数只会保存一次。")


def read_trace(file: Path) -> list[tuple[datetime, float]]:
    """``(moment, watts)`` of each line, by time. Errors: ``InvalidInput`` with the line's number."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        samples = samples_of_plug(lines.read(), zone=FACILITY_ZONE)
    return [(sample.taken_at, (sample.power_mw or 0) / 1000) for sample in samples]


def _messages(trace: list[tuple[datetime, float]], dialect: Dialect) -> Iterator[tuple[bytes, int, datetime]]:
    """The messages a meter would have sent, the energy counter summed up on the way."""
    energy_wh = 0.0
    before: datetime | None = None
    waiting: list[tuple[int, datetime, float, float]] = []
    for number, (moment, watts) in enumerate(trace, start=1):
        if before is not None:
            energy_wh += watts * min((moment - before) / SECOND, 60) / 3600
        before = moment
        if dialect is Dialect.TASMOTA:
            yield tasmota_message(moment, watts, energy_wh), 1, moment
            continue
        waiting.append((number, moment, watts, energy_wh))
        if len(waiting) == NATIVE_BATCH or number == len(trace):
            yield native_message(1, waiting), len(waiting), moment
            waiting = []
