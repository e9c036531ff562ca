from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.booking.delivering import deliver, schedule, sign_off
from app.booking.models import ServiceRequest
from app.booking.rules.service import HandedFile, QuotedLine
from app.booking.rules.words import QuoteUnit, RequestKind
from app.booking.servicing import accept, quote, submit
from app.catalogue.models import Recognition, RecognitionLevel
from app.identity.rules.permission import Role
from app.kernel.clock import local_date
from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from app.kernel.money import Money
from billing.charging import charge_usage
from billing.charging_services import charge_services
from billing.invoicing import issue_month
from billing.models import Charge, InvoiceLine, RevenueEntry, UseSettlement
from billing.recognizing import recognize_revenue
from billing.reviewing import approve
from billing.rules.words import ChargeKind, ChargeState, RevenueCategory
from billing.statements import charges_of_request, evidence_path, platform_year
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.metering import meter_readings
from devices.models import UsageSession
from devices.rules.evidence import Evidence
from devices.rules.topic import shard_of, topic_of
from devices.simulating.speaking import native_message
from tests import makers

HOUR = timedelta(hours=1)
AT = makers.BEGINNING.replace(month=6, day=10, hour=1)
SIGNED = AT + 8 * HOUR
LATER = makers.BEGINNING.replace(month=7, day=2)
JUNE = date(2026, 6, 1)
LINES = (
    QuotedLine("拉伸强度", Decimal(3), QuoteUnit.SAMPLE, Decimal(200), Decimal("0.06")),
    QuotedLine("盖章报告", Decimal(1), QuoteUnit.PIECE, Decimal(0), Decimal("0.06")),
)


class World:
    """A metered device with an hourly price, and a firm that has work done on it."""

    def __init__(self, session) -> None:
        self.session = session
        self.operator = makers.organization(session, name="示例运营公司")
        self.platform = makers.platform(session, operator=self.operator)
        self.equipment = makers.equipment(session, of=self.platform)
        self.meter = makers.meter(session, of=self.equipment, code="sample-1", shard=shard_of("sample-1"))
        makers.tariff(session, of=self.equipment, tax_code="3040101000000000000")
        self.firm = makers.organization(session, name="示例企业")
        self.staff = makers.person(session, (self.operator, Role.OPERATOR))
        self.asker = makers.person(session, (self.firm, Role.FIRM_MANAGER))

    def delivered(self, **given) -> ServiceRequest:
        """Work that ran for two metered hours and was handed over."""
        wish = {
            "platform_id": self.platform.id, "equipment_id": self.equipment.id, "organization_id": self.firm.id,
            "kind": RequestKind.COMMISSIONED_TEST, "title": "示例测试", **given,
        }  # fmt: skip
        request = submit(self.session, person_id=self.asker.id, at=AT, **wish)
        by, number = self.staff.id, request.id
        quote(self.session, number, lines=LINES, valid_until=date(2026, 6, 30), by=by, at=AT)
        accept(self.session, number, version=1, by=self.asker.id, at=AT)
        if given.get("equipment_id", self.equipment.id):
            when = Interval(AT + HOUR, AT + 3 * HOUR)
            schedule(self.session, number, equipment_id=self.equipment.id, when=when, by=by, at=AT)
            self.ran(when)
        return deliver(self.session, number, files=[HandedFile("r.txt", "text/plain", b"r")], by=by, at=SIGNED)

    def signed(self, **given) -> ServiceRequest:
        return sign_off(self.session, self.delivered(**given).id, by=self.asker.id, at=SIGNED)

    def ran(self, when: Interval) -> None:
        readings, energy, at = [], 0.0, when.start - HOUR
        while at < when.end + HOUR:
            power = 1500.0 if when.contains(at) else 20.0
            energy += power / 60
            readings.append((len(readings) + 1, at, power, round(energy, 3)))
            at += timedelta(minutes=1)
        topic = topic_of(self.meter.code, "data")
        ingest(self.session, [WireMessage(topic, native_message(1, readings), at)])
        meter_readings(self.session, at=at + HOUR)

    def charge(self) -> tuple[int, int]:
        return (
            charge_usage(self.session, until=LATER, at=LATER),
            charge_services(self.session, until=LATER, at=LATER),
        )

    def issue(self):
        approve(self.session, list(self.session.scalars(select(Charge.id))), by=self.staff.id, at=LATER)
        place = {"platform_id": self.platform.id, "organization_id": self.firm.id}
        return issue_month(self.session, month=JUNE, by=self.staff.id, at=LATER, **place)


@pytest.fixture
def world(session) -> World:
    return World(session)


