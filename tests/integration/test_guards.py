"""What the database refuses, whoever asks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.booking.models import Occupancy, Reservation
from app.kernel import audit
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING


def test_the_audit_log_only_grows(session):
    audit.record(session, at=BEGINNING, by=None, deed="tested", subject="house", subject_id=1)
    session.commit()
    for change in ("UPDATE audit_entry SET deed = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        with pytest.raises(DBAPIError, match="only grows"):
            session.execute(text(change))
        session.rollback()


def test_a_reading_only_grows(session):
    session.execute(text("SELECT make_month('reading', '2026-01-01')"))
    session.execute(
        text("INSERT INTO reading VALUES (1, '2026-01-02Z', 1, 1, 'x', '2026-01-02Z', 1, 5, 5, NULL, false, 1)")
    )
    session.commit()
    for change in ("UPDATE reading SET power_mw = 0", "DELETE FROM reading"):
        with pytest.raises(DBAPIError, match="only grows"):
            session.execute(text(change))
        session.rollback()


def test_two_reservations_never_hold_one_unit_at_the_same_time(session):
    thing, firm = makers.equipment(session), makers.organization(session)
    person = makers.person(session)

    def held(start_minutes: int, minutes: int, unit: int = 1) -> None:
        start = BEGINNING + timedelta(minutes=start_minutes)
        during = Interval(start, start + timedelta(minutes=minutes))
        made = Reservation(
            equipment_id=thing.id, organization_id=firm.id, person_id=person.id, during=during,
            created_at=BEGINNING, changed_at=BEGINNING,
        )  # fmt: skip
        session.add(made)
        session.flush()
        session.add(Occupancy(reservation_id=made.id, equipment_id=thing.id, unit=unit, blocked=during))
        session.flush()

    held(0, 60)
    held(60, 60)
    held(0, 60, unit=2)
    with pytest.raises(IntegrityError, match="no_double_booking"):
        held(59, 2)


def test_tariffs_of_one_class_never_overlap_and_only_get_an_end(session):
    thing = makers.equipment(session)
    price = makers.tariff(session, of=thing)
    session.commit()
    with pytest.raises(IntegrityError, match="one_price_at_a_time"):
        makers.tariff(session, of=thing)
    session.rollback()
    with pytest.raises(DBAPIError, match="end date"):
        session.execute(text("UPDATE tariff SET terms = '{}' WHERE id = :id"), {"id": price.id})
    session.rollback()
    session.execute(text("UPDATE tariff SET days = daterange(lower(days), '2027-01-01')"))
