from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.booking.changing import cancel
from app.booking.lapsing import finish_overdue
from app.booking.models import Occupancy, Reservation
from app.booking.reserving import reserve
from app.booking.rules.reservation import ReservationState
from app.booking.slots import booked_slots
from app.booking.using import check_in, extend, finish
from app.catalogue.models import Approval, Closure, Conduct, EquipmentRequirement, Qualification, Requirement
from app.catalogue.rules.words import ClosureKind, RequirementKind
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict, InvalidInput, NotAllowed, SlotTaken
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
START, END = NOW + timedelta(hours=1), NOW + timedelta(hours=3)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def firm(session):
    return makers.organization(session)


@pytest.fixture
def person(session, firm):
    return makers.person(session, (firm, Role.FIRM_MEMBER))


@pytest.fixture
def book(session, firm, person):
    """Reserves one piece of equipment, whose other terms the test names."""
    kept = {}

    def booked(first=START, last=END, **given) -> Reservation:
        thing = kept.setdefault("thing", makers.equipment(session, check_in=True, early_minutes=15, **given))
        return reserve(
            session,
            equipment_id=thing.id,
            when=Interval(first, last),
            organization_id=firm.id,
            person_id=person.id,
            at=NOW,
        )

    return booked


def held(session, reservation: Reservation) -> list[Interval]:
    return list(session.scalars(select(Occupancy.blocked).where(Occupancy.reservation_id == reservation.id)))


def overdue(session, at) -> int:
    return finish_overdue(session, at=at, limit=10, is_running=lambda equipment_ids: ())


@pytest.mark.parametrize(
    ("grace", "early", "accepted"),
    [
        (10, -16, False),
        (10, -15, True),
        (10, 0, True),
        (10, 9, True),
        (10, 10, False),
        (10, 11, False),
        (None, 119, True),
        (None, 120, False),
    ],
)
def test_one_checks_in_from_a_little_before_the_start_until_the_grace_or_the_slot_is_over(
    session, book, person, grace, early, accepted
):
    one = book()
    if grace is not None:
        session.add(Conduct(platform_id=one.equipment.platform_id, grace_minutes=grace))
        session.flush()
    at = START + early * MINUTE
    if accepted:
        assert check_in(session, one.id, by=person.id, at=at).state is ReservationState.IN_USE
        assert check_in(session, one.id, by=person.id, at=at + MINUTE).checked_in_at == at
    else:
        with pytest.raises(Conflict):
            check_in(session, one.id, by=person.id, at=at)
        assert one.state is ReservationState.BOOKED


def test_an_early_check_in_holds_the_time_before_the_start_if_it_is_free(session, book, person):
    one = book()
    check_in(session, one.id, by=person.id, at=START - 10 * MINUTE)
    assert held(session, one) == [Interval(START - 10 * MINUTE, END)]
    for within in (Interval(START, END), Interval(START - 8 * MINUTE, START - 2 * MINUTE)):
        slots = booked_slots(session, [one.equipment_id], within)
        assert [slot.during for slot in slots] == [Interval(START - 10 * MINUTE, END)]
    assert booked_slots(session, [one.equipment_id], Interval(START - 20 * MINUTE, START - 10 * MINUTE)) == []


def test_nobody_checks_in_while_the_reservation_before_still_runs(session, book, person):
    book(START - timedelta(minutes=30), START)
    one = book()
    with pytest.raises(Conflict):
        check_in(session, one.id, by=person.id, at=START - 10 * MINUTE)
    assert held(session, one) == [Interval(START, END)]
    assert check_in(session, one.id, by=person.id, at=START).checked_in_at == START


def test_what_was_right_at_booking_must_be_right_at_check_in(session, book, person):
    one = book()
    thing = one.equipment
    thing.bookable = False
    with pytest.raises(Conflict):
        check_in(session, one.id, by=person.id, at=START)
    thing.bookable = True
    closure = Closure(
        equipment_id=thing.id, during=Interval(START, END), kind=ClosureKind.MAINTENANCE, reason="检修", created_at=NOW
    )
    session.add(closure)
    session.flush()
    with pytest.raises(Conflict):
        check_in(session, one.id, by=person.id, at=START)
    closure.ended_at = START
    wanted = Requirement(
        platform_id=thing.platform_id,
        kind=RequirementKind.TRAINING,
        name_zh="上机培训",
        name_en="Training",
        how_zh="参加培训",
        how_en="Attend",
    )
    session.add(wanted)
    session.flush()
    session.add(EquipmentRequirement(equipment_id=thing.id, requirement_id=wanted.id))
    session.flush()
    with pytest.raises(NotAllowed):
        check_in(session, one.id, by=person.id, at=START)
    session.add(Qualification(requirement_id=wanted.id, person_id=person.id, granted_on=NOW.date(), created_at=NOW))
    session.flush()
    assert check_in(session, one.id, by=person.id, at=START).state is ReservationState.IN_USE


