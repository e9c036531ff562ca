"""Charges are corrected, waived and disputed with a trace, until an invoice takes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money
from billing.disputing import answer, confirm, may_object_until, object_to
from billing.models import Charge, Dispute, EarlierWord, Invoice
from billing.reviewing import approve, correct, correction_of, restore, waive
from billing.rules.words import ChargeKind, ChargeState
from devices.models import UsageSession
from tests import makers
from tests.integration.test_settling import AT, World


@pytest.fixture
def world(session) -> World:
    found = World(session)
    found.price()
    found.ran(1, 4)
    found.settle()
    found.manager = makers.person(session, (found.firm, Role.FIRM_MANAGER))
    return found


def hours(world) -> Charge:
    return world.session.scalars(select(Charge).where(Charge.kind == ChargeKind.HOURS)).one()


def test_a_corrected_charge_keeps_what_the_rules_said_and_is_approved_anew(session, world):
    charge, by = hours(world), world.person.id
    approve(session, [charge.id], by=by, at=AT)
    correct(session, charge.id, gross=Money.of("1500.00"), reason="示例：设备故障半小时", by=by, at=AT)
    assert (charge.gross_fen, charge.priced_gross_fen, correction_of(charge)) == (
        Money.of(1500), Money.of(1800), Money.of(-300),
    )  # fmt: skip
    assert (charge.state, charge.net_fen + charge.tax_fen) == (ChargeState.PROPOSED, Money.of(1500))
    assert "人工更正：¥1,800.00 → ¥1,500.00（示例：设备故障半小时）" in charge.explanation_zh
    correct(session, charge.id, gross=Money.of("1600.00"), reason="示例", by=by, at=AT)
    assert charge.priced_gross_fen == Money.of(1800)
    for gross, reason in ((Money.of(1700), " "), (Money(0), "示例"), (Money.of(1600), "示例")):
        with pytest.raises(InvalidInput):
            correct(session, charge.id, gross=gross, reason=reason, by=by, at=AT)


def test_a_waived_charge_is_on_no_invoice_and_can_be_restored(session, world):
    charge, by = hours(world), world.person.id
    waive(session, charge.id, reason="示例：首次体验", by=by, at=AT)
    invoice = world.issue()
    assert invoice.gross_fen == Money.of(1200)
    restore(session, charge.id, by=by, at=AT)
    assert world.issue().gross_fen == Money.of(1800)
    with pytest.raises(Conflict, match="红字"):
        waive(session, charge.id, reason="示例", by=by, at=AT)


def test_a_disputed_charge_holds_the_invoice_back_until_it_is_answered(session, world):
    charge, by = hours(world), world.person.id
    approve(session, [charge.id], by=by, at=AT)
    dispute = object_to(session, charge.id, objection="示例：只用了两小时", by=world.manager.id, at=AT)
    with pytest.raises(Conflict, match="异议"):
        object_to(session, charge.id, objection="再次", by=world.manager.id, at=AT)
    with pytest.raises(Conflict, match="待审核"):
        world.issue()
    answer(session, dispute.id, upheld=False, words="示例：见曲线", by=by, at=AT)
    assert charge.state is ChargeState.APPROVED
    second = object_to(session, charge.id, objection="示例：仍不同意", by=world.manager.id, at=AT)
    answer(session, second.id, upheld=True, words="示例：同意", by=by, at=AT)
    assert charge.state is ChargeState.PROPOSED
    with pytest.raises(Conflict, match="已经答复"):
        answer(session, second.id, upheld=True, words="示例", by=by, at=AT)


def test_an_invoiced_charge_may_be_objected_to_for_some_days_and_stays_invoiced(session, world):
    world.issue()
    charge = hours(world)
    until = may_object_until(session, charge)
    assert until == session.scalars(select(Invoice.issued_on)).one() + timedelta(days=7)
    over = clock.local_midnight(until + timedelta(days=1))
    with pytest.raises(Conflict, match=f"异议期已于 {until}"):
        object_to(session, charge.id, objection="晚了", by=world.manager.id, at=over)
    last_minute = over - timedelta(minutes=1)
    dispute = object_to(session, charge.id, objection="示例", by=world.manager.id, at=last_minute)
    answer(session, dispute.id, upheld=True, words="示例：将开红字单", by=world.person.id, at=last_minute)
    assert charge.state is ChargeState.INVOICED


def test_a_firm_agrees_only_to_its_own_approved_charges(session, world):
    ids = list(session.scalars(select(Charge.id)))
    asked = {"by": world.manager.id, "at": AT}
    assert confirm(session, ids, organization_id=world.firm.id, **asked) == 0
    approve(session, ids, by=world.person.id, at=AT)
    assert confirm(session, ids, organization_id=makers.organization(session).id, **asked) == 0
    assert confirm(session, ids, organization_id=world.firm.id, **asked) == len(ids)
    assert confirm(session, ids, organization_id=world.firm.id, **asked) == 0


@pytest.mark.parametrize("derived_away", [True, False])
def test_what_people_said_of_a_charge_is_said_again_of_the_one_that_takes_its_place(session, world, derived_away):
    charge, by = hours(world), world.person.id
    correct(session, charge.id, gross=Money.of("1500.00"), reason="示例：故障", by=by, at=AT)
    (setup,) = session.scalars(select(Charge).where(Charge.kind == ChargeKind.SETUP))
    object_to(session, setup.id, objection="示例：没有开机", by=world.manager.id, at=AT)
    session.expire_all()
    if derived_away:
        session.execute(delete(UsageSession))
        world.ran(1, 5)
    else:
        session.execute(update(UsageSession).values(fingerprint="later"))
    world.settle()
    session.expire_all()
    again = hours(world)
    assert again.gross_fen == Money.of(2400 if derived_away else 1800)
    assert "¥1,800.00 → ¥1,500.00：示例：故障" in again.reason
    (setup,) = session.scalars(select(Charge).where(Charge.kind == ChargeKind.SETUP))
    (dispute,) = session.scalars(select(Dispute))
    assert (dispute.charge_id, dispute.objection, dispute.raised_by) == (setup.id, "示例：没有开机", world.manager.id)
    assert setup.state is ChargeState.DISPUTED
    assert session.scalars(select(EarlierWord)).all() == []
