from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.booking.changing import cancel
from app.booking.fees import fees_due
from app.booking.keeping import excuse, standing
from app.booking.lapsing import declare_no_shows, finish_overdue
from app.booking.models import ConductEntry, Occupancy, Reservation
from app.booking.reserving import reserve
from app.booking.rules.conduct import Rung
from app.booking.rules.reservation import ReservationState, ServiceMode
from app.booking.rules.words import MisstepKind
from app.booking.using import check_in, extend, finish
from app.catalogue.models import Closure, Conduct
from app.catalogue.rules.words import ClosureKind
from app.identity.models import Notice
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict, InvalidInput, NotAllowed
from app.kernel.interval import Interval
from app.kernel.money import Money
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
GRACE = 30 * MINUTE


class Firm:
    """One firm on one piece of equipment whose platform has a ladder, unless told otherwise."""

    def __init__(self, session):
        self.session = session
        self.thing = makers.equipment(session, check_in=True)
        self.organization = makers.organization(session)
        self.person = makers.person(session, (self.organization, Role.FIRM_MEMBER))
        session.add(Conduct(platform_id=self.thing.platform_id, fee=Money(5000)))
        session.flush()

    def book(self, start, *, at=NOW, **given) -> Reservation:
        wish = {"organization_id": self.organization.id, "person_id": self.person.id, **given}
        return reserve(self.session, equipment_id=self.thing.id, when=Interval(start, start + 2 * HOUR), at=at, **wish)

    def miss(self, start) -> Reservation:
        missed = self.book(start, at=start - 2 * DAY)
        assert self.declare(start + GRACE) == 1
        return missed

    def declare(self, at, used=()) -> int:
        return declare_no_shows(self.session, at=at, limit=10, was_used=lambda ids: set(ids) & set(used))

    def standing(self, at):
        return standing(self.session, platform_id=self.thing.platform_id, organization_id=self.organization.id, at=at)


@pytest.fixture
def firm(session) -> Firm:
    return Firm(session)


def kinds_of(session, reservation: Reservation) -> list[MisstepKind]:
    rows = select(ConductEntry.kind).where(ConductEntry.reservation_id == reservation.id)
    return list(session.scalars(rows.order_by(ConductEntry.id)))


def entry_of(session, reservation: Reservation) -> ConductEntry:
    return session.scalars(select(ConductEntry).where(ConductEntry.reservation_id == reservation.id)).one()


def test_nobody_came_within_the_grace_so_the_slot_is_free_and_the_firm_is_told_once(session, firm):
    start = NOW + HOUR
    missed = firm.book(start)
    assert firm.declare(start + GRACE - MINUTE) == 0
    assert firm.declare(start + GRACE) == 1
    assert firm.declare(start + GRACE) == 0
    assert missed.state is ReservationState.NO_SHOW
    assert session.scalar(select(func.count()).select_from(Occupancy)) == 0
    entry = entry_of(session, missed)
    assert (entry.kind, entry.effective_at) == (MisstepKind.NO_SHOW, start + GRACE + DAY)
    notice = session.scalars(select(Notice).where(Notice.person_id == firm.person.id)).one()
    assert "警告" in notice.sentence
    assert "豁免" in notice.sentence


def test_a_job_that_was_down_for_days_still_finds_the_no_show(session, firm):
    missed = firm.book(NOW + HOUR)
    assert firm.declare(NOW + 6 * DAY) == 1
    assert missed.state is ReservationState.NO_SHOW


def test_use_a_closure_check_in_staff_and_a_platform_without_a_ladder_make_no_no_show(session, firm):
    start = NOW + HOUR
    used, closed, begun, by_staff = (firm.book(start + number * 3 * HOUR) for number in range(4))
    session.add(
        Closure(
            equipment_id=firm.thing.id,
            during=Interval(closed.during.start - MINUTE, closed.during.end),
            kind=ClosureKind.MAINTENANCE,
            reason="检修",
            created_at=NOW,
        )
    )
    by_staff.mode = ServiceMode.COMMISSIONED
    session.flush()
    check_in(session, begun.id, by=firm.person.id, at=begun.during.start)
    other = makers.equipment(session, check_in=True)
    lenient = reserve(
        session,
        equipment_id=other.id,
        when=Interval(start, start + HOUR),
        organization_id=firm.organization.id,
        person_id=firm.person.id,
        at=NOW,
    )
    assert firm.declare(NOW + DAY, used=[used.id]) == 0
    assert {one.state for one in (used, closed, by_staff, lenient)} == {ReservationState.BOOKED}


