from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.booking.changing import cancel
from app.booking.lapsing import lapse
from app.booking.models import Occupancy, Reservation, Waiting
from app.booking.reserving import reserve
from app.booking.rules.reservation import ReservationState
from app.booking.rules.words import WaitState
from app.booking.waiting import accept, ahead_of, join, offer_freed, withdraw
from app.catalogue.models import Approval
from app.identity.models import Notice
from app.kernel.db import in_transaction
from app.kernel.errors import Conflict, InvalidInput, NotFound, Refusal, SlotTaken
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATE = NOW + 30 * MINUTE
SLOT = Interval(NOW + 2 * HOUR, NOW + 4 * HOUR)


class Queue:
    """A slot that one firm holds, and others that wait for it."""

    def __init__(self, session, **given):
        self.session = session
        self.thing = makers.equipment(session, offer_minutes=30, **given)
        self.holder = self.somebody()
        self.taken = reserve(session, equipment_id=self.thing.id, when=SLOT, at=NOW, **self.holder)

    def somebody(self) -> dict[str, int]:
        return {
            "organization_id": makers.organization(self.session).id,
            "person_id": makers.person(self.session).id,
        }

    def join(self, when=SLOT, *, at=NOW, **who) -> Waiting:
        return join(self.session, equipment_id=self.thing.id, when=when, at=at, **(who or self.somebody()))

    def give_back(self, at=NOW) -> None:
        cancel(self.session, self.taken.id, by=self.holder["person_id"], at=at, reason="")

    def offer(self, at=NOW) -> int:
        return offer_freed(self.session, at=at, limit=10)

    def told(self, who: Waiting) -> list[str]:
        return list(self.session.scalars(select(Notice.key).where(Notice.person_id == who.person_id)))


@pytest.fixture
def queue(session) -> Queue:
    return Queue(session)


def test_one_waits_for_what_is_taken_once_and_books_what_is_free(session, queue):
    first = queue.join()
    again = queue.join(organization_id=first.organization_id, person_id=first.person_id)
    assert first.id == again.id
    row = queue.join()
    assert ahead_of(session, [row.id]) == {row.id: 1}
    with pytest.raises(Conflict):
        queue.join(Interval(NOW + 5 * HOUR, NOW + 6 * HOUR))
    with pytest.raises(InvalidInput):
        queue.join(Interval(NOW - 5 * HOUR, NOW - 4 * HOUR))


def test_what_is_freed_is_offered_to_whoever_waits_longest_and_held_for_them(session, queue):
    first, second = queue.join(), queue.join()
    assert queue.offer() == 0
    queue.give_back()
    assert queue.offer() == 1
    assert queue.offer() == 0
    assert (first.state, second.state) == (WaitState.OFFERED, WaitState.WAITING)
    assert queue.told(first) == [f"offer:{first.id}"]
    held = session.get_one(Reservation, first.reservation_id)
    assert (held.state, held.hold_until) == (ReservationState.OFFERED, NOW + 30 * MINUTE)
    with pytest.raises(SlotTaken):
        reserve(session, equipment_id=queue.thing.id, when=SLOT, at=NOW, **queue.somebody())
    taken = accept(session, first.id, by=first.person_id, at=NOW + 10 * MINUTE)
    assert (taken.state, taken.hold_until, first.state) == (ReservationState.BOOKED, None, WaitState.TAKEN)
    assert accept(session, first.id, by=first.person_id, at=NOW + 50 * MINUTE).id == taken.id
    with pytest.raises(Conflict):
        withdraw(session, first.id, by=first.person_id, at=NOW)


def test_an_offer_that_is_left_or_lapses_goes_to_the_next(session, queue):
    first, second, third = queue.join(), queue.join(), queue.join()
    queue.give_back()
    queue.offer()
    withdraw(session, first.id, by=first.person_id, at=NOW)
    withdraw(session, first.id, by=first.person_id, at=NOW)
    queue.offer()
    assert (first.state, second.state) == (WaitState.WITHDRAWN, WaitState.OFFERED)
    with pytest.raises(Conflict):
        accept(session, second.id, by=second.person_id, at=LATE)
    assert lapse(session, at=LATE, limit=10) == 1
    assert lapse(session, at=LATE, limit=10) == 0
    assert second.state is WaitState.EXPIRED
    assert queue.told(second)[-1] == f"lapsed:{second.reservation_id}"
    queue.offer(LATE)
    assert third.state is WaitState.OFFERED


