"""What the calendar costs as history grows: each figure against bare SQL of the same reads, and against the least.

O(what is in the window) for all of them: an index on machine and time leads past everything older.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.finding import Wish, find_slots
from app.booking.outlook import outlooks
from app.booking.repeating import reserve_series
from app.booking.reserving import reserve
from app.booking.timeline import hindrances, shown_reservations
from app.catalogue.models import Equipment
from app.kernel import clock
from app.kernel.db import db, transaction
from app.kernel.interval import Interval, local_days
from bench.house import house
from bench.world import BenchWorld

Work = Callable[[Session, int], object]
SIZES = (2_000, 20_000, 200_000, 2_000_000)
ROUNDS = 40
SERIES = 52
BARS = text(
    "SELECT reservation.*, organization.name FROM reservation JOIN organization ON organization.id = organization_id"
    " WHERE equipment_id = ANY(CAST(:ids AS int[])) AND during && tstzrange(:start, :end)"
)
TAKEN = text(
    "SELECT equipment_id, unit, blocked FROM occupancy"
    " WHERE equipment_id = ANY(CAST(:ids AS int[])) AND blocked && tstzrange(:start, :end)"
)
BOOKED = text(
    "WITH made AS (INSERT INTO reservation (equipment_id, organization_id, person_id, during, state, purpose,"
    " created_at, changed_at) VALUES (CAST(:machine AS int), :firm, :person, tstzrange(:start, :end), 'booked', '',"
    " now(), now()) RETURNING id, equipment_id, during) INSERT INTO occupancy (reservation_id, equipment_id, unit,"
    " blocked) SELECT id, equipment_id, 1, during FROM made"
)


def main() -> None:
    """Growth is told against a database that stays small: both are measured round by round, so that whatever else the
    machine does slows both.
    """
    with house() as (small_app, _, _):
        small = new_world(SIZES[0])
        with house() as (app, _, _):
            world = new_world(0)
            print(f"{'reservations':>12}  {'':24} {'ms':>8} {'bare SQL':>9} {'ratio':>6} {'growth':>7}")
            for size in SIZES:
                grow(world, size)
                for what, (work, bare) in deeds(world).items():
                    least = deeds(small)[what][0]
                    took, floor, unmoved = fastest_ms((app, work), (app, bare), (small_app, least))
                    print(
                        f"{size:12,}  {what:24} {took:8.2f} {floor:9.2f} {took / floor:6.2f} {took / unmoved:7.2f}",
                        flush=True,
                    )


def new_world(count: int) -> BenchWorld:
    with transaction() as session:
        world = BenchWorld(session, now=clock.now())
    grow(world, count)
    return world


def grow(world: BenchWorld, count: int) -> None:
    with transaction() as session:
        world.grow(session, count)
    settle()


def settle() -> None:
    """What a database has long done by itself before history is that long: else its own work would be measured."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def deeds(world: BenchWorld) -> dict[str, tuple[Work, Work]]:
    """Each deed with the bare SQL for the same rows. The number of the round keeps bookings apart."""
    today = clock.local_date(world.now)
    week, fortnight = local_days(today, 7), Interval(world.now, world.now + timedelta(days=14))
    ids = world.machines[-100:]

    def feed(machines: list[int]) -> Work:
        def work(session: Session, _: int) -> object:
            bars = shown_reservations(session, machines, week)
            listings = session.scalars(select(Equipment).where(Equipment.id.in_(machines))).all()
            return bars, [hindrances(one, week) for one in outlooks(session, listings, week, at=world.now)]

        return work

    def rows(statement: object, machines: list[int], when: Interval) -> Work:
        facts = {"ids": machines, "start": when.start, "end": when.end}
        return lambda session, _: session.execute(statement, facts).all()  # type: ignore[call-overload]

    def slot(number: int) -> Interval:
        start = world.today + timedelta(days=20, hours=number)
        return Interval(start, start + timedelta(hours=1))

    def book(session: Session, number: int) -> object:
        return reserve(
            session, equipment_id=world.machines[3], when=slot(number), organization_id=world.firm,
            person_id=world.person, at=world.now,
        )  # fmt: skip

    def book_bare(session: Session, number: int) -> object:
        when = slot(number)
        facts = {"machine": world.machines[5], "firm": world.firm, "person": world.person}
        return session.execute(BOOKED, facts | {"start": when.start, "end": when.end})

    def dates(number: int) -> list[Interval]:
        return [slot(number).shifted(timedelta(days=day)) for day in range(SERIES)]

    def series(session: Session, number: int) -> object:
        return reserve_series(
            session, equipment_id=world.machines[7], whens=dates(number), rule={}, organization_id=world.firm,
            person_id=world.person, at=world.now,
        )  # fmt: skip

    def series_bare(session: Session, number: int) -> None:
        facts = {"machine": world.machines[9], "firm": world.firm, "person": world.person}
        for when in dates(number):
            session.execute(BOOKED, facts | {"start": when.start, "end": when.end})

    wish = Wish(duration=timedelta(hours=4), window=fortnight, platform=world.platform)
    return {
        "feed, 1 machine, week": (feed(ids[:1]), rows(BARS, ids[:1], week)),
        "feed, 50 machines, week": (feed(ids[:50]), rows(BARS, ids[:50], week)),
        "find, 100 machines, 14 d": (
            lambda session, _: find_slots(session, wish, at=world.now),
            rows(TAKEN, ids, fortnight),
        ),
        "reserve": (book, book_bare),
        "series of 52": (series, series_bare),
    }


def fastest_ms(*works: tuple[Flask, Work]) -> list[float]:
    """The best of several rounds of each, which others disturb least. Each has a session that keeps nothing."""
    took: list[list[float]] = [[] for _ in works]
    for number in range(ROUNDS):
        for times, (app, work) in zip(took, works, strict=True):
            with app.app_context(), Session(db.engine) as session:
                began = time.perf_counter()
                work(session, number)
                session.flush()
                times.append(time.perf_counter() - began)
                session.rollback()
    return [min(times) * 1000 for times in took]


if __name__ == "__main__":
    main()
