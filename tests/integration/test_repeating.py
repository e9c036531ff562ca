from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from app.booking.models import Reservation, Series
from app.booking.repeating import Reach, cancel_series, dates_of, move_series, preview, reserve_series
from app.booking.reserving import reserve
from app.booking.rules.recurrence import Every, Recurrence, occurrences
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import Equipment, Quota
from app.catalogue.rules.words import Measure, Period
from app.kernel.errors import Conflict, InvalidInput, NotFound, SlotTaken
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
WEEK = timedelta(days=7)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


@pytest.fixture
def wish(session):
    thing, firm, person = makers.equipment(session), makers.organization(session), makers.person(session)
    return {"equipment_id": thing.id, "organization_id": firm.id, "person_id": person.id, "at": NOW}


@pytest.fixture
def stranger(session, wish):
    """Another firm takes a slot of the same equipment."""

    def takes(when: Interval) -> Reservation:
        other = {"organization_id": makers.organization(session).id, "person_id": makers.person(session).id}
        return reserve(session, when=when, **{**wish, **other})

    return takes


def weekly(times: int, first: Interval) -> list[Interval]:
    return occurrences(first, Recurrence(Every.WEEK, times=times))


def slots(session, series: Series) -> list[Interval]:
    return [one.during for one in dates_of(session, series.id) if one.state is ReservationState.BOOKED]


def test_a_preview_says_of_each_date_how_it_stands_and_where_else_it_could_be(session, wish, stranger):
    whens = weekly(4, hours(2, 4))
    stranger(whens[1].shifted(timedelta(hours=1)))
    found = preview(session, whens=whens, **wish)
    assert [one.refusal is None for one in found] == [True, False, True, True]
    assert found[1].alternatives[0] == whens[1].shifted(-timedelta(hours=1))
    assert session.scalar(select(func.count()).select_from(Series)) == 0
    for offer in found[1].alternatives:
        assert offer.duration == whens[1].duration


def test_a_preview_counts_the_dates_before_it(session, wish):
    session.add(
        Quota(equipment_id=wish["equipment_id"], measure=Measure.RESERVATIONS, limit=Decimal(2), period=Period.MONTH)
    )
    session.flush()
    found = preview(session, whens=weekly(4, hours(2, 4)), **wish)  # 1, 8, 15 and 22 January
    assert [one.refusal is None for one in found] == [True, True, False, False]


def test_a_series_is_reserved_whole_or_not_at_all(session, wish, stranger):
    whens = weekly(4, hours(2, 4))
    stranger(whens[2])
    with pytest.raises(SlotTaken) as refused:
        reserve_series(session, whens=whens, rule={}, **wish)
    assert refused.value.facts["starts_at"] == whens[2].start


def test_l07_only_the_clashing_dates_are_left_out(session, wish, stranger):
    whens = weekly(4, hours(2, 4))
    stranger(whens[2])
    series, left_out = reserve_series(session, whens=whens, rule={}, skip_conflicts=True, **wish)
    assert slots(session, series) == [whens[0], whens[1], whens[3]]
    assert [one.when for one in left_out] == [whens[2]]


def test_a_series_without_a_single_date_is_refused_and_leaves_nothing(session, wish, stranger):
    whens = weekly(2, hours(2, 4))
    for when in whens:
        stranger(when)
    with pytest.raises(Conflict), session.begin_nested():
        reserve_series(session, whens=whens, rule={}, skip_conflicts=True, **wish)
    assert session.scalar(select(func.count()).select_from(Series)) == 0
    with pytest.raises(InvalidInput):
        reserve_series(session, whens=[], rule={}, **wish)


def test_the_same_key_makes_one_series(session, wish):
    whens = weekly(3, hours(2, 4))
    first, _ = reserve_series(session, whens=whens, rule={}, idempotency_key="k", **wish)
    again, _ = reserve_series(session, whens=whens, rule={}, idempotency_key="k", **wish)
    assert first is again
    assert len(slots(session, first)) == 3


@pytest.mark.parametrize(
    ("reach", "moved"), [(Reach.ONE, [1]), (Reach.FOLLOWING, [1, 2, 3]), (Reach.ALL, [0, 1, 2, 3])]
)
def test_one_this_and_following_or_all_are_moved_by_the_same_step(session, wish, reach, moved):
    whens = weekly(4, hours(2, 4))
    series, _ = reserve_series(session, whens=whens, rule={}, **wish)
    second = dates_of(session, series.id)[1]
    later = whens[1].shifted(timedelta(hours=1))
    move_series(session, second.id, reach=reach, when=later, by=wish["person_id"], at=NOW)
    expected = [when.shifted(timedelta(hours=1)) if place in moved else when for place, when in enumerate(whens)]
    assert slots(session, series) == expected


