"""Sample rules of booking (示例): a pool, a bench with its supply, approval, training, check-in, quotas, own use."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalogue.models import (
    Accessory,
    Approval,
    Conduct,
    Equipment,
    EquipmentPart,
    EquipmentRequirement,
    OwnUseWindow,
    Platform,
    Qualification,
    Quota,
    Requirement,
)
from app.catalogue.rules.words import Measure, Period, RequirementKind
from app.catalogue.special_days import seed_special_days
from app.identity.models import Organization, Person
from app.kernel.money import Money


def seed_booking_rules(
    session: Session, platform: Platform, *, firm: Organization, trained: Person, operator: Person, at: datetime
) -> None:
    """Give the equipment of the motor platform one rule of each kind; ``trained`` of ``firm`` may use all of it."""
    today = at.date()
    seed_special_days(session, (today.year, today.year + 1))
    found = session.scalars(select(Equipment).where(Equipment.platform_id == platform.id)).all()
    by_code = {one.code.removeprefix("QZ-MOTOR-"): one for one in found}
    by_code["PWRAN"].units = 3
    by_code["HIL"].check_in = True
    by_code["DYN250"].approval = Approval.OPERATOR
    by_code["EMC"].observes_holidays = True
    session.add_all(
        [
            EquipmentPart(whole_id=by_code["DYN250"].id, part_id=by_code["GRID"].id),
            Conduct(platform_id=platform.id, fee=Money.of("200"), points={"no_show": -10, "late_cancellation": -5}),
            Accessory(platform_id=platform.id, name_zh="示例扭矩传感器", name_en="Sample torque sensor", stock=2),
            Accessory(platform_id=platform.id, name_zh="示例高压差分探头", name_en="Sample HV probe", stock=6),
            Quota(equipment_id=by_code["EMC"].id, measure=Measure.HOURS, limit=Decimal(20), period=Period.WEEK),
            *(
                OwnUseWindow(
                    equipment_id=by_code["VTH"].id,
                    weekday=weekday,
                    opens_minute=8 * 60,
                    closes_minute=12 * 60,
                    first_day=date(today.year, 1, 1),
                    release_hours=48,
                )
                for weekday in (0, 1)
            ),
        ]
    )
    _trained(session, platform, by_code["DYN100"], firm=firm, trained=trained, operator=operator, at=at)


def _trained(
    session: Session,
    platform: Platform,
    bench: Equipment,
    *,
    firm: Organization,
    trained: Person,
    operator: Person,
    at: datetime,
) -> None:
    training = Requirement(
        platform_id=platform.id,
        kind=RequirementKind.TRAINING,
        name_zh="示例台架上机培训",
        name_en="Sample bench training",
        how_zh="每周二上午在平台培训室参加半天培训，请联系运营方报名。",
        how_en="Half a day every Tuesday in the platform's training room: sign up with the operator.",
        months_valid=12,
    )
    agreement = Requirement(
        platform_id=platform.id,
        kind=RequirementKind.SAFETY_DOCUMENT,
        name_zh="示例安全承诺书",
        name_en="Sample safety commitment",
        how_zh="由单位盖章后交运营方备案。",
        how_en="Stamped by the firm and filed with the operator.",
        months_valid=None,
    )
    session.add_all([training, agreement])
    session.flush()
    today = at.date()
    expires = today.replace(year=today.year + 1, day=1)
    held = {"granted_on": today.replace(day=1), "granted_by": operator.id, "created_at": at}
    session.add_all(
        [
            *(EquipmentRequirement(equipment_id=bench.id, requirement_id=one.id) for one in (training, agreement)),
            Qualification(requirement_id=training.id, person_id=trained.id, expires_on=expires, **held),
            Qualification(requirement_id=agreement.id, organization_id=firm.id, expires_on=None, **held),
        ]
    )
    session.flush()
