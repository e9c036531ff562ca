from __future__ import annotations

import threading
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from app.booking.delivering import deliver, receive_items, schedule, send_back, sign_off
from app.booking.models import Reservation, ServiceRequest
from app.booking.rules.reservation import ReservationState, ServiceMode
from app.booking.rules.service import HandedFile, QuotedLine, SentItem, quote_total
from app.booking.rules.words import ItemKind, QuoteUnit, RequestKind, RequestState
from app.booking.servicing import accept, decline, quote, submit, withdraw
from app.identity.models import Notice
from app.identity.rules.permission import Role
from app.kernel import audit
from app.kernel.db import db, transaction
from app.kernel.errors import Conflict, InvalidInput, SlotTaken
from app.kernel.interval import Interval
from app.kernel.money import Money
from tests import makers

AT = makers.BEGINNING.replace(month=6, day=1, hour=1)
VALID = date(2026, 6, 30)
HOUR = timedelta(hours=1)
LINES = (
    QuotedLine("拉伸强度", Decimal(3), QuoteUnit.SAMPLE, Decimal("200"), Decimal("0.06")),
    QuotedLine("报告", Decimal(1), QuoteUnit.PIECE, Decimal("99.995"), Decimal("0.06")),
)
REPORT = HandedFile("报告.pdf", "application/pdf", b"%PDF sample")


class World:
    """A firm that asks, a platform that does the work, and somebody on either side."""

    def __init__(self, session) -> None:
        self.session = session
        self.operator = makers.organization(session)
        self.platform = makers.platform(session, operator=self.operator)
        self.equipment = makers.equipment(session, of=self.platform, approval="operator")
        self.firm = makers.organization(session, name="示例企业")
        self.asker = makers.person(session, (self.firm, Role.FIRM_MEMBER))
        self.staff = makers.person(session, (self.operator, Role.OPERATOR))

    def ask(self, **given) -> ServiceRequest:
        wish = {
            "platform_id": self.platform.id, "organization_id": self.firm.id, "person_id": self.asker.id,
            "kind": RequestKind.COMMISSIONED_TEST, "title": "示例纱线拉伸测试", "at": AT,
            "items": [SentItem(ItemKind.SAMPLE, "示例纱线", Decimal(3), "卷")], **given,
        }  # fmt: skip
        return submit(self.session, **wish)

    def quote(self, request, *, lines=LINES, valid_until=VALID, at=AT):
        return quote(self.session, request.id, lines=lines, valid_until=valid_until, by=self.staff.id, at=at)

    def agreed(self, **given) -> ServiceRequest:
        request = self.ask(**given)
        self.quote(request)
        return accept(self.session, request.id, version=1, by=self.asker.id, at=AT)

    def schedule(self, request, when: Interval, **given) -> Reservation:
        wish = {"equipment_id": self.equipment.id, "by": self.staff.id, "at": AT, **given}
        return schedule(self.session, request.id, when=when, **wish)

    def deliver(self, request, *files: HandedFile, note: str = "", at=AT) -> ServiceRequest:
        return deliver(self.session, request.id, files=files, note=note, by=self.staff.id, at=at)


@pytest.fixture
def world(session) -> World:
    return World(session)


def hours(first: int, last: int) -> Interval:
    return Interval(AT + first * HOUR, AT + last * HOUR)


def told(session, person) -> list[str]:
    rows = session.scalars(select(Notice).where(Notice.person_id == person.id).order_by(Notice.id))
    return [row.sentence % row.facts for row in rows]


def deeds(session, request) -> list[tuple[str, int | None]]:
    wanted = select(audit.AuditEntry.deed, audit.AuditEntry.person_id).where(
        audit.AuditEntry.subject == "service_request", audit.AuditEntry.subject_id == request.id
    )
    return [tuple(row) for row in session.execute(wanted.order_by(audit.AuditEntry.id))]


def test_work_goes_from_the_request_to_the_signature_and_each_side_is_told(session, world):
    request = world.agreed()
    receive_items(session, request.id, item_ids=[request.items[0].id], by=world.staff.id, at=AT)
    reservation = world.schedule(request, hours(2, 4))
    world.deliver(request, REPORT)
    send_back(session, request.id, reason="缺少曲线", by=world.asker.id, at=AT + HOUR)
    world.deliver(request, REPORT, at=AT + 2 * HOUR)
    sign_off(session, request.id, by=world.asker.id, at=AT + 3 * HOUR)
    assert (request.state, request.signed_at) == (RequestState.SIGNED_OFF, AT + 3 * HOUR)
    assert (reservation.mode, reservation.state) == (ServiceMode.COMMISSIONED, ReservationState.BOOKED)
    assert (reservation.organization_id, reservation.service_request_id) == (world.firm.id, request.id)
    assert [result.size_bytes for result in request.results] == [11, 11]
    staff, asker = world.staff.id, world.asker.id
    assert deeds(session, request) == [
        ("submitted", asker), ("quoted", staff), ("accepted", asker), ("received", staff), ("scheduled", staff),
        ("delivered", staff), ("returned", asker), ("delivered", staff), ("signed_off", asker),
    ]  # fmt: skip
    assert len(told(session, world.staff)) == 4
    assert len(told(session, world.asker)) == 5
    assert told(session, world.staff)[2] == "示例企业 退回了委托“示例纱线拉伸测试”的成果：缺少曲线"


def test_a_quote_is_rounded_line_by_line(session, world):
    made = world.quote(world.ask())
    assert [line.gross for line in made.lines] == [Money.of(600), Money.of(100)]
    assert quote_total(LINES) == Money.of(700)


