"""Change how a piece of equipment may be booked. Each change is kept in the log with what it was before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.catalogue.models import (
    Accessory,
    ClassTerms,
    Equipment,
    EquipmentPart,
    OpeningHours,
    OwnUseWindow,
    Platform,
)
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.hours import DAY, Stretch
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput

LEAST = {
    "step_minutes": 1,
    "least_minutes": 1,
    "most_minutes": 1,
    "advance_days": 1,
    "notice_minutes": 0,
    "setup_minutes": 0,
    "cleanup_minutes": 0,
    "approval_hours": 1,
    "early_minutes": 0,
    "offer_minutes": 1,
    "units": 1,
}
"""The least that each number may be."""
MOST = {"advance_days": 730, "setup_minutes": DAY, "cleanup_minutes": DAY, "units": 500, "approval_hours": 720}
FREE = ("kind", "kind_label", "location", "note", "bookable", "observes_holidays", "approval", "check_in")
CLASS_LIMITS = ("step_minutes", "least_minutes", "most_minutes", "advance_days", "notice_minutes")


def set_terms(
    session: Session, equipment: Equipment, changes: Mapping[str, Any], *, by: int, at: datetime, units_held: int = 0
) -> bool:
    """Change plain settings; returns whether anything did. Reservations that were made stand.

    Shape: ``changes`` by column name, of ``LEAST`` and ``FREE``. ``units_held`` is the highest unit that a
    coming reservation holds: the caller asks booking, with the equipment locked. Errors: ``InvalidInput``
    with the field; ``Conflict`` for fewer units than are held.
    """
    for name, value in changes.items():
        if name not in LEAST and name not in FREE:
            raise ValueError(f"{name} is no setting")
        if name in LEAST:
            _within(name, value)
    after = {name: changes.get(name, getattr(equipment, name)) for name in CLASS_LIMITS}
    _consistent(after)
    if changes.get("units", equipment.units) < units_held:
        raise Conflict("将来的预约已占用第 %(unit)s 台，请先改期或取消再减少台数。", field="units", unit=units_held)
    return _change(session, equipment, changes, by=by, at=at)


def set_class_terms(
    session: Session,
    equipment: Equipment,
    customer_class: CustomerClass,
    limits: Mapping[str, int | None],
    *,
    by: int,
    at: datetime,
) -> None:
    """Other limits for one customer class; None leaves the equipment's own. All None takes them away."""
    for name, value in limits.items():
        if name not in CLASS_LIMITS:
            raise ValueError(f"{name} is no limit of a class")
        if value is not None:
            _within(name, value)
    own = {name: getattr(equipment, name) for name in CLASS_LIMITS}
    _consistent(own | {name: value for name, value in limits.items() if value is not None})
    row = session.scalar(
        select(ClassTerms).where(ClassTerms.equipment_id == equipment.id, ClassTerms.customer_class == customer_class)
    )
    before = None if row is None else {name: getattr(row, name) for name in CLASS_LIMITS}
    if all(value is None for value in limits.values()):
        if row is not None:
            session.delete(row)
    else:
        if row is None:
            row = ClassTerms(equipment_id=equipment.id, customer_class=customer_class)
            session.add(row)
        for name in CLASS_LIMITS:
            setattr(row, name, limits.get(name))
    session.flush()
    record(session, equipment, "class_terms", before, {"class": customer_class.value, **limits}, by=by, at=at)


def set_hours(
    session: Session,
    equipment: Equipment,
    stretches: Iterable[Stretch],
    *,
    customer_class: CustomerClass | None,
    by: int,
    at: datetime,
) -> None:
    """The week of one customer class, or everybody's. A class without hours has everybody's."""
    rows = [row for row in equipment.opening_hours if row.customer_class is customer_class]
    before = sorted((row.weekday, row.opens_minute, row.closes_minute) for row in rows)
    after = sorted(stretches)
    if before == after:
        return
    session.execute(delete(OpeningHours).where(OpeningHours.id.in_([row.id for row in rows])))
    session.expire(equipment, ["opening_hours"])
    session.add_all(
        OpeningHours(
            equipment_id=equipment.id,
            customer_class=customer_class,
            weekday=weekday,
            opens_minute=opens,
            closes_minute=closes,
        )
        for weekday, opens, closes in after
    )
    session.flush()
    named = f"hours:{customer_class.value if customer_class else 'all'}"
    record(session, equipment, named, before, after, by=by, at=at)


def set_devices(
    session: Session,
    equipment: Equipment,
    *,
    shares_id: int | None,
    part_ids: Collection[int],
    by: int,
    at: datetime,
    held: bool,
) -> None:
    """Which device this listing shares, and which parts it has; the caller says whether it is ``held`` in future.

    The caller has its devices locked, as whoever books it has. Errors: ``Conflict`` while it is held, because
    its reservations hold the devices as they were; ``InvalidInput`` for a chain of shared devices, a circle of
    parts, another platform's equipment.
    """
    # One change at a time on a platform: two that are right by themselves could close a circle together.
    session.get_one(Platform, equipment.platform_id, with_for_update={"key_share": True})
    parts = set(part_ids)
    before_parts = set(session.scalars(select(EquipmentPart.part_id).where(EquipmentPart.whole_id == equipment.id)))
    if shares_id == equipment.shares_id and parts == before_parts:
        return
    if held:
        raise Conflict("这台设备还有未结束的预约，请待其结束或改期后再改共用与组成。", field="shares_id")
    neighbours = {
        row.id: row.shares_id
        for row in session.execute(
            select(Equipment.id, Equipment.shares_id).where(Equipment.platform_id == equipment.platform_id)
        )
    }
    if shares_id is not None:
        if shares_id not in neighbours or shares_id == equipment.id:
            raise InvalidInput("请选择同一平台的另一台设备。", field="shares_id")
        if neighbours[shares_id] is not None or equipment.id in neighbours.values():
            raise InvalidInput("共用不能连成一串：请直接选择真正的那台设备。", field="shares_id")
    if not parts <= set(neighbours) or equipment.id in parts:
        raise InvalidInput("请选择同一平台的其他设备作为组成部分。", field="parts")
    if equipment.id in _reached(session, parts):
        raise InvalidInput("组成关系成了循环：所选部分已包含这台设备。", field="parts")
    before = {"shares_id": equipment.shares_id, "parts": sorted(before_parts)}
    equipment.shares_id = shares_id
    session.execute(delete(EquipmentPart).where(EquipmentPart.whole_id == equipment.id))
    session.add_all(EquipmentPart(whole_id=equipment.id, part_id=part) for part in sorted(parts))
    session.flush()
    record(session, equipment, "devices", before, {"shares_id": shares_id, "parts": sorted(parts)}, by=by, at=at)


