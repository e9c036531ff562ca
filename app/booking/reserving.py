"""Reserve one slot for one firm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from psycopg import errors as pg
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.booking.admitting import obstacles
from app.booking.asking import ask_operators
from app.booking.availability import nearest_free_slots
from app.booking.holding import NotFree, hold, lock_devices, take_along
from app.booking.models import Reservation
from app.booking.rules.request import Terms
from app.booking.rules.reservation import ReservationState, ServiceMode
from app.booking.terms import class_for, terms_of
from app.catalogue.models import Approval, Equipment
from app.catalogue.rules.customer import CustomerClass
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, Refusal, SlotTaken
from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing whose devices are locked, and how one firm may reserve it. ``units`` is how many each device has."""

    equipment: Equipment
    units: Mapping[int, int]
    terms: Terms
    customer_class: CustomerClass


def locked_listing(session: Session, equipment_id: int, *, organization_id: int, at: datetime) -> Listing:
    """Errors: ``NotFound``."""
    equipment, units = lock_devices(session, equipment_id)
    return Listing(equipment, units, *terms_for(session, equipment, organization_id, at=at))


def reserve(
    session: Session,
    *,
    equipment_id: int,
    when: Interval,
    organization_id: int,
    person_id: int,
    at: datetime,
    purpose: str = "",
    idempotency_key: str | None = None,
    accessories: Mapping[int, int] | None = None,
    mode: ServiceMode = ServiceMode.SELF,
    series_id: int | None = None,
    service_request_id: int | None = None,
    by_operator: bool = False,
    offered_until: datetime | None = None,
    listing: Listing | None = None,
) -> Reservation:
    """Reserve ``when`` for a firm. The same key with the same content gives the same reservation again.

    Where the equipment wants approval the slot is held as a request until somebody decides, unless an
    operator reserves. With ``offered_until`` it is held as an offer that one person may take. Who reserves
    many slots of one ``listing`` locks and reads it once.

    Shape: ``accessories`` is how many of which. Errors: ``SlotTaken`` with the nearest free slots;
    ``InvalidInput``, ``NotAllowed`` and ``Conflict`` when terms, quotas, requirements or closures forbid
    it; ``Conflict`` for a key that was used for something else.
    """
    listing = listing or locked_listing(session, equipment_id, organization_id=organization_id, at=at)
    equipment, terms, customer_class = listing.equipment, listing.terms, listing.customer_class

    def earlier() -> Reservation | None:
        return _by_key(session, organization_id, idempotency_key, equipment_id=equipment_id, when=when, purpose=purpose)

    if (known := earlier()) is not None:
        return known
    broken = obstacles(
        session,
        equipment,
        when,
        terms=terms,
        customer_class=customer_class,
        devices=listing.units,
        organization_id=organization_id,
        person_id=person_id,
        at=at,
        mode=mode,
        exempt=by_operator,
    )
    if broken:
        raise first_of(broken)
    state, hold_until = beginning(equipment, when, at=at, by_operator=by_operator, offered_until=offered_until)
    reservation = Reservation(
        equipment_id=equipment_id,
        organization_id=organization_id,
        person_id=person_id,
        series_id=series_id,
        service_request_id=service_request_id,
        mode=mode,
        during=when,
        state=state,
        hold_until=hold_until,
        purpose=purpose,
        idempotency_key=idempotency_key,
        created_at=at,
        changed_at=at,
    )
    try:
        with session.begin_nested():
            session.add(reservation)
            session.flush()
            hold(session, reservation.id, listing.units, terms.blocked(when))
    except NotFree:
        refuse_taken(session, equipment, when, at=at, customer_class=customer_class)
    except IntegrityError as error:
        if isinstance(error.orig, pg.UniqueViolation) and (known := earlier()) is not None:
            return known  # the same key came at the same moment by another way
        raise
    if accessories:
        take_along(session, reservation, accessories, when=when, platform_id=equipment.platform_id)
    audit.record(
        session,
        at=at,
        by=person_id,
        deed="reserved",
        subject="reservation",
        subject_id=reservation.id,
        equipment_id=equipment_id,
        state=state.value,
        **as_facts(when),
    )
    ask_operators(session, reservation, at=at)
    session.flush()
    return reservation


def first_of(broken: list[Refusal]) -> Refusal:
    """The first refusal, which carries the others along as ``also`` for whoever can show all."""
    broken[0].facts["also"] = broken[1:]
    return broken[0]


def terms_for(
    session: Session, equipment: Equipment, organization_id: int, *, at: datetime
) -> tuple[Terms, CustomerClass]:
    """How this firm may reserve this equipment."""
    customer_class = class_for(session, equipment, organization_id, on=local_date(at))
    return terms_of(session, equipment, at=at, customer_class=customer_class), customer_class


def beginning(
    equipment: Equipment,
    when: Interval,
    *,
    at: datetime,
    by_operator: bool = False,
    offered_until: datetime | None = None,
) -> tuple[ReservationState, datetime | None]:
    """The state a reservation begins in, and until when it is held there."""
    if offered_until is not None:
        return ReservationState.OFFERED, offered_until
    if equipment.approval is Approval.NONE or by_operator:
        return ReservationState.BOOKED, None
    return ReservationState.REQUESTED, min(at + timedelta(hours=equipment.approval_hours), when.start)


def _by_key(
    session: Session, organization_id: int, key: str | None, *, equipment_id: int, when: Interval, purpose: str
) -> Reservation | None:
    if key is None:
        return None
    known = session.scalar(
        select(Reservation).where(Reservation.organization_id == organization_id, Reservation.idempotency_key == key)
    )
    if known is None:
        return None
    if (known.equipment_id, known.during, known.purpose) != (equipment_id, when, purpose):
        raise Conflict("这个幂等键已用于另一项预约，请换一个新的键。", field="idempotency_key")
    return known


def refuse_taken(
    session: Session,
    equipment: Equipment,
    when: Interval,
    *,
    at: datetime,
    customer_class: CustomerClass,
    except_id: int | None = None,
) -> NoReturn:
    """Say that the slot is taken, with the nearest free ones."""
    alternatives = nearest_free_slots(
        session, equipment, when, at=at, except_id=except_id, customer_class=customer_class
    )
    raise SlotTaken(
        "这段时间已被预约，请从最近的空闲时段中选择。", alternatives=alternatives, equipment_id=equipment.id
    ) from None


def as_facts(when: Interval) -> dict[str, str]:
    return {"starts_at": when.start.isoformat(), "ends_at": when.end.isoformat()}
