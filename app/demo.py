"""The sample world (示例): firms, people, prices, meters, and two months that went before.

The past goes through the same river as the present: reservations, readings as native messages,
sessions, charges, invoices, revenue. Nothing is written into a later stage by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.booking.holding import devices_of, hold
from app.booking.models import Reservation
from app.catalogue.models import Equipment, Platform, Recognition, RecognitionLevel
from app.catalogue.platforms import operator_of
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.seeding import OPERATING_SINCE, load_catalogue, read, sample_uscc
from app.demo_billing import Books, seed_billing
from app.demo_booking import seed_booking_rules
from app.demo_claims import seed_claims
from app.demo_evaluation import seed_evaluation
from app.identity.models import Organization, Person
from app.identity.registering import add_membership, add_organization, add_person
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.interval import Interval
from app.kernel.money import Money
from billing.models import Tariff
from billing.rules.words import RevenueCategory
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.metering import meter_readings
from devices.models import Meter, MeterProfile
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, topic_of
from devices.simulating.load import Load, seed_of
from devices.simulating.speaking import native_message

DEMO_PASSWORD = "pilotshare-demo"  # noqa: S105 - printed at the start, on sample data only


class DemoAccount(NamedTuple):
    """Somebody to sign in as, and who that is."""

    email: str
    told: str


DEMO_ACCOUNTS = (
    DemoAccount("firm@pilotshare.example", "企业经理 / firm manager"),
    DemoAccount("member@pilotshare.example", "企业成员 / firm member"),
    DemoAccount("firm2@pilotshare.example", "另一家企业 / another firm"),
    DemoAccount("operator@pilotshare.example", "平台运营 / operator"),
    DemoAccount("official@pilotshare.example", "主管部门 / official"),
    DemoAccount("admin@pilotshare.example", "系统管理员 / administrator"),
)
PLATFORMS = ("hx-textile", "qz-motor")
TAX_CODE = "3040105000000000000"
DAYS_BEFORE = 62
READ_EVERY = timedelta(seconds=60)
STANDING_BY = timedelta(minutes=4)
PORTION = 100


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays in the sample world."""

    firms: tuple[Organization, Organization]
    bookers: tuple[Person, Person]
    partner: Organization
    operators: list[Organization]
    operator: Person
    official: Person


def seed_demo(session: Session, *, at: datetime) -> bool:
    """Make the sample world once. Returns whether it was made now."""
    load_catalogue(session, at=at)
    if session.scalar(select(Person.id).where(Person.email == DEMO_ACCOUNTS[0][0])) is not None:
        return False
    platforms = [session.scalars(select(Platform).where(Platform.code == code)).one() for code in PLATFORMS]
    cast = _people(session, platforms, at=at)
    for number, platform in enumerate(platforms, start=1):
        _recognised(session, platform, number, year=clock.local_date(at).year)
    _priced(session, at=at)
    meters = _metered(session, platforms, at=at)
    _past(session, cast, meters, at=at)
    seed_booking_rules(
        session, platforms[1], firm=cast.firms[0], trained=cast.bookers[0], operator=cast.operator, at=at
    )
    seed_billing(
        session,
        Books(
            plain=platforms[0], prepaying=platforms[1], first=cast.firms[0], second=cast.firms[1],
            partner=cast.partner, operator=cast.operators[0], bookers=cast.bookers, by=cast.operator.id, at=at,
        ),
    )  # fmt: skip
    seed_claims(session, platforms, operator=cast.operator.id, official=cast.official.id, at=at)
    seed_evaluation(session, platforms, operator=cast.operator.id, official=cast.official.id, at=at)
    return True


def _people(session: Session, platforms: list[Platform], *, at: datetime) -> Cast:
    def body(name: str, serial: str, region: str) -> Organization:
        return add_organization(session, name=name, uscc=sample_uscc(serial), region=region, illustrative=True, at=at)

    first = body("示例科技（晋江）有限公司", "DEMQ0008", "晋江")
    second = body("示例新材料（泉州）有限公司", "DEMQ0009", "泉州其他")
    office = body("示例主管部门", "DEMQ0010", "晋江")
    partner = body("示例研究院", "DEMQ0011", "晋江")
    first.town, first.park = "陈埭镇", "示例园区"
    found = [operator_of(session, platform.id, on=clock.local_date(at)) for platform in platforms]
    operators = [one for one in found if one is not None]
    people: dict[str, Person] = {}
    for email, name in DEMO_ACCOUNTS:
        people[email] = add_person(
            session, email=email, name="示例" + name.split(" / ")[0], password=DEMO_PASSWORD, at=at
        )
    firm, member, other, operator, official, administrator = people.values()
    roles = [
        (firm, first, Role.FIRM_MANAGER),
        (member, first, Role.FIRM_MEMBER),
        (other, second, Role.FIRM_MANAGER),
        (official, office, Role.OFFICIAL),
        (administrator, office, Role.ADMINISTRATOR),
        *((operator, one, role) for one in operators for role in (Role.OPERATOR, Role.OPERATOR_FINANCE)),
    ]
    for person, organization, role in roles:
        add_membership(session, person=person, organization=organization, role=role)
    return Cast((first, second), (firm, other), partner, operators, operator, official)


def _recognised(session: Session, platform: Platform, number: int, *, year: int) -> None:
    session.add(
        Recognition(
            platform_id=platform.id,
            level=RecognitionLevel.QUANZHOU,
            recognised_on=date(year, 1, 15),
            document=f"示例认定〔{year}〕{number}号",
            illustrative=True,
        )
    )


