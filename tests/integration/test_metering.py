from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.booking.reserving import reserve
from app.kernel.db import transaction
from app.kernel.interval import Interval
from devices.metering import meter_readings, reconsider
from devices.models import LateChange, MeteringTask, UsageSession
from devices.rules.sample import Sample
from devices.rules.usage import readings_digest
from devices.usage import finished_usage, freeze_usage, live_states, power_curve, readings_of
from tests import makers
from tests.makers import BEGINNING

LATER = BEGINNING + timedelta(days=3)
COLUMNS = (
    "started_at", "ended_at", "running_s", "energy_mwh", "gap_s", "reservation_id", "organization_id",
    "readings_count", "readings_digest", "fingerprint", "open",
)  # fmt: skip


def told(drawing: str, *, step_s: int = 10) -> list[dict]:
    """A counted reading every ten seconds: ``#`` runs at 1 kW, ``.`` idles."""
    rows, energy = [], 0
    for number, mark in enumerate(drawing):
        power = 1_000_000 if mark == "#" else 5_000
        energy += power * step_s // 3600
        rows.append(
            {"seq": number + 1, "at": BEGINNING + timedelta(seconds=step_s * number), "power": power, "energy": energy}
        )
    return rows


def store(session: Session, meter_id: int, rows: list[dict]) -> None:
    """What ingesting leaves behind: readings and a task."""
    session.execute(text("SELECT make_month('reading', '2026-01-01')"))
    session.execute(
        text(
            "INSERT INTO reading"
            " (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh, batch_id)"
            " VALUES (:meter, :at, 1, :seq, int8send(:seq), :at, 1, :power, :energy, 1) ON CONFLICT DO NOTHING"
        ),
        [{"meter": meter_id, **row} for row in rows],
    )
    session.execute(
        text(
            "INSERT INTO metering_task VALUES (:meter, :since)"
            " ON CONFLICT (meter_id) DO UPDATE SET dirty_from = least(metering_task.dirty_from, excluded.dirty_from)"
        ),
        {"meter": meter_id, "since": min(row["at"] for row in rows)},
    )


def sessions(session: Session, meter_id: int) -> list[tuple]:
    rows = session.execute(
        select(*(getattr(UsageSession, name) for name in COLUMNS))
        .where(UsageSession.meter_id == meter_id)
        .order_by(UsageSession.started_at)
    )
    return [tuple(row) for row in rows]


DRAWING = "." * 30 + "#" * 60 + "..#" + "#" * 20 + "." * 60 + "#" * 200 + "." * 90


@pytest.mark.parametrize("seed", range(5))
def test_readings_in_any_portions_and_order_give_the_same_sessions(session, seed):
    chance = random.Random(seed)
    whole, by_portions = makers.meter(session), makers.meter(session)
    rows = told(DRAWING)
    store(session, whole.id, rows)
    meter_readings(session, at=LATER)
    mixed = rows + chance.sample(rows, k=50)
    chance.shuffle(mixed)
    while mixed:
        portion, mixed = mixed[: chance.randint(1, 120)], mixed[chance.randint(60, 120) :]
        store(session, by_portions.id, portion)
        meter_readings(session, at=LATER)
    store(session, by_portions.id, rows)
    meter_readings(session, at=LATER)
    assert len(sessions(session, whole.id)) == 2
    assert sessions(session, by_portions.id) == sessions(session, whole.id)
    session.commit()


def test_metering_twice_changes_nothing(session):
    meter = makers.meter(session)
    store(session, meter.id, told(DRAWING))
    assert meter_readings(session, at=LATER) == 2
    before = sessions(session, meter.id)
    store(session, meter.id, told(DRAWING))
    assert meter_readings(session, at=LATER) == 0
    assert sessions(session, meter.id) == before


def test_a_run_grows_while_it_goes_on_and_silence_ends_it(session):
    meter = makers.meter(session)
    rows = told("." * 10 + "#" * 30)
    store(session, meter.id, rows)
    meter_readings(session, at=rows[-1]["at"])
    assert [row[-1] for row in sessions(session, meter.id)] == [True]
    assert finished_usage(session, until=LATER) == []
    meter_readings(session, at=rows[-1]["at"] + timedelta(seconds=301))
    (found,) = finished_usage(session, until=LATER)
    assert found.when.end == rows[-1]["at"]
    assert found.gap == timedelta(seconds=300)


