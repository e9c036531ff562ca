"""A case of use is a reservation with all its runs, priced as a whole by the terms that held."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError

from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import ChargeUnit
from app.identity.rules.permission import Role
from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from app.kernel.money import Money, total
from billing.adjusting import charge_late
from billing.charging import charge_unused, charge_usage
from billing.invoicing import issue_month
from billing.models import Charge, SettledSession, UseSettlement
from billing.reviewing import approve
from billing.rules.pricing.outcome import Priced
from billing.rules.pricing.price import price_use
from billing.rules.pricing.told import facts_of
from billing.rules.words import ChargeKind, ChargeState, SettlementStatus
from billing.statements import sessions_of_charge
from devices.models import UsageSession
from devices.rules.evidence import Evidence, Flag
from tests import makers

DAY = makers.BEGINNING.replace(month=6, day=10)
AT = makers.BEGINNING.replace(month=7, day=2)
HOUR = timedelta(hours=1)


class World:
    """A platform, a firm, equipment with a meter, and whatever price a test gives it."""

    def __init__(self, session) -> None:
        self.session = session
        self.platform = makers.platform(session)
        self.equipment = makers.equipment(session, of=self.platform)
        self.meter = makers.meter(session, of=self.equipment)
        self.firm = makers.organization(session)
        self.person = makers.person(session, (self.firm, Role.FIRM_MEMBER))

    def price(self, **given):
        return makers.tariff(self.session, of=self.equipment, terms=makers.terms(**given))

    def booked(self, start: float, end: float, **given) -> Reservation:
        row = Reservation(
            equipment_id=self.equipment.id, organization_id=self.firm.id, person_id=self.person.id,
            during=Interval(DAY + start * HOUR, DAY + end * HOUR), created_at=DAY - timedelta(days=3),
            changed_at=DAY - timedelta(days=3), **given,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row

    def ran(self, start: float, end: float, *, of: Reservation | None = None, **given) -> UsageSession:
        when = Interval(DAY + start * HOUR, DAY + end * HOUR)
        row = UsageSession(
            meter_id=self.meter.id, equipment_id=self.equipment.id, organization_id=self.firm.id,
            reservation_id=None if of is None else of.id, started_at=when.start, ended_at=when.end, during=when,
            running_s=int(when.duration.total_seconds()), energy_mwh=5_000_000, readings_count=10, readings_digest="d",
            rule_version=1, profile_id=self.meter.profiles[0].id, evidence=Evidence.METERED, derived_at=AT,
            **{"fingerprint": f"{start}-{end}", **given},
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row

    def settle(self, at=AT) -> list[UseSettlement]:
        charge_usage(self.session, until=at, at=at)
        charge_unused(self.session, at=at)
        return list(
            self.session.scalars(select(UseSettlement).order_by(UseSettlement.used_from, UseSettlement.sequence))
        )

    def charges(self) -> dict[ChargeKind, Money]:
        return {one.kind: one.gross_fen for one in self.session.scalars(select(Charge).order_by(Charge.position))}

    def issue(self):
        ids = list(self.session.scalars(select(Charge.id).where(Charge.state == ChargeState.PROPOSED)))
        approve(self.session, ids, by=self.person.id, at=AT)
        return issue_month(
            self.session, platform_id=self.platform.id, organization_id=self.firm.id, month=DAY.date().replace(day=1),
            by=self.person.id, at=AT,
        )  # fmt: skip


@pytest.fixture
def world(session) -> World:
    return World(session)


def test_two_runs_of_one_reservation_are_one_case_with_one_minimum_and_two_start_ups(session, world):
    world.price(setup_fee="100.00", minimum_charge="1500.00")
    slot = world.booked(1, 5)
    first, second = world.ran(1, 2, of=slot), world.ran(3, 4, of=slot)
    (case,) = world.settle()
    assert world.charges() == {
        ChargeKind.HOURS: Money.of(1200),
        ChargeKind.MINIMUM_TOP_UP: Money.of(300),
        ChargeKind.SETUP: Money.of(200),
    }
    charge = session.scalars(select(Charge)).first()
    assert [one.session_id for one in sessions_of_charge(session, charge)] == [first.id, second.id]
    assert case.reservation_id == slot.id


def test_what_was_priced_can_be_priced_again_from_its_own_facts(session, world):
    world.price(charge_mode="overage", bands=[{"days": ["wed"], "from": "12:00", "to": "14:00", "percent_off": "20"}])
    world.ran(1.25, 5.5, of=world.booked(1, 5))
    (case,) = world.settle()
    again = price_use(facts_of(case.facts))
    assert isinstance(again, Priced)
    assert again.gross == total(list(world.charges().values()))


def test_use_waits_until_its_reservation_is_over(session, world):
    world.price()
    slot = world.booked(1, 5)
    world.ran(1, 2, of=slot)
    assert world.settle(at=DAY + 3 * HOUR) == []
    slot.state, slot.released_at = ReservationState.FINISHED, DAY + 2 * HOUR
    session.flush()
    assert [one.status for one in world.settle(at=DAY + 3 * HOUR)] == [SettlementStatus.PRICED]


def test_reserved_time_is_charged_without_use_where_the_price_says_so(session, world):
    world.price(charge_mode="reservation", setup_fee="0.00", minimum_charge="0.00")
    world.booked(1, 5)
    (case,) = world.settle()
    (charge,) = session.scalars(select(Charge))
    assert (charge.gross_fen, charge.usage_session_id, case.status) == (Money.of(2400), None, SettlementStatus.PRICED)
    assert world.settle() == [case]


def test_what_is_given_back_early_is_not_charged(session, world):
    world.price(charge_mode="reservation", setup_fee="0.00", minimum_charge="0.00")
    world.booked(1, 5, state=ReservationState.FINISHED, released_at=DAY + 3 * HOUR)
    world.settle()
    assert world.charges() == {ChargeKind.HOURS: Money.of(1200)}


@pytest.mark.parametrize(
    ("given", "status", "owed"),
    [
        ({"cancelled_at": DAY - 12 * HOUR}, SettlementStatus.PRICED, Money.of(300)),
        ({"cancelled_at": DAY - 24 * HOUR}, SettlementStatus.FREE, Money(0)),
        ({"cancelled_at": DAY - 12 * HOUR, "withdrawn": True}, SettlementStatus.FREE, Money(0)),
    ],
)
def test_a_late_cancellation_costs_its_fee_and_the_platform_s_own_costs_nothing(session, world, given, status, owed):
    world.price(cancellation={"free_until_minutes_before": 1440, "fee": "300.00"})
    world.booked(1, 5, state=ReservationState.CANCELLED, **given)
    (case,) = world.settle()
    assert case.status is status
    assert total(list(world.charges().values())) == owed


def test_a_request_that_was_never_agreed_costs_nothing(session, world):
    world.price(cancellation={"free_until_minutes_before": 1440, "fee": "300.00"})
    world.booked(1, 5, state=ReservationState.CANCELLED)
    assert world.settle() == []


def test_a_missed_slot_costs_the_fee_of_its_price_once(session, world):
    world.price(no_show={"grace_minutes": 30, "fee": "500.00"})
    world.booked(1, 5, state=ReservationState.NO_SHOW)
    world.settle()
    world.settle()
    assert world.charges() == {ChargeKind.NO_SHOW: Money.of(500)}


def test_what_the_device_counted_is_charged_and_what_it_did_not_count_waits(session, world):
    world.equipment.charge_unit = ChargeUnit.SAMPLE
    terms = makers.terms(unit="sample", rate="50", minimum_charge="0.00", setup_fee="0.00")
    for name in ("increment_minutes", "increment_rounding"):
        del terms[name]
    makers.tariff(session, of=world.equipment, terms=terms)
    world.ran(1, 2, counted=12)
    world.ran(3, 4)
    counted, unknown = world.settle()
    assert world.charges() == {ChargeKind.SAMPLE: Money.of(600)}
    assert (counted.status, unknown.status, unknown.reason) == (
        SettlementStatus.PRICED, SettlementStatus.NEEDS_REVIEW, "count_unknown",
    )  # fmt: skip


def test_steps_count_through_the_month_in_the_order_of_use_however_it_was_learned(session, world):
    tiers = {"kind": "graduated", "steps": [{"up_to": "2", "rate": "100"}, {"up_to": None, "rate": "50"}]}
    terms = makers.terms(setup_fee="0.00", minimum_charge="0.00", tiers=tiers)
    del terms["rate"]
    makers.tariff(session, of=world.equipment, terms=terms)
    world.ran(10, 12)
    world.settle()
    assert [one.gross_fen for one in session.scalars(select(Charge))] == [Money.of(200)]
    world.ran(1, 3)
    world.settle()
    world.settle()
    found = session.scalars(select(Charge).order_by(Charge.served_at)).all()
    assert [one.gross_fen for one in found] == [Money.of(200), Money.of(100)]


def test_doubtful_use_waits_once_and_is_charged_when_all_of_it_is_accepted(session, world):
    world.price()
    slot = world.booked(1, 5)
    runs = [world.ran(1, 2, of=slot, flags=[Flag.GAP.value]), world.ran(3, 4, of=slot, flags=[Flag.GAP.value])]
    (case,) = world.settle()
    assert case.reason == "needs_review"
    for number, run in enumerate(runs, start=1):
        run.reviewed_at = AT
        session.flush()
        (case,) = world.settle()
        assert (case.status is SettlementStatus.PRICED) == (number == len(runs))
        assert charge_usage(session, until=AT, at=AT) == 0


def test_a_run_that_is_derived_away_takes_its_case_along_and_the_rest_is_settled_anew(session, world):
    world.price(setup_fee="100.00", minimum_charge="0.00")
    slot = world.booked(1, 5)
    world.ran(1, 2, of=slot)
    gone = world.ran(3, 4, of=slot)
    world.settle()
    session.execute(delete(UsageSession).where(UsageSession.id == gone.id))
    session.expire_all()
    assert session.scalars(select(UseSettlement)).all() == []
    world.settle()
    assert world.charges() == {ChargeKind.HOURS: Money.of(600), ChargeKind.SETUP: Money.of(100)}


def test_what_comes_to_light_after_the_invoice_is_added_as_the_difference(session, world):
    world.price(setup_fee="100.00", minimum_charge="0.00")
    slot = world.booked(1, 5)
    world.ran(1, 2, of=slot)
    world.settle()
    world.issue()
    world.ran(3, 4, of=slot)
    first, second = world.settle()
    assert (first.sequence, second.sequence) == (0, 1)
    (added,) = session.scalars(select(Charge).where(Charge.use_settlement_id == second.id))
    assert (added.kind, added.gross_fen, added.state) == (ChargeKind.ADJUSTMENT, Money.of(700), ChargeState.PROPOSED)
    assert "1,400.00 − 此前已计 ¥700.00" in added.explanation_zh
    assert charge_usage(session, until=AT, at=AT) == 0


def test_a_drop_after_the_invoice_waits_for_a_credit_note(session, world):
    world.price(charge_mode="union", setup_fee="0.00", minimum_charge="0.00")
    slot = world.booked(1, 5)
    world.ran(1, 2, of=slot)
    world.settle()
    world.issue()
    slot.released_at = DAY + 3 * HOUR
    world.ran(2.5, 2.75, of=slot)
    second = world.settle()[-1]
    assert (second.status, second.reason) == (SettlementStatus.NEEDS_REVIEW, "credit_due")
    assert session.scalars(select(Charge).where(Charge.use_settlement_id == second.id)).all() == []


def test_the_most_special_price_holds(session, world):
    platform, kind = world.platform, world.equipment.kind
    for number, given in enumerate(
        [
            {"equipment_id": None},
            {"equipment_id": None, "equipment_kind": kind},
            {"equipment_id": world.equipment.id},
            {"equipment_id": None, "organization_id": world.firm.id},
            {"equipment_id": world.equipment.id, "organization_id": world.firm.id},
        ],
        start=1,
    ):
        rate = str(number * 100)
        terms = makers.terms(rate=rate, setup_fee="0.00", minimum_charge="0.00")
        makers.tariff(session, of=world.equipment, **{"platform_id": platform.id, "terms": terms, **given})
        session.execute(delete(UseSettlement))
        session.execute(delete(UsageSession))
        world.ran(number, number + 1)
        world.settle()
        assert world.charges() == {ChargeKind.HOURS: Money.of(number * 100)}


def test_a_settlement_is_written_once_and_prices_of_one_subject_do_not_overlap(session, world):
    world.price()
    world.ran(1, 2)
    world.settle()
    session.commit()
    with pytest.raises(DBAPIError, match="written once"):
        session.execute(text("UPDATE use_settlement SET reason = 'x'"))
    session.rollback()
    with pytest.raises(DBAPIError, match="one_price_at_a_time"):
        makers.tariff(session, of=world.equipment, days=Range(AT.date(), None))
    session.rollback()
    assert session.scalar(select(SettledSession.reviewed)) is False
    assert session.scalar(select(Charge.quantity).where(Charge.kind == ChargeKind.HOURS)) == Decimal("1.0000")


def test_late_readings_behind_an_invoice_are_charged_on_top_when_somebody_says_so(session, world):
    world.price(setup_fee="0.00", minimum_charge="0.00")
    run = world.ran(1, 2, of=world.booked(1, 5))
    world.settle()
    invoice = world.issue()
    was, longer = run.during, Interval(run.started_at, run.ended_at + HOUR / 2)
    asked = {"energy_mwh": 7_000_000, "by": world.person.id, "at": AT}
    assert charge_late(session, run.id, was=was, now=longer, **asked) == Money.of(300)
    added = session.scalars(select(Charge).where(Charge.kind == ChargeKind.ADJUSTMENT)).one()
    assert (added.gross_fen, added.state, invoice.gross_fen) == (Money.of(300), ChargeState.PROPOSED, Money.of(600))
    assert world.issue().gross_fen == Money.of(300)
    with pytest.raises(Conflict, match=r"少收 ¥600\.00"):
        charge_late(session, run.id, was=longer, now=Interval(was.start, was.start + HOUR / 2), **asked)
    with pytest.raises(Conflict, match="没有差额"):
        charge_late(session, run.id, was=longer, now=longer, **asked)
    assert charge_usage(session, until=AT, at=AT) == 0
