"""A year on simulated meters, from bookings to a claim-back: every figure is found again without our rules."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from sqlalchemy import select, text

from app.booking.holding import hold
from app.booking.models import Reservation
from app.catalogue.models import Equipment, Recognition, RecognitionLevel, RelatedParty
from app.identity.models import Organization
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.interval import Interval
from app.kernel.money import Money
from billing.charging import charge_usage
from billing.claims.adjusting import accept_proposal, proposals_of
from billing.claims.deciding import approve_claim, deduct
from billing.claims.filing import file_claim
from billing.claims.locking import lock_claim
from billing.claims.settling import BEARERS, pay_out
from billing.correcting import credit
from billing.invoicing import issue_month
from billing.models import Charge, Evaluation, Invoice
from billing.other_grants import record_other_grant
from billing.recognizing import recognize_revenue
from billing.reviewing import approve
from billing.rules.words import ChargeState
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.metering import meter_readings
from devices.models import Meter
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, topic_of
from devices.simulating.device import Device
from devices.simulating.faults import Fault, planned
from devices.simulating.load import Load
from tests import makers
from tests.integration.test_pages import OneRequestAtATime

STEP, TAKEN_IN, HOUR = timedelta(seconds=30), timedelta(minutes=30), timedelta(hours=1)
STANDBY_W, RATED_W, ABOVE_W = 40, 5000, 300
PROFILE = {"run_on_w": ABOVE_W, "run_off_w": 200, "rated_w": RATED_W, "lead_s": 0, "post_s": 0}
LOSES_NOTHING = (Fault.DUPLICATE, Fault.REORDER, Fault.GARBAGE)
BUFFERED = (*LOSES_NOTHING, Fault.REBOOT, Fault.RESET, Fault.OUTAGE)
RUN = Interval(makers.BEGINNING + 10 * timedelta(minutes=1), makers.BEGINNING + 103 * timedelta(minutes=1))
"""93 minutes, begun ten minutes into a slot of two hours: 1.6 h in started steps of six minutes."""
SIX = Decimal("0.06")
FEN = Decimal("0.01")


def noon(year: int, month: int, day: int) -> datetime:
    return clock.local_midnight(date(year, month, day)) + 12 * HOUR


@dataclass
class Machine:
    equipment: Equipment
    meter: Meter
    device: Device


class Year:
    """Two machines, three customers and the platform itself; one working day a month, on which each runs once."""

    def __init__(self, session, seed: int) -> None:
        self.session = session
        self.operator = makers.organization(session, name="示例运营公司")
        self.platform = makers.platform(session, operator=self.operator, operating_since=date(2026, 1, 1))
        self.firms = [makers.organization(session, name=f"示例企业{one}") for one in "甲乙丙"]
        self.firms.append(self.operator)
        self.people = {one.id: makers.person(session, (one, Role.FIRM_MEMBER)).id for one in self.firms}
        self.finance = makers.person(session, (self.operator, Role.OPERATOR_FINANCE)).id
        authority = makers.organization(session, name="示例主管部门")
        self.official = makers.person(session, (authority, Role.OFFICIAL)).id
        session.add_all(
            [
                RelatedParty(platform_id=self.platform.id, organization_id=self.firms[2].id, since=date(2026, 1, 1)),
                Recognition(
                    platform_id=self.platform.id, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 1, 5),
                    document="示例认定〔2026〕1号",
                ),
                Evaluation(
                    platform_id=self.platform.id, year=2026, evaluated=True, selected=True, document="示例评〔2027〕1号"
                ),
            ]
        )  # fmt: skip
        self.machines = [self._machine(f"year-{seed}-{n}", d) for n, d in enumerate((Dialect.NATIVE, Dialect.TASMOTA))]
        session.flush()

    def _machine(self, code: str, dialect: Dialect) -> Machine:
        equipment = makers.equipment(self.session, of=self.platform, name_zh=f"示例设备 {code}")
        for customer in ("external", "internal"):
            makers.tariff(
                self.session, of=equipment, customer_class=customer, terms=makers.terms(minimum_charge="0.00")
            )
        meter = makers.meter(
            self.session, of=equipment, code=code, dialect=dialect, shard=shard_of(code), profile=PROFILE
        )
        faults = BUFFERED if dialect is Dialect.NATIVE else LOSES_NOTHING
        mishaps = [one for month in range(1, 13) for one in planned(f"{code}/{month}", self._open(month), of=faults)]
        return Machine(equipment, meter, Device(code, dialect, Load(STANDBY_W, RATED_W, 3), mishaps=mishaps))

    def _open(self, month: int) -> Interval:
        """The hours of that month's working day in which something may go wrong."""
        start = noon(2026, month, 10)
        return Interval(start - 3 * HOUR, start + 6 * HOUR)

    def month(self, month: int) -> None:
        """Book, run, hear, meter, charge, approve and invoice."""
        for machine in self.machines:
            runs = list(self._booked(machine, month))
            self._heard(machine, self._open(month), runs)
        while meter_readings(self.session, at=noon(2026, month, 11)):
            continue
        after = noon(2026, month, 28)
        while charge_usage(self.session, until=after, at=after):
            continue
        assert {one.state for one in self.session.scalars(select(Charge))} <= {
            ChargeState.PROPOSED, ChargeState.INVOICED,
        }  # fmt: skip
        approve(self.session, self.session.scalars(select(Charge.id)).all(), by=self.finance, at=after)
        for firm in self.firms:
            issue_month(
                self.session, platform_id=self.platform.id, organization_id=firm.id, month=date(2026, month, 1),
                by=self.finance, at=after,
            )  # fmt: skip
        recognize_revenue(self.session, at=after)

    def _booked(self, machine: Machine, month: int) -> Iterator[Interval]:
        """One slot of two hours for each customer, one after the other."""
        begins = noon(2026, month, 10) - 3 * HOUR
        for place, firm in enumerate(self.firms):
            slot = Interval(begins + 2 * place * HOUR, begins + 2 * (place + 1) * HOUR)
            row = Reservation(
                equipment_id=machine.equipment.id, person_id=self.people[firm.id], organization_id=firm.id, during=slot,
                purpose="示例试验", created_at=slot.start - HOUR, changed_at=slot.start - HOUR,
            )  # fmt: skip
            self.session.add(row)
            self.session.flush()
            hold(self.session, row.id, {machine.equipment.id: 1}, slot)
            yield Interval(slot.start + (RUN.start - makers.BEGINNING), slot.start + (RUN.end - makers.BEGINNING))

    def _heard(self, machine: Machine, day: Interval, runs: list[Interval]) -> None:
        device, moment = machine.device, day.start - HOUR
        device.connected()
        while moment < day.end + HOUR:
            heard = []
            until = moment + TAKEN_IN
            while moment < until:
                device.read(moment, runs)
                ready = device.due(moment, monotonic=until.timestamp())
                heard += [WireMessage(topic, payload, moment + timedelta(seconds=1)) for topic, payload in ready]
                moment += STEP
            for one in ingest(self.session, heard).acknowledgements if heard else ():
                told = json.dumps({"boot": one.boot, "upto": one.upto}).encode()
                device.hear(topic_of(one.code, "ack"), told)
        assert not device.outbox.waiting

    def invoice_of(self, firm: Organization, month: int) -> Invoice:
        return self.session.scalars(
            select(Invoice).where(Invoice.organization_id == firm.id, Invoice.month == date(2026, month, 1))
        ).one()

    def credit(self, firm: Organization, month: int, gross: str, *, at: datetime) -> None:
        invoice = self.invoice_of(firm, month)
        credit(
            self.session, invoice.id, amounts={invoice.lines[0].id: Money.of(gross)}, reason="示例更正",
            by=self.finance, at=at,
        )  # fmt: skip
        recognize_revenue(self.session, at=at)


