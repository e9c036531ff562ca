"""What is known of each case of use: the reservation, its runs, and what others did meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.rules.slot import AgreedSlot
from app.booking.slots import agreed_slots, booked_slots
from app.catalogue.models import ChargeUnit, Equipment
from app.kernel import clock
from app.kernel.interval import Interval
from billing.models import AcceptedRun
from billing.rules.pricing.facts import Booked, Run, UseFacts
from billing.rules.pricing.terms import ChargeMode, Terms, Unit
from devices.rules.usage import Usage
from devices.usage import metered_equipment, usage_of_reservations, usage_within

COUNTED = {
    ChargeUnit.BATCH: Unit.BATCH,
    ChargeUnit.SAMPLE: Unit.SAMPLE,
    ChargeUnit.KILOGRAM: Unit.KG,
    ChargeUnit.METRE: Unit.M,
}
"""What a device's own count counts, by how its equipment is charged."""


@dataclass(frozen=True, slots=True)
class Case:
    """A reservation with all its runs, or one run that nobody had reserved.

    ``metered`` says whether there is a meter that would have seen use. ``accepted`` are the runs, by their session,
    that are priced as a person accepted them; an empty one is not priced.
    """

    equipment: Equipment
    slot: AgreedSlot | None
    sessions: tuple[Usage, ...]
    metered: bool
    accepted: Mapping[int, AcceptedRun] = field(default_factory=dict)

    @property
    def priced(self) -> tuple[Usage, ...]:
        """The runs as they are priced."""
        found = []
        for one in self.sessions:
            known = self.accepted.get(one.session_id)
            if known is None:
                found.append(one)
            elif known.during is not None:
                found.append(replace(one, when=known.during, energy_mwh=known.energy_mwh))
        return tuple(sorted(found, key=lambda one: one.when.start))

    @property
    def organization_id(self) -> int | None:
        return self.slot.organization_id if self.slot is not None else self.sessions[0].organization_id

    @property
    def reservation_id(self) -> int | None:
        return None if self.slot is None else self.slot.reservation_id

    @property
    def session_id(self) -> int | None:
        """The run itself where there is no reservation."""
        return self.sessions[0].session_id if self.slot is None else None

    @property
    def span(self) -> Interval:
        """From the first to the last that is known of it."""
        known = [one.when for one in self.sessions] + ([self.slot.during] if self.slot is not None else [])
        return Interval(min(one.start for one in known), max(one.end for one in known))

    @property
    def complete(self) -> bool:
        """Whether no run goes on and the reserved time is over."""
        return not any(run.open for run in self.sessions) and (self.slot is None or self.slot.over)

    @property
    def day(self) -> datetime:
        """When its price is looked up: at the start of what was booked, else of the run."""
        return self.slot.during.start if self.slot is not None else self.sessions[0].when.start


def cases_of_usage(session: Session, found: Sequence[Usage], *, at: datetime) -> list[Case]:
    """The cases that these runs belong to, each whole, by start. Those with a run that still goes on wait.

    Five queries for all of them, more where equipment needs time before and after.
    """
    slots = agreed_slots(session, {one.reservation_id for one in found if one.reservation_id is not None}, at=at)
    runs = usage_of_reservations(session, slots)
    equipment = _equipment(session, {one.equipment_id for one in found})
    cases = [_case(equipment, slot, runs.get(slot.reservation_id, [])) for slot in slots.values()]
    cases += [_case(equipment, None, [one]) for one in found if one.reservation_id not in slots]
    whole = [one for one in cases if not any(run.open for run in one.sessions)]
    return sorted(_as_accepted(session, whole), key=lambda one: one.span.start)


def cases_of_reservations(session: Session, reservation_ids: Collection[int], *, at: datetime) -> list[Case]:
    """The cases of these reservations, with the runs they had, if any."""
    slots = agreed_slots(session, reservation_ids, at=at)
    runs = usage_of_reservations(session, slots)
    equipment = _equipment(session, {slot.equipment_id for slot in slots.values()})
    metered = metered_equipment(session, equipment)
    cases = [
        _case(equipment, slot, runs.get(slot.reservation_id, []), metered=slot.equipment_id in metered)
        for slot in slots.values()
    ]
    return _as_accepted(session, cases)


def facts_of_case(
    session: Session, case: Case, terms: Terms, *, customer_class: str, prior_quantity: Decimal, at: datetime
) -> UseFacts:
    """What the price is found from. What others did is asked for only where these terms look at it."""
    slot = case.slot
    others_matter = terms.mode is ChargeMode.UNION or (terms.no_show is not None and terms.no_show.waive_if_slot_reused)
    return UseFacts(
        terms=terms,
        zone=clock.FACILITY_ZONE,
        customer_class=customer_class,
        reservation=None
        if slot is None
        else Booked(
            when=slot.during,
            cancelled_at=slot.cancelled_at,
            cancelled_by_operator=slot.withdrawn,
            checked_in_at=slot.checked_in_at,
            booked_at=slot.booked_at,
        ),
        runs=tuple(_run(case.equipment, one) for one in case.priced) if case.sessions or case.metered else None,
        other_reservations=_reserved_by_others(session, case) if others_matter else (),
        other_usage=_used_by_others(session, case) if others_matter else (),
        prior_quantity=prior_quantity,
        now=at,
    )


def _as_accepted(session: Session, cases: Sequence[Case]) -> list[Case]:
    """The same cases with what a person accepted of their runs. One query for all of them."""
    ids = [run.session_id for one in cases for run in one.sessions]
    accepted = session.scalars(select(AcceptedRun).where(AcceptedRun.usage_session_id.in_(ids))).all() if ids else []
    known = {one.usage_session_id: one for one in accepted}
    return [replace(one, accepted=known) for one in cases] if known else list(cases)


def _case(
    equipment: dict[int, Equipment], slot: AgreedSlot | None, sessions: Iterable[Usage], *, metered: bool = True
) -> Case:
    runs = tuple(sessions)
    return Case(equipment[slot.equipment_id if slot is not None else runs[0].equipment_id], slot, runs, metered)


def _equipment(session: Session, ids: Collection[int]) -> dict[int, Equipment]:
    return {one.id: one for one in session.scalars(select(Equipment).where(Equipment.id.in_(ids)))}


def _run(equipment: Equipment, one: Usage) -> Run:
    unit = COUNTED.get(equipment.charge_unit)
    counts = {} if unit is None or one.counted is None else {unit: Decimal(one.counted)}
    return Run(one.when.start, one.when.end, Decimal(one.energy_mwh) / 1000, counts)


def _reserved_by_others(session: Session, case: Case) -> tuple[Interval, ...]:
    slots = booked_slots(session, [case.equipment.id], case.span)
    return tuple(one.during for one in slots if one.reservation_id != case.reservation_id)


def _used_by_others(session: Session, case: Case) -> tuple[Interval, ...]:
    own = {one.session_id for one in case.sessions}
    meters = {one.meter_id for one in case.sessions}
    return tuple(
        one.when
        for one in usage_within(session, [case.equipment.id], case.span)
        if one.session_id not in own and (not meters or one.meter_id in meters)
    )
