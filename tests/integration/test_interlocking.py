"""Relays follow check-ins and runs, on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from app.booking.reserving import reserve
from app.booking.rules.request import next_on_grid
from app.booking.slots import presences
from app.booking.using import check_in, finish
from app.identity.rules.permission import Role
from app.kernel.audit import AuditEntry
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.interlocking import decide_power, due_commands, last_commands, relays
from devices.metering import meter_readings
from devices.models import PowerCommand
from devices.overriding import end_override, override
from devices.rules.evidence import Dialect
from devices.rules.power import MOST_TRIES, FailSafe, PowerCause, Progress
from devices.rules.topic import SHARDS, shard_of, topic_of
from devices.simulating.speaking import native_message
from tests import makers
from tests.makers import BEGINNING

START = BEGINNING + timedelta(hours=8)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
STEP = timedelta(seconds=10)
SHARDS_ALL = range(SHARDS)


class Bench:
    """One machine with a switched meter, its firm and operator, and a clock that goes on by what happens."""

    def __init__(self, session, **meter) -> None:
        self.session, self.now, self.seq, self.energy = session, START, 0, 0.0
        self.firm = makers.organization(session)
        self.person = makers.person(session, (self.firm, Role.FIRM_MEMBER))
        self.operator = makers.person(session)
        self.machine = makers.equipment(session, check_in=True, early_minutes=15)
        self.meter = makers.meter(
            session,
            of=self.machine,
            code="lock-1",
            shard=shard_of("lock-1"),
            interlocked=True,
            profile={"post_s": 120, "max_gap_s": 300},
            **meter,
        )

    def pass_time(self, length, power=0.0, *, derive=True) -> None:
        """The meter goes on reading ``power``, and what it said is derived."""
        end = self.now + length
        while self.now < end:
            self.now += STEP
            self.seq, self.energy = self.seq + 1, self.energy + power * STEP / HOUR
            told = native_message(1, [(self.seq, self.now, power, self.energy)])
            self.hear("data", told)
        if derive:
            meter_readings(self.session, at=self.now)

    def hear(self, suffix, payload) -> None:
        ingest(self.session, [WireMessage(topic_of(self.meter.code, suffix), payload, self.now)])

    def report(self, *, on) -> None:
        self.now += SECOND
        self.hear("relay", b'{"on":true}' if on else b'{"on":false}')

    def decide(self) -> list[tuple[bool, PowerCause]]:
        """What was asked of the relay just now."""
        before = {one.id for one in last_commands(self.session, self.meter.id)}
        added = decide_power(self.session, at=self.now)
        new = [one for one in last_commands(self.session, self.meter.id) if one.id not in before]
        assert len(new) == added
        return [(one.on, one.cause) for one in new]

    def send(self) -> list[tuple[str, bytes]]:
        return due_commands(self.session, SHARDS_ALL, at=self.now)

    def obey(self, *, on) -> None:
        """What is due is sent, and the device does it."""
        assert self.send()
        self.report(on=on)
        assert self.decide() == []
        assert self.progress is Progress.CONFIRMED

    @property
    def progress(self) -> Progress:
        (relay,) = relays(self.session, at=self.now)
        return relay.progress

    def come(self):
        start = next_on_grid(self.now + SECOND, 5 * MINUTE)
        booked = reserve(
            self.session,
            equipment_id=self.machine.id,
            when=Interval(start, start + 2 * HOUR),
            organization_id=self.firm.id,
            person_id=self.person.id,
            at=self.now,
        )
        self.now += SECOND
        return check_in(self.session, booked.id, by=self.person.id, at=self.now)

    def go(self, reservation) -> None:
        finish(self.session, reservation.id, by=self.person.id, at=self.now)


@pytest.fixture
def bench(session) -> Bench:
    made = Bench(session)
    made.pass_time(MINUTE)
    made.report(on=False)
    return made


def test_power_is_on_from_check_in_until_the_run_and_its_post_time_are_over(bench):
    assert bench.decide() == []
    reservation = bench.come()
    assert bench.decide() == [(True, PowerCause.CHECKED_IN)]
    assert bench.decide() == []
    bench.obey(on=True)
    bench.pass_time(20 * MINUTE, 1500)
    bench.go(reservation)
    for _ in range(6):
        bench.pass_time(2 * MINUTE, 1500)
        assert bench.decide() == []
    ended = bench.now
    bench.pass_time(MINUTE + 2 * STEP)  # so long it has to be quiet to be over
    assert bench.decide() == []
    bench.pass_time(ended + 2 * MINUTE - bench.now)  # the first quiet reading was a step after the last busy one
    assert bench.decide() == []
    bench.pass_time(STEP)
    assert bench.decide() == [(False, PowerCause.RUN_ENDED)]
    bench.obey(on=False)
    (off, on) = last_commands(bench.session, bench.meter.id)
    assert (on.reservation_id, off.reservation_id) == (reservation.id, None)
    assert off.asked_at == ended + STEP + 2 * MINUTE


def test_who_leaves_without_a_run_leaves_no_power(bench):
    reservation = bench.come()
    bench.decide()
    bench.obey(on=True)
    bench.pass_time(MINUTE)
    bench.go(reservation)
    assert bench.decide() == [(False, PowerCause.RUN_ENDED)]


def test_a_run_that_nobody_has_derived_yet_is_not_cut(bench):
    reservation = bench.come()
    bench.decide()
    bench.obey(on=True)
    bench.pass_time(MINUTE, 1500, derive=False)
    bench.go(reservation)
    assert bench.decide() == []


def test_a_command_that_holds_no_more_is_not_sent_and_ended(bench):
    """The run begins between the wish and its sending."""
    reservation = bench.come()
    bench.decide()
    bench.obey(on=True)
    bench.go(reservation)
    assert bench.decide() == [(False, PowerCause.RUN_ENDED)]
    bench.pass_time(STEP, 1500, derive=False)
    assert bench.send() == []
    assert bench.progress is Progress.WAITING
    assert bench.decide() == []
    assert bench.progress is Progress.ENDED


def test_an_unconfirmed_command_is_repeated_more_and_more_rarely_and_stays_open(bench):
    bench.come()
    bench.decide()
    bench.now += SECOND
    start, sent = bench.now, []
    for second in range(400):
        bench.now = start + second * SECOND
        sent += [second] * len(bench.send())
    assert sent == [0, 2, 6, 14, 30, 62, 126, 254]
    assert bench.progress is Progress.UNCONFIRMED
    assert bench.decide() == []
    bench.report(on=True)
    bench.decide()
    assert bench.progress is Progress.CONFIRMED
    (command,) = last_commands(bench.session, bench.meter.id)
    assert (command.tries, command.confirmed_at) == (MOST_TRIES, bench.now)


def test_what_the_relay_said_before_confirms_nothing(bench):
    bench.report(on=True)
    assert bench.decide() == [(False, PowerCause.RUN_ENDED)]
    bench.obey(on=False)
    bench.now += SECOND
    bench.come()
    assert bench.decide() == [(True, PowerCause.CHECKED_IN)]
    bench.send()
    assert bench.progress is Progress.SENT


def test_a_machine_that_was_switched_off_by_hand_does_not_start_by_itself(bench):
    reservation = bench.come()
    bench.decide()
    bench.obey(on=True)
    bench.report(on=False)
    assert bench.decide() == []
    bench.go(reservation)
    bench.come()
    assert bench.decide() == [(True, PowerCause.CHECKED_IN)]


def test_a_machine_that_was_switched_on_by_hand_is_switched_off_again(bench):
    for _ in range(2):
        bench.report(on=True)
        bench.pass_time(STEP)
        assert bench.decide() == [(False, PowerCause.RUN_ENDED)]
        bench.obey(on=False)


def test_an_override_holds_until_the_next_check_in_and_is_logged(bench):
    by = bench.operator.id
    with pytest.raises(InvalidInput):
        override(bench.session, bench.meter.id, on=True, reason=" ", by=by, at=bench.now)
    override(bench.session, bench.meter.id, on=True, reason="示例检修", by=by, at=bench.now)
    bench.obey(on=True)
    bench.pass_time(HOUR)
    assert bench.decide() == []
    bench.now += SECOND
    reservation = bench.come()
    assert bench.decide() == []
    assert bench.progress is Progress.CONFIRMED
    assert last_commands(bench.session, bench.meter.id)[0].ended_at == bench.now
    bench.now += SECOND
    bench.go(reservation)
    assert bench.decide() == [(False, PowerCause.RUN_ENDED)]
    logged = bench.session.scalars(select(AuditEntry).where(AuditEntry.deed == "overrode_power")).one()
    assert logged.detail == {"on": True, "reason": "示例检修", "during_a_run": False}


def test_an_override_that_was_taken_back_holds_no_more(bench):
    by = bench.operator.id
    override(bench.session, bench.meter.id, on=True, reason="示例检修", by=by, at=bench.now)
    bench.obey(on=True)
    assert end_override(bench.session, bench.meter.id, by=by, at=bench.now)
    assert not end_override(bench.session, bench.meter.id, by=by, at=bench.now)
    assert bench.decide() == [(False, PowerCause.RUN_ENDED)]


def test_a_run_is_cut_only_by_an_operator_who_says_that_it_is_an_emergency(bench):
    reservation, by = bench.come(), bench.operator.id
    bench.decide()
    bench.obey(on=True)
    bench.pass_time(10 * MINUTE, 1500)
    with pytest.raises(Conflict):
        override(bench.session, bench.meter.id, on=False, reason="示例冒烟", by=by, at=bench.now)
    override(bench.session, bench.meter.id, on=False, reason="示例冒烟", by=by, at=bench.now, emergency=True)
    bench.obey(on=False)
    bench.pass_time(5 * MINUTE)
    assert bench.decide() == []  # still checked in, but the operator's word holds
    bench.go(reservation)
    assert bench.decide() == []


def test_an_off_that_never_arrived_does_not_cut_a_run_that_began_later(bench):
    bench.report(on=True)
    override(bench.session, bench.meter.id, on=False, reason="示例检修", by=bench.operator.id, at=bench.now)
    bench.send()
    bench.pass_time(20 * STEP, 1500)
    assert bench.send() == []
    assert bench.decide() == []
    bench.pass_time(5 * MINUTE)
    assert len(bench.send()) == 1


@pytest.mark.parametrize(
    ("fail_safe", "expected"),
    [
        (FailSafe.STAY, []),
        (FailSafe.ON, []),
        (FailSafe.OFF, [(False, PowerCause.FAIL_SAFE)]),
    ],
)
def test_a_meter_that_is_silent_for_long_is_put_into_its_fail_safe_state(session, fail_safe, expected):
    bench = Bench(session, fail_safe=fail_safe)
    bench.pass_time(MINUTE)
    reservation = bench.come()
    bench.decide()
    bench.obey(on=True)
    bench.go(reservation)
    bench.now += 10 * MINUTE
    assert bench.decide() == []
    bench.now += HOUR
    assert bench.decide() == expected


def test_a_meter_that_fell_silent_in_a_run_is_not_switched_off(session):
    bench = Bench(session, fail_safe=FailSafe.OFF)
    reservation = bench.come()
    bench.decide()
    bench.obey(on=True)
    bench.pass_time(10 * MINUTE, 1500)
    bench.go(reservation)
    bench.now += 5 * HOUR
    meter_readings(session, at=bench.now)
    assert bench.decide() == []


@pytest.mark.parametrize("change", [{"interlocked": False}, {"active": False}])
def test_what_is_not_switched_any_more_is_asked_nothing(bench, change):
    bench.come()
    bench.decide()
    for name, value in change.items():
        setattr(bench.meter, name, value)
    bench.session.flush()
    assert bench.send() == []
    assert bench.decide() == []
    assert last_commands(bench.session, bench.meter.id)[0].ended_at == bench.now
    with pytest.raises(Conflict):
        override(bench.session, bench.meter.id, on=True, reason="示例", by=bench.operator.id, at=bench.now)


def test_a_carried_plug_is_told_through_its_bridge_and_by_its_shard(session):
    machine = makers.equipment(session)
    bridge = makers.meter(session, code="bridge-1", shard=shard_of("bridge-1"), dialect=Dialect.ZIGBEE2MQTT)
    plug = makers.meter(
        session,
        of=machine,
        code="plug-8",
        shard=shard_of("plug-8"),
        dialect=Dialect.ZIGBEE2MQTT,
        carrier_id=bridge.id,
        channel="hall/press",
        interlocked=True,
    )
    assert plug.shard != bridge.shard
    override(session, plug.id, on=True, reason="示例", by=makers.person(session).id, at=START)
    assert due_commands(session, [plug.shard], at=START) == []
    told = due_commands(session, [bridge.shard], at=START)
    assert told == [(topic_of("bridge-1", "hall/press/set"), b'{"state":"ON"}')]


def test_whoever_is_at_another_listing_of_the_same_device_is_there_too(session, bench):
    other = makers.equipment(session, of=bench.machine.platform, shares_id=bench.machine.id)
    lonely = makers.equipment(session)
    reservation = bench.come()
    found = presences(session, [bench.machine.id, other.id, lonely.id], at=bench.now)
    assert found[other.id] == found[bench.machine.id]
    assert (found[other.id].reservation_id, found[other.id].turned_at) == (reservation.id, bench.now)
    assert found[lonely.id].reservation_id is None
    bench.now += MINUTE
    bench.go(reservation)
    gone = presences(session, [other.id], at=bench.now)[other.id]
    assert (gone.reservation_id, gone.turned_at) == (None, bench.now)


def test_many_relays_are_judged_with_as_many_queries_as_one(session, bench):
    asked: list[str] = []
    event.listen(session.connection(), "before_cursor_execute", lambda *told: asked.append(told[2]))
    decide_power(session, at=bench.now)
    one = len(asked)
    for _ in range(20):
        makers.meter(session, interlocked=True)
    asked.clear()
    assert len(relays(session, at=bench.now)) == 21
    asked.clear()
    decide_power(session, at=bench.now)
    assert len(asked) <= one
    assert session.scalars(select(PowerCommand)).all() == []
