from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from pypdf import PdfReader
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from app.catalogue.models import Recognition, RecognitionLevel
from app.identity.rules.permission import Role
from app.kernel.db import db, transaction
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval
from app.kernel.money import Money, total
from billing.assessing import assess_platform, judge_platform
from billing.charging import charge_usage, reconsider_problems
from billing.correcting import credit, what_is_left
from billing.documents import invoice_pdf, printed, told
from billing.invoicing import issue_month
from billing.models import Charge, Evaluation, Invoice, RevenueEntry, UseSettlement
from billing.paying import amount_due, record_payment
from billing.recognizing import recognize_revenue
from billing.reviewing import approve
from billing.rules.numerals import capital_numerals
from billing.rules.words import ChargeState, InvoiceState
from billing.statements import platform_year
from devices.models import UsageSession
from devices.rules.evidence import Evidence
from tests import makers

JUNE = date(2026, 6, 1)
AT = makers.BEGINNING.replace(month=7, day=2)


class World:
    """A platform with a price, a firm, and somebody who issues."""

    def __init__(self, session) -> None:
        self.session = session
        self.operator = makers.organization(session, name="示例运营公司", uscc="91350582XXXX00019F")
        self.platform = makers.platform(session, operator=self.operator)
        self.equipment = makers.equipment(session, of=self.platform)
        self.meter = makers.meter(session, of=self.equipment)
        makers.tariff(session, of=self.equipment)
        self.firm = makers.organization(session, name="示例企业", uscc="91350582XXXX00027A")
        self.finance = makers.person(session, (self.operator, Role.OPERATOR_FINANCE))
        self.sessions = 0

    def used(self, minutes: int = 143, *, firm=True, fingerprint: str = "first", **given) -> UsageSession:
        start = makers.BEGINNING.replace(month=6, day=10) + timedelta(hours=12 * self.sessions)
        self.sessions += 1
        when = Interval(start, start + timedelta(minutes=minutes))
        row = UsageSession(
            meter_id=self.meter.id, equipment_id=given.pop("equipment_id", self.equipment.id),
            organization_id=self.firm.id if firm else None, started_at=when.start, ended_at=when.end, during=when,
            running_s=minutes * 60, energy_mwh=5_000_000, readings_count=10, readings_digest="d", rule_version=1,
            profile_id=self.meter.profiles[0].id, fingerprint=fingerprint, evidence=Evidence.METERED, derived_at=AT,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row

    def charge(self) -> int:
        return charge_usage(self.session, until=AT, at=AT)

    def approve_all(self) -> None:
        approve(self.session, list(self.session.scalars(select(Charge.id))), by=self.finance.id, at=AT)

    def issue(self) -> Invoice:
        return issue_month(
            self.session,
            platform_id=self.platform.id,
            organization_id=self.firm.id,
            month=JUNE,
            by=self.finance.id,
            at=AT,
        )

    def invoice(self) -> Invoice:
        self.used()
        self.charge()
        self.approve_all()
        return self.issue()


@pytest.fixture
def world(session) -> World:
    return World(session)


def test_a_session_is_charged_once_and_again_when_it_changes(session, world):
    usage = world.used()
    assert world.charge() == 1
    assert world.charge() == 0
    assert [one.gross_fen for one in session.scalars(select(Charge).order_by(Charge.id))] == [
        Money.of(1440),
        Money.of(1200),
    ]
    world.approve_all()
    usage.fingerprint, usage.ended_at = "later", usage.started_at + timedelta(hours=3)
    usage.during = Interval(usage.started_at, usage.ended_at)
    session.flush()
    assert world.charge() == 1
    charges = session.scalars(select(Charge).order_by(Charge.id)).all()
    assert [one.gross_fen for one in charges] == [Money.of(1800), Money.of(1200)]
    assert {one.state for one in charges} == {ChargeState.PROPOSED}


def test_what_cannot_be_priced_waits_for_a_person_and_is_not_tried_for_ever(session, world):
    unpriced = makers.equipment(session, of=world.platform)
    world.used(firm=False)
    world.used(equipment_id=unpriced.id)
    assert world.charge() == 2
    assert world.charge() == 0
    assert set(session.scalars(select(UseSettlement.reason))) == {"no_organization", "no_tariff"}
    assert session.scalar(select(func.count()).select_from(Charge)) == 0
    makers.tariff(session, of=unpriced)
    reconsider_problems(session, platform_id=world.platform.id, at=AT)
    world.charge()
    assert set(session.scalars(select(UseSettlement.reason))) == {"no_organization", ""}
    assert set(session.scalars(select(Charge.equipment_id))) == {unpriced.id}


def test_own_use_without_a_price_asks_nobody_and_is_no_charge(session, world):
    world.firm = world.operator
    world.used()
    assert world.charge() == 1
    assert [(one.reason, one.status) for one in session.scalars(select(UseSettlement))] == [("own_use", "free")]


def test_an_invoice_is_the_sum_of_its_lines_and_never_changes(session, world):
    invoice = world.invoice()
    session.commit()
    assert invoice.gross_fen == total([line.gross_fen for line in invoice.lines]) == Money.of(2640)
    assert invoice.number == 1
    for change in (
        "UPDATE invoice SET gross_fen = gross_fen + 1, net_fen = net_fen + 1",
        "DELETE FROM invoice",
        "UPDATE invoice_line SET quantity = 9",
        "DELETE FROM invoice_line",
        "UPDATE usage_session SET energy_mwh = 0",
        "UPDATE charge SET quantity = 9",
    ):
        with pytest.raises(DBAPIError, match="issued"):
            session.execute(text(change))
        session.rollback()


def test_what_was_not_reviewed_is_not_invoiced(world):
    world.used()
    world.charge()
    with pytest.raises(Conflict, match="待审核"):
        world.issue()


def test_a_session_that_changed_since_it_was_charged_is_not_invoiced(session, world):
    usage = world.used()
    world.charge()
    world.approve_all()
    usage.fingerprint = "later"
    session.commit()
    with pytest.raises(Conflict, match="重新计费"):
        world.issue()
    session.rollback()
    assert world.charge() == 1
    world.approve_all()
    assert world.issue().gross_fen == Money.of(2640)
    assert world.charge() == 0


def test_numbers_have_no_gap_when_many_issue_at_once(app, session, world):
    firms = [makers.organization(session) for _ in range(8)]
    for firm in firms:
        world.firm = firm
        world.used()
    world.charge()
    world.approve_all()
    session.commit()
    platform, person, ids = world.platform.id, world.finance.id, [firm.id for firm in firms] * 2
    refused: list[str] = []
    gate = threading.Barrier(len(ids))

    def issue(firm: int) -> None:
        with app.app_context():
            gate.wait()
            try:
                with transaction() as own:
                    issue_month(own, platform_id=platform, organization_id=firm, month=JUNE, by=person, at=AT)
            except Conflict as refusal:
                refused.append(str(refusal))
            finally:
                db.session.remove()

    threads = [threading.Thread(target=issue, args=(firm,)) for firm in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(session.scalars(select(Invoice.number))) == list(range(1, 9))
    assert len(refused) == 8


def test_credit_notes_never_exceed_and_the_last_takes_the_last_fen(session, world):
    invoice = world.invoice()
    line = invoice.lines[0]
    for part in ("333.33", "333.33", "333.33"):
        credit(session, invoice.id, amounts={line.id: Money.of(part)}, reason="示例更正", by=world.finance.id, at=AT)
    with pytest.raises(InvalidInput, match=r"440\.01"):
        credit(session, invoice.id, amounts={line.id: Money.of("440.02")}, reason="x", by=world.finance.id, at=AT)
    credit(session, invoice.id, amounts={line.id: Money.of("440.01")}, reason="x", by=world.finance.id, at=AT)
    assert what_is_left(session, invoice)[line.id] == (Money(0), Money(0))
    assert sorted(session.scalars(select(Invoice.number))) == [1, 2, 3, 4, 5]
    with pytest.raises(InvalidInput, match="原因"):
        credit(session, invoice.id, amounts={invoice.lines[1].id: Money.of(1)}, reason=" ", by=world.finance.id, at=AT)


def test_an_invoice_is_paid_when_all_came_in(session, world):
    invoice = world.invoice()
    pay = {"paid_on": JUNE, "reference": "示例", "by": world.finance.id, "at": AT}
    record_payment(session, invoice.id, amount=Money.of(1000), **pay)
    assert invoice.state is InvoiceState.ISSUED
    with pytest.raises(InvalidInput, match=r"1640\.00"):
        record_payment(session, invoice.id, amount=Money.of("1640.01"), **pay)
    record_payment(session, invoice.id, amount=Money.of(1640), **pay)
    assert invoice.state is InvoiceState.PAID
    assert amount_due(session, invoice) == Money(0)


def test_revenue_is_net_once_and_negative_for_a_credit_note(session, world):
    invoice = world.invoice()
    credit(session, invoice.id, amounts={invoice.lines[1].id: Money.of(1200)}, reason="x", by=world.finance.id, at=AT)
    assert recognize_revenue(session, at=AT) == 3
    assert recognize_revenue(session, at=AT) == 0
    assert session.scalar(select(func.sum(RevenueEntry.net_fen))) == invoice.lines[0].net_fen
    with pytest.raises(DBAPIError, match="only grows"):
        session.execute(text("DELETE FROM revenue_entry"))


def test_a_subsidised_yuan_leads_back_to_the_line_that_earned_it(session, world):
    platform = world.platform
    session.add(
        Recognition(
            platform_id=platform.id,
            level=RecognitionLevel.QUANZHOU,
            recognised_on=date(2026, 1, 15),
            document="示例认定〔2026〕1号",
        )
    )
    session.add(Evaluation(platform_id=platform.id, year=2026, evaluated=True, selected=True, document="示例评估"))
    invoice = world.invoice()
    recognize_revenue(session, at=AT)
    _, judgement = judge_platform(session, platform.id)
    (grant,) = [one for one in judgement.grants if one.year == 2026]
    assert grant.payable.amount == invoice.net_fen.times(Decimal("0.3"))
    assert grant.payable.upper + grant.payable.own == grant.payable.amount
    year = platform_year(session, platform.id, 2026, lines=True).revenue
    assert {entry.line_ref for entry in year.entries} == {str(line.id) for line in invoice.lines}
    assert assess_platform(session, platform.id, at=AT)
    assert not assess_platform(session, platform.id, at=AT)


def test_the_printed_invoice_says_it_all_and_is_the_same_twice(world):
    invoice = world.invoice()
    paper = invoice_pdf(invoice)
    assert paper == invoice_pdf(invoice)
    said = "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(paper)).pages).split())
    for words in (
        "示例企业",
        "91350582XXXX00027A",
        "服务费结算单",
        capital_numerals(invoice.gross_fen),
        "2,640.00",
        "机时费",
        "6%",
        "2026-06-1008:00–10:23·电表计量",
        "144分钟×¥600.00/h=¥1,440.00",
        "示例SAMPLE",
    ):
        assert words in said


def test_many_may_print_at_once(world):
    paper = invoice_pdf(world.invoice())
    data = told(world.session.scalars(select(Invoice)).one())
    with ThreadPoolExecutor(8) as printers:
        assert set(printers.map(printed, [data] * 16)) == {paper}


def test_a_printed_credit_note_names_what_it_credits_and_why(session, world):
    invoice = world.invoice()
    note = credit(
        session, invoice.id, amounts={invoice.lines[0].id: Money.of(100)}, reason="示例更正", by=world.finance.id, at=AT
    )
    pages = PdfReader(io.BytesIO(invoice_pdf(note))).pages
    said = "".join("".join(page.extract_text() for page in pages).split())
    for words in ("红字通知单", invoice.label, note.label, "示例更正", "负壹佰元整", "-100.00"):
        assert words in said
