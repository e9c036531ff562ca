from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.booking.approving import booked_around, decide, waiting_count, waiting_requests
from app.booking.changing import move
from app.booking.models import Occupancy, Reservation
from app.booking.reserving import reserve
from app.booking.rules.approval import Step, agreed_by, stands
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import Approval
from app.identity.models import Notice
from app.identity.rules.notice import NoticeKind
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


@pytest.fixture
def hall(session):
    """Equipment that wants approval, two operators, and a way to ask."""

    class Hall:
        operator = makers.organization(session)
        platform = makers.platform(session, operator=operator)
        first = makers.person(session, (operator, Role.OPERATOR)).id
        second = makers.person(session, (operator, Role.OPERATOR)).id
        firm = makers.organization(session)
        person = makers.person(session, (firm, Role.FIRM_MEMBER)).id

        def ask(self, approval: Approval = Approval.OPERATOR, when: Interval | None = None, **given) -> Reservation:
            thing = makers.equipment(session, of=self.platform, approval=approval, **given)
            return reserve(
                session,
                equipment_id=thing.id,
                when=when or hours(4, 6),
                organization_id=self.firm.id,
                person_id=self.person,
                at=NOW,
            )

    return Hall()


def notices(session, person_id: int, kind: NoticeKind) -> list[str]:
    return list(session.scalars(select(Notice.sentence).where(Notice.person_id == person_id, Notice.kind == kind)))


def test_one_approval_books_and_tells_the_person(session, hall):
    asked = hall.ask()
    assert len(notices(session, hall.first, NoticeKind.APPROVAL_WANTED)) == 1
    assert waiting_count(session, [hall.platform.id], at=NOW) == 1
    decided = decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW)
    assert (decided.state, decided.hold_until) == (ReservationState.BOOKED, None)
    assert len(notices(session, hall.person, NoticeKind.DECISION)) == 1
    assert waiting_count(session, [hall.platform.id], at=NOW) == 0


def test_two_steps_want_two_different_people(session, hall):
    asked = hall.ask(Approval.TWO_STEPS)
    assert decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW).state is ReservationState.REQUESTED
    assert len(notices(session, hall.second, NoticeKind.APPROVAL_WANTED)) == 2
    with pytest.raises(Conflict, match="另一位"):
        decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW)
    assert decide(session, asked.id, by=hall.second, approve=True, reason="", at=NOW).state is ReservationState.BOOKED


def test_who_declines_says_why_and_the_slot_is_free(session, hall):
    asked = hall.ask(Approval.TWO_STEPS)
    decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW)
    with pytest.raises(InvalidInput) as refused:
        decide(session, asked.id, by=hall.second, approve=False, reason=" ", at=NOW)
    assert refused.value.field == "reason"
    decided = decide(session, asked.id, by=hall.first, approve=False, reason="缺少安全评估", at=NOW)
    assert decided.state is ReservationState.DECLINED
    assert session.scalar(select(func.count()).select_from(Occupancy)) == 0
    with pytest.raises(Conflict, match="已处理"):
        decide(session, asked.id, by=hall.second, approve=True, reason="", at=NOW)


def test_a_request_that_lapsed_or_moved_is_not_decided(session, hall):
    asked = hall.ask()
    with pytest.raises(Conflict, match="期限"):
        decide(session, asked.id, by=hall.first, approve=True, reason="", at=asked.hold_until)
    seen = asked.during
    move(session, asked.id, when=hours(8, 10), by=hall.person, at=NOW)
    with pytest.raises(Conflict, match="改了时段"):
        decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW, during=seen)
    with pytest.raises(NotFound):
        decide(session, 999_999, by=hall.first, approve=True, reason="", at=NOW)


def test_what_was_moved_away_and_back_can_be_approved_by_the_same_person(session, hall):
    asked = hall.ask()
    home = asked.during
    decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW)
    move(session, asked.id, when=hours(8, 10), by=hall.person, at=NOW)
    assert move(session, asked.id, when=home, by=hall.person, at=NOW).state is ReservationState.REQUESTED
    assert decide(session, asked.id, by=hall.first, approve=True, reason="", at=NOW).state is ReservationState.BOOKED


def test_what_lapses_first_is_first_and_what_is_booked_around_is_shown(session, hall):
    slow, urgent = hall.ask(approval_hours=3), hall.ask(approval_hours=1)
    assert [one.id for one in waiting_requests(session, [hall.platform.id], at=NOW)] == [urgent.id, slow.id]
    assert not waiting_requests(session, [makers.platform(session).id], at=NOW)
    beside = reserve(
        session,
        equipment_id=slow.equipment_id,
        when=hours(7, 8),
        organization_id=hall.firm.id,
        person_id=hall.person,
        at=NOW,
    )
    assert [one.id for one in booked_around(session, slow)] == [beside.id]


SLOTS = [hours(4, 6), hours(5, 7), hours(8, 9)]
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("approve"), st.integers(0, 2)),
        st.tuples(st.just("decline"), st.integers(0, 2)),
        st.tuples(st.just("move"), st.integers(0, 2)),
    ),
    max_size=9,
)


@given(deeds=DEEDS, needed=st.sampled_from([1, 2]))
def test_no_sequence_of_decisions_stands_with_fewer_people_than_needed(deeds, needed):
    slot, steps = SLOTS[0], []
    for deed, which in deeds:
        if deed == "move":
            slot = SLOTS[which]
        else:
            steps.append(Step(which, slot, deed == "approve"))
        people = {one.person_id for one in steps if one.approved and one.during == slot}
        assert stands(steps, slot, needed=needed) == (len(people) >= needed)
        assert agreed_by(steps, slot) == people


def test_no_sequence_books_without_enough_people_for_the_present_slot(session, hall):
    """The same through the database, with every sequence of five deeds that a generator chose."""
    import random

    chance = random.Random(20261124)
    people = [hall.first, hall.second, makers.person(session, (hall.operator, Role.OPERATOR)).id]
    for _ in range(40):
        approval = chance.choice([Approval.OPERATOR, Approval.TWO_STEPS])
        asked = hall.ask(approval)
        agreed: dict[Interval, set[int]] = {}
        for _ in range(6):
            by = chance.choice(people)
            try:
                match chance.choice(["approve", "approve", "move", "decline"]):
                    case "approve":
                        slot = asked.during
                        decide(session, asked.id, by=by, approve=True, reason="", at=NOW)
                        agreed.setdefault(slot, set()).add(by)
                    case "decline":
                        decide(session, asked.id, by=by, approve=False, reason="示例", at=NOW)
                    case _:
                        move(session, asked.id, when=chance.choice(SLOTS), by=hall.person, at=NOW)
            except Conflict:
                pass
            if asked.state is ReservationState.BOOKED:
                assert len(agreed.get(asked.during, ())) >= (1 if approval is Approval.OPERATOR else 2)