def test_an_offer_is_never_held_beyond_the_start_and_a_passed_wish_ends_silently(session, queue):
    soon, never = queue.join(), queue.join()
    at = SLOT.start - 10 * MINUTE
    queue.give_back(at)
    queue.offer(at)
    assert session.get_one(Reservation, soon.reservation_id).hold_until == SLOT.start
    assert queue.offer(SLOT.start) == 1
    assert (never.state, queue.told(never)) == (WaitState.EXPIRED, [])


def test_a_part_of_a_slot_that_was_given_back_is_offered_too(session, queue):
    part = queue.join(Interval(SLOT.start + HOUR, SLOT.end))
    whole = queue.join()
    queue.give_back()
    assert queue.offer() == 1
    assert (part.state, whole.state) == (WaitState.OFFERED, WaitState.WAITING)


def test_approval_is_still_wanted_after_an_offer_was_taken(session):
    queue = Queue(session, approval=Approval.OPERATOR)
    one = queue.join()
    queue.give_back()
    queue.offer()
    taken = accept(session, one.id, by=one.person_id, at=NOW)
    assert (taken.state, taken.hold_until) == (ReservationState.REQUESTED, SLOT.start)
    lapse(session, at=SLOT.start, limit=10)
    assert (taken.state, one.state) == (ReservationState.LAPSED, WaitState.TAKEN)


def test_who_may_not_have_the_slot_any_more_is_told_and_the_next_is_asked(session, queue):
    first, second = queue.join(), queue.join()
    queue.thing.notice_minutes = 60
    session.flush()
    queue.give_back()
    at = SLOT.start - 30 * MINUTE
    assert queue.offer(at) == 2
    assert (first.state, second.state) == (WaitState.EXPIRED, WaitState.EXPIRED)
    assert queue.told(first) == [f"unfit:{first.id}"]


def test_what_nobody_waits_for_is_not_found(session, queue):
    with pytest.raises(NotFound):
        withdraw(session, 999_999, by=queue.holder["person_id"], at=NOW)
    with pytest.raises(Conflict):
        accept(session, queue.join().id, by=queue.holder["person_id"], at=NOW)


@pytest.mark.parametrize("units", [1, 2])
def test_no_two_get_one_slot_however_many_jobs_run(app, session, units):
    queue = Queue(session, units=units)
    if units == 2:
        reserve(session, equipment_id=queue.thing.id, when=SLOT, at=NOW, **queue.somebody())
    waiting = [queue.join().id for _ in range(6)]
    queue.give_back()
    session.commit()

    def job(_: int) -> int:
        with app.app_context():
            return in_transaction(lambda own: offer_freed(own, at=NOW, limit=10))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(job, range(6))) == 1
    offered = session.scalars(select(Waiting).where(Waiting.state == WaitState.OFFERED)).all()
    assert [row.id for row in offered] == waiting[:1]
    assert session.scalar(select(func.count()).select_from(Occupancy)) == units


def test_taking_an_offer_and_its_lapse_have_one_winner(app, session, queue):
    for _ in range(5):
        one = queue.join()
        queue.give_back()
        queue.offer()
        waiting_id, person_id, reservation_id = one.id, one.person_id, one.reservation_id
        session.commit()

        def take(waiting_id=waiting_id, person_id=person_id) -> bool:
            with app.app_context():
                try:
                    in_transaction(lambda own: accept(own, waiting_id, by=person_id, at=LATE - MINUTE).id)
                except Refusal:
                    return False
                return True

        def run_out() -> int:
            with app.app_context():
                return in_transaction(lambda own: lapse(own, at=LATE, limit=10))

        with ThreadPoolExecutor(2) as pool:
            taken, _ = pool.submit(take), pool.submit(run_out)
            won = taken.result()
        session.expire_all()
        one = session.get_one(Reservation, reservation_id)
        assert one.state is (ReservationState.BOOKED if won else ReservationState.LAPSED)
        assert session.scalar(select(func.count()).select_from(Occupancy)) == (1 if won else 0)
        if not won:
            queue.taken = reserve(session, equipment_id=queue.thing.id, when=SLOT, at=NOW, **queue.holder)
        else:
            queue.taken, queue.holder = one, {"organization_id": one.organization_id, "person_id": person_id}
