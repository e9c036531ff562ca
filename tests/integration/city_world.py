"""A city with two platforms, firms in towns and a year of use, at random but the same each time."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import PlatformOperator, RelatedParty
from app.identity.models import Organization
from app.identity.rules.permission import Role
from app.kernel.interval import Interval
from app.kernel.money import ZERO, Money
from billing.models import Invoice
from billing.rules.words import InvoiceKind, InvoiceState
from devices.models import Meter, MeterProfile, UsageSession
from tests import makers

YEAR = 2026
AT = datetime(2026, 11, 24, 4, tzinfo=UTC)
BEIJING = timedelta(hours=8)


class City:
    """Two platforms with hosts and operators, and firms in towns, without one, and elsewhere; a year of use."""

    def __init__(self, session, *, sessions=60, seed=1):
        self.session, self.random = session, random.Random(seed)
        self.hosts = [makers.organization(session, uscc=None) for _ in range(2)]
        self.operators = [makers.organization(session) for _ in range(2)]
        self.platforms = [
            makers.platform(session, host_id=host.id, operator=operator, field=field)
            for host, operator, field in zip(self.hosts, self.operators, ("食品", "建材"), strict=True)
        ]
        # The second platform changed hands in the middle of the year.
        former = session.scalars(
            select(PlatformOperator).where(PlatformOperator.platform_id == self.platforms[1].id)
        ).one()
        former.days = Range(date(2026, 1, 1), date(2026, 7, 1))
        session.flush()
        session.add(
            PlatformOperator(
                platform_id=self.platforms[1].id,
                organization_id=self.operators[0].id,
                days=Range(date(2026, 7, 1), None),
            )
        )
        places = [("青阳街道", "甲园"), ("青阳街道", None), ("安海镇", "甲园"), (None, None), (None, None)]
        self.firms = [
            makers.organization(
                session, town=town, park=park, region="厦门" if number == 4 else "晋江",
                uscc=None if number == 3 else f"{seed}{number:017}",
            )
            for number, (town, park) in enumerate(places)
        ]  # fmt: skip
        self.related = self.firms[2]
        session.add(
            RelatedParty(platform_id=self.platforms[0].id, organization_id=self.related.id, since=date(2026, 3, 1))
        )
        self.person = makers.person(session, (self.firms[0], Role.FIRM_MANAGER))
        self.meters = [makers.meter(session, of=makers.equipment(session, of=one)) for one in self.platforms * 2]
        self._use(sessions)
        for number, firm in enumerate(self.firms[:4], start=1):
            self.invoiced(self.platforms[number % 2], firm, Money(number * 1_000_01), number)
        self.invoiced(self.platforms[1], self.firms[0], Money(-40_00), 9, credits=self.first)
        session.flush()

    def _use(self, count):
        users = [*self.firms, *self.hosts, *self.operators, None]
        for meter in self.meters:
            at = datetime(2025, 12, 28, tzinfo=UTC)
            for _ in range(count):
                at += timedelta(minutes=self.random.randrange(60, 12_000))
                length = timedelta(minutes=self.random.randrange(1, 2_000))
                self.used(meter, self.random.choice(users), Interval(at, at + length))
                at += length

    def used(self, meter: Meter, firm: Organization | None, when: Interval, *, reserved: bool | None = None) -> None:
        reserved = self.random.random() < 0.6 if reserved is None else reserved
        reservation = None
        if reserved and firm is not None:
            reservation = Reservation(
                equipment_id=meter.equipment_id, person_id=self.person.id, organization_id=firm.id, during=when,
                state=ReservationState.FINISHED, purpose="示例", created_at=AT, changed_at=AT,
            )  # fmt: skip
            self.session.add(reservation)
            self.session.flush()
        parts = [when]
        if reservation is not None and when.duration > timedelta(hours=2):  # two runs, one order
            middle = when.start + when.duration / 2
            parts = [Interval(when.start, middle), Interval(middle + timedelta(minutes=1), when.end)]
        for part in parts:
            self.session.add(
                UsageSession(
                    meter_id=meter.id, equipment_id=meter.equipment_id,
                    reservation_id=reservation.id if reservation else None,
                    organization_id=firm.id if firm else None, started_at=part.start, ended_at=part.end, during=part,
                    running_s=self.random.randrange(1, int(part.duration.total_seconds()) + 1), energy_mwh=1,
                    readings_count=1, readings_digest="x", profile_id=self._profile(meter), rule_version=2,
                    fingerprint="x", derived_at=AT,
                )
            )  # fmt: skip
        self.session.flush()

    def _profile(self, meter):
        return self.session.scalars(select(MeterProfile.id).where(MeterProfile.meter_id == meter.id)).one()

    def invoiced(self, platform, firm, net, number, *, credits=None, on=date(2026, 5, 5)):
        row = Invoice(
            platform_id=platform.id, seller_id=self.operators[0].id, organization_id=firm.id, month=date(2026, 4, 1),
            kind=InvoiceKind.CREDIT_NOTE if credits else InvoiceKind.INVOICE, credits_id=credits and credits.id,
            state=InvoiceState.ISSUED, year=YEAR, number=number, issued_on=on, issued_at=AT, net_fen=net,
            tax_fen=ZERO, gross_fen=net, created_at=AT,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        self.first = getattr(self, "first", row)
        return row

    def own(self, platform, organization_id, started_at):
        """Whether it is the platform's own use, thought through by hand."""
        if organization_id == self.hosts[self.platforms.index(platform)].id:
            return True
        day = (started_at.astimezone(UTC) + BEIJING).date()
        if platform is self.platforms[0]:
            return organization_id == self.operators[0].id
        return organization_id == self.operators[1 if day < date(2026, 7, 1) else 0].id

    def of_year(self):
        """(platform, session) of the year at the facility."""
        by_equipment = {
            meter.equipment_id: platform for meter, platform in zip(self.meters, self.platforms * 2, strict=True)
        }
        return [
            (by_equipment[row.equipment_id], row)
            for row in self.session.scalars(select(UsageSession))
            if (row.started_at.astimezone(UTC) + BEIJING).year == YEAR
        ]
