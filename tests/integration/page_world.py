"""A small world that went down the whole river, for pages to show: two firms, two platforms, every role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.closing import close
from app.booking.delivering import deliver
from app.booking.feeds import open_feed
from app.booking.holding import hold
from app.booking.incidents import record_incident
from app.booking.keeping import record
from app.booking.models import ConductEntry, Reservation, Series, ServiceRequest, Waiting
from app.booking.rating import rate
from app.booking.repeating import reserve_series
from app.booking.rules.feedback import Severity
from app.booking.rules.service import HandedFile, QuotedLine, SentItem
from app.booking.rules.words import FeedScope, ItemKind, MisstepKind, QuoteUnit, RequestKind
from app.booking.servicing import accept, quote, submit
from app.booking.waiting import join
from app.catalogue.granting import grant
from app.catalogue.models import Conduct, Equipment, Platform, Recognition, RecognitionLevel, Requirement
from app.catalogue.rules.words import ClosureKind, RequirementKind
from app.catalogue.special_days import seed_special_days
from app.identity.models import Organization, Person
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.interval import Interval
from app.kernel.long_work import LongWork, ask
from app.kernel.money import Money
from app.kernel.secrets import key_for
from billing.assessing import assess_platform
from billing.bank_import import import_statement, upload
from billing.charging import charge_usage
from billing.claims.asking import ask as ask_about
from billing.claims.deciding import deduct
from billing.claims.filing import file_claim
from billing.claims.locking import lock_claim
from billing.correcting import credit
from billing.deposits import top_up
from billing.dossier.writing import FOLDER
from billing.evaluation_entries import hand_in
from billing.invoicing import issue_month
from billing.journal import post_documents
from billing.models import (
    Asset,
    BankLine,
    Charge,
    Dossier,
    Evaluation,
    Invoice,
    JournalEntry,
    RedLetter,
    RedRequest,
    SharingProposal,
    TaxInvoice,
)
from billing.other_grants import record_other_grant
from billing.paying import record_payment, reverse_payment
from billing.recognizing import recognize_revenue
from billing.red_letters import close_red, confirm_red, record_red_number, request_red, request_reissue
from billing.reviewing import approve
from billing.rules.red_letter import RedReason, RedState
from billing.rules.sharing import Part
from billing.rules.tax_invoice import TaxInvoiceKind
from billing.sharing import agree, propose_shares
from billing.tax_invoices import record_tax_invoice, withdraw_tax_invoice
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.keying import register_key
from devices.metering import meter_readings
from devices.models import LateChange, Meter, UsageSession
from devices.rules.topic import shard_of, topic_of
from devices.sealing import seal_readings
from devices.simulating.speaking import native_message
from devices.watching import watch
from tests import makers

HOUR = timedelta(hours=1)
STEP = timedelta(seconds=30)


@dataclass(frozen=True)
class MoneyRows:
    """What came in for the platform."""

    payment_id: int
    account_id: int
    movement_id: int
    statement_id: int
    bank_line_id: int
    journal_entry_id: int


@dataclass(frozen=True)
class ClaimRows:
    """A locked claim of the year, with a question and a deduction."""

    claim_id: int
    item_id: int
    question_id: int
    deduction_id: int
    grant_id: int


@dataclass
class World:
    """What tests name. Everything named belongs to ``firm`` and to ``platform``."""

    people: dict[str, Person]
    platform: Platform
    equipment: Equipment
    meter: Meter
    firm: Organization
    past: Reservation
    coming: Reservation
    series: Series
    work: ServiceRequest
    entry: ConductEntry
    waiting: Waiting
    usage: UsageSession
    invoice: Invoice
    year: int
    month: date
    feed_token: str
    late: LateChange
    money: MoneyRows
    tax_invoice: TaxInvoice
    red_request: RedRequest
    red_letter: RedLetter
    shares: SharingProposal
    long_work: LongWork
    paper_id: int
    incident_id: int
    dossier_id: int
    claim: ClaimRows | None = None


def build(session: Session) -> World:
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    operator, other_operator = makers.organization(session), makers.organization(session)
    firm, other_firm = makers.organization(session, name="示例纺织"), makers.organization(session, name="示例鞋业")
    authority = makers.organization(session, name="示例主管部门")
    platform = makers.platform(session, operator=operator)
    equipment = makers.equipment(session, of=platform, name_zh="示例熔融纺丝机", name_en="Sample melt spinner")
    makers.equipment(session, of=makers.platform(session, operator=other_operator))
    makers.tariff(session, of=equipment)
    meter = makers.meter(session, of=equipment, code="sample-1", shard=shard_of("sample-1"))
    people = {
        "member": makers.person(session, (firm, Role.FIRM_MEMBER)),
        "manager": makers.person(session, (firm, Role.FIRM_MANAGER)),
        "other firm": makers.person(session, (other_firm, Role.FIRM_MANAGER)),
        "operator": makers.person(session, (operator, Role.OPERATOR)),
        "finance": makers.person(session, (operator, Role.OPERATOR_FINANCE)),
        "other operator": makers.person(session, (other_operator, Role.OPERATOR)),
        "official": makers.person(session, (authority, Role.OFFICIAL)),
        "administrator": makers.person(session, (authority, Role.ADMINISTRATOR)),
    }
    session.add(
        Recognition(
            platform_id=platform.id, level=RecognitionLevel.QUANZHOU, recognised_on=date(2026, 1, 5), document="示例1号"
        )
    )
    first = now - timedelta(days=3)
    past = _reserved(session, equipment, people["member"], firm, Interval(first, first + 2 * HOUR))
    later = now - timedelta(days=2)
    _reserved(session, equipment, people["manager"], firm, Interval(later, later + HOUR))
    tomorrow = now + timedelta(days=1)
    coming = _reserved(session, equipment, people["member"], firm, Interval(tomorrow, tomorrow + 2 * HOUR))
    series, _ = reserve_series(
        session,
        equipment_id=equipment.id,
        whens=[Interval(tomorrow + week, tomorrow + week + HOUR) for week in (timedelta(7), timedelta(14))],
        rule={"every": "week", "times": "2"},
        organization_id=firm.id,
        person_id=people["member"].id,
        at=now,
    )
    work = _commissioned(session, platform, equipment, firm, people)
    _reserved(session, equipment, people["other firm"], other_firm, Interval(tomorrow + 3 * HOUR, tomorrow + 4 * HOUR))
    _metered(session, meter, first - HOUR, {first + HOUR / 4: first + 2 * HOUR - HOUR / 4, later: later + HOUR})
    register_key(
        session,
        meter.id,
        name="k1",
        public_key=bytes(32).hex(),
        owner="示例厂家",
        valid_from=first,
        by=people["operator"].id,
        at=now,
    )
    seal_readings(session, at=clock.now(), key=key_for("seals", master=current_app.config["MASTER_KEY"]))
    meter_readings(session, at=clock.now())
    charge_usage(session, until=clock.now(), at=clock.now())
    usage = session.scalars(select(UsageSession).where(UsageSession.reservation_id == past.id)).one()
    charges = session.scalars(select(Charge).where(Charge.usage_session_id == usage.id)).all()
    # The first run is invoiced; the second waits for review (in the same month it would have to be approved too).
    month = clock.local_date(usage.started_at).replace(day=1)
    waiting = session.scalars(select(Charge).where(Charge.usage_session_id != usage.id)).all()
    invoice = _issued(session, people["finance"], platform, firm, month, charges, waiting)
    line = invoice.lines[0]
    credit(
        session,
        invoice.id,
        amounts={line.id: Money(100)},
        reason="示例更正",
        by=people["finance"].id,
        at=clock.now(),
    )
    recognize_revenue(session, at=clock.now())
    year = clock.local_date(clock.now()).year
    session.add(Evaluation(platform_id=platform.id, year=year, evaluated=True, selected=True, document="示例2号"))
    session.flush()
    entry, waiting = _kept_and_waited(session, past, now=now)
    assess_platform(session, platform.id, at=clock.now())
    _access(session, platform, equipment, people)
    watch(session, at=clock.now())
    _, feed_token = open_feed(session, people["member"].id, FeedScope.PERSON, at=now)
    told = {"starts_at": first.isoformat(), "ends_at": (first + HOUR).isoformat(), "energy_mwh": 1, "reservation_id": 1}
    late = LateChange(
        meter_id=meter.id,
        usage_session_id=usage.id,
        fingerprint="late",
        proposal={"was": told, "would_be": None},
        noted_at=now,
    )
    session.add(late)
    tax_invoice, red_request = _taken_back(session, invoice, people["finance"], at=now)
    red_letter = _issued_anew(session, invoice, people["finance"], at=now)
    money = _money(session, platform, firm, people["finance"], invoice)
    shares = _shared(session, platform, [operator, firm], people["finance"], at=now)
    session.add(
        Asset(
            platform_id=platform.id, no="E-1", name="示例设备", kind="equipment", accepted_on=date(2026, 3, 2),
            paid_on=date(2026, 2, 2), cost_fen=Money.of("100000"), cost_includes_tax=False, tax_rate=Decimal("0.13"),
            input_tax_creditable=True, fiscal_fen=Money(0), recorded_by=people["finance"].id, recorded_at=now,
        )
    )  # fmt: skip
    paper_id, incident_id = _looked_back(session, platform, past, people, year=year, at=now)
    long_work = ask(session, kind="", platform_id=platform.id, arguments={}, by=people["finance"].id, at=now)
    session.commit()
    return World(
        people,
        platform,
        equipment,
        meter,
        firm,
        past,
        coming,
        series,
        work,
        entry,
        waiting,
        usage,
        invoice,
        year,
        month,
        feed_token,
        late,
        money,
        tax_invoice,
        red_request,
        red_letter,
        shares=shares,
        long_work=long_work,
        paper_id=paper_id,
        incident_id=incident_id,
        dossier_id=_dossier(session, platform, long_work, now),
    )


def _looked_back(
    session: Session, platform: Platform, past: Reservation, people: dict[str, Person], *, year: int, at: datetime
) -> tuple[int, int]:
    """What the firm thought of its use, an incident that is not closed, and a paper for the evaluation."""
    rate(session, past.id, stars=4, words="示例意见", used=True, by=people["member"].id, at=at)
    staff = people["operator"].id
    incident = record_incident(
        session, platform_id=platform.id, equipment_id=past.equipment_id, happened_on=clock.local_date(at),
        severity=Severity.MINOR, what_happened="示例经过", what_was_done="示例处置", by=staff, at=at,
    )  # fmt: skip
    paper = hand_in(
        session, platform.id, year, "team", value=Decimal(80), reason="示例理由",
        file=HandedFile("示例.pdf", "application/pdf", b"%PDF-1.7 sample"), by=staff, at=at,
    )  # fmt: skip
    return paper.id, incident.id


def _dossier(session: Session, platform: Platform, work: LongWork, now: datetime) -> int:
    """A file to be taken away, as if it had been written."""
    folder = Path(current_app.config["FOLDER"]) / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / "sample.zip").write_bytes(b"PK")
    row = Dossier(
        platform_id=platform.id, year=2026, long_work_id=work.id, file="sample.zip", bytes=2, lines=0, readings=0,
        made_at=now,
    )  # fmt: skip
    session.add(row)
    session.commit()
    return row.id


def claimed(session: Session, world: World) -> ClaimRows:
    """The claim of the year, filed and locked as if it were over."""
    finance, official = world.people["finance"].id, world.people["official"].id
    later = clock.local_midnight(date(world.year + 1, 2, 1))
    claim = file_claim(session, world.platform.id, world.year, by=finance, at=later)
    lock_claim(session, claim.id, by=official, at=later)
    question = ask_about(session, claim.id, "示例：有合同吗？", by=official, at=later)
    made = deduct(session, claim.items[0].id, Money(1), reason="示例", by=official, at=later)
    above = record_other_grant(
        session, world.platform.id, authority_level="provincial", programme_kind="operating", year=world.year + 5,
        amount=Money(1), timing="ex_post", asset_nos=[], document="示例上级〔2026〕1号", by=finance, at=later,
    )  # fmt: skip
    session.commit()
    return ClaimRows(claim.id, claim.items[0].id, question.id, made.id, above.id)


def _shared(
    session: Session, platform: Platform, parties: list[Organization], by: Person, *, at: datetime
) -> SharingProposal:
    """Two that built the platform share the month's revenue."""
    parts = [Part(one.id, Decimal(50), number == 0) for number, one in enumerate(parties)]
    agree(
        session,
        platform_id=platform.id,
        title="示例共建协议",
        document_no="示例共建1号",
        first_day=date(2020, 1, 1),
        day_after=None,
        parts=parts,
        by=by.id,
        at=at,
    )
    propose_shares(session, at=at)
    return session.scalars(select(SharingProposal)).one()


