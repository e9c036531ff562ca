"""A small claim from the wire to the lock: readings heard and sealed, use metered, charged, invoiced and recognized."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import Recognition, RecognitionLevel
from app.identity.rules.permission import Role
from app.kernel.interval import Interval
from app.kernel.long_work import advance, ask
from billing.charging import charge_usage
from billing.dossier.writing import KIND, House, write_portion
from billing.invoicing import issue_month
from billing.models import Charge, Dossier, Evaluation, Invoice
from billing.recognizing import recognize_revenue
from billing.reviewing import approve
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.metering import meter_readings
from devices.rules.topic import shard_of, topic_of
from devices.sealing import seal_readings
from tests import makers

KEY = bytes(range(32))
FIRST = makers.BEGINNING.replace(month=6, day=10, hour=1)
MONTH_OVER = makers.BEGINNING.replace(month=7, day=2)
YEAR_OVER = makers.BEGINNING.replace(year=2027, month=2, day=1)
STEP = timedelta(seconds=10)


class DossierWorld:
    """A certified and selected platform, one machine with a native meter, a firm; ``used`` is a reserved run."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.operator = makers.organization(session, name="示例运营公司", uscc="91350582XXXX00019F")
        self.platform = makers.platform(session, operator=self.operator, code="hx-dossier")
        self.finance = makers.person(session, (self.operator, Role.OPERATOR_FINANCE), name="王示例财务")
        self.firm = makers.organization(session, name="示例企业", uscc="91350582XXXX00027A")
        self.engineer = makers.person(session, (self.firm, Role.FIRM_MEMBER), name="李示例工程师")
        session.add(Recognition(
            platform_id=self.platform.id, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 1, 5),
            document="泉工信〔2026〕示例1号", newly=True,
        ))  # fmt: skip
        session.add(
            Evaluation(platform_id=self.platform.id, year=2026, evaluated=True, selected=True, document="示例评价")
        )
        self.equipment = makers.equipment(session, of=self.platform)
        makers.tariff(session, of=self.equipment)
        self.meter = makers.meter(session, of=self.equipment, code="mt-claim", shard=shard_of("mt-claim"))
        self.seq, self.energy, self.runs = 0, 0, 0

    def used(self, minutes: int = 20, *, portion: int = 15) -> Reservation:
        """A reserved run with a reading every ten seconds, ``portion`` of them to a message; quiet before and after."""
        start = FIRST + timedelta(hours=6 * self.runs)
        self.runs += 1
        when = Interval(start, start + timedelta(minutes=minutes))
        row = Reservation(
            equipment_id=self.equipment.id, organization_id=self.firm.id, person_id=self.engineer.id, during=when,
            state=ReservationState.FINISHED, purpose="", created_at=start, changed_at=when.end,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        moments, moment = [], start - timedelta(minutes=2)
        while moment < when.end + timedelta(minutes=5):
            moments.append(moment)
            moment += STEP
        for first in range(0, len(moments), portion):
            some = moments[first : first + portion]
            ingest(self.session, [self._said(some, when)])
        return row

    def _said(self, moments: list, when: Interval) -> WireMessage:
        readings = []
        for moment in moments:
            running = when.start <= moment < when.end
            self.seq += 1
            self.energy += 2 if running else 0
            readings.append(
                {
                    "seq": self.seq, "at_ms": int(moment.timestamp() * 1000),
                    "power_w": 812.5 + self.seq % 7 if running else 3, "energy_wh": self.energy + 0.125,
                }
            )  # fmt: skip
        payload = json.dumps({"v": 1, "boot": 1, "readings": readings}).encode()
        return WireMessage(topic_of(self.meter.code, "data"), payload, moments[-1] + timedelta(seconds=1))

    def seal(self) -> None:
        while seal_readings(self.session, at=YEAR_OVER, key=KEY, limit=120):
            pass

    def invoiced(self, month: date = date(2026, 6, 1), *, at: datetime = MONTH_OVER) -> Invoice:
        """Everything from the readings on to recognized revenue."""
        while meter_readings(self.session, at=at):
            pass
        charge_usage(self.session, until=at, at=at)
        approve(self.session, list(self.session.scalars(select(Charge.id))), by=self.finance.id, at=at)
        invoice = issue_month(
            self.session, platform_id=self.platform.id, organization_id=self.firm.id, month=month,
            by=self.finance.id, at=at,
        )  # fmt: skip
        recognize_revenue(self.session, at=at)
        return invoice


def written(session: Session, platform_id: int, folder: Path, *, year: int = 2026) -> Path:
    """The dossier of a year, by as many portions as it takes."""
    work = ask(session, kind=KIND, platform_id=platform_id, arguments={"year": year}, by=None, at=YEAR_OVER)
    house = House(folder, KEY)

    def step(session, work, at):
        write_portion(session, work, at, house=house)

    while work.going_on:
        before = work.done
        advance(session, {KIND: step}, at=YEAR_OVER)
        assert work.state == "failed" or before < work.done <= work.total, "every portion moves the bar"
    assert (work.state, work.done) == ("done", work.total), (work.said, work.facts)
    row = session.scalars(select(Dossier).where(Dossier.long_work_id == work.id)).one()
    return folder / row.file