def test_a_session_belongs_to_the_reservation_it_meets_even_if_booked_afterwards(session):
    meter = makers.meter(session)
    firm, person = makers.organization(session), makers.person(session)
    store(session, meter.id, told(DRAWING))
    meter_readings(session, at=LATER)
    assert sessions(session, meter.id)[0][6] is None
    reservation = reserve(
        session, equipment_id=meter.equipment_id, organization_id=firm.id, person_id=person.id,
        when=Interval(BEGINNING, BEGINNING + timedelta(minutes=20)), at=BEGINNING,
    )  # fmt: skip
    reconsider(session, meter.equipment_id, since=BEGINNING)
    meter_readings(session, at=LATER)
    assert sessions(session, meter.id)[0][5:7] == (reservation.id, firm.id)
    session.commit()


def test_a_frozen_session_never_changes_and_late_readings_are_noted_once(session):
    meter = makers.meter(session)
    rows = told("." * 10 + "#" * 60 + "." * 60)
    store(session, meter.id, rows[:40] + rows[70:])
    meter_readings(session, at=LATER)
    (usage,) = finished_usage(session, until=LATER)
    freeze_usage(session, [usage.session_id], at=LATER)
    before = sessions(session, meter.id)
    for _ in range(2):
        store(session, meter.id, rows)
        meter_readings(session, at=LATER)
    assert sessions(session, meter.id) == before
    (late,) = session.scalars(select(LateChange)).all()
    assert late.usage_session_id == usage.session_id
    session.commit()


def test_portions_that_arrive_while_the_run_goes_on_give_the_same_sessions_too(session):
    live, whole = makers.meter(session), makers.meter(session)
    rows = told(DRAWING)
    for first in range(0, len(rows), 17):
        portion = rows[first : first + 17]
        store(session, live.id, portion)
        meter_readings(session, at=portion[-1]["at"])
    store(session, whole.id, rows)
    meter_readings(session, at=LATER)
    assert sessions(session, live.id) == sessions(session, whole.id)
    session.commit()


def test_a_session_keeps_its_id_while_it_grows_and_when_late_readings_change_it(session):
    meter = makers.meter(session)
    rows = told("." * 10 + "#" * 60 + "." * 60)
    ids = set()
    for known in (rows[:30], rows[:50], rows[:40] + rows[60:], rows):
        store(session, meter.id, known)
        meter_readings(session, at=LATER)
        ids |= set(session.scalars(select(UsageSession.id)))
    assert len(ids) == 1


def test_late_readings_join_two_sessions_into_one(session):
    meter = makers.meter(session)
    rows = told("." * 10 + "#" * 200 + "." * 30)
    store(session, meter.id, rows[:60] + rows[150:])
    meter_readings(session, at=LATER)
    first, _ = session.scalars(select(UsageSession.id).order_by(UsageSession.started_at)).all()
    store(session, meter.id, rows)
    meter_readings(session, at=LATER)
    session.commit()
    assert session.scalars(select(UsageSession.id)).all() == [first]


def test_a_long_run_is_looked_at_less_often_and_others_are_not_kept_waiting(session):
    long, short = makers.meter(session), makers.meter(session)
    rows = told("#" * 3600)  # ten hours
    store(session, long.id, rows[:-1])
    now = rows[-1]["at"]
    assert meter_readings(session, at=now) == 1
    store(session, long.id, rows[-1:])
    store(session, short.id, told("#" * 30 + "." * 30))
    assert meter_readings(session, at=now, limit=1) == 1
    assert len(sessions(session, short.id)) == 1
    assert meter_readings(session, at=now + timedelta(minutes=3)) == 1
    assert sessions(session, long.id)[0][1] == now


