"""Runs over boundaries of time, reservations and profile versions, through the database."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from app.booking.changing import cancel
from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.kernel.interval import Interval
from devices.metering import meter_readings, reconsider
from devices.models import LateChange, Meter, MeterProfile, UsageSession
from devices.rules.evidence import Flag, LateCause
from devices.usage import finished_usage, freeze_usage
from tests import makers
from tests.integration.test_metering import sessions, store, told
from tests.makers import BEGINNING

LATER = BEGINNING + timedelta(days=90)
MINUTE = timedelta(minutes=1)
OVER = "." * 30 + "#" * 120 + "." * 60


def shifted(rows: list[dict], start: datetime) -> list[dict]:
    return [{**row, "at": start + (row["at"] - BEGINNING)} for row in rows]


def flags_of(session, meter: Meter) -> list[list[str]]:
    return list(
        session.scalars(
            select(UsageSession.flags).where(UsageSession.meter_id == meter.id).order_by(UsageSession.started_at)
        )
    )


def booked(session, meter: Meter, first: int, last: int) -> Reservation:
    firm, person = makers.organization(session), makers.person(session)
    return reserve(
        session, equipment_id=meter.equipment_id, organization_id=firm.id, person_id=person.id,
        when=Interval(BEGINNING + first * MINUTE, BEGINNING + last * MINUTE), at=BEGINNING - timedelta(days=1),
    )  # fmt: skip


def another_profile(session, meter: Meter, *, valid_from: datetime, **given) -> MeterProfile:
    known = session.scalars(select(MeterProfile).where(MeterProfile.meter_id == meter.id)).all()
    facts = {"run_on_w": 2, "run_off_w": 1, "min_on_s": 10, "min_off_s": 60, "max_gap_s": 300, "rated_w": 2000}
    made = MeterProfile(
        meter_id=meter.id, version=len(known) + 1, valid_from=valid_from, created_at=BEGINNING, **facts | given
    )
    session.add(made)
    session.flush()
    return made


@pytest.mark.parametrize(
    "boundary",
    [
        datetime(2026, 1, 14, 16, tzinfo=UTC),  # midnight at the facility
        datetime(2026, 1, 15, tzinfo=UTC),
        datetime(2026, 1, 31, 16, tzinfo=UTC),  # a month there
        datetime(2026, 2, 1, tzinfo=UTC),  # and a partition of the readings
        datetime(2025, 12, 31, 16, tzinfo=UTC),  # a year
        datetime(2026, 1, 1, tzinfo=UTC),
    ],
)
def test_a_run_over_midnight_a_month_and_a_year_is_one_session(session, boundary):
    for day in ("2025-12-01", "2026-02-01"):
        session.execute(text("SELECT make_month('reading', CAST(:day AS date))"), {"day": day})
    plain, over, late = makers.meter(session), makers.meter(session), makers.meter(session)
    rows = told(OVER)
    moved = shifted(rows, boundary - 15 * MINUTE)
    store(session, plain.id, rows)
    store(session, over.id, moved)
    for portion in (moved[120:], moved[:60], moved[60:120]):  # the part before the boundary comes last
        store(session, late.id, portion)
        meter_readings(session, at=LATER)
    (expected,), (found,) = sessions(session, plain.id), sessions(session, over.id)
    by = boundary - 15 * MINUTE - BEGINNING
    assert (found[0], found[1]) == (expected[0] + by, expected[1] + by)
    assert found[0] < boundary < found[1]
    assert found[2:8] == expected[2:8]
    assert sessions(session, late.id) == [found]
    session.commit()


def test_several_runs_in_one_reservation_are_several_sessions_of_it(session):
    meter = makers.meter(session)
    reservation = booked(session, meter, 0, 60)
    store(session, meter.id, told("#" * 30 + "." * 3 + "#" * 30 + "." * 20 + "#" * 30 + "." * 60))
    meter_readings(session, at=LATER)
    found = finished_usage(session, until=LATER)
    assert [one.reservation_id for one in found] == [reservation.id] * 2
    assert [one.flags for one in found] == [(), ()]


def test_a_run_over_two_reservations_is_cut_at_the_boundary_and_says_so(session):
    meter = makers.meter(session)
    one, other = booked(session, meter, 0, 10), booked(session, meter, 10, 30)
    store(session, meter.id, told(OVER))  # from minute 5 to 25
    meter_readings(session, at=LATER)
    first, second = finished_usage(session, until=LATER)
    assert (first.reservation_id, second.reservation_id) == (one.id, other.id)
    assert first.when.end == second.when.start == other.during.start
    assert (first.flags, second.flags) == ((Flag.CUT, Flag.NEXT_WAS_THERE), (Flag.CUT,))
    assert not first.needs_review


def test_use_by_the_next_person_before_the_last_ones_time_was_over(session):
    """The one who checked in early has the use from then on, though the other's time was not over."""
    meter = makers.meter(session)
    one, other = booked(session, meter, 0, 10), booked(session, meter, 10, 30)
    other.checked_in_at = BEGINNING + 4 * MINUTE
    session.flush()
    store(session, meter.id, told("#" * 12 + "." * 12 + "#" * 60 + "." * 60))  # to minute 2, then from minute 4 on
    meter_readings(session, at=LATER)
    assert [use.reservation_id for use in finished_usage(session, until=LATER)] == [one.id, other.id]


