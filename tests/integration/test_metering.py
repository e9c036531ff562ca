from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.reserving import reserve
from app.kernel.interval import Interval
from devices.metering import meter_readings, reconsider
from devices.models import LateChange, UsageSession
from devices.usage import finished_usage, freeze_usage
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
            " (meter_id, taken_at, boot, seq, content_hash, received_at, message_id, power_mw, energy_mwh)"
            " VALUES (:meter, :at, 1, :seq, int8send(:seq), :at, 1, :power, :energy) ON CONFLICT DO NOTHING"
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