def _figures() -> dict[str, dict[str, Any]]:
    return {one["code"]: one for catalogue in read("equipment.json")["catalogues"] for one in catalogue["equipment"]}


def _priced(session: Session, *, at: datetime) -> None:
    """A price for everything that is charged by the hour; the platform's own use is free."""
    figures = _figures()
    for equipment in session.scalars(select(Equipment).where(Equipment.charge_unit == "hour")):
        one = figures[equipment.code]
        for customer, share in ((CustomerClass.EXTERNAL, 1), (CustomerClass.INTERNAL, 0)):
            rate = Decimal(one["rate_yuan"]) * share
            session.add(
                Tariff(
                    platform_id=equipment.platform_id,
                    equipment_id=equipment.id,
                    customer_class=customer,
                    days=Range(OPERATING_SINCE, None),
                    terms={
                        "charge_mode": "usage",
                        "unit": "hour",
                        "rate": str(rate),
                        "setup_fee": str(Money.of(Decimal(one["setup_fee_yuan"]) * share)),
                        "minimum_charge": str(Money.rounded(rate * Decimal(one["min_billable_qty"]))),
                        "increment_minutes": 6,
                        "increment_rounding": "up",
                        "vat_rate": "0.06",
                        "price_includes_vat": one["rate_includes_vat"],
                    },
                    tax_code=TAX_CODE,
                    category=RevenueCategory.INSTRUMENT_SHARING,
                    illustrative=True,
                    created_at=at,
                )
            )


def _metered(session: Session, platforms: list[Platform], *, at: datetime) -> list[Meter]:
    """A meter on everything of the two platforms that is charged by the hour; every third is a plug."""
    figures = _figures()
    meters = []
    wanted = session.scalars(
        select(Equipment)
        .where(Equipment.platform_id.in_([platform.id for platform in platforms]), Equipment.charge_unit == "hour")
        .order_by(Equipment.platform_id, Equipment.code)
    )
    for number, equipment in enumerate(wanted):
        on = figures[equipment.code]["suggested_running_threshold_w"]
        code = equipment.code.lower()
        meter = Meter(
            code=code,
            equipment_id=equipment.id,
            dialect=Dialect.TASMOTA if number % 3 == 2 else Dialect.NATIVE,
            shard=shard_of(code),
            simulated=True,
            created_at=at,
        )
        meter.profiles = [
            MeterProfile(
                version=1,
                run_on_w=on,
                run_off_w=equipment.standby_power_w + (on - equipment.standby_power_w) * 3 // 4,
                min_on_s=10,
                min_off_s=20,
                max_gap_s=120,
                rated_w=equipment.rated_power_w,
                created_at=at,
            )
        ]
        session.add(meter)
        meters.append(meter)
    session.flush()
    return meters


def _past(session: Session, cast: Cast, meters: list[Meter], *, at: datetime) -> None:
    """Two months of bookings and what the meters said of them."""
    counters: dict[int, tuple[int, float]] = {}
    today = clock.local_date(at)
    for ago in range(DAYS_BEFORE, 0, -1):
        day = today - timedelta(days=ago)
        if day.weekday() > 4:
            continue
        for number, meter in enumerate(meters):
            if (ago + number) % 4 or meter.dialect is not Dialect.NATIVE:
                continue
            which = (ago + number) // 4 % 2
            start = clock.local_midnight(day) + timedelta(hours=9 + number % 3)
            slot = Interval(start, start + timedelta(hours=2 + (ago + number) % 3))
            _booked(session, cast.firms[which], cast.bookers[which], meter, slot)
            counters[meter.id] = _told(session, meter, slot, counters.get(meter.id, (0, 1000.0)))
    while meter_readings(session, at=at):
        continue


def _booked(session: Session, firm: Organization, person: Person, meter: Meter, slot: Interval) -> None:
    booked_at = slot.start - timedelta(days=2)
    made = Reservation(
        equipment_id=meter.equipment_id,
        organization_id=firm.id,
        person_id=person.id,
        during=slot,
        purpose="示例试验",
        created_at=booked_at,
        changed_at=booked_at,
    )
    session.add(made)
    session.flush()
    hold(session, made.id, dict.fromkeys(devices_of(session, meter.equipment_id), 1), slot)


def _told(session: Session, meter: Meter, slot: Interval, counter: tuple[int, float]) -> tuple[int, float]:
    """The native messages of one slot, through the same door as those of the wire."""
    load = Load(meter.equipment.standby_power_w, meter.equipment.rated_power_w, seed_of(meter.code))
    readings = list(_readings(load, slot, counter))
    for start in range(0, len(readings), PORTION):
        portion = readings[start : start + PORTION]
        ingest(session, [WireMessage(topic_of(meter.code, "data"), native_message(0, portion), portion[-1][1])])
    return readings[-1][0], readings[-1][3]


def _readings(load: Load, slot: Interval, counter: tuple[int, float]) -> Iterator[tuple[int, datetime, float, float]]:
    seq, energy_wh = counter
    run = load.run_in(slot)
    moment = slot.start - STANDING_BY
    while moment < slot.end + STANDING_BY:
        watts = load.watts(moment, run)
        energy_wh += watts * (READ_EVERY / timedelta(hours=1))
        seq += 1
        yield seq, moment, watts, energy_wh
        moment += READ_EVERY