def test_sessions_keep_the_profile_that_was_valid_when_they_began(session):
    """At 2 W everything is use; the readings idle at 5 W."""
    meter, whole = makers.meter(session), makers.meter(session)
    rows = told(OVER)
    change = BEGINNING + 10 * MINUTE  # in the middle of the run
    store(session, meter.id, rows)
    meter_readings(session, at=LATER)
    before = sessions(session, meter.id)
    another_profile(session, meter, valid_from=change)
    reconsider(session, meter.equipment_id, since=change)
    meter_readings(session, at=LATER)
    found = finished_usage(session, until=LATER)
    assert sessions(session, meter.id)[0] == before[0]
    assert [one.profile_version for one in found] == [1, 2]
    assert (found[0].when.end, found[1].when) == (
        rows[150]["at"],
        Interval(rows[150]["at"], rows[-1]["at"]),
    )
    another_profile(session, whole, valid_from=change)
    mixed = rows[:]
    random.Random(7).shuffle(mixed)
    for start in range(0, len(mixed), 70):
        store(session, whole.id, mixed[start : start + 70])
        meter_readings(session, at=LATER)
    assert sessions(session, whole.id) == sessions(session, meter.id)
    session.commit()


@pytest.mark.parametrize("cause", LateCause)
def test_a_late_change_says_why(session, cause):
    meter = makers.meter(session)
    rows = told(OVER)
    store(session, meter.id, rows[:60] + rows[65:] if cause is LateCause.LATE_READINGS else rows)
    reservation = booked(session, meter, 0, 30)
    meter_readings(session, at=LATER)
    (found,) = finished_usage(session, until=LATER)
    freeze_usage(session, [found.session_id], at=LATER)
    session.expire_all()
    match cause:
        case LateCause.LATE_READINGS:
            store(session, meter.id, rows)
        case LateCause.NEW_PROFILE:
            another_profile(session, meter, valid_from=BEGINNING, run_on_w=1500, run_off_w=1500)
            reconsider(session, meter.equipment_id, since=BEGINNING)
        case LateCause.OTHER_RESERVATION:
            cancel(session, reservation.id, by=reservation.person_id, at=BEGINNING - timedelta(hours=1), reason="")
            reconsider(session, meter.equipment_id, since=BEGINNING)
    for _ in range(2):
        meter_readings(session, at=LATER)
        reconsider(session, meter.equipment_id, since=BEGINNING)
    (late,) = session.scalars(select(LateChange)).all()
    assert (late.cause, late.usage_session_id) == (cause, found.session_id)
    assert late.proposal["was"]["reservation_id"] == reservation.id
    assert (late.proposal["would_be"] is None) == (cause is LateCause.NEW_PROFILE)
    session.commit()


def test_an_older_rules_frozen_session_is_not_a_change(session):
    """Its fingerprint was made otherwise; what it says is the same."""
    meter = makers.meter(session)
    store(session, meter.id, told(OVER))
    meter_readings(session, at=LATER)
    session.execute(
        text("UPDATE usage_session SET rule_version = 1, fingerprint = 'of old', frozen_at = :at"), {"at": LATER}
    )
    session.expire_all()
    reconsider(session, meter.equipment_id, since=BEGINNING)
    meter_readings(session, at=LATER)
    assert session.scalars(select(LateChange)).all() == []


def test_time_before_and_after_a_run_is_effective_where_nobody_else_had_it(session):
    meter = makers.meter(session)
    for profile in session.scalars(select(MeterProfile)):
        profile.lead_s, profile.post_s = 600, 900
    booked(session, meter, 0, 20)
    booked(session, meter, 30, 60)
    store(session, meter.id, told("." * 30 + "#" * 60 + "." * 60))  # from minute 5 to 15
    meter_readings(session, at=LATER)
    (found,) = finished_usage(session, until=LATER)
    assert found.effective == Interval(BEGINNING - 5 * MINUTE, BEGINNING + 30 * MINUTE)


def test_what_the_instrument_counts_and_a_declared_modulus_reach_the_session(session):
    meter = makers.meter(session)
    for profile in session.scalars(select(MeterProfile)):
        profile.counter_modulus_mwh = 100_000
    rows = told(OVER)
    store(session, meter.id, [{**row, "energy": row["energy"] % 100_000} for row in rows])
    meter_readings(session, at=LATER)
    (found,) = finished_usage(session, until=LATER)
    assert (found.energy_mwh, found.flags) == (rows[150]["energy"] - rows[30]["energy"], ())
    assert flags_of(session, meter) == [[]]
