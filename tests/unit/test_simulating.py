"""Simulated meters: repeatable, honest about what happened, and understood by the readers of their dialect."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from app.kernel.interval import Interval
from devices.hearing import READERS
from devices.payloads.heard import Packet
from devices.payloads.unreadable import Unreadable
from devices.rules.counter import counted_energy
from devices.rules.evidence import Dialect
from devices.rules.sample import Sample, in_order
from devices.rules.span import Profile, usage_spans
from devices.rules.topic import read_topic, sparkplug_topic, topic_of
from devices.simulating.device import Device
from devices.simulating.faults import Fault, planned
from devices.simulating.load import Load, Shape

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = Interval(START, START + timedelta(days=1))
STEP = timedelta(seconds=10)
RUNS = [Interval(START + timedelta(hours=hour), START + timedelta(hours=hour + 1, minutes=20)) for hour in (3, 8, 15)]
PROFILE = Profile(400, 300, timedelta(seconds=30), timedelta(minutes=5), timedelta(minutes=5), 5000)


def simulated(
    dialect: Dialect, faults: tuple[Fault, ...], *, seed: int = 3, deaf: float = 1.0
) -> tuple[Device, list[Sample], int]:
    """A day of one device, heard as the house hears it; what could not be read is counted.

    ``deaf`` is how often a node does not hear that it is asked to be born again.
    """
    device = Device(
        "sim-1", dialect, Load(100, 5000, seed), energy_wh=50_000,
        mishaps=planned(f"{seed}", DAY, each=timedelta(hours=1), of=faults),
    )  # fmt: skip
    memory: dict[str, object] = {}
    heard: dict[tuple[int, int, datetime, bytes], Sample] = {}
    numbers: set[tuple[int, int]] = set()
    safe: dict[int, int] = {}
    unread = 0
    moment = START
    chance = random.Random(seed)
    while moment < DAY.end:
        device.read(moment, RUNS)
        for topic, payload in device.due(moment, monotonic=moment.timestamp()):
            suffix = read_topic(topic).suffix
            try:
                told = READERS[dialect](Packet(suffix, payload, moment, memory))
                for _, sample in [*told.samples, *(one for late in told.late for one in late.samples)]:
                    numbers.add((sample.boot, sample.seq))
                    heard[sample.boot, sample.seq, sample.taken_at, sample.content_hash] = sample
                for answer, command in told.answers:
                    if chance.random() >= deaf:
                        device.hear(sparkplug_topic(device.code, answer), command)
            except Unreadable:
                unread += 1
        if dialect is Dialect.NATIVE:
            for boot in {boot for boot, _ in device.outbox.waiting}:
                upto = safe.get(boot, 0)
                while (boot, upto + 1) in numbers:
                    upto += 1
                safe[boot] = upto
                device.hear(topic_of(device.code, "ack"), b'{"boot":%d,"upto":%d}' % (boot, upto))
        moment += STEP
    return device, in_order(heard.values()), unread


@pytest.mark.parametrize("dialect", list(Dialect))
def test_without_faults_everything_that_happened_is_heard(dialect):
    device, samples, unread = simulated(dialect, ())
    assert unread == 0
    assert len(samples) == len(device.truth.readings) == DAY.duration // STEP
    spans = usage_spans(samples, PROFILE, until=DAY.end)
    assert [span.when.start for span in spans] == [run.start for run in RUNS]
    assert all(abs(span.when.end - run.end) <= STEP for span, run in zip(spans, RUNS, strict=True))
    counted = counted_energy(samples, rated_w=5000).until(DAY.end) / 1000
    first = device.truth.readings[0][1].energy_wh - 50_000
    assert counted == pytest.approx(device.truth.energy_wh - first, abs=20)


@pytest.mark.parametrize("dialect", list(Dialect))
def test_with_faults_nothing_is_heard_that_did_not_happen(dialect):
    device, samples, unread = simulated(dialect, tuple(Fault))
    assert {one.fault for one in device.truth.faults} >= {Fault.GARBAGE, Fault.OUTAGE}
    assert unread >= device.truth.garbage > 0 if dialect is not Dialect.TASMOTA else unread > 0
    moments = {said.at.replace(microsecond=0) for _, said in device.truth.readings}
    assert {sample.taken_at.replace(microsecond=0) for sample in samples} <= moments
    if dialect is Dialect.NATIVE:
        numbers = {(boot, said.seq) for boot, said in device.truth.readings}
        waiting = set(device.outbox.waiting)
        assert {(sample.boot, sample.seq) for sample in samples} | waiting == numbers


@pytest.mark.parametrize(("seed", "deaf"), [(3, 0.0), (0, 0.7), (1, 0.7)])
def test_of_a_node_that_sends_twice_or_in_disorder_every_run_is_metered_as_it_was(seed, deaf):
    """Nothing is lost, so nothing may be missing, even while the node hears little of what it is asked."""
    faults = (Fault.DUPLICATE, Fault.REORDER, Fault.REBOOT, Fault.GARBAGE)
    device, samples, _ = simulated(Dialect.SPARKPLUG, faults, seed=seed, deaf=deaf)
    spans = usage_spans(samples, PROFILE, until=DAY.end)
    assert [span.when.start for span in spans] == [run.start for run in RUNS]
    assert [span.when.end for span in spans] == [run.end for run in RUNS]
    assert not any(span.cut_by_silence for span in spans)
    with_power = {one.taken_at for one in samples if one.power_mw is not None}
    assert with_power == {said.at for _, said in device.truth.readings if said.at <= max(with_power)}


def test_the_same_seed_gives_the_same_day():
    faults = tuple(Fault)
    first, again = simulated(Dialect.NATIVE, faults), simulated(Dialect.NATIVE, faults)
    assert first[1:] == again[1:]
    assert first[0].truth == again[0].truth
    assert simulated(Dialect.NATIVE, faults, seed=4)[1] != first[1]


@pytest.mark.parametrize("seed", range(len(Shape)))
def test_every_shape_stays_above_standing_by_while_it_runs(seed):
    load = Load(100, 5000, seed)
    run = RUNS[0]
    moments = [run.start + number * STEP for number in range(run.duration // STEP)]
    assert min(load.watts(moment, run) for moment in moments) > 2 * load.watts(START, None)
    assert max(load.watts(moment, run) for moment in moments) <= 5000


def test_the_truth_is_written_beside_it(tmp_path):
    device, _, _ = simulated(Dialect.NATIVE, (Fault.OUTAGE,))
    device.truth.write(tmp_path / "sim-1.jsonl")
    lines = (tmp_path / "sim-1.jsonl").read_text().splitlines()
    assert len(lines) == 1 + len(device.truth.readings)


def test_a_native_one_keeps_what_is_not_acknowledged_and_sends_what_it_is_asked_for():
    device = Device("sim-1", Dialect.NATIVE, Load(100, 5000, 1))
    for number in range(5):
        device.read(START + number * STEP, ())
    assert len(device.due(START, monotonic=0.0)) == 1
    assert device.due(START, monotonic=1.0) == []
    device.hear("m/1/sim-1/ack", b'{"boot":1,"upto":3}')
    device.hear("m/1/sim-1/backfill", b'{"boot":1,"first":1,"last":null}')
    ((_, payload),) = device.due(START, monotonic=1.0)
    heard = READERS[Dialect.NATIVE](Packet("data", payload, START))
    assert [sample.seq for _, sample in heard.samples] == [4, 5]
    assert heard.backfill
    device.hear("m/1/sim-1/backfill", b"nonsense")
