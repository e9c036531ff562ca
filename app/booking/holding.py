"""What a reservation holds: units of physical devices, and accessories.

The exclusion constraint on :class:`Occupancy` is what makes double booking impossible. The device rows
are locked first all the same, in the order of their ids: without it the losers of a race wait for each
other until PostgreSQL breaks the deadlock, and nobody could choose a free unit of a pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import errors as pg
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.booking.models import Occupancy, Reservation, ReservedAccessory
from app.booking.rules.pool import seats
from app.booking.rules.reservation import HOLDS_SLOT
from app.booking.rules.stock import lacking, peak
from app.catalogue.models import Accessory, Equipment
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval

DEVICES = text(
    "WITH RECURSIVE whole (id) AS (SELECT CAST(:equipment AS int)"
    " UNION SELECT part_id FROM equipment_part JOIN whole ON equipment_part.whole_id = whole.id)"
    " SELECT DISTINCT coalesce(equipment.shares_id, equipment.id) FROM whole JOIN equipment USING (id) ORDER BY 1"
)

OUT_OF_THE_WAY = 1_000_000
TRIES = 3
"""How often the devices behind a listing may change while they are being locked."""


class NotFree(Exception):
    """A device has no unit that is free throughout. Caught by the use case, which knows what to offer."""


def devices_of(session: Session, equipment_id: int) -> list[int]:
    """The physical devices behind a listing: its own or the one it shares, and those of its parts, by id."""
    return list(session.scalars(DEVICES, {"equipment": equipment_id}))


def lock_devices(session: Session, equipment_id: int) -> tuple[Equipment, dict[int, int]]:
    """The listing, with its devices under FOR NO KEY UPDATE and how many units each has.

    Whoever books one of them waits here, in order. So does who changes what stands behind a listing, which
    is why the devices are read again once they are locked. Errors: ``NotFound``; ``Conflict`` if they kept
    changing.
    """
    devices = devices_of(session, equipment_id)
    for _ in range(TRIES):
        rows = session.scalars(
            select(Equipment)
            .where(Equipment.id.in_({equipment_id, *devices}))
            .order_by(Equipment.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).all()
        by_id = {row.id: row for row in rows}
        if equipment_id not in by_id:
            raise NotFound("没有这台设备。", field="equipment_id")
        before, devices = devices, devices_of(session, equipment_id)
        if devices == before:
            return by_id[equipment_id], {device: by_id[device].units for device in devices}
    raise Conflict("这台设备的组成正在变更，请稍后再试。", field="equipment_id")


def hold(session: Session, reservation_id: int, units: Mapping[int, int], blocked: Interval) -> None:
    """Hold one unit of each device throughout. Errors: ``NotFree``, after which the caller goes back to its savepoint.

    Shape: ``units`` is how many units each locked device has.
    """
    taken: dict[int, set[int]] = {}
    for device, unit in session.execute(
        select(Occupancy.equipment_id, Occupancy.unit).where(
            Occupancy.equipment_id.in_(list(units)), Occupancy.blocked.op("&&")(blocked)
        )
    ):
        taken.setdefault(device, set()).add(unit)
    rows = []
    for device, count in units.items():
        free = next((unit for unit in range(1, count + 1) if unit not in taken.get(device, ())), None)
        if free is None:
            free = _make_room(session, device, count, blocked)
        rows.append(Occupancy(reservation_id=reservation_id, equipment_id=device, unit=free, blocked=blocked))
    session.add_all(rows)
    try:
        session.flush()
    except IntegrityError as error:
        if isinstance(error.orig, pg.ExclusionViolation):
            raise NotFree from None
        raise


def _make_room(session: Session, device: int, units: int, blocked: Interval) -> int:
    """A unit of a pool that is free throughout, once later reservations have changed theirs. Errors: ``NotFree``."""
    if units == 1:
        raise NotFree
    begun: list[tuple[Interval, int]] = []
    coming: list[tuple[int | None, Interval, int | None]] = [(None, blocked, None)]
    for row in session.execute(
        select(Occupancy.id, Occupancy.blocked, Occupancy.unit).where(
            Occupancy.equipment_id == device,
            Occupancy.blocked.op("&&")(text("tstzrange(:since, NULL)").bindparams(since=blocked.start)),
        )
    ):
        if row.blocked.start < blocked.start:
            begun.append((row.blocked, row.unit))
        else:
            coming.append((row.id, row.blocked, row.unit))
    chosen = seats(begun, coming, units=units)
    if chosen is None:
        raise NotFree
    own = {number: unit for number, _, unit in coming}
    changed = {number: unit for number, unit in chosen.items() if number is not None and unit != own[number]}
    # In two steps, out of each other's way: the constraint looks at every single row.
    for away in (OUT_OF_THE_WAY, 0):
        for number, unit in changed.items():
            session.execute(update(Occupancy).where(Occupancy.id == number).values(unit=unit + away))
    return chosen[None]


def let_go(session: Session, reservation_id: int) -> None:
    """Hold nothing any more: the slot is free for others."""
    session.execute(delete(Occupancy).where(Occupancy.reservation_id == reservation_id))


def let_go_from(session: Session, reservation_id: int, moment: datetime) -> None:
    """Hold nothing from ``moment`` on; what lies before stays."""
    session.execute(
        delete(Occupancy).where(
            Occupancy.reservation_id == reservation_id, text("lower(occupancy.blocked) >= :moment")
        ),
        {"moment": moment},
    )
    session.execute(
        update(Occupancy)
        .where(Occupancy.reservation_id == reservation_id, text("upper(occupancy.blocked) > :moment"))
        .values(blocked=text("tstzrange(lower(occupancy.blocked), :moment)")),
        {"moment": moment},
    )


def hold_longer(
    session: Session, reservation_id: int, *, since: datetime | None = None, until: datetime | None = None
) -> None:
    """Hold the same units from ``since`` or until ``until`` instead. Errors: ``NotFree``; nothing changes then."""
    try:
        with session.begin_nested():
            session.execute(
                update(Occupancy)
                .where(Occupancy.reservation_id == reservation_id)
                .values(
                    blocked=text(
                        "tstzrange(coalesce(CAST(:since AS timestamptz), lower(occupancy.blocked)),"
                        " coalesce(CAST(:until AS timestamptz), upper(occupancy.blocked)))"
                    )
                ),
                {"since": since, "until": until},
            )
    except IntegrityError as error:
        if isinstance(error.orig, pg.ExclusionViolation):
            raise NotFree from None
        raise


@dataclass(frozen=True, slots=True)
class Stock:
    """So many of an accessory somebody wants, and how many others hold when; ``held`` only where it is limited."""

    accessory: Accessory
    quantity: int
    held: Sequence[tuple[Interval, int]]

    def shortage(self, when: Interval) -> Conflict | None:
        """Why they cannot be had then: it says how many are left."""
        if self.accessory.stock is None:
            return None
        left = self.accessory.stock - peak(self.held, when)
        if self.quantity <= left:
            return None
        return Conflict(
            "附件“%(name)s”在该时段仅剩 %(left)s 件，请减少数量或更换时段。",
            field="accessories",
            name=self.accessory.name_zh,
            left=max(0, left),
        )

    def out(self, within: Interval) -> list[Interval]:
        """When they cannot be had, ascending and disjoint."""
        stock = self.accessory.stock
        return [] if stock is None else lacking(self.held, within, left=stock - self.quantity)


def stocks(
    session: Session,
    wanted: Mapping[int, int],
    *,
    within: Interval,
    platform_id: int,
    except_id: int | None = None,
) -> list[Stock]:
    """The accessories that are ``wanted``, locked, and what of them is held ``within`` that time.

    Shape: how many of which. Errors: ``InvalidInput`` for a quantity below one; ``NotFound``.
    """
    found = []
    for accessory in _locked_accessories(session, wanted, platform_id) if wanted else ():
        quantity = wanted[accessory.id]
        if quantity < 1:
            raise InvalidInput("附件数量须至少为 1。", field="accessories")
        limited = accessory.stock is not None
        held = _in_use(session, accessory.id, within, except_id=except_id) if limited else []
        found.append(Stock(accessory, quantity, held))
    return found


def take_along(
    session: Session, reservation: Reservation, wanted: Mapping[int, int], *, when: Interval, platform_id: int
) -> None:
    """Take accessories along, if never more are in use at once than there are.

    Errors: as :func:`stocks`; ``Conflict`` that says how many are left.
    """
    for stock in stocks(session, wanted, within=when, platform_id=platform_id, except_id=reservation.id):
        if (shortage := stock.shortage(when)) is not None:
            raise shortage
        known = session.get(ReservedAccessory, (reservation.id, stock.accessory.id))
        if known is None:
            session.add(
                ReservedAccessory(
                    reservation_id=reservation.id, accessory_id=stock.accessory.id, quantity=stock.quantity
                )
            )
        else:
            known.quantity = stock.quantity
    session.flush()


def _locked_accessories(session: Session, wanted: Mapping[int, int], platform_id: int) -> list[Accessory]:
    rows = session.scalars(
        select(Accessory)
        .where(Accessory.id.in_(list(wanted)), Accessory.platform_id == platform_id)
        .order_by(Accessory.id)
        .with_for_update(key_share=True)
    ).all()
    if len(rows) != len(wanted):
        raise NotFound("没有这种附件。", field="accessories")
    return list(rows)


def _in_use(
    session: Session, accessory_id: int, when: Interval, *, except_id: int | None
) -> list[tuple[Interval, int]]:
    query = (
        select(Reservation.during, ReservedAccessory.quantity)
        .join(ReservedAccessory, ReservedAccessory.reservation_id == Reservation.id)
        .where(
            ReservedAccessory.accessory_id == accessory_id,
            Reservation.state.in_(HOLDS_SLOT),
            Reservation.during.op("&&")(when),
        )
    )
    if except_id is not None:
        query = query.where(Reservation.id != except_id)
    return [(during, quantity) for during, quantity in session.execute(query)]
