from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.booking.closing import affected_by, close, closures_of, reopen
from app.booking.models import ConductEntry, Occupancy
from app.booking.reserving import reserve
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import Closure, Conduct, EquipmentPart
from app.catalogue.rules.words import ClosureKind
from app.identity.models import Notice
from app.kernel.db import in_transaction
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


@pytest.fixture
def place(session):
    class Place:
        platform = makers.platform(session)
        thing = makers.equipment(session, of=platform)
        firm, person = makers.organization(session), makers.person(session)

        def book(self, when: Interval, thing=None):
            return reserve(
                session,
                equipment_id=(thing or self.thing).id,
                when=when,
                organization_id=self.firm.id,
                person_id=self.person.id,
                at=NOW,
            )

        def close(self, when: Interval, **given):
            told = {"kind": ClosureKind.MAINTENANCE, "reason": "更换真空泵", "by": self.person.id, "at": NOW, **given}
            if "platform_id" not in told:
                told.setdefault("equipment_id", self.thing.id)
            return close(session, when=when, **told)

    return Place()


def test_what_a_closure_meets_is_told_and_stands_unless_it_is_cancelled(session, place):
    met, beside = place.book(hours(4, 6)), place.book(hours(8, 9))
    assert [one.id for one in place.close(hours(5, 8))] == [met.id]
    assert met.state is ReservationState.BOOKED
    with pytest.raises(Conflict, match="更换真空泵"):
        place.book(hours(6, 7))
    assert beside.state is ReservationState.BOOKED


def test_what_is_cancelled_by_a_closure_costs_nothing_and_is_told_once(session, place):
    session.add(Conduct(platform_id=place.platform.id))
    met = place.book(hours(1, 2))  # later than the late-cancellation limit: the firm itself would be counted late
    place.close(hours(0.5, 8), cancel_affected=True)
    assert met.state is ReservationState.CANCELLED
    assert not session.scalars(select(Occupancy)).all()
    assert not session.scalars(select(ConductEntry)).all()
    told = session.scalars(select(Notice).where(Notice.person_id == place.person.id)).all()
    assert [one.key for one in told] == [f"closed:{met.id}"]


def test_a_closed_part_closes_the_whole_and_a_closed_device_its_twin_but_not_the_other_way(session, place):
    whole, twin = (
        makers.equipment(session, of=place.platform),
        makers.equipment(session, of=place.platform, shares_id=place.thing.id),
    )
    session.add(EquipmentPart(whole_id=whole.id, part_id=place.thing.id))
    session.flush()
    first, second = place.book(hours(1, 2), whole), place.book(hours(3, 4), twin)
    assert [one.id for one in place.close(hours(0.5, 8))] == [first.id, second.id]
    for thing in (whole, twin):
        with pytest.raises(Conflict, match="停用"):
            place.book(hours(5, 6), thing)
    place.close(hours(10, 12), equipment_id=whole.id)
    assert place.book(hours(10, 12)).state is ReservationState.BOOKED


def test_a_platform_closes_all_its_equipment_and_no_other(session, place):
    other = makers.equipment(session)
    met = place.book(hours(4, 6))
    elsewhere = place.book(hours(4, 6), other)
    assert [one.id for one in place.close(hours(5, 8), platform_id=place.platform.id)] == [met.id]
    assert elsewhere.state is ReservationState.BOOKED
    assert len(closures_of(session, place.thing, at=NOW)) == 1


def test_what_is_opened_again_can_be_booked(session, place):
    place.close(hours(5, 8))
    closure = session.scalars(select(Closure)).one()
    reopen(session, closure.id, by=place.person.id, at=NOW)
    assert place.book(hours(6, 7)).state is ReservationState.BOOKED
    ended_at = closure.ended_at
    reopen(session, closure.id, by=place.person.id, at=NOW + timedelta(hours=1))
    assert closure.ended_at == ended_at
    with pytest.raises(NotFound):
        reopen(session, 999_999, by=place.person.id, at=NOW)


def test_a_closure_says_why_and_when(session, place):
    with pytest.raises(InvalidInput) as refused:
        place.close(hours(1, 2), reason=" ")
    assert refused.value.field == "reason"
    with pytest.raises(InvalidInput) as refused:
        place.close(hours(-3, -1))
    assert refused.value.field == "ends_at"
    with pytest.raises(NotFound):
        place.close(hours(1, 2), equipment_id=999_999)


def test_who_reserves_at_the_same_moment_meets_the_closure_or_is_among_the_affected(app, session, place):
    session.commit()
    thing_id, platform_id = place.thing.id, place.platform.id
    firm_id, person_id = place.firm.id, place.person.id
    rounds, start = 12, threading.Barrier(2)

    def reserving() -> list[int | None]:
        found: list[int | None] = []
        with app.app_context():
            for number in range(rounds):
                start.wait(timeout=30)
                try:
                    found.append(
                        in_transaction(
                            lambda inner, number=number: (
                                reserve(
                                    inner,
                                    equipment_id=thing_id,
                                    when=hours(4 + 2 * number, 5 + 2 * number),
                                    organization_id=firm_id,
                                    person_id=person_id,
                                    at=NOW,
                                ).id
                            )
                        )
                    )
                except Conflict:
                    found.append(None)
        return found

    def closing() -> list[list[int]]:
        found = []
        with app.app_context():
            for number in range(rounds):
                subject = {"equipment_id": thing_id} if number % 2 else {"platform_id": platform_id}
                start.wait(timeout=30)
                found.append(
                    in_transaction(
                        lambda inner, number=number, subject=subject: [
                            one.id
                            for one in close(
                                inner,
                                when=hours(4 + 2 * number, 5 + 2 * number),
                                kind=ClosureKind.CLOSED,
                                reason="示例",
                                by=person_id,
                                at=NOW,
                                **subject,
                            )
                        ]
                    )
                )
        return found

    with ThreadPoolExecutor(2) as pool:
        reserved, closed = pool.submit(reserving), pool.submit(closing)
        for got, affected in zip(reserved.result(60), closed.result(60), strict=True):
            assert affected == ([] if got is None else [got])
    assert session.scalar(select(func.count()).select_from(Closure)) == rounds
    assert len(affected_by(session, when=hours(0, 99), at=NOW, equipment_id=thing_id)) == sum(
        one is not None for one in reserved.result()
    )