def test_three_no_shows_climb_the_ladder_and_the_block_ends_by_itself(session, firm):
    firm.miss(NOW + 3 * DAY)
    assert firm.standing(NOW + 3 * DAY + 2 * HOUR).rung is Rung.NONE  # nothing counts before the delay is over
    assert firm.standing(NOW + 5 * DAY).rung is Rung.WARNING
    firm.miss(NOW + 6 * DAY)
    assert firm.standing(NOW + 8 * DAY).rung is Rung.FEE
    last = firm.miss(NOW + 9 * DAY)
    begins = last.during.start + GRACE + DAY
    told = firm.standing(begins)
    assert (told.rung, told.blocked_until, told.score) == (Rung.BLOCK, begins + 7 * DAY, 40)
    with pytest.raises(NotAllowed) as refused:
        firm.book(begins.replace(minute=0) + 2 * HOUR, at=begins)
    assert "2026" in str(refused.value)
    assert "豁免" in str(refused.value)
    assert firm.book(begins.replace(minute=0) + 8 * DAY, at=begins + 7 * DAY)


def test_a_blocked_firm_does_not_check_in(session, firm):
    for number in range(3):
        firm.miss(NOW + (3 + number) * DAY)
    kept = firm.book(NOW + 7 * DAY, at=NOW + 5 * DAY + HOUR)
    with pytest.raises(NotAllowed):
        check_in(session, kept.id, by=firm.person.id, at=kept.during.start)


def test_an_operator_excuses_with_a_reason_and_the_block_is_gone(session, firm):
    missed = [firm.miss(NOW + (3 + number) * DAY) for number in range(3)]
    operator = makers.person(session)
    entry = entry_of(session, missed[-1])
    with pytest.raises(InvalidInput):
        excuse(session, entry.id, by=operator.id, at=NOW + 7 * DAY, reason=" ")
    assert firm.standing(NOW + 7 * DAY).blocked_until is not None
    excuse(session, entry.id, by=operator.id, at=NOW + 7 * DAY, reason="上一用户超时")
    excuse(session, entry.id, by=operator.id, at=NOW + 8 * DAY, reason="再一次")
    assert (entry.excuse, entry.excused_at) == ("上一用户超时", NOW + 7 * DAY)
    assert firm.standing(NOW + 7 * DAY).blocked_until is None
    told = session.scalars(select(Notice.sentence).where(Notice.key == f"excused:{entry.id}")).one()
    assert "豁免" in told


def test_cancelling_late_is_written_down_and_cancelling_in_time_is_not(session, firm):
    in_time, late = firm.book(NOW + 2 * DAY), firm.book(NOW + DAY - HOUR)
    cancel(session, in_time.id, by=firm.person.id, at=NOW, reason="")
    cancel(session, late.id, by=firm.person.id, at=NOW, reason="")
    assert entry_of(session, late).kind is MisstepKind.LATE_CANCELLATION
    assert session.scalar(select(func.count()).select_from(ConductEntry)) == 1
    assert firm.standing(NOW + DAY).score == 95


def test_good_use_gives_points_back_and_needs_no_excuse(session, firm):
    late = firm.book(NOW + DAY - HOUR)
    cancel(session, late.id, by=firm.person.id, at=NOW, reason="")
    good = firm.book(NOW + HOUR)
    check_in(session, good.id, by=firm.person.id, at=NOW + HOUR)
    finish(session, good.id, by=firm.person.id, at=NOW + 2 * HOUR)
    assert firm.standing(NOW + 2 * DAY).score == 96
    with pytest.raises(Conflict):
        excuse(session, entry_of(session, good).id, by=firm.person.id, at=NOW, reason="x")


@pytest.mark.parametrize(
    ("began", "ended", "expected"),
    [
        (0, 100, [MisstepKind.GOOD_USE]),
        (14, 134, [MisstepKind.GOOD_USE]),  # half the grace is let pass, at both ends
        (15, 120, [MisstepKind.LATE, MisstepKind.GOOD_USE]),
        (29, 135, [MisstepKind.LATE, MisstepKind.OVERRUN]),
        (-10, 200, [MisstepKind.OVERRUN]),
    ],
)
def test_beginning_late_and_ending_late_are_written_down_once(session, firm, began, ended, expected):
    one = firm.book(NOW + HOUR)
    start = one.during.start
    for again in (0, 1):
        check_in(session, one.id, by=firm.person.id, at=start + (began + again) * MINUTE)
    for again in (0, 1):
        finish(session, one.id, by=firm.person.id, at=start + (ended + again) * MINUTE)
    assert kinds_of(session, one) == expected
    told = session.scalars(select(Notice.sentence).order_by(Notice.id)).all()
    words = {MisstepKind.LATE: "迟到", MisstepKind.OVERRUN: "超时"}
    wanted = [words[kind] for kind in expected if kind in words]
    assert [any(word in sentence for word in wanted) for sentence in told] == [True] * len(wanted)


