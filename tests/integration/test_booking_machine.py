"""Random people do random things to a park of equipment; what must be true stays true."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from app.booking.changing import cancel, move
from app.booking.models import Reservation
from app.booking.repeating import Reach, cancel_series, move_series, reserve_series
from app.booking.reserving import reserve
from app.catalogue.models import Closure
from app.catalogue.rules.words import ClosureKind
from app.kernel.db import db, in_transaction
from app.kernel.errors import Refusal
from app.kernel.interval import Interval
from tests.integration.booking_world import NOW, Park, build, check

quarters = st.integers(0, 24 * 4 * 3)
lengths = st.integers(1, 24)
names = st.sampled_from(["machine", "listing", "pool", "line", "first", "second"])
firms = st.integers(0, 2)


def slot(start: int, length: int) -> Interval:
    begin = NOW + start * timedelta(minutes=15)
    return Interval(begin, begin + length * timedelta(minutes=15))


class Booking(RuleBasedStateMachine):
    """Each example lives in a savepoint, so that all begin with the same park."""

    session = None

    @initialize()
    def begin(self) -> None:
        self.outer = self.session.begin_nested()
        self.park: Park = build(self.session)
        self.closures: list[tuple[int, Interval]] = []

    def teardown(self) -> None:
        if hasattr(self, "outer"):
            self.outer.rollback()

    def tried(self, deed) -> None:
        """A refusal changes nothing."""
        before = self.told()
        try:
            with self.session.begin_nested():
                deed()
        except Refusal:
            self.session.expire_all()
            assert self.told() == before

    def told(self) -> list[tuple[object, ...]]:
        return [
            (one.id, one.state, one.during)
            for one in self.session.scalars(select(Reservation).order_by(Reservation.id))
        ]

    def one_of(self, pick: int) -> Reservation | None:
        ids = self.session.scalars(select(Reservation.id).order_by(Reservation.id)).all()
        return self.session.get_one(Reservation, ids[pick % len(ids)]) if ids else None

    def common(self, name: str, firm: int) -> dict[str, object]:
        organization_id, person_id = self.park.firms[firm]
        return {
            "equipment_id": self.park.equipment[name],
            "organization_id": organization_id,
            "person_id": person_id,
            "at": NOW,
        }

    @rule(name=names, firm=firms, start=quarters, length=lengths)
    def reserves(self, name, firm, start, length) -> None:
        when = slot(start, length)

        def deed() -> None:
            made = reserve(self.session, when=when, **self.common(name, firm))
            closed = [other for equipment_id, other in self.closures if equipment_id == made.equipment_id]
            assert not any(when.overlaps(other) for other in closed)

        self.tried(deed)

    @rule(name=names, firm=firms, start=quarters, length=st.integers(1, 8), gap=st.integers(1, 20), skip=st.booleans())
    def reserves_a_series(self, name, firm, start, length, gap, skip) -> None:
        whens = [slot(start + number * (length + gap - 4), length) for number in range(3) if length + gap > 4]
        self.tried(
            lambda: reserve_series(
                self.session, whens=whens, rule={"every": "test"}, skip_conflicts=skip, **self.common(name, firm)
            )
        )

    @rule(pick=st.integers(0, 50), start=quarters, length=lengths)
    def moves(self, pick, start, length) -> None:
        if (row := self.one_of(pick)) is not None:
            self.tried(lambda: move(self.session, row.id, when=slot(start, length), by=row.person_id, at=NOW))

    @rule(pick=st.integers(0, 50), by=st.integers(-8, 8), reach=st.sampled_from(Reach))
    def moves_many(self, pick, by, reach) -> None:
        if (row := self.one_of(pick)) is not None:
            when = row.during.shifted(by * timedelta(minutes=15))
            self.tried(lambda: move_series(self.session, row.id, reach=reach, when=when, by=row.person_id, at=NOW))

    @rule(pick=st.integers(0, 50))
    def cancels(self, pick) -> None:
        if (row := self.one_of(pick)) is not None:
            self.tried(lambda: cancel(self.session, row.id, by=row.person_id, at=NOW, reason=""))

    @rule(pick=st.integers(0, 50), reach=st.sampled_from(Reach))
    def cancels_many(self, pick, reach) -> None:
        if (row := self.one_of(pick)) is not None:
            self.tried(lambda: cancel_series(self.session, row.id, reach=reach, by=row.person_id, at=NOW, reason=""))

    @rule(name=names, start=quarters, length=lengths)
    def is_closed(self, name, start, length) -> None:
        equipment_id, when = self.park.equipment[name], slot(start, length)
        self.session.add(
            Closure(equipment_id=equipment_id, during=when, kind=ClosureKind.CLOSED, reason="示例", created_at=NOW)
        )
        self.session.flush()
        self.closures.append((equipment_id, when))

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "park"):
            check(self.session, self.park)


def test_whatever_people_do_nothing_is_held_twice_nor_lost(session):
    Booking.session = session
    run_state_machine_as_test(Booking, settings=settings(max_examples=40, stateful_step_count=25))


def deed(session, dice: random.Random, park: Park, chosen: int | None) -> None:
    """One thing that somebody does."""
    organization_id, person_id = dice.choice(park.firms)
    when = slot(dice.randrange(96), dice.randrange(1, 13))
    who = {"organization_id": organization_id, "person_id": person_id, "at": NOW}
    what = dice.random()
    if what < 0.5 or chosen is None:
        reserve(session, equipment_id=dice.choice(list(park.equipment.values())), when=when, **who)
    elif what < 0.6:
        whens = [when.shifted(day * timedelta(days=1)) for day in range(3)]
        equipment_id = dice.choice(list(park.equipment.values()))
        reserve_series(session, equipment_id=equipment_id, whens=whens, rule={}, skip_conflicts=True, **who)
    elif what < 0.8:
        move(session, chosen, when=when, by=person_id, at=NOW)
    else:
        cancel(session, chosen, by=person_id, at=NOW, reason="")


@pytest.mark.parametrize("seed", range(3))
def test_the_same_by_many_threads_at_once(app, session, postgres_log, seed):
    park = build(session)
    session.commit()
    already = postgres_log()

    def person(number: int) -> int:
        done = 0
        with app.app_context():
            for turn in range(25):
                ids = db.session.scalars(select(Reservation.id)).all()
                db.session.rollback()
                dice = random.Random(f"{seed}/{number}/{turn}")
                chosen = dice.choice(ids) if ids else None
                try:
                    in_transaction(partial(deed, dice=dice, park=park, chosen=chosen))
                    done += 1
                except Refusal:
                    continue
                finally:
                    db.session.remove()
        return done

    with ThreadPoolExecutor(8) as threads:
        done = sum(threads.map(person, range(8)))
    assert done > 20
    check(session, park)
    assert "deadlock" not in postgres_log().removeprefix(already)