def _taken_back(session: Session, invoice: Invoice, by: Person, *, at: datetime) -> tuple[TaxInvoice, RedRequest]:
    """A tax invoice's number that was mistyped, and a red request against it that was withdrawn."""
    tax_invoice = record_tax_invoice(
        session,
        invoice.id,
        buyer_id=invoice.organization_id,
        number="26350000000000000001",
        kind=TaxInvoiceKind.ORDINARY,
        issued_on=clock.local_date(at),
        by=by.id,
        at=at,
    )
    amounts = {invoice.lines[0].id: Money(1)}
    told = {"reason": RedReason.ISSUED_WRONGLY, "explanation": "示例", "by": by.id, "at": at}
    red_request = request_red(session, invoice.id, amounts=amounts, **told)
    close_red(session, red_request.id, to=RedState.WITHDRAWN, because="示例填错", by=by.id, at=at)
    withdraw_tax_invoice(session, tax_invoice.id, reason="示例误记", by=by.id, at=at)
    return tax_invoice, red_request


def _issued_anew(session: Session, invoice: Invoice, by: Person, *, at: datetime) -> RedLetter:
    """The red letter that took back a tax invoice which was made out wrongly."""
    given = {"by": by.id, "at": at}
    wrong = record_tax_invoice(
        session, invoice.id, buyer_id=invoice.organization_id, number="26350000000000000002",
        kind=TaxInvoiceKind.ORDINARY, issued_on=clock.local_date(at), **given,
    )  # fmt: skip
    request = request_reissue(session, wrong.id, explanation="示例抬头有误", **given)
    confirm_red(session, request.id, **given)
    record_red_number(
        session, request.id, tax_invoice_id=wrong.id, number="26350000000000000003",
        issued_on=clock.local_date(at), **given,
    )  # fmt: skip
    return session.scalars(select(RedLetter)).one()