def test_dates_of_a_series_do_not_stand_in_each_others_way(session, wish):
    whens = [hours(2 + number, 3 + number) for number in range(4)]
    series, _ = reserve_series(session, whens=whens, rule={}, **wish)
    first = dates_of(session, series.id)[0]
    move_series(session, first.id, reach=Reach.ALL, when=hours(3, 4), by=wish["person_id"], at=NOW)
    assert slots(session, series) == [hours(3 + number, 4 + number) for number in range(4)]


def test_a_series_is_moved_whole_or_not_at_all(session, wish, stranger):
    whens = weekly(3, hours(2, 4))
    series, _ = reserve_series(session, whens=whens, rule={}, **wish)
    stranger(whens[2].shifted(timedelta(hours=2)))
    first = dates_of(session, series.id)[0]
    with pytest.raises(SlotTaken):
        move_series(
            session,
            first.id,
            reach=Reach.ALL,
            when=whens[0].shifted(timedelta(hours=1)),
            by=wish["person_id"],
            at=NOW,
        )
    session.expire_all()
    assert slots(session, series) == whens


def test_what_has_begun_stays_when_the_rest_is_cancelled(session, wish):
    whens = weekly(3, hours(2, 4))
    series, _ = reserve_series(session, whens=whens, rule={}, **wish)
    first = dates_of(session, series.id)[0]
    during = NOW + timedelta(hours=3)
    gone = cancel_series(session, first.id, reach=Reach.ALL, by=wish["person_id"], at=during, reason="示例")
    assert [one.during for one in gone] == whens[1:]
    assert slots(session, series) == whens[:1]
    with pytest.raises(Conflict):
        cancel_series(session, first.id, reach=Reach.ALL, by=wish["person_id"], at=during, reason="示例")


@pytest.fixture
def probe(session, wish):
    """Three of an accessory on the platform; another firm's equipment there takes two along on some date."""
    platform = session.get_one(Equipment, wish["equipment_id"]).platform
    made = makers.accessory(session, of=platform, stock=3)

    def lent(when: Interval) -> None:
        other = makers.equipment(session, of=platform).id
        reserve(session, when=when, accessories={made.id: 2}, **{**wish, "equipment_id": other})

    return made, lent


def test_each_date_takes_its_accessories_along_and_moves_with_them(session, wish, probe):
    accessory, _ = probe
    whens = weekly(3, hours(2, 4))
    series, _ = reserve_series(session, whens=whens, rule={}, accessories={accessory.id: 3}, **wish)
    later = whens[0].shifted(timedelta(hours=1))
    move_series(session, dates_of(session, series.id)[0].id, reach=Reach.ALL, when=later, by=wish["person_id"], at=NOW)
    taken = [[(row.accessory_id, row.quantity) for row in one.accessories] for one in dates_of(session, series.id)]
    assert taken == [[(accessory.id, 3)]] * 3


def test_a_preview_names_the_date_on_which_an_accessory_is_out_of_stock(session, wish, probe):
    accessory, lent = probe
    whens = weekly(3, hours(2, 4))
    lent(whens[1].shifted(timedelta(hours=1)))
    found = preview(session, whens=whens, accessories={accessory.id: 2}, **wish)
    assert [one.refusal is None for one in found] == [True, False, True]
    assert found[1].refusal.field == "accessories"
    assert found[1].refusal.facts["left"] == 1
    assert found[1].alternatives[0] == whens[1].shifted(-timedelta(hours=1))
    assert all(one.refusal is None for one in preview(session, whens=whens, accessories={accessory.id: 1}, **wish))
    with pytest.raises(InvalidInput):
        preview(session, whens=whens, accessories={accessory.id: 0}, **wish)
    with pytest.raises(NotFound):
        preview(
            session, whens=whens, accessories={makers.accessory(session, of=makers.platform(session)).id: 1}, **wish
        )


def test_a_series_leaves_out_the_date_without_the_accessory_or_is_refused_whole(session, wish, probe):
    accessory, lent = probe
    whens = weekly(3, hours(2, 4))
    lent(whens[1])
    with pytest.raises(Conflict) as refused, session.begin_nested():
        reserve_series(session, whens=whens, rule={}, accessories={accessory.id: 2}, **wish)
    assert refused.value.facts["starts_at"] == whens[1].start
    series, left_out = reserve_series(
        session, whens=whens, rule={}, accessories={accessory.id: 2}, skip_conflicts=True, **wish
    )
    assert slots(session, series) == [whens[0], whens[2]]
    assert [one.when for one in left_out] == [whens[1]]
