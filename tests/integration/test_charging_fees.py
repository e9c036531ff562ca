"""A missed slot costs what the ladder says, goes through review and invoice, and is left out of the subsidy's base."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from app.booking.keeping import excuse
from app.booking.lapsing import declare_no_shows
from app.booking.models import ConductEntry
from app.booking.reserving import reserve
from app.catalogue.models import Conduct
from app.identity.rules.permission import Role
from app.kernel.clock import local_date
from app.kernel.interval import Interval
from app.kernel.money import Money
from billing.assessing import facts_of
from billing.charging import reconsider_problems
from billing.charging_fees import charge_fees
from billing.correcting import credit
from billing.invoicing import issue_month
from billing.models import Charge, Tariff
from billing.recognizing import recognize_revenue
from billing.reviewing import approve
from billing.rules.words import ChargeKind
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LATER = NOW + 25 * DAY
FEE = Money.of("200")


@pytest.fixture
def missed(session):
    """Three slots of one firm that nobody came to: the second and third cost a fee."""
    thing, firm = makers.equipment(session, check_in=True), makers.organization(session)
    person = makers.person(session, (firm, Role.FIRM_MANAGER))
    makers.tariff(session, of=thing)
    session.add(Conduct(platform_id=thing.platform_id, fee=FEE, block_from=9))
    session.flush()
    for number in (2, 5, 8):
        miss(session, thing, firm, person, NOW + number * DAY)
    return thing, firm, person


def miss(session, thing, firm, person, start) -> None:
    reserve(
        session,
        equipment_id=thing.id,
        when=Interval(start, start + HOUR),
        organization_id=firm.id,
        person_id=person.id,
        at=NOW,
    )
    declare_no_shows(session, at=start + 2 * HOUR, limit=10, was_used=lambda ids: ())


def entries(session) -> list[ConductEntry]:
    return list(session.scalars(select(ConductEntry).order_by(ConductEntry.occurred_at)))


def test_a_missed_slot_is_charged_once_and_says_why(session, missed):
    assert [charge_fees(session, at=LATER) for _ in range(2)] == [3, 0]
    charges = session.scalars(select(Charge).order_by(Charge.served_at)).all()
    assert [one.conduct_entry_id for one in charges] == [one.id for one in entries(session)[1:]]
    assert {(one.kind, one.gross_fen) for one in charges} == {(ChargeKind.NO_SHOW, FEE)}
    assert "爽约：1 次 × ¥200.00（含 6 % 税 ¥11.32）" in charges[0].explanation_zh


def test_an_excuse_takes_an_open_fee_back(session, missed):
    _, _, person = missed
    charge_fees(session, at=LATER)
    second, third = entries(session)[1:]
    excuse(session, second.id, by=person.id, at=LATER, reason="设备故障")
    charge_fees(session, at=LATER)
    left = session.scalars(select(Charge)).all()
    assert [one.conduct_entry_id for one in left] == [third.id]  # still the second of those that count


def test_own_use_is_never_charged(session, missed):
    thing, firm, _ = missed
    thing.platform.host_id = firm.id
    session.flush()
    charge_fees(session, at=LATER)
    assert session.scalars(select(Charge)).all() == []


def test_slots_that_cost_nothing_yet_stand_in_nobody_s_way_and_are_charged_once_there_is_a_price(session, missed):
    thing, firm, person = missed
    dear = makers.equipment(session, of=thing.platform, check_in=True)
    session.execute(delete(Tariff))
    makers.tariff(session, of=dear)
    for number in (11, 14):
        miss(session, dear, firm, person, NOW + number * DAY)
    assert [charge_fees(session, at=LATER, limit=3) for _ in range(3)] == [3, 2, 0]
    assert {one.equipment_id for one in session.scalars(select(Charge))} == {dear.id}
    makers.tariff(session, of=thing)
    reconsider_problems(session, platform_id=thing.platform_id, at=LATER)
    charge_fees(session, at=LATER)
    assert len(session.scalars(select(Charge)).all()) == 4


def test_a_fee_is_invoiced_recognized_and_told_apart_for_the_subsidy(session, missed):
    thing, firm, person = missed
    charge_fees(session, at=LATER)
    approve(session, session.scalars(select(Charge.id)).all(), by=person.id, at=LATER)
    month = local_date(LATER).replace(day=1)
    invoice = issue_month(
        session, platform_id=thing.platform_id, organization_id=firm.id, month=month, by=person.id, at=LATER
    )
    assert {line.description_zh for line in invoice.lines} == {f"{thing.name_zh} · 爽约费"}
    credit(session, invoice.id, amounts={invoice.lines[0].id: Money(100)}, reason="示例", by=person.id, at=LATER)
    recognize_revenue(session, at=LATER)
    lines = [line for document in facts_of(session, thing.platform_id).documents for line in document.lines]
    assert len(lines) == 3
    assert all(line.no_show_fee for line in lines)
    excuse(session, entries(session)[1].id, by=person.id, at=LATER, reason="示例")
    charge_fees(session, at=LATER)
    assert len(session.scalars(select(Charge)).all()) == 2  # invoiced: only a credit note changes anything


def test_there_is_no_fee_where_none_is_set(session, missed):
    for one in session.scalars(select(Conduct)):
        one.fee = Money(0)
    session.flush()
    assert charge_fees(session, at=LATER) == 0