def keep_for_owner(
    session: Session,
    equipment: Equipment,
    stretches: Iterable[Stretch],
    *,
    first_day: date,
    last_day: date | None,
    release_hours: int,
    by: int,
    at: datetime,
) -> None:
    """Replace the owner's weekly windows. Errors: ``InvalidInput`` for days in the wrong order."""
    if last_day is not None and last_day < first_day:
        raise InvalidInput("截止日期不能早于起始日期。", field="last_day")
    if release_hours < 0:
        raise InvalidInput("请填写不小于 %(least)s 的整数。", field="release_hours", least=0)
    rows = session.scalars(select(OwnUseWindow).where(OwnUseWindow.equipment_id == equipment.id)).all()
    before = sorted((row.weekday, row.opens_minute, row.closes_minute) for row in rows)
    for row in rows:
        session.delete(row)
    after = sorted(stretches)
    session.add_all(
        OwnUseWindow(
            equipment_id=equipment.id,
            weekday=weekday,
            opens_minute=opens,
            closes_minute=closes,
            first_day=first_day,
            last_day=last_day,
            release_hours=release_hours,
        )
        for weekday, opens, closes in after
    )
    session.flush()
    record(session, equipment, "own_use", before, after, by=by, at=at)


def set_accessory(
    session: Session,
    equipment: Equipment,
    *,
    name_zh: str,
    name_en: str,
    stock: int | None,
    by: int,
    at: datetime,
) -> Accessory:
    """Add an accessory to the equipment's platform, or say how many there are of a known one (by its name)."""
    if not name_zh.strip():
        raise InvalidInput("请填写附件名称。", field="accessory")
    if stock is not None and stock < 0:
        raise InvalidInput("请填写不小于 %(least)s 的整数。", field="stock", least=0)
    row = session.scalar(
        select(Accessory)
        .where(Accessory.platform_id == equipment.platform_id, Accessory.name_zh == name_zh.strip())
        .with_for_update()
    )
    before = None if row is None else row.stock
    if row is None:
        row = Accessory(platform_id=equipment.platform_id, name_zh=name_zh.strip(), illustrative=False)
        session.add(row)
    row.name_en, row.stock = name_en.strip() or row.name_zh, stock
    session.flush()
    record(session, equipment, f"accessory:{row.id}", before, stock, by=by, at=at)
    return row


def renew_screen(session: Session, equipment_id: int, *, by: int, at: datetime) -> Equipment:
    """Give the screen beside the machine a new address; what was signed for the old one is worth nothing."""
    equipment = session.get_one(Equipment, equipment_id, with_for_update=True, populate_existing=True)
    _change(session, equipment, {"screen_version": equipment.screen_version + 1}, by=by, at=at)
    return equipment


def _within(name: str, value: int) -> None:
    if value < LEAST[name]:
        raise InvalidInput("请填写不小于 %(least)s 的整数。", field=name, least=LEAST[name])
    if value > MOST.get(name, 1_000_000):
        raise InvalidInput("请填写不大于 %(most)s 的整数。", field=name, most=MOST.get(name, 1_000_000))


def _consistent(limits: Mapping[str, int]) -> None:
    if DAY % limits["step_minutes"]:
        raise InvalidInput("步长须能整除一天（1440 分钟），例如 5、15、30、60。", field="step_minutes")
    if limits["least_minutes"] > limits["most_minutes"]:
        raise InvalidInput("最短时长不能超过最长时长。", field="least_minutes")


def _change(session: Session, equipment: Equipment, changes: Mapping[str, Any], *, by: int, at: datetime) -> bool:
    before = {name: getattr(equipment, name) for name, value in changes.items() if getattr(equipment, name) != value}
    if not before:
        return False
    for name in before:
        setattr(equipment, name, changes[name])
    session.flush()
    record(session, equipment, "terms", before, {name: changes[name] for name in before}, by=by, at=at)
    return True


def _reached(session: Session, parts: set[int]) -> set[int]:
    """All parts of these parts, however deep."""
    known, edge = set(parts), set(parts)
    while edge:
        edge = set(session.scalars(select(EquipmentPart.part_id).where(EquipmentPart.whole_id.in_(edge)))) - known
        known |= edge
    return known


def record(
    session: Session, equipment: Equipment, what: str, before: Any, after: Any, *, by: int, at: datetime
) -> None:
    """Write a change of settings into the log."""
    audit.record(
        session,
        at=at,
        by=by,
        deed="settings changed",
        subject="equipment",
        subject_id=equipment.id,
        what=what,
        before=before,
        after=after,
    )