def _money(session: Session, platform: Platform, firm: Organization, finance: Person, invoice: Invoice) -> MoneyRows:
    """A payment that was taken back, a deposit, and a line of a bank statement that waits."""
    now = clock.now()
    day, by = clock.local_date(now), finance.id
    paid = record_payment(session, invoice.id, paid_on=day, amount=Money(100), reference="示例", by=by, at=now)
    reverse_payment(session, paid.id, reason="示例误记", on=day, by=by, at=now)
    moved = top_up(
        session, platform_id=platform.id, organization_id=firm.id, amount=Money(100), paid_on=day,
        reference="示例充值", by=by, at=now,
    )  # fmt: skip
    content = f"交易日期,收入金额,对方户名,摘要\n{day},1.00,{firm.name},示例\n".encode()
    statement = upload(session, platform_id=platform.id, file_name="示例.csv", content=content, by=by, at=now)
    import_statement(session, statement.id, by=by, at=now)
    line_id = session.scalars(select(BankLine.id).where(BankLine.statement_id == statement.id)).one()
    post_documents(session, at=now, limit=10)
    entry_id = session.scalars(select(JournalEntry.id).where(JournalEntry.platform_id == platform.id)).first()
    assert entry_id is not None
    return MoneyRows(paid.id, moved.account_id, moved.id, statement.id, line_id, entry_id)