# What was run is found again in the readings alone: the time in which a meter stood above its threshold in a slot.
USED = text(
    "SELECT reservation.organization_id, reservation.id, count(DISTINCT reading.taken_at) AS readings"
    " FROM reading JOIN meter ON meter.id = reading.meter_id"
    " JOIN reservation ON reservation.equipment_id = meter.equipment_id AND reservation.during @> reading.taken_at"
    " WHERE reading.power_mw >= :above GROUP BY 1, 2"
)
# What is owed is found again in the issued lines alone.
INVOICED = text(
    "SELECT coalesce(sum(invoice_line.net_fen), 0) FROM invoice_line"
    " JOIN invoice ON invoice.id = invoice_line.invoice_id"
    " LEFT JOIN invoice AS original ON original.id = invoice.credits_id"
    " WHERE invoice.organization_id = ANY(:firms) AND invoice.issued_on <= :until"
    " AND extract(year FROM coalesce(original.issued_on, invoice.issued_on)) = 2026"
)


def yuan(fen: int | Decimal) -> str:
    return f"{'−' if fen < 0 else ''}¥{abs(Decimal(fen)) / 100:,.2f}"


def without_tax(gross: str) -> Decimal:
    return (Decimal(gross) / (1 + SIX)).quantize(FEN, ROUND_HALF_UP)


def thirty_percent(fen: Decimal) -> Decimal:
    return (fen * Decimal("0.3")).quantize(Decimal(1), ROUND_HALF_UP)


