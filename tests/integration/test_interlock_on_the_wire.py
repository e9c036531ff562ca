"""A real broker, a real listener process and a simulated device: power follows who is there and what runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from app.booking.models import Reservation
from app.booking.using import check_in, finish
from app.identity.rules.permission import Role
from app.jobs import TIMETABLE, run
from app.kernel import clock
from app.kernel.db import db, transaction
from app.kernel.interval import Interval
from devices.accounts import meter_account
from devices.interlocking import last_commands, progress_of
from devices.models import Meter, RelayState, UsageSession
from devices.rules.evidence import Dialect
from devices.rules.power import PowerCause, Progress
from devices.rules.topic import shard_of
from devices.simulating.device import Device
from devices.simulating.fleet import Connection
from devices.simulating.load import Load
from tests import makers
from tests.integration.test_listener import CODE, House, wait_for
from tests.integration.test_private_broker import KINDS

JOBS = [job for job in TIMETABLE if job.name in ("metering", "interlocking")]
POST = timedelta(seconds=2)
QUIET_S, EVERY_S = 1, 0.3
HOUR = timedelta(hours=1)


@pytest.fixture(params=[Dialect.NATIVE, Dialect.TASMOTA, Dialect.SHELLY, Dialect.ZIGBEE2MQTT])
def meter(request, session) -> Meter:
    made = makers.meter(
        session,
        of=makers.equipment(session, check_in=True, early_minutes=60),
        code=CODE,
        shard=shard_of(CODE),
        dialect=request.param,
        interlocked=True,
        profile={"min_on_s": 1, "min_off_s": QUIET_S, "max_gap_s": 60, "post_s": int(POST.total_seconds())},
    )
    session.commit()
    return made


def test_power_comes_with_check_in_and_goes_after_the_run_and_its_post_time(app, session, meter, tmp_path):
    firm = makers.organization(session)
    person = makers.person(session, (firm, Role.FIRM_MEMBER))
    start = clock.now() - timedelta(minutes=1)
    row = Reservation(
        equipment_id=meter.equipment_id,
        person_id=person.id,
        organization_id=firm.id,
        during=Interval(start, start + HOUR),
        created_at=makers.BEGINNING,
        changed_at=makers.BEGINNING,
    )
    session.add(row)
    session.commit()
    meter_id, reservation_id, person_id = meter.id, row.id, person.id
    house = House(app, tmp_path, KINDS[-1])
    house.broker.stop()
    house.accounts[1] = meter_account(CODE, shard_of(CODE), house.password, meter.dialect)
    house.broker.start(house.accounts)
    device = Device(CODE, meter.dialect, Load(50, 2000, 0))
    works: list[Interval] = []

    def relay(*, on: bool) -> Callable[[], bool]:
        """Whether the device is so, and says so, while it and the timetable go on."""

        def is_so() -> bool:
            nonlocal told_at
            if time.monotonic() >= told_at + EVERY_S:
                told_at = time.monotonic()
                connection.tell(clock.now(), works)
                for job in JOBS:
                    run(app, job)
            with transaction() as fresh:
                reported = fresh.scalar(select(RelayState.on).where(RelayState.meter_id == meter_id))
            return device.on is on and reported is on

        return is_so

    told_at = 0.0
    with house.listening():
        connection = Connection(device, house.broker.url, house.password)
        try:
            assert connection.publisher.wait_until_connected()
            wait_for(relay(on=False))  # nobody is there
            with transaction() as fresh:
                check_in(fresh, reservation_id, by=person_id, at=clock.now())
            wait_for(relay(on=True))
            begun = clock.now()
            works.append(Interval(begun, begun + timedelta(seconds=6)))
            wait_for(lambda: (relay(on=True)(), in_use(meter_id))[-1])
            with transaction() as fresh:
                finish(fresh, reservation_id, by=person_id, at=clock.now())
            wait_for(relay(on=False))
        finally:
            connection.publisher.close()
            house.broker.stop()
    run(app, JOBS[-1])  # reads the last report
    with transaction() as fresh:
        off, on, first = last_commands(fresh, meter_id)
        session_row = fresh.scalars(select(UsageSession)).one()
        assert [one.cause for one in (first, on, off)] == [
            PowerCause.RUN_ENDED, PowerCause.CHECKED_IN, PowerCause.RUN_ENDED
        ]  # fmt: skip
        assert {progress_of(one) for one in (first, on, off)} == {Progress.CONFIRMED}
        assert on.reservation_id == session_row.reservation_id == reservation_id
        assert session_row.ended_at > works[0].end - timedelta(seconds=1)  # Tasmota tells whole seconds
        assert off.asked_at >= session_row.ended_at + POST
        assert all(earlier.confirmed_at < later.asked_at for earlier, later in pairwise((first, on, off)))


def in_use(meter_id: int) -> bool:
    db.session.rollback()
    return bool(db.session.scalar(select(UsageSession.open).where(UsageSession.meter_id == meter_id)))