def test_a_firm_accepts_only_the_version_it_saw(session, world):
    request = world.ask()
    world.quote(request)
    world.quote(request, lines=LINES[:1], at=AT + HOUR)
    with pytest.raises(Conflict, match="第 2 版"):
        accept(session, request.id, version=1, by=world.asker.id, at=AT + 2 * HOUR)
    accept(session, request.id, version=2, by=world.asker.id, at=AT + 2 * HOUR)
    accept(session, request.id, version=2, by=world.asker.id, at=AT + 3 * HOUR)
    assert [one.accepted_at for one in request.quotes] == [None, AT + 2 * HOUR]
    with pytest.raises(Conflict):
        world.quote(request)


def test_an_expired_quote_is_not_accepted(session, world):
    request = world.ask()
    world.quote(request, valid_until=AT.date())
    with pytest.raises(Conflict, match="过期"):
        accept(session, request.id, version=1, by=world.asker.id, at=AT + timedelta(days=1))
    assert request.state is RequestState.QUOTED


def test_the_same_key_asks_once_and_another_wish_under_it_is_refused(session, world):
    first = world.ask(idempotency_key="k")
    assert world.ask(idempotency_key="k") is first
    with pytest.raises(Conflict, match="幂等键"):
        world.ask(idempotency_key="k", title="另一项")
    assert session.scalar(select(func.count()).select_from(ServiceRequest)) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": ""}, "title"),
        ({"wanted_by": date(2026, 5, 31)}, "wanted_by"),
        ({"platform_id": 0}, "platform_id"),
        ({"equipment_id": 0}, "equipment_id"),
        ({"items": [SentItem(ItemKind.SAMPLE, "示例", Decimal(0), "卷")]}, "sent"),
        ({"items": [SentItem(ItemKind.SAMPLE, "", Decimal(1), "卷")]}, "sent"),
    ],
)
def test_a_refused_wish_names_the_field(world, given, field):
    with pytest.raises(InvalidInput) as refused:
        world.ask(**given)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "line",
    [
        QuotedLine("", Decimal(1), QuoteUnit.RUN, Decimal(1), Decimal("0.06")),
        QuotedLine("示例", Decimal("0.0001"), QuoteUnit.RUN, Decimal(1), Decimal("0.06")),
        QuotedLine("示例", Decimal(1), QuoteUnit.RUN, Decimal(-1), Decimal("0.06")),
        QuotedLine("示例", Decimal(1), QuoteUnit.RUN, Decimal(1), Decimal(6)),
        QuotedLine("示例", Decimal("NaN"), QuoteUnit.RUN, Decimal(1), Decimal("0.06")),
    ],
)
def test_a_quote_that_makes_no_sense_is_refused(world, line):
    with pytest.raises(InvalidInput):
        world.quote(world.ask(), lines=[line])


def test_what_is_agreed_is_not_declined_and_what_is_scheduled_is_not_withdrawn(session, world):
    request = world.agreed()
    with pytest.raises(Conflict):
        decline(session, request.id, reason="忙", by=world.staff.id, at=AT)
    world.schedule(request, hours(2, 4))
    with pytest.raises(Conflict):
        withdraw(session, request.id, by=world.asker.id, at=AT)
    other = world.ask()
    with pytest.raises(InvalidInput, match="原因"):
        decline(session, other.id, reason="", by=world.staff.id, at=AT)
    decline(session, other.id, reason="设备停用", by=world.staff.id, at=AT)
    assert "设备停用" in told(session, world.asker)[-1]


def test_work_holds_its_slot_like_any_reservation(session, world):
    first, second = world.agreed(), world.agreed(title="另一项")
    world.schedule(first, hours(2, 4))
    with pytest.raises(SlotTaken):
        world.schedule(second, hours(3, 5))
    assert second.state is RequestState.ACCEPTED
    with pytest.raises(InvalidInput, match="这个平台"):
        world.schedule(second, hours(6, 7), equipment_id=makers.equipment(session).id)
    world.schedule(second, hours(4, 5), idempotency_key="once")
    world.schedule(second, hours(4, 5), idempotency_key="once")
    assert session.scalar(select(func.count()).select_from(Reservation)) == 2


def test_nothing_and_too_much_are_not_delivered(session, world):
    request = world.agreed()
    with pytest.raises(InvalidInput):
        world.deliver(request)
    for content in (b"", bytes(20 * 1024 * 1024 + 1)):
        with pytest.raises(InvalidInput, match="20 MB"):
            world.deliver(request, HandedFile("x", "text/plain", content))
    with pytest.raises(Conflict):
        sign_off(session, request.id, by=world.asker.id, at=AT)
    assert world.deliver(request, note="货已发出").state is RequestState.DELIVERED


def test_a_result_is_kept_under_a_name_that_hides_nothing(world):
    request = world.agreed()
    world.deliver(request, HandedFile("示例\u202efdp\r\n\0.exe", "text/plain", b"x"))
    assert [one.name for one in request.results] == ["示例fdp.exe"]


def test_of_a_new_quote_and_an_acceptance_at_once_one_wins(app, session, world):
    request = world.ask()
    world.quote(request)
    session.commit()
    request_id, asker, staff = request.id, world.asker.id, world.staff.id
    gate, refused = threading.Barrier(2), []

    def run(work) -> None:
        with app.app_context():
            gate.wait()
            try:
                with transaction() as own:
                    work(own)
            except Conflict as refusal:
                refused.append(str(refusal))
            finally:
                db.session.remove()

    threads = [
        threading.Thread(target=run, args=(work,))
        for work in (
            lambda own: accept(own, request_id, version=1, by=asker, at=AT),
            lambda own: quote(own, request_id, lines=LINES, valid_until=VALID, by=staff, at=AT),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.expire_all()
    assert len(refused) == 1
    assert (len(request.quotes), request.state) in ((1, RequestState.ACCEPTED), (2, RequestState.QUOTED))