def test_nobody_is_late_where_it_was_closed_staff_run_it_or_no_check_in_is_asked_for(session, firm):
    closed, by_staff, unasked = (firm.book(NOW + HOUR + number * 3 * HOUR) for number in range(3))
    start = closed.during.start
    session.add(
        Closure(
            equipment_id=firm.thing.id,
            during=Interval(start, start + 10 * MINUTE),
            kind=ClosureKind.MAINTENANCE,
            reason="检修",
            created_at=NOW,
        )
    )
    by_staff.mode = ServiceMode.COMMISSIONED
    session.flush()
    for one in (closed, by_staff, unasked):
        firm.thing.check_in = one is not unasked
        check_in(session, one.id, by=firm.person.id, at=one.during.start + 20 * MINUTE)
        assert kinds_of(session, one) == []


def test_no_overrun_with_an_extension_or_without_a_ladder(session, firm):
    longer, other = firm.book(NOW + HOUR), firm.book(NOW + 6 * HOUR)
    check_in(session, longer.id, by=firm.person.id, at=longer.during.start)
    extend(session, longer.id, until=NOW + 4 * HOUR, by=firm.person.id, at=NOW + 3 * HOUR - MINUTE)
    finish(session, longer.id, by=firm.person.id, at=NOW + 4 * HOUR)
    assert kinds_of(session, longer) == [MisstepKind.GOOD_USE]
    session.delete(session.get(Conduct, firm.thing.platform_id))
    session.flush()
    check_in(session, other.id, by=firm.person.id, at=other.during.start + 20 * MINUTE)
    finish(session, other.id, by=firm.person.id, at=other.during.end + HOUR)
    assert kinds_of(session, other) == []


@pytest.mark.parametrize(
    ("runs", "relieved", "expected"),
    [
        (True, False, MisstepKind.OVERRUN),
        (True, True, MisstepKind.GOOD_USE),  # the next user has begun, so it runs for them
        (False, False, MisstepKind.GOOD_USE),  # only forgotten
    ],
)
def test_what_nobody_ended_is_an_overrun_only_if_it_still_runs_for_them(session, firm, runs, relieved, expected):
    one, following = firm.book(NOW + HOUR), firm.book(NOW + 3 * HOUR)
    check_in(session, one.id, by=firm.person.id, at=one.during.start)
    if relieved:
        check_in(session, following.id, by=firm.person.id, at=following.during.start)

    def ended(at) -> int:
        return finish_overdue(session, at=at, limit=10, is_running=lambda ids: ids if runs else ())

    assert ended(one.during.end + GRACE / 2 - MINUTE) == 0
    assert ended(one.during.end + GRACE / 2) == 1
    assert kinds_of(session, one) == [expected]


def test_a_fee_is_due_from_the_second_no_show_on_unless_excused_or_taken_over(session, firm):
    missed = [firm.miss(NOW + (3 + 3 * number) * DAY) for number in range(3)]
    after = NOW + 20 * DAY
    assert [(one.reservation_id, one.fee) for one in fees_due(session, at=after) if one.fee] == [
        (missed[1].id, Money(5000)),
        (missed[2].id, Money(5000)),
    ]
    charged = select(ConductEntry.id).where(ConductEntry.reservation_id == missed[1].id)
    assert [one.reservation_id for one in fees_due(session, at=after, settled=charged) if one.fee] == [missed[2].id]
    excuse(session, entry_of(session, missed[2]).id, by=firm.person.id, at=after, reason="设备故障")
    assert [one.reservation_id for one in fees_due(session, at=after) if one.fee] == [missed[1].id]


def test_no_fee_for_a_slot_that_somebody_else_took_over(session, firm):
    firm.miss(NOW + 3 * DAY)
    missed = firm.miss(NOW + 6 * DAY)
    begins = missed.during.start + HOUR
    reserve(
        session,
        equipment_id=firm.thing.id,
        when=Interval(begins, begins + HOUR),
        organization_id=makers.organization(session).id,
        person_id=makers.person(session).id,
        at=missed.during.start + GRACE + 5 * MINUTE,
    )
    assert [one for one in fees_due(session, at=NOW + 20 * DAY) if one.fee] == []
    session.refresh(entry_of(session, missed))
    assert entry_of(session, missed).taken_over