def test_a_frozen_session_that_late_readings_undo_is_noted(session):
    meter = makers.meter(session)
    rows = told("." * 10 + "#" * 3 + "." * 60)
    store(session, meter.id, rows)
    meter_readings(session, at=LATER)
    (usage,) = finished_usage(session, until=LATER)
    freeze_usage(session, [usage.session_id], at=LATER)
    quiet = [
        {"seq": 900 + number, "at": row["at"] + timedelta(seconds=5), "power": 5_000, "energy": row["energy"]}
        for number, row in enumerate(rows[9:13])
    ]
    for _ in range(2):
        store(session, meter.id, quiet)
        meter_readings(session, at=LATER)
    (late,) = session.scalars(select(LateChange)).all()
    assert (late.usage_session_id, late.proposal["would_be"]) == (usage.session_id, None)
    assert len(sessions(session, meter.id)) == 1


def test_two_workers_at_once_do_each_meter_once(app):
    with transaction() as session:
        meters = [makers.meter(session).id for _ in range(6)]
        for meter in meters:
            store(session, meter, told(DRAWING))
    together = threading.Barrier(2)

    def work(_: int) -> int:
        with app.app_context(), transaction() as session:
            together.wait(timeout=10)
            return meter_readings(session, at=LATER)

    with ThreadPoolExecutor(2) as workers:
        changed = list(workers.map(work, range(2)))
    with transaction() as session:
        assert [len(sessions(session, meter)) for meter in meters] == [2] * 6
        assert sum(changed) == 12
        assert session.scalars(select(MeteringTask)).all() == []


def test_a_reading_that_arrives_while_its_meter_is_derived_is_not_forgotten(app):
    rows = told("." * 10 + "#" * 60 + "." * 60)
    with transaction() as session:
        meter = makers.meter(session).id
        store(session, meter, rows[:40])
    with transaction() as session:
        meter_readings(session, at=LATER)
        with Session(session.get_bind()) as listener:
            # The task of the first portion is being removed: storing waits for that, and then leaves a new one.
            listener.execute(text("SET LOCAL lock_timeout = '200ms'"))
            with pytest.raises(OperationalError):
                store(listener, meter, rows[40:])
    with transaction() as session:
        store(session, meter, rows[40:])
    with transaction() as session:
        assert meter_readings(session, at=LATER) == 1
        assert sessions(session, meter)[0][1] == rows[70]["at"]


def test_the_readings_behind_a_session_are_the_ones_its_digest_names(session):
    meter = makers.meter(session)
    store(session, meter.id, told(DRAWING))
    meter_readings(session, at=LATER)
    for usage in finished_usage(session, until=LATER):
        rows = readings_of(session, usage, limit=1000)
        named = [Sample(row.taken_at, row.boot, row.seq, None, None, None, bytes.fromhex(row.content)) for row in rows]
        assert (len(rows), readings_digest(named)) == (usage.readings_count, usage.readings_digest)


def test_the_curve_is_thinned_and_hides_no_run(session):
    meter = makers.meter(session)
    rows = told("." * 500 + "#" + "." * 500)
    store(session, meter.id, rows)
    curve = power_curve(session, meter.id, Interval(rows[0]["at"], rows[-1]["at"]), points=50)
    assert len(curve) <= 51
    assert max(power for _, power in curve) == 1000


@pytest.mark.parametrize(
    ("drawing", "seconds_later", "word"),
    [("..##", 10, "running"), ("##..", 10, "idle"), ("..##", 300, "silent")],
)
def test_the_state_just_now_is_what_the_meter_last_said(session, drawing, seconds_later, word):
    meter, other = makers.meter(session), makers.equipment(session)
    rows = told(drawing)
    store(session, meter.id, rows)
    states = live_states(session, [meter.equipment_id, other.id], at=rows[-1]["at"] + timedelta(seconds=seconds_later))
    assert states[meter.equipment_id].word == word
    assert states[other.id].word == "unmetered"


def test_readings_that_come_one_at_a_time_make_the_same_session(session):
    whole, one_by_one = makers.meter(session), makers.meter(session)
    rows = told("." * 10 + "#" * 30 + "." * 20)
    store(session, whole.id, rows)
    meter_readings(session, at=rows[-1]["at"])
    for row in rows:
        store(session, one_by_one.id, [row])
        meter_readings(session, at=row["at"])
    assert len(sessions(session, whole.id)) == 1
    assert sessions(session, one_by_one.id) == sessions(session, whole.id)
    session.commit()
