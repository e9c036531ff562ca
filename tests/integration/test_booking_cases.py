"""Rows of other systems' own tests, as this house answers them. docs/decisions/0005 says where it differs and why."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.booking.changing import cancel, move
from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import EquipmentPart
from app.kernel.clock import FACILITY_ZONE
from app.kernel.errors import Conflict, InvalidInput, Refusal, SlotTaken
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)  # Thursday 2026-01-01, 16:00 at the facility
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


def clock(start: str, end: str, *, days: int = 0) -> Interval:
    """Wall-clock times of the next Friday."""
    day = datetime(2026, 1, 2, tzinfo=FACILITY_ZONE)
    begin, stop = (
        day + timedelta(hours=int(text.partition(":")[0]), minutes=int(text.partition(":")[2] or 0))
        for text in (start, end)
    )
    return Interval(begin, stop + timedelta(days=days))


@pytest.fixture
def book(session):
    def booked(thing, when: Interval, **given) -> Reservation:
        wish = {"organization_id": makers.organization(session).id, "person_id": makers.person(session).id, "at": NOW}
        return reserve(session, equipment_id=thing.id, when=when, **{**wish, **given})

    return booked


def outcome(deed) -> type[Refusal] | None:
    try:
        deed()
    except Refusal as refusal:
        return type(refusal)
    return None


@pytest.mark.parametrize(
    ("terms", "when", "by_operator", "expected"),
    [
        pytest.param({"least_minutes": 30}, hours(1, 1 + 25 / 60), False, InvalidInput, id="N88 too short"),
        pytest.param({"least_minutes": 30}, hours(1, 1.5), False, None, id="N88 just long enough"),
        pytest.param({"most_minutes": 60}, hours(1, 2 + 5 / 60), False, InvalidInput, id="N89 too long"),
        pytest.param({"most_minutes": 60}, hours(1, 2), False, None, id="N89 just short enough"),
        pytest.param({"most_minutes": 60}, hours(1, 3), True, None, id="N89 operator"),
        pytest.param({"notice_minutes": 120}, hours(1, 2), False, InvalidInput, id="N91 too late"),
        pytest.param({"notice_minutes": 120}, hours(1, 2), True, None, id="N91 operator"),
        pytest.param({"notice_minutes": 120}, hours(3, 4), False, None, id="N91 early enough"),
        pytest.param({"advance_days": 10}, hours(240, 241), False, None, id="I11 just near enough"),
        pytest.param({"advance_days": 10}, hours(360, 361), False, InvalidInput, id="I11 too far"),
        pytest.param({"advance_days": 10}, hours(360, 361), True, None, id="I11 operator"),
        pytest.param({}, hours(-24, -23), False, InvalidInput, id="I11 the past"),
        pytest.param({}, hours(-24, -23), True, InvalidInput, id="L52 the past, operator"),
        pytest.param({}, hours(0, 1), False, None, id="L52 exactly now"),
        pytest.param({}, hours(6, 10), False, None, id="I16 over midnight"),
    ],
)
def test_the_terms_of_one_machine(session, book, terms, when, by_operator, expected):
    thing = makers.equipment(session, **terms)
    assert outcome(lambda: book(thing, when, by_operator=by_operator)) is expected


@pytest.mark.parametrize(
    ("ends", "expected"), [pytest.param("5", None, id="L02 ok"), pytest.param("6", SlotTaken, id="L02 conflict")]
)
def test_an_hour_between_two_reservations(session, book, ends, expected):
    thing = makers.equipment(session, cleanup_minutes=60)
    book(thing, clock("4", ends))
    assert outcome(lambda: book(thing, clock("6", "7"))) is expected


@pytest.mark.parametrize(
    ("capacity", "others", "wish", "expected"),
    [
        pytest.param(3, ["10-11", "11-12", "9:30-11"], "9-12", None, id="L03"),
        pytest.param(3, ["9-10:30", "9-9:30", "9-9:30"], "9-9:30", SlotTaken, id="L04"),
        pytest.param(2, ["10-12", "10-11", "11-12"], "9-12", SlotTaken, id="L05"),
        pytest.param(4, ["2-9", "6-7", "7-11", "6-10"], "2-11", None, id="L11"),
        pytest.param(1, ["2-4"], "0-1", None, id="I01 before"),
        pytest.param(1, ["2-4"], "1-2", None, id="I01 touches"),
        pytest.param(1, ["2-4"], "4-5", None, id="I01 touches after"),
        pytest.param(1, ["2-4"], "5-6", None, id="I01 after"),
        pytest.param(1, ["2-4"], "1-3", SlotTaken, id="I02 front"),
        pytest.param(1, ["2-4"], "1-5", SlotTaken, id="I02 around"),
        pytest.param(1, ["2-4"], "2-4", SlotTaken, id="I02 same"),
        pytest.param(1, ["2-4"], "3-5", SlotTaken, id="I02 back"),
    ],
)
def test_how_many_fit_at_the_same_time(session, book, capacity, others, wish, expected):
    pool = makers.equipment(session, units=capacity)
    for other in others:
        book(pool, clock(*other.split("-")))
    assert outcome(lambda: book(pool, clock(*wish.split("-")))) is expected


def test_l09_a_free_pool_does_not_make_up_for_a_taken_machine(session, book):
    whole = makers.equipment(session)
    single, pool = makers.equipment(session), makers.equipment(session, units=3)
    session.add_all(EquipmentPart(whole_id=whole.id, part_id=one.id) for one in (single, pool))
    session.flush()
    book(single, clock("9", "10"))
    assert outcome(lambda: book(whole, clock("9", "10"))) is SlotTaken


def test_i03_another_machine_and_a_cancelled_reservation_are_no_conflict(session, book):
    thing, other = makers.equipment(session), makers.equipment(session)
    mine = book(thing, clock("9", "10"))
    book(other, clock("9", "10"))
    cancel(session, mine.id, by=mine.person_id, at=NOW, reason="")
    again = book(thing, clock("9", "10"))
    move(session, again.id, when=clock("9", "11"), by=again.person_id, at=NOW)  # its own time is no conflict


@pytest.mark.parametrize(
    ("stretches", "wish", "expected"),
    [
        pytest.param([(4, 12, 14)], ("12", "14"), None, id="I09 within"),
        pytest.param([(0, 12, 14)], ("12", "14"), InvalidInput, id="I09 another day"),
        pytest.param([(4, 11, 12), (4, 12, 14)], ("11", "14"), None, id="I09 joins two windows"),
    ],
)
def test_opening_hours_of_a_weekday(session, book, stretches, wish, expected):
    thing = makers.equipment(session, open_all_day=False)
    for weekday, opens, closes in stretches:
        makers.opening(session, of=thing, weekdays=[weekday], opens=opens * 60, closes=closes * 60)
    assert outcome(lambda: book(thing, clock(*wish))) is expected


def test_opening_hours_go_on_over_midnight(session, book):
    thing = makers.equipment(session, open_all_day=False)
    makers.opening(session, of=thing, weekdays=[4], opens=20 * 60, closes=24 * 60)
    makers.opening(session, of=thing, weekdays=[5], opens=0, closes=4 * 60)
    book(thing, clock("22", "2", days=1))
    assert outcome(lambda: book(thing, clock("3", "5", days=0).shifted(timedelta(days=1)))) is InvalidInput


def test_n56_who_cancels_twice_changes_nothing(session, book):
    mine = book(makers.equipment(session), hours(2, 3))
    for _ in range(2):
        assert cancel(session, mine.id, by=mine.person_id, at=NOW, reason="").state is ReservationState.CANCELLED


def test_i12_what_has_begun_is_not_cancelled(session, book):
    """Indico gives ten minutes after the start; here it is finished early instead, which frees the rest as well."""
    mine = book(makers.equipment(session), hours(2, 3))
    with pytest.raises(Conflict):
        cancel(session, mine.id, by=mine.person_id, at=mine.during.start + 10 * MINUTE, reason="")


def test_n97_a_reservation_does_not_grow_into_its_neighbour(session, book):
    thing = makers.equipment(session)
    mine = book(thing, hours(2, 3))
    book(thing, hours(3, 4))
    assert outcome(lambda: move(session, mine.id, when=hours(2, 3.5), by=mine.person_id, at=NOW)) is SlotTaken


def test_n95_two_listings_with_one_schedule(session, book):
    first = makers.equipment(session)
    second, third = makers.equipment(session, shares_id=first.id), makers.equipment(session)
    book(first, hours(2, 3))
    assert outcome(lambda: book(second, hours(2, 3))) is SlotTaken
    assert outcome(lambda: book(third, hours(2, 3))) is None
