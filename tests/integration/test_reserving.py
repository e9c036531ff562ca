from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.booking.changing import cancel, move
from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import OpeningHours
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound, SlotTaken
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)


def hours(first: float, last: float) -> Interval:
    """Hours after the present moment of these tests."""
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


@pytest.fixture
def book(session):
    """Reserves for one firm on one piece of equipment, unless told otherwise."""
    thing, firm, person = makers.equipment(session), makers.organization(session), makers.person(session)

    def booked(when: Interval, **given) -> Reservation:
        wish = {"equipment_id": thing.id, "organization_id": firm.id, "person_id": person.id, "at": NOW, **given}
        return reserve(session, when=when, **wish)

    return booked


def deeds(session, reservation: Reservation) -> list[str]:
    wanted = select(audit.AuditEntry.deed).where(
        audit.AuditEntry.subject == "reservation", audit.AuditEntry.subject_id == reservation.id
    )
    return list(session.scalars(wanted.order_by(audit.AuditEntry.id)))


def test_the_second_hears_taken_with_free_slots_of_the_same_length_that_can_be_booked(session, book):
    book(hours(2, 4))
    with pytest.raises(SlotTaken) as refused:
        book(hours(3, 5), organization_id=makers.organization(session).id)
    offers = refused.value.alternatives
    assert len(offers) >= 3
    assert offers[0] == hours(4, 6)
    assert {offer.duration for offer in offers} == {timedelta(hours=2)}
    for offer in offers:
        assert book(offer).during == offer


def test_a_refused_wish_leaves_nothing_behind_and_the_session_goes_on(session, book):
    book(hours(2, 4))
    with pytest.raises(SlotTaken):
        book(hours(2, 4))
    assert book(hours(4, 5)).state is ReservationState.BOOKED
    assert session.scalar(select(func.count()).select_from(Reservation)) == 2


def test_setting_up_and_cleaning_keep_others_out_and_offers_respect_both(session, book):
    thing = makers.equipment(session, setup_minutes=30, cleanup_minutes=15)
    book(hours(2, 3), equipment_id=thing.id)
    with pytest.raises(SlotTaken) as refused:
        book(hours(3.5, 4.5), equipment_id=thing.id)
    assert refused.value.alternatives[0] == hours(3.75, 4.75)
    for offer in refused.value.alternatives:
        taken = book(offer, equipment_id=thing.id)
        cancel(session, taken.id, by=taken.person_id, at=NOW, reason="")


def test_offers_lie_in_opening_hours_and_within_the_terms(session, book):
    thing = makers.equipment(session, open_all_day=False, advance_days=3)
    session.add_all(
        OpeningHours(equipment_id=thing.id, weekday=day, opens_minute=16 * 60, closes_minute=18 * 60)
        for day in range(7)
    )
    session.flush()
    book(hours(0, 2), equipment_id=thing.id)  # 16:00 to 18:00 at the facility
    with pytest.raises(SlotTaken) as refused:
        book(hours(0, 2), equipment_id=thing.id)
    assert list(refused.value.alternatives) == [hours(24, 26), hours(48, 50), hours(72, 74)]


def test_every_broken_term_is_told_at_once(book):
    with pytest.raises(InvalidInput) as refused:
        book(hours(1, 1 + 1 / 60))
    assert [refused.value.field, *(one.field for one in refused.value.facts["also"])] == ["starts_at", "ends_at"]


def test_the_same_key_with_the_same_wish_is_the_same_reservation(session, book):
    first = book(hours(2, 4), purpose="试样", idempotency_key="k1")
    assert book(hours(2, 4), purpose="试样", idempotency_key="k1", at=NOW + timedelta(days=1)) is first
    assert deeds(session, first) == ["reserved"]
    for other in ({"when": hours(5, 6)}, {"when": hours(2, 4), "purpose": "其他"}):
        with pytest.raises(Conflict) as refused:
            book(**{"purpose": "试样", "idempotency_key": "k1", **other})
        assert refused.value.field == "idempotency_key"


def test_two_firms_may_use_the_same_key(session, book):
    first = book(hours(2, 4), idempotency_key="k1")
    second = book(hours(4, 5), idempotency_key="k1", organization_id=makers.organization(session).id)
    assert first.id != second.id


def test_a_reservation_can_move_onto_part_of_its_own_slot(session, book):
    mine = book(hours(2, 4))
    assert move(session, mine.id, when=hours(3, 5), by=mine.person_id, at=NOW).during == hours(3, 5)
    assert book(hours(2, 3)).during == hours(2, 3)
    assert deeds(session, mine) == ["reserved", "moved"]


def test_a_move_onto_another_keeps_the_old_time_and_offers_others(session, book):
    mine = book(hours(2, 4))
    book(hours(4, 6))
    with pytest.raises(SlotTaken) as refused:
        move(session, mine.id, when=hours(3, 5), by=mine.person_id, at=NOW)
    session.expire_all()
    assert mine.during == hours(2, 4)
    assert refused.value.alternatives[0] == hours(2, 4)  # its own place is free for it
    assert deeds(session, mine) == ["reserved"]


def test_a_cancelled_slot_is_free_again_and_cancelling_twice_changes_nothing(session, book):
    mine = book(hours(2, 4))
    for _ in range(2):
        cancel(session, mine.id, by=mine.person_id, at=NOW, reason="计划变更")
    assert mine.state is ReservationState.CANCELLED
    assert deeds(session, mine) == ["reserved", "cancelled"]
    assert book(hours(2, 4)).id != mine.id
    with pytest.raises(Conflict):
        move(session, mine.id, when=hours(6, 7), by=mine.person_id, at=NOW)


@pytest.mark.parametrize("later", [2, 3, 4, 9])
def test_what_has_begun_or_ended_is_neither_moved_nor_cancelled(session, book, later):
    mine = book(hours(2, 4))
    at = NOW + timedelta(hours=later)
    with pytest.raises(Conflict):
        cancel(session, mine.id, by=mine.person_id, at=at, reason="")
    with pytest.raises(Conflict):
        move(session, mine.id, when=hours(20, 21), by=mine.person_id, at=at)
    assert mine.during == hours(2, 4)


def test_equipment_out_of_service_and_unknown_things_are_refused(session, book):
    with pytest.raises(Conflict):
        book(hours(2, 4), equipment_id=makers.equipment(session, bookable=False).id)
    with pytest.raises(NotFound):
        book(hours(2, 4), equipment_id=0)
    with pytest.raises(NotFound):
        cancel(session, 0, by=1, at=NOW, reason="")