def test_finishing_early_frees_the_rest_after_cleaning(session, book, person):
    one = book(cleanup_minutes=20)
    check_in(session, one.id, by=person.id, at=START)
    over = START + timedelta(minutes=30)
    assert finish(session, one.id, by=person.id, at=over).released_at == over
    assert finish(session, one.id, by=person.id, at=over + MINUTE).released_at == over
    assert held(session, one) == [Interval(START, over + 20 * MINUTE)]
    with pytest.raises(SlotTaken):
        book(over + 15 * MINUTE, END)
    assert book(over + 20 * MINUTE, END).state is ReservationState.BOOKED
    assert booked_slots(session, [one.equipment_id], Interval(START, over))[0].during == Interval(START, over)


def test_what_nobody_ends_ends_by_itself(session, book, person):
    one = book()
    check_in(session, one.id, by=person.id, at=START)
    assert overdue(session, END - MINUTE) == 0
    assert overdue(session, END + MINUTE) == 1
    assert (one.state, one.released_at) == (ReservationState.FINISHED, None)
    assert overdue(session, END + MINUTE) == 0


def test_who_is_a_little_late_to_end_it_can_still_do_so(session, book, person):
    one = book()
    session.add(Conduct(platform_id=one.equipment.platform_id, grace_minutes=30))
    check_in(session, one.id, by=person.id, at=START)
    assert overdue(session, END + 14 * MINUTE) == 0
    assert finish(session, one.id, by=person.id, at=END + 14 * MINUTE).released_at is None
    assert overdue(session, END + 15 * MINUTE) == 0


def test_only_what_has_begun_can_be_finished(session, book, person):
    one = book()
    with pytest.raises(Conflict):
        finish(session, one.id, by=person.id, at=NOW)
    cancel(session, one.id, by=person.id, at=NOW, reason="")
    with pytest.raises(Conflict):
        finish(session, one.id, by=person.id, at=START)


def test_a_running_reservation_is_extended_into_free_time_only(session, book, person):
    one = book(cleanup_minutes=10)
    book(END + timedelta(minutes=40), END + timedelta(minutes=90))
    check_in(session, one.id, by=person.id, at=START)
    with pytest.raises(SlotTaken) as refused:
        extend(session, one.id, until=END + 45 * MINUTE, by=person.id, at=END - 5 * MINUTE)
    assert refused.value.facts["minutes"] == 30
    assert one.during.end == END
    assert extend(session, one.id, until=END + 30 * MINUTE, by=person.id, at=END - 5 * MINUTE).during.end == (
        END + 30 * MINUTE
    )
    assert held(session, one) == [Interval(START, END + 40 * MINUTE)]
    with pytest.raises(SlotTaken) as refused:
        extend(session, one.id, until=END + 35 * MINUTE, by=person.id, at=END - 5 * MINUTE)
    assert refused.value.facts["minutes"] == 0


def test_extending_keeps_to_the_terms_and_to_what_was_approved(session, book, person):
    one = book(most_minutes=150, notice_minutes=30)
    check_in(session, one.id, by=person.id, at=START)
    for until in (END + 35 * MINUTE, END + 2 * MINUTE, END):
        with pytest.raises(InvalidInput):
            extend(session, one.id, until=until, by=person.id, at=START + MINUTE)
    one.equipment.approval = Approval.OPERATOR
    with pytest.raises(Conflict):
        extend(session, one.id, until=END + 30 * MINUTE, by=person.id, at=START + MINUTE)
    extend(session, one.id, until=END + 30 * MINUTE, by=person.id, at=START + MINUTE, by_operator=True)
    with pytest.raises(Conflict):
        extend(session, one.id, until=END + timedelta(hours=2), by=person.id, at=END + 30 * MINUTE)
