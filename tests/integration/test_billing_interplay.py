"""Where cases of use, invoices, credit notes and people's words meet: nothing is charged twice, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.booking.rules.reservation import ReservationState
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from app.kernel.money import Money, total
from billing.adjusting import charge_late
from billing.charging import reconsider_problems
from billing.correcting import credit
from billing.disputing import answer, object_to
from billing.models import Charge, UseSettlement
from billing.reviewing import approve, correct, restore, waive
from billing.rules.words import ChargeKind, ChargeState, SettlementStatus
from tests import makers
from tests.integration.test_settling import AT, DAY, HOUR, World

STEPS = {"kind": "graduated", "steps": [{"up_to": "2", "rate": "100"}, {"up_to": None, "rate": "50"}]}


@pytest.fixture
def world(session) -> World:
    found = World(session)
    found.manager = makers.person(session, (found.firm, Role.FIRM_MANAGER))
    return found


def stepped(world, *, tiers=STEPS, **given):
    terms = makers.terms(**{"setup_fee": "0.00", "minimum_charge": "0.00", "tiers": tiers, **given})
    del terms["rate"]
    return makers.tariff(world.session, of=world.equipment, equipment_id=None, terms=terms)


def owed(session) -> Money:
    """All charges that stand, but what was waived."""
    return total(list(session.scalars(select(Charge.gross_fen).where(Charge.state != ChargeState.WAIVED))))


def test_a_run_that_turns_out_to_be_another_reservation_s_is_charged_once(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    first, second = world.booked(1, 3), world.booked(3, 5)
    run = world.ran(2, 4, of=first)
    world.settle()
    assert owed(session) == Money.of(1200)
    run.reservation_id, run.fingerprint = second.id, "moved"
    session.flush()
    world.settle()
    world.settle()
    assert owed(session) == Money.of(1200)
    (free,) = session.scalars(select(UseSettlement).where(UseSettlement.reservation_id == first.id))
    assert (free.status, free.reason) == (SettlementStatus.FREE, "no_use")


def test_two_machines_that_start_at_the_same_minute_share_the_steps_of_one_price(session, world):
    stepped(world)
    other = World.__new__(World)
    other.__dict__.update(world.__dict__)
    other.equipment = makers.equipment(session, of=world.platform)
    other.meter = makers.meter(session, of=other.equipment)
    first = world.booked(1, 3)
    world.ran(1, 3, of=first)
    run = other.ran(1, 3, of=other.booked(1, 3))
    for _ in range(3):
        world.settle()
    assert owed(session) == Money.of(300)
    run.fingerprint = "again"
    session.flush()
    for _ in range(3):
        world.settle()
    assert owed(session) == Money.of(300)


def test_steps_count_use_alone_and_free_use_too(session, world):
    free = {"kind": "graduated", "steps": [{"up_to": "2", "rate": "0"}, {"up_to": None, "rate": "50"}]}
    stepped(world, tiers=free, setup_fee="10.00", cancellation={"free_until_minutes_before": 1440, "fee": "300.00"})
    world.booked(1, 2, state=ReservationState.CANCELLED, cancelled_at=DAY)
    world.ran(3, 4.5)
    world.ran(6, 7)
    for _ in range(3):
        world.settle()
    hours = session.scalars(select(Charge).where(Charge.kind == ChargeKind.HOURS)).one()
    assert hours.gross_fen == Money.of(25)
    quantities = session.scalars(select(UseSettlement.quantity).order_by(UseSettlement.used_from)).all()
    assert [float(one) for one in quantities] == [0, 1.5, 1]


def test_reserved_time_of_long_ago_is_not_lost_when_an_earlier_use_comes_to_light(session, world):
    stepped(world, charge_mode="reservation")
    world.booked(5, 7)
    world.settle()
    assert owed(session) == Money.of(200)
    late = AT + timedelta(days=60)
    world.ran(1, 3, of=world.booked(1, 3))
    for _ in range(3):
        world.settle(at=late)
    assert session.scalar(select(func.count()).select_from(UseSettlement)) == 2
    reconsider_problems(session, platform_id=world.platform.id, at=late)
    world.settle(at=late)
    assert session.scalar(select(func.count()).select_from(UseSettlement)) == 2


def test_two_late_findings_of_one_case_add_up_before_either_is_invoiced(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    slot = world.booked(1, 8)
    first, second = world.ran(1, 2, of=slot), world.ran(4, 5, of=slot)
    world.settle()
    world.issue()
    asked = {"energy_mwh": 7_000_000, "by": world.person.id, "at": AT}
    for run in (first, second):
        longer = Interval(run.started_at, run.ended_at + HOUR / 2)
        assert charge_late(session, run.id, was=run.during, now=longer, **asked) == Money.of(300)
    assert owed(session) == Money.of(1800)


def test_a_late_finding_that_was_accepted_holds_when_another_run_joins_and_when_it_changes_again(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    slot = world.booked(1, 8)
    run = world.ran(1, 2, of=slot)
    world.settle()
    world.issue()
    asked = {"was": run.during, "energy_mwh": 7_000_000, "by": world.person.id, "at": AT}
    assert charge_late(session, run.id, now=Interval(run.started_at, run.ended_at + HOUR / 2), **asked) == Money.of(300)
    world.ran(4, 5, of=slot)
    world.settle()
    assert owed(session) == Money.of(1500)
    # The proposal still speaks of the frozen run; what was accepted since is what it now differs from.
    assert charge_late(session, run.id, now=Interval(run.started_at, run.ended_at + HOUR), **asked) == Money.of(300)
    assert owed(session) == Money.of(1800)
    world.issue()
    world.ran(6, 7, of=slot)
    world.settle()
    assert owed(session) == Money.of(2400)
    with pytest.raises(Conflict, match=r"少收 ¥1200\.00"):
        charge_late(session, run.id, now=None, **asked)
    session.expire_all()
    assert world.settle()[-1].status is SettlementStatus.PRICED
    assert owed(session) == Money.of(2400)


def test_what_a_person_took_off_stays_off_and_what_is_disputed_is_not_charged_again(session, world):
    world.price(setup_fee="100.00", minimum_charge="0.00")
    slot = world.booked(1, 8)
    world.ran(1, 2, of=slot)
    world.settle()
    by = world.person.id
    hours, setup = (
        session.scalars(select(Charge).where(Charge.kind == kind)).one()
        for kind in (ChargeKind.HOURS, ChargeKind.SETUP)
    )
    correct(session, hours.id, gross=Money.of(500), reason="示例：故障", by=by, at=AT)
    waive(session, setup.id, reason="示例：首次体验", by=by, at=AT)
    world.issue()
    world.ran(4, 5, of=slot)
    world.settle()
    added = session.scalars(select(Charge).where(Charge.kind == ChargeKind.ADJUSTMENT)).one()
    assert added.gross_fen == Money.of(700)


def test_a_credit_that_was_due_is_off_the_list_once_it_is_given(session, world):
    world.price(charge_mode="union", setup_fee="0.00", minimum_charge="0.00")
    slot = world.booked(1, 5)
    world.ran(1, 2, of=slot)
    world.settle()
    invoice = world.issue()
    slot.released_at = DAY + 3 * HOUR
    world.ran(2.5, 2.75, of=slot)
    assert world.settle()[-1].reason == "credit_due"
    (line,) = invoice.lines
    given = {"reason": "示例：提前归还", "by": world.person.id, "at": AT}
    credit(session, invoice.id, amounts={line.id: Money.of(200)}, **given)
    assert world.settle()[-1].reason == "credit_due"
    credit(session, invoice.id, amounts={line.id: Money.of(1000)}, **given)
    last = world.settle()[-1]
    assert (last.status, last.reason) == (SettlementStatus.FREE, "")
    world.ran(3.5, 4, of=slot)
    world.settle()
    added = session.scalars(select(Charge).where(Charge.kind == ChargeKind.ADJUSTMENT)).one()
    assert added.gross_fen == Money.of(300)


def test_an_objection_holds_a_charge_back_until_it_is_answered_whatever_else_is_done(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    world.ran(1, 2)
    world.settle()
    charge, by = session.scalars(select(Charge)).one(), world.person.id
    dispute = object_to(session, charge.id, objection="示例", by=world.manager.id, at=AT)
    correct(session, charge.id, gross=Money.of(500), reason="示例", by=by, at=AT)
    assert approve(session, [charge.id], by=by, at=AT) == 0
    waive(session, charge.id, reason="示例", by=by, at=AT)
    restore(session, charge.id, by=by, at=AT)
    assert approve(session, [charge.id], by=by, at=AT) == 0
    answer(session, dispute.id, upheld=True, words="示例：已更正", by=by, at=AT)
    assert approve(session, [charge.id], by=by, at=AT) == 1