@pytest.mark.parametrize("seed", [1])
def test_a_year_from_bookings_to_a_claim_back(app, session, seed):
    year = Year(session, seed)
    for month in range(1, 13):
        year.month(month)
    outside = [year.firms[0].id, year.firms[1].id]
    _every_run_is_found_in_the_readings(session, year)

    # Within the year one invoice is credited; then a province pays something for operation, too.
    year.credit(year.firms[0], 3, "106.00", at=noon(2026, 9, 15))
    record_other_grant(
        session, year.platform.id, authority_level="provincial", programme_kind="operating", year=2026,
        amount=Money.of("1000"), timing="ex_post", asset_nos=[], document="示例上级〔2026〕9号", by=year.finance,
        at=noon(2027, 1, 5),
    )  # fmt: skip
    claim = file_claim(session, year.platform.id, 2026, by=year.finance, at=noon(2027, 2, 1))
    lock_claim(session, claim.id, by=year.official, at=noon(2027, 3, 1))
    base = Decimal(session.scalar(INVOICED, {"firms": outside, "until": date(2027, 3, 1)}))
    # Twelve months, two machines, two customers: 1.6 h × 600 + 1,200 with tax in, less the note; each without its tax.
    one = without_tax("960") + without_tax("1200")
    assert base == (12 * 2 * 2 * one - 100) * 100
    locked = thirty_percent(base) - 100_000
    page = _official(app, year).get(f"/subsidy/{year.platform.code}/2026").text
    everything = session.scalar(INVOICED, {"firms": [one.id for one in year.firms], "until": date(2027, 3, 1)})
    related = session.scalar(INVOICED, {"firms": [year.firms[2].id], "until": date(2027, 3, 1)})
    assert {yuan(base), yuan(locked), yuan(locked // 2)} <= _amounts(page)
    assert {yuan(-related), yuan(-(everything - base - related))} <= _amounts(page)

    # Decided with a deduction, paid by both, an odd fen by Jinjiang.
    (item,) = claim.items
    deduct(session, item.id, Money(1), reason="示例", by=year.official, at=noon(2027, 4, 1))
    approve_claim(session, claim.id, document="示例核〔2027〕1号", by=year.official, at=noon(2027, 4, 2))
    upper = (locked - 1) // 2
    for bearer, fen in zip(BEARERS, (upper, locked - 1 - upper), strict=True):
        pay_out(
            session, claim.id, bearer.key, Money(int(fen)), paid_on=date(2027, 5, 1), document="示例凭证",
            by=year.official, at=noon(2027, 5, 2),
        )  # fmt: skip

    # A note while the three years are open lowers the year of its issue; one after them is claimed back.
    year.credit(year.firms[1], 6, "530.00", at=noon(2027, 6, 1))
    assert proposals_of(session, claim) == {}
    year.credit(year.firms[1], 7, "960.00", at=noon(2029, 6, 1))
    back = thirty_percent(base) - thirty_percent(base - without_tax("960") * 100)
    assert {name: one.fen for name, one in proposals_of(session, claim).items()} == {"P2": back}
    page = _official(app, year).get(f"/claims/{claim.id}").text
    assert {yuan(locked), yuan(locked - 1), yuan(upper), yuan(locked - 1 - upper), yuan(back)} <= _amounts(page)
    accept_proposal(
        session, item.id, Money(int(back)), reason="示例", document="示例追〔2029〕1号", by=year.official,
        at=noon(2029, 7, 1),
    )  # fmt: skip
    session.commit()
    page = _official(app, year).get(f"/claims/{claim.id}").text
    assert yuan(locked - 1 - back) in _amounts(page)
    assert "应收回" in page


def _every_run_is_found_in_the_readings(session, year: Year) -> None:
    """No reading is lost or doubled, and the time above the threshold is what was run and what was billed."""
    for machine in year.machines:
        stored = session.scalar(text("SELECT count(*) FROM reading WHERE meter_id = :one"), {"one": machine.meter.id})
        assert stored == len(machine.device.truth.readings)
    mishaps = Counter(one.fault for machine in year.machines for one in machine.device.truth.faults)
    assert mishaps[Fault.RESET] + mishaps[Fault.REBOOT] + mishaps[Fault.OUTAGE] > 3
    used = session.execute(USED, {"above": ABOVE_W * 1000}).all()
    assert Counter(one.organization_id for one in used) == {firm.id: 24 for firm in year.firms}
    assert {one.readings for one in used} == {RUN.duration // STEP}


def _official(app, year: Year):
    app.test_client_class = OneRequestAtATime
    client = app.test_client()
    with client.session_transaction() as told:
        told["_user_id"], told["_fresh"] = str(year.official), True
    return client


def _amounts(page: str) -> set[str]:
    """Every amount of money that the page shows."""
    return set(re.findall(r"−?¥[\d,]+\.\d\d", page))