def _commissioned(
    session: Session, platform: Platform, equipment: Equipment, firm: Organization, people: dict[str, Person]
) -> ServiceRequest:
    """Work that was asked for, agreed and delivered, and waits for the firm's signature."""
    now = clock.now()
    work = submit(
        session,
        platform_id=platform.id,
        equipment_id=equipment.id,
        organization_id=firm.id,
        person_id=people["member"].id,
        kind=RequestKind.COMMISSIONED_TEST,
        title="示例纱线拉伸测试",
        description="示例要求",
        items=[SentItem(ItemKind.SAMPLE, "示例纱线", Decimal(3), "卷")],
        at=now,
    )
    line = QuotedLine("拉伸强度", Decimal(3), QuoteUnit.SAMPLE, Decimal(200), Decimal("0.06"))
    staff = people["operator"].id
    quote(session, work.id, lines=[line], valid_until=clock.local_date(now) + timedelta(days=9), by=staff, at=now)
    accept(session, work.id, version=1, by=people["manager"].id, at=now)
    deliver(session, work.id, files=[HandedFile("示例报告.txt", "text/plain", b"sample")], by=staff, at=now)
    return work


def _kept_and_waited(session: Session, past: Reservation, *, now: datetime) -> tuple[ConductEntry, Waiting]:
    """A misstep of the firm that is not forgiven yet, and its wish for the hour that the other firm holds."""
    session.add(Conduct(platform_id=past.equipment.platform_id))
    session.flush()
    entry = record(session, past, MisstepKind.LATE_CANCELLATION, at=past.during.start)
    assert entry is not None
    begins = now + timedelta(days=1) + 3 * HOUR
    waiting = join(
        session,
        equipment_id=past.equipment_id,
        when=Interval(begins, begins + HOUR),
        organization_id=past.organization_id,
        person_id=past.person_id,
        at=now,
    )
    return entry, waiting


