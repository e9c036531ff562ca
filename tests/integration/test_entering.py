"""Use that no meter saw: booked for want of readings, entered by a person, accepted or refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.booking.rules.reservation import ReservationState
from app.identity.rules.permission import Role
from app.kernel.audit import AuditEntry
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval
from billing.charging import charge_usage
from billing.models import Charge, UseSettlement
from billing.settling import Problem
from devices.entering import SETTLES, book_silent_use, enter_use
from devices.metering import meter_readings
from devices.models import LateChange, UsageSession
from devices.reviewing_use import resolve_late, review
from devices.rules.evidence import Evidence, Flag, LateCause
from devices.usage import finished_usage, freeze_usage
from tests import makers
from tests.integration.test_metering import store, told
from tests.makers import BEGINNING

MINUTE = timedelta(minutes=1)
SLOT = Interval(BEGINNING, BEGINNING + 30 * MINUTE)
AFTER = SLOT.end + SETTLES
LATER = BEGINNING + timedelta(days=2)


class Place:
    """A metered machine with a price, a firm that reserves it and an operator."""

    def __init__(self, session) -> None:
        self.session = session
        session.execute(text("SELECT make_month('reading', '2026-01-01')"))
        self.equipment = makers.equipment(session)
        self.meter = makers.meter(session, of=self.equipment)
        makers.tariff(session, of=self.equipment)
        self.firm = makers.organization(session)
        self.person = makers.person(session, (self.firm, Role.FIRM_MEMBER))

    def booked(self, when: Interval = SLOT) -> Reservation:
        return reserve(
            self.session, equipment_id=self.equipment.id, organization_id=self.firm.id, person_id=self.person.id,
            when=when, at=BEGINNING,
        )  # fmt: skip

    def entered(self, when: Interval = SLOT, **given) -> int:
        facts = {"organization_id": self.firm.id, "energy_mwh": 1_500_000, "reason": "电表送检"} | given
        return enter_use(
            self.session, equipment_id=self.equipment.id, when=when, by=self.person.id,
            **{"at": AFTER} | facts,
        )  # fmt: skip

    def rows(self) -> list[UsageSession]:
        return list(self.session.scalars(select(UsageSession).order_by(UsageSession.started_at)))

    def charged(self) -> tuple[int, list[str]]:
        charge_usage(self.session, until=LATER, at=LATER)
        charges = self.session.scalars(select(Charge.id)).all()
        return len(charges), list(self.session.scalars(select(UseSettlement.reason).where(UseSettlement.reason != "")))


@pytest.fixture
def place(session) -> Place:
    return Place(session)


def test_an_agreed_slot_in_which_the_meter_said_nothing_is_booked_once_and_waits_for_a_person(session, place):
    reservation = place.booked()
    assert book_silent_use(session, at=AFTER - MINUTE) == 0  # the meter may still send what it kept
    assert book_silent_use(session, at=AFTER) == 1
    assert book_silent_use(session, at=AFTER) == 0
    (row,) = place.rows()
    assert (row.evidence, row.flags, row.meter_id) == (Evidence.BOOKED, [Flag.SILENT_METER], place.meter.id)
    assert (row.during, row.energy_mwh, row.reservation_id) == (SLOT, 0, reservation.id)
    assert place.charged() == (0, [Problem.NEEDS_REVIEW])
    review(session, row.id, accept=True, reason="", by=place.person.id, at=LATER)
    charges, problems = place.charged()
    assert charges > 0
    assert problems == []
    session.commit()


@pytest.mark.parametrize("why", ["no-show", "spoken", "no meter", "meter came later", "refused"])
def test_what_is_no_use_or_is_known_is_not_booked(session, place, why):
    reservation = place.booked()
    match why:
        case "no-show":
            reservation.state = ReservationState.NO_SHOW
        case "spoken":
            store(session, place.meter.id, told("." * 3))
        case "no meter":
            place.meter.active = False
        case "meter came later":
            place.meter.created_at = SLOT.start + MINUTE
        case "refused":
            book_silent_use(session, at=AFTER)
            review(session, place.rows()[0].id, accept=False, reason="没有来", by=place.person.id, at=AFTER)
    session.flush()
    assert book_silent_use(session, at=AFTER) == 0
    assert place.rows() == []
    session.commit()


def test_a_booking_is_withdrawn_with_its_reservation(session, place):
    reservation = place.booked()
    book_silent_use(session, at=AFTER)
    reservation.state = ReservationState.CANCELLED
    session.flush()
    book_silent_use(session, at=AFTER)
    assert place.rows() == []


@pytest.mark.parametrize(("drawing", "sessions"), [("." * 200, 0), ("." * 30 + "#" * 90 + "." * 60, 1)])
def test_readings_that_come_later_take_the_place_of_a_booking_and_of_its_review(session, place, drawing, sessions):
    reservation = place.booked()
    book_silent_use(session, at=AFTER)
    review(session, place.rows()[0].id, accept=True, reason="", by=place.person.id, at=AFTER)
    store(session, place.meter.id, told(drawing))
    meter_readings(session, at=LATER)
    found = place.rows()
    assert [(row.evidence, row.reservation_id, row.reviewed_at) for row in found] == [
        (Evidence.METERED, reservation.id, None)
    ] * sessions
    assert book_silent_use(session, at=AFTER) == 0
    assert session.scalars(select(AuditEntry.deed).where(AuditEntry.deed == "replaced by readings")).all()
    session.commit()


def test_readings_elsewhere_leave_a_booking_as_it_is(session, place):
    place.booked(SLOT.shifted(timedelta(hours=4)))
    book_silent_use(session, at=AFTER + timedelta(hours=4))
    store(session, place.meter.id, told("." * 10 + "#" * 60 + "." * 60))
    meter_readings(session, at=LATER)
    assert [row.evidence for row in place.rows()] == [Evidence.METERED, Evidence.BOOKED]
    session.commit()


@pytest.mark.parametrize("drawing", ["." * 200, "." * 30 + "#" * 90 + "." * 60])
def test_behind_an_invoice_a_booking_stays_and_the_readings_are_noted(session, place, drawing):
    place.booked()
    book_silent_use(session, at=AFTER)
    freeze_usage(session, [place.rows()[0].id], at=AFTER)
    for _ in range(2):
        store(session, place.meter.id, told(drawing))
        meter_readings(session, at=LATER)
    assert [row.evidence for row in place.rows()] == [Evidence.BOOKED]
    (late,) = session.scalars(select(LateChange)).all()
    assert late.cause is LateCause.LATE_READINGS
    resolve_late(session, late.id, resolution="开红字，重开", by=place.person.id, at=LATER)
    with pytest.raises(Conflict):
        resolve_late(session, late.id, resolution="再来一次", by=place.person.id, at=LATER)
    session.commit()


def test_entered_use_says_by_whom_and_why_and_is_charged_when_accepted(session, place):
    number = place.entered()
    (row,) = place.rows()
    assert (row.id, row.evidence, row.entered_by, row.reason) == (
        number, Evidence.ENTERED, place.person.id, "电表送检",
    )  # fmt: skip
    assert place.charged() == (0, [Problem.NEEDS_REVIEW])
    review(session, number, accept=True, reason="核对过纸质记录", by=place.person.id, at=LATER)
    assert place.charged()[0] > 0
    deeds = session.scalars(select(AuditEntry.deed).where(AuditEntry.subject == "usage_session")).all()
    assert deeds == ["use entered", "use accepted"]
    session.commit()


def test_use_for_a_reservation_belongs_to_its_firm(session, place):
    reservation = place.booked()
    place.entered(reservation_id=reservation.id, organization_id=None)
    (row,) = place.rows()
    assert (row.reservation_id, row.organization_id) == (reservation.id, place.firm.id)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "因" * 301}, "reason"),
        ({"energy_mwh": -1}, "energy_kwh"),
        ({"at": SLOT.end - MINUTE}, "ends_at"),
        ({"at": SLOT.start + timedelta(days=31, minutes=1)}, "starts_at"),
        ({"when": Interval(SLOT.start - timedelta(hours=24), SLOT.end)}, "ends_at"),
        ({"organization_id": None}, "organization_id"),
        ({"organization_id": 999_999}, "organization_id"),
        ({"reservation_id": 999_999}, "reservation_id"),
    ],
)
def test_an_entry_beyond_the_limits_is_refused_beside_its_field(place, given, field):
    with pytest.raises(InvalidInput) as refusal:
        place.entered(**given)
    assert refusal.value.field == field
    assert place.rows() == []


def test_nothing_is_entered_beside_other_use(session, place):
    place.entered()
    with pytest.raises(Conflict):
        place.entered(SLOT.shifted(10 * MINUTE), at=LATER)
    place.entered(SLOT.shifted(30 * MINUTE), at=LATER)
    assert len(place.rows()) == 2
    session.commit()


def test_an_entry_stays_beside_an_idle_meter_and_gives_way_to_metered_use(session, place):
    place.entered()
    rows = told("." * 30 + "#" * 90 + "." * 60)
    store(session, place.meter.id, rows[:30])
    meter_readings(session, at=LATER)
    assert [row.evidence for row in place.rows()] == [Evidence.ENTERED]
    store(session, place.meter.id, rows)
    meter_readings(session, at=LATER)
    assert [row.evidence for row in place.rows()] == [Evidence.METERED]
    session.commit()


def test_an_entry_does_not_hide_a_run_that_was_still_open(session, place):
    rows = told("#" * 30)
    store(session, place.meter.id, rows)
    meter_readings(session, at=rows[-1]["at"])
    place.entered(SLOT.shifted(60 * MINUTE), at=LATER)
    meter_readings(session, at=LATER)
    assert [(row.evidence, row.open) for row in place.rows()] == [(Evidence.METERED, False), (Evidence.ENTERED, False)]


def test_a_doubtful_session_waits_and_loses_its_review_when_it_changes(session, place):
    place.booked()
    rows = told("." * 10 + "#" * 60 + "." * 60)
    store(session, place.meter.id, rows[:30] + rows[40:])
    meter_readings(session, at=LATER)
    (found,) = finished_usage(session, until=LATER)
    assert found.flags == (Flag.UNPAIRED_NUMBERS,)
    assert place.charged() == (0, [Problem.NEEDS_REVIEW])
    with pytest.raises(Conflict):
        review(session, found.session_id, accept=False, reason="不对", by=place.person.id, at=LATER)
    review(session, found.session_id, accept=True, reason="", by=place.person.id, at=LATER)
    review(session, found.session_id, accept=True, reason="", by=place.person.id, at=LATER)
    assert place.charged()[0] > 0
    store(session, place.meter.id, rows[:35] + rows[38:])
    meter_readings(session, at=LATER)
    (found,) = finished_usage(session, until=LATER)
    assert found.needs_review
    assert place.charged() == (0, [Problem.NEEDS_REVIEW])
    store(session, place.meter.id, rows)
    meter_readings(session, at=LATER)
    charges, problems = place.charged()
    assert charges > 0
    assert problems == []
    with pytest.raises(Conflict):  # there is nothing to doubt any more
        review(session, found.session_id, accept=True, reason="", by=place.person.id, at=LATER)


def test_what_stands_behind_an_invoice_is_not_reviewed(session, place):
    number = place.entered()
    freeze_usage(session, [number], at=LATER)
    session.expire_all()
    with pytest.raises(Conflict):
        review(session, number, accept=False, reason="不对", by=place.person.id, at=LATER)
