"""Who books a listing and who changes what stands behind it wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.booking.holding import TRIES, lock_devices
from app.catalogue import equipping
from app.catalogue.models import Equipment, EquipmentPart
from app.kernel.db import db, in_transaction
from app.kernel.errors import Conflict, InvalidInput
from tests import makers
from tests.makers import BEGINNING

PATIENCE = 30


@pytest.fixture
def place(session):
    """A listing, and two things on its platform that could become parts of it."""

    platform = makers.platform(session)
    line, spare, other = (makers.equipment(session, of=platform).id for _ in range(3))
    made = SimpleNamespace(line=line, spare=spare, other=other, person=makers.person(session).id)
    session.commit()
    return made


@pytest.fixture
def apart(app):
    """Runs a piece of work in a transaction of its own thread."""

    def run(work: Callable[[Session], Any]) -> Any:
        with app.app_context():
            try:
                return in_transaction(work)
            finally:
                db.session.remove()

    return run


def change(inner: Session, place: SimpleNamespace, thing: int, *, shares: int | None = None, parts: Any = ()) -> None:
    equipment, _ = lock_devices(inner, thing)
    equipping.set_devices(inner, equipment, shares_id=shares, part_ids=parts, by=place.person, at=BEGINNING, held=False)


def before_each_lock(session: Session, deed: Callable[[], None]) -> None:
    """Calls ``deed`` when the devices have been read and are about to be locked."""

    def heard(_connection, _cursor, statement: str, *_: object) -> None:
        if "FOR NO KEY UPDATE" in statement:
            deed()

    event.listen(session.connection(), "before_cursor_execute", heard)


def test_what_becomes_a_part_between_reading_and_locking_is_locked_too(place, apart):
    read, changed = Event(), Event()

    def books(inner: Session) -> tuple[list[int], list[int]]:
        def wait() -> None:
            read.set()
            assert changed.wait(PATIENCE)

        before_each_lock(inner, wait)
        _, units = lock_devices(inner, place.line)
        return sorted(units), apart_rows(place.spare)

    def apart_rows(thing: int) -> list[int]:
        """What another transaction could still lock."""
        with Session(db.engine) as another:
            return list(
                another.scalars(
                    select(Equipment.id).where(Equipment.id == thing).with_for_update(key_share=True, skip_locked=True)
                )
            )

    with ThreadPoolExecutor(1) as threads:
        booked = threads.submit(apart, books)
        assert read.wait(PATIENCE)
        apart(lambda inner: change(inner, place, place.line, parts=[place.spare]))
        changed.set()
        assert booked.result(PATIENCE) == ([place.line, place.spare], [])


def test_the_device_that_is_shared_since_is_the_one_that_is_locked(place, apart):
    read, changed = Event(), Event()

    def books(inner: Session) -> list[int]:
        def wait() -> None:
            read.set()
            assert changed.wait(PATIENCE)

        before_each_lock(inner, wait)
        return list(lock_devices(inner, place.line)[1])

    with ThreadPoolExecutor(1) as threads:
        booked = threads.submit(apart, books)
        assert read.wait(PATIENCE)
        apart(lambda inner: change(inner, place, place.line, shares=place.other, parts=[]))
        changed.set()
        assert booked.result(PATIENCE) == [place.other]


def test_devices_that_keep_changing_are_refused_and_not_waited_for(place, apart):
    """Each change here is made without asking for the line, as a hand in the database would make it."""
    wished, done = Event(), Event()
    asked = []

    def books(inner: Session) -> None:
        def wait() -> None:
            asked.append(1)
            done.clear()
            wished.set()
            assert done.wait(PATIENCE)

        before_each_lock(inner, wait)
        lock_devices(inner, place.line)

    def rebuild(inner: Session, part: int) -> None:
        inner.query(EquipmentPart).filter_by(whole_id=place.line).delete()
        inner.add(EquipmentPart(whole_id=place.line, part_id=part))

    with ThreadPoolExecutor(1) as threads:
        booked = threads.submit(apart, books)
        for _, part in zip(range(TRIES), cycle([place.spare, place.other]), strict=False):
            assert wished.wait(PATIENCE)
            wished.clear()
            apart(lambda inner, part=part: rebuild(inner, part))
            done.set()
        with pytest.raises(Conflict):
            booked.result(PATIENCE)
    assert len(asked) == TRIES


def test_two_changes_that_would_close_a_circle_together_are_not_both_made(place, apart):
    start = Barrier(2)

    def told(whole: int, part: int) -> str:
        def work(inner: Session) -> None:
            lock_devices(inner, whole)
            start.wait(PATIENCE)
            change(inner, place, whole, parts=[part])

        try:
            apart(work)
        except InvalidInput as refusal:
            return str(refusal.field)
        return "changed"

    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(told, (place.line, place.spare), (place.spare, place.line))
        assert sorted(answers) == ["changed", "parts"]