def _access(session: Session, platform: Platform, equipment: Equipment, people: dict[str, Person]) -> None:
    """A requirement that the member meets and no equipment asks for yet, a closure far ahead, the holidays."""
    wanted = Requirement(
        platform_id=platform.id,
        kind=RequirementKind.TRAINING,
        name_zh="示例上机培训",
        name_en="Sample training",
        how_zh="联系平台报名",
        how_en="Ask the platform",
        months_valid=12,
    )
    session.add(wanted)
    session.flush()
    now, by = clock.now(), people["operator"].id
    grant(session, wanted.id, person_id=people["member"].id, granted_on=clock.local_date(now), by=by, at=now)
    far = now + timedelta(days=60)
    close(
        session,
        equipment_id=equipment.id,
        when=Interval(far, far + HOUR),
        kind=ClosureKind.MAINTENANCE,
        reason="示例检修",
        by=by,
        at=now,
    )
    seed_special_days(session, [2026])


def _reserved(
    session: Session, equipment: Equipment, person: Person, firm: Organization, when: Interval
) -> Reservation:
    row = Reservation(
        equipment_id=equipment.id,
        person_id=person.id,
        organization_id=firm.id,
        during=when,
        purpose="示例用途",
        created_at=makers.BEGINNING,
        changed_at=makers.BEGINNING,
    )
    session.add(row)
    session.flush()
    hold(session, row.id, {equipment.id: 1}, when)
    return row


def _metered(session: Session, meter: Meter, since: datetime, runs: dict[datetime, datetime]) -> None:
    """A reading every half minute from ``since`` until the last run is long over; one message that nobody can read."""
    readings, energy, at = [], 0.0, since
    until = max(runs.values()) + HOUR
    while at < until:
        power = 1500.0 if any(start <= at < end for start, end in runs.items()) else 20.0
        energy += power * STEP / HOUR
        readings.append((len(readings) + 1, at, power, round(energy, 3)))
        at += STEP
    for first in range(0, len(readings), 20):
        portion = readings[first : first + 20]
        message = WireMessage(
            topic_of(meter.code, "data"), native_message(1, portion), portion[-1][1] + timedelta(seconds=1)
        )
        ingest(session, [message])
    garbage = WireMessage(topic_of(meter.code, "data"), b"\xff nonsense", clock.now())
    changed = WireMessage(topic_of(meter.code, "data"), native_message(1, [(1, since, 999.0, 0.1)]), clock.now())
    ingest(session, [garbage, changed])


def _issued(
    session: Session,
    finance: Person,
    platform: Platform,
    firm: Organization,
    month: date,
    charges: list[Charge],
    waiting: list[Charge],
) -> Invoice:
    """Issue ``charges`` alone: the others are put aside for a moment, as if they had been priced afterwards."""
    kept = [(charge, charge.served_at) for charge in waiting]
    for charge, served_at in kept:
        charge.served_at = served_at - timedelta(days=62)
    session.flush()
    approve(session, [charge.id for charge in charges], by=finance.id, at=clock.now())
    invoice = issue_month(
        session, platform_id=platform.id, organization_id=firm.id, month=month, by=finance.id, at=clock.now()
    )
    for charge, served_at in kept:
        charge.served_at = served_at
    session.flush()
    return invoice
