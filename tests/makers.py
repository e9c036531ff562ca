"""Makers of valid things, so that a test names only what matters to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.catalogue.models import (
    Accessory,
    ChargeUnit,
    Equipment,
    EquipmentKind,
    OpeningHours,
    Platform,
    PlatformOperator,
)
from app.catalogue.rules.customer import CustomerClass
from app.identity.models import Membership, Organization, Person
from app.identity.rules.permission import Role
from app.kernel.money import Money
from billing.models import Tariff
from billing.rules.words import RevenueCategory
from devices.models import Meter, MeterProfile
from devices.rules.evidence import Dialect

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
Thing = TypeVar("Thing")
_numbers = itertools.count(1)


def _added(session: Session, thing: Thing) -> Thing:
    session.add(thing)
    session.flush()
    return thing


def organization(session: Session, **given: Any) -> Organization:
    number = next(_numbers)
    return _added(
        session, Organization(**{"name": f"示例单位{number}", "created_at": BEGINNING, "region": "晋江", **given})
    )


def person(session: Session, *roles: tuple[Organization, Role], **given: Any) -> Person:
    number = next(_numbers)
    made = _added(
        session,
        Person(
            **{
                "email": f"person{number}@pilotshare.example",
                "name": f"示例用户{number}",
                "password_hash": "unusable",
                "created_at": BEGINNING,
                **given,
            }
        ),
    )
    for body, role in roles:
        _added(session, Membership(person_id=made.id, organization_id=body.id, role=role))
    return made


def platform(session: Session, *, operator: Organization | None = None, **given: Any) -> Platform:
    number = next(_numbers)
    operator = operator or organization(session)
    made = _added(
        session,
        Platform(
            **{
                "code": f"p{number}",
                "name_zh": f"示例平台{number}",
                "name_en": f"Sample platform {number}",
                "field": "纺织鞋服",
                "host_id": organization(session).id if "host_id" not in given else given["host_id"],
                "operating_since": date(2026, 1, 1),
                **given,
            }
        ),
    )
    _added(
        session, PlatformOperator(platform_id=made.id, organization_id=operator.id, days=Range(date(2026, 1, 1), None))
    )
    return made


def equipment(session: Session, *, of: Platform | None = None, open_all_day: bool = True, **given: Any) -> Equipment:
    number = next(_numbers)
    of = of or platform(session)
    made = _added(
        session,
        Equipment(
            **{
                "platform_id": of.id,
                "code": f"EQ-{number}",
                "name_zh": f"示例设备{number}",
                "name_en": f"Sample equipment {number}",
                "kind": EquipmentKind.INSTRUMENT,
                "kind_label": "检测仪器",
                "location": "晋江",
                "charge_unit": ChargeUnit.HOUR,
                "rated_power_w": 2000,
                "standby_power_w": 50,
                "original_value": Money.of("500000"),
                "benchmark_hours": 800,
                "created_at": BEGINNING,
                **given,
            }
        ),
    )
    if open_all_day:
        session.add_all(
            OpeningHours(equipment_id=made.id, weekday=day, opens_minute=0, closes_minute=1440) for day in range(7)
        )
        session.flush()
    return made


def meter(
    session: Session, *, of: Equipment | None = None, profile: Mapping[str, int] | None = None, **given: Any
) -> Meter:
    number = next(_numbers)
    of = of or equipment(session)
    made = _added(
        session,
        Meter(
            **{
                "code": f"mt{number}",
                "equipment_id": of.id,
                "dialect": Dialect.NATIVE,
                "shard": 0,
                "created_at": BEGINNING,
                **given,
            }
        ),
    )
    _added(
        session,
        MeterProfile(
            meter_id=made.id,
            version=1,
            **{
                "run_on_w": 200,
                "run_off_w": 100,
                "min_on_s": 10,
                "min_off_s": 60,
                "max_gap_s": 300,
                "rated_w": 2000,
                **(profile or {}),
            },
            created_at=BEGINNING,
        ),
    )
    return made


def terms(**given: Any) -> dict[str, Any]:
    """600 yuan an hour with tax in started steps of six minutes, 1,200 a run, at least two hours' worth."""
    return {
        "charge_mode": "usage",
        "unit": "hour",
        "rate": "600",
        "setup_fee": "1200.00",
        "minimum_charge": "1200.00",
        "increment_minutes": 6,
        "increment_rounding": "up",
        "vat_rate": "0.06",
        "price_includes_vat": True,
        **given,
    }


def tariff(session: Session, *, of: Equipment, **given: Any) -> Tariff:
    return _added(
        session,
        Tariff(
            **{
                "platform_id": of.platform_id,
                "equipment_id": of.id,
                "customer_class": CustomerClass.EXTERNAL,
                "days": Range(date(2026, 1, 1), None),
                "terms": terms(),
                "tax_code": "3040105000000000000",
                "category": RevenueCategory.INSTRUMENT_SHARING,
                "created_at": BEGINNING,
                **given,
            }
        ),
    )


def accessory(session: Session, *, of: Platform, **given: Any) -> Accessory:
    number = next(_numbers)
    return _added(
        session,
        Accessory(
            **{
                "platform_id": of.id,
                "name_zh": f"示例附件{number}",
                "name_en": f"Sample accessory {number}",
                "stock": 1,
                **given,
            }
        ),
    )


def opening(session: Session, *, of: Equipment, weekdays: Iterable[int], opens: int, closes: int) -> None:
    """Opening hours, in minutes after local midnight."""
    session.add_all(
        OpeningHours(equipment_id=of.id, weekday=day, opens_minute=opens, closes_minute=closes) for day in weekdays
    )
    session.flush()