def test_an_accepted_quote_is_charged_once_and_its_hours_are_not_charged_again(session, world):
    request = world.signed()
    assert world.charge() == (1, 1)
    assert world.charge() == (0, 0)
    (charge,) = session.scalars(select(Charge))
    assert (charge.kind, charge.state) == (ChargeKind.SERVICE, ChargeState.PROPOSED)
    assert (charge.gross_fen, charge.tax_fen) == (Money.of(600), Money.of("33.96"))
    assert (charge.service_request_id, charge.usage_session_id) == (request.id, None)
    assert charge.category is RevenueCategory.PERFORMANCE_TEST
    assert charge.tax_code == "3040101000000000000"
    assert charge.served_at == SIGNED
    assert charge.explanation_zh == "报价第 1 版第 1 行“拉伸强度”：3 样 × ¥200.00 = ¥600.00（含 6 % 税 ¥33.96）"
    assert charge.explanation_en.endswith("3 sample(s) × ¥200.00 = ¥600.00 (including 6 % VAT ¥33.96)")
    assert [(one.reason, one.status) for one in session.scalars(select(UseSettlement))] == [("commissioned", "free")]


def test_what_is_not_signed_off_is_not_charged(session, world):
    world.delivered()
    assert world.charge() == (1, 0)
    assert session.scalar(select(func.count()).select_from(Charge)) == 0


def test_own_use_makes_no_charge_and_is_not_looked_at_again(session, world):
    world.firm = world.operator
    request = world.signed()
    assert world.charge() == (1, 1)
    assert world.charge() == (0, 0)
    assert not charges_of_request(session, request.id)


def test_work_without_equipment_is_charged_all_the_same(session, world):
    request = world.signed(equipment_id=None, kind=RequestKind.CONTRACT_PROCESSING)
    assert world.charge() == (0, 1)
    (charge,) = charges_of_request(session, request.id)
    assert (charge.equipment_id, charge.category) == (None, RevenueCategory.CONTRACT_PILOT_PROCESSING)
    assert world.issue().gross_fen == Money.of(600)


def test_an_invoice_line_leads_to_the_request_its_reservation_and_its_readings(session, world):
    request = world.signed()
    session.add(
        Recognition(
            platform_id=world.platform.id,
            level=RecognitionLevel.QUANZHOU,
            recognised_on=date(2026, 1, 5),
            document="示例1号",
        )
    )
    world.charge()
    with pytest.raises(Conflict):
        issue_month(
            session, platform_id=world.platform.id, organization_id=world.firm.id, month=JUNE, by=world.staff.id, at=AT
        )
    invoice = world.issue()
    (line,) = invoice.lines
    assert (line.description_zh, line.unit, line.quantity) == (f"委托服务 #{request.id} · 示例测试", "样", 3)
    assert line.served_on == local_date(SIGNED)
    path = evidence_path(session, line.id)
    (usage,) = path.used
    assert path.request_id == request.id
    assert usage.readings_count > 100
    assert session.get_one(UsageSession, usage.session_id).frozen_at == LATER
    assert recognize_revenue(session, at=LATER) == 1
    assert recognize_revenue(session, at=LATER) == 0
    entry = session.scalars(select(RevenueEntry)).one()
    assert (entry.net_fen, entry.category) == (Money.of("566.04"), RevenueCategory.PERFORMANCE_TEST)
    year = platform_year(session, world.platform.id, local_date(LATER).year, lines=True).revenue
    assert [(one.line_ref, one.counted) for one in year.entries] == [(str(line.id), Money.of("566.04"))]


def test_hours_and_commissioned_work_share_one_invoice(session, world):
    world.signed()
    start = AT + 24 * HOUR
    row = UsageSession(
        meter_id=world.meter.id, equipment_id=world.equipment.id, organization_id=world.firm.id, started_at=start,
        ended_at=start + 2 * HOUR, during=Interval(start, start + 2 * HOUR), running_s=7200, energy_mwh=1,
        readings_count=1, readings_digest="d", rule_version=1, profile_id=world.meter.profiles[0].id,
        fingerprint="f", evidence=Evidence.METERED, derived_at=start,
    )  # fmt: skip
    session.add(row)
    session.flush()
    assert world.charge() == (2, 1)
    invoice = world.issue()
    assert [line.unit for line in invoice.lines] == ["样", "h", "次"]
    assert invoice.gross_fen == Money.of(600 + 1200 + 1200)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE charge SET quote_line_id = NULL",
        "UPDATE charge SET service_request_id = NULL",
        "UPDATE charge SET position = 1",
        "INSERT INTO charge SELECT (jsonb_populate_record(charge, '{\"id\": 999}')).* FROM charge",
    ],
)
def test_a_charge_has_exactly_one_origin_and_a_line_is_charged_once(session, world, change):
    world.signed()
    world.charge()
    session.commit()
    with pytest.raises(DBAPIError, match=r"one_origin|uq_charge_quote_line_id"):
        session.execute(text(change))
    session.rollback()
    assert session.scalar(select(func.count()).select_from(InvoiceLine)) == 0
