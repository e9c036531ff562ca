"""What people are told: by e-mail through a real server, in the page, and in time."""

from __future__ import annotations

import email
import email.policy
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from aiosmtpd.controller import Controller
from flask_babel import force_locale, gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.reminding import remind, remind_of_expiry
from app.booking.rules.reservation import ReservationState
from app.booking.telling import tell_changed
from app.catalogue.models import Equipment, Qualification, Requirement
from app.catalogue.rules.words import RequirementKind
from app.identity.mailing import PAUSES, send_waiting
from app.identity.models import Notice, Person
from app.identity.notifying import notify
from app.identity.reading_notices import choose, mark_read, unread_count
from app.identity.rules.language import Language
from app.identity.rules.notice import MailState, NoticeKind, Ways, names, told
from app.identity.rules.permission import Role
from app.kernel.interval import Interval
from app.letters import letter_for
from tests import makers

NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE = "https://pilotshare.example"


@dataclass
class PostOffice:
    """A mail server that takes everything until it is told what to ``answer``."""

    answer: str = "250 OK"
    url: str = ""
    arrived: list[email.message.EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server, session, envelope) -> str:
        if self.answer.startswith("250"):
            self.arrived.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    office = PostOffice()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=port)
    controller.start()
    office.url = f"smtp://127.0.0.1:{port}"
    yield office
    controller.stop()


def tell(session: Session, *people: Person, key: str = "k", kind: NoticeKind = NoticeKind.REMINDER) -> int:
    return notify(
        session,
        [person.id for person in people],
        kind=kind,
        key=key,
        sentence="您预约的 %(equipment)s 将于 %(starts_at)s 开始。",
        facts={"equipment": "示例熔融纺丝机", "starts_at": (NOW + HOUR).isoformat()},
        path="/reservations/7",
        at=NOW,
    )


def send(session: Session, office: PostOffice, *, at: datetime = NOW, limit: int = 10) -> int:
    sender = "中试共享 <noreply@pilotshare.example>"
    return send_waiting(
        session, url=office.url, sender=sender, render=partial(letter_for, site=SITE), at=at, limit=limit
    )


def test_a_letter_arrives_whole_and_once(session, post_office):
    person = makers.person(session)
    assert [tell(session, person), tell(session, person)] == [1, 0]
    assert [send(session, post_office), send(session, post_office)] == [1, 0]
    (letter,) = post_office.arrived
    assert letter["To"].addresses[0].addr_spec == person.email
    assert letter["To"].addresses[0].display_name == person.name
    assert letter["Subject"] == "中试共享：您预约的 示例熔融纺丝机 将于 2026年11月24日 10:00 开始。"
    assert letter["List-Unsubscribe"] == f"<{SITE}/notices/choices>"
    assert f"{SITE}/reservations/7" in letter.get_content()
    assert session.scalars(select(Notice.mail)).all() == [MailState.SENT]


def test_a_letter_is_in_the_language_of_who_reads_it(session, post_office):
    row = reserved(session, NOW + HOUR)
    row.equipment.name_zh, row.equipment.name_en = "示例纺丝机", "Sample spinning line"
    reader, colleague = session.get_one(Person, row.person_id), makers.person(session)
    reader.language = Language.ENGLISH
    tell_changed(session, row, by=colleague.id, at=NOW)
    send(session, post_office)
    (letter,) = post_office.arrived
    assert "Your reservation of Sample spinning line was moved to 24 Nov 2026 10:00" in letter["Subject"]
    assert "Your reservation of Sample spinning line" in letter.get_content()
    with force_locale("en"):
        assert gettext("邮件提醒设置：%(address)s", address=f"{SITE}/notices/choices") in letter.get_content()
    reader.language = Language.CHINESE
    tell_changed(session, row, by=colleague.id, at=NOW + HOUR)
    send(session, post_office, at=NOW + HOUR)
    assert "您对 示例纺丝机 的预约已被改到 2026年11月24日 10:00" in post_office.arrived[1]["Subject"]


def test_a_server_that_is_busy_is_asked_again_later_and_in_the_end_not_any_more(session, post_office):
    tell(session, makers.person(session))
    notice, at = session.scalars(select(Notice)).one(), NOW
    post_office.answer = "451 try later"
    for pause in PAUSES:
        assert send(session, post_office, at=at) == 1
        assert send(session, post_office, at=at + pause - timedelta(seconds=1)) == 0
        assert (notice.mail, notice.next_try_at) == (MailState.WAITING, at + pause)
        at += pause
    send(session, post_office, at=at)
    assert notice.mail is MailState.FAILED
    assert "451" in notice.mail_error
    assert not post_office.arrived


def test_a_busy_server_gets_the_letter_the_next_time(session, post_office):
    tell(session, makers.person(session))
    post_office.answer = "451 try later"
    send(session, post_office)
    post_office.answer = "250 OK"
    assert send(session, post_office, at=NOW + PAUSES[0]) == 1
    assert len(post_office.arrived) == 1


def test_a_letter_that_is_refused_for_good_is_not_sent_again(session, post_office):
    tell(session, makers.person(session))
    post_office.answer = "550 no such person"
    send(session, post_office)
    notice = session.scalars(select(Notice)).one()
    assert notice.mail is MailState.FAILED
    assert "no such person" in notice.mail_error


def test_a_server_that_is_away_loses_nothing(session, post_office):
    tell(session, makers.person(session))
    send_waiting(
        session, url="smtp://127.0.0.1:1", sender="a@b.example", render=partial(letter_for, site=SITE), at=NOW, limit=1
    )
    assert send(session, post_office, at=NOW + PAUSES[0]) == 1
    assert len(post_office.arrived) == 1


def test_who_opted_out_or_left_gets_no_mail(session, post_office):
    before, after, left = (makers.person(session) for _ in range(3))
    off = {NoticeKind.REMINDER: Ways(in_page=True, by_mail=False)}
    choose(session, before.id, off)
    tell(session, before, after, left)
    choose(session, after.id, off)
    left.active = False
    session.flush()
    send(session, post_office)
    assert not post_office.arrived
    assert set(session.scalars(select(Notice.mail))) == {MailState.UNWANTED}
    tell(session, after, kind=NoticeKind.OFFER, key="other")
    send(session, post_office)
    assert len(post_office.arrived) == 1


def test_two_senders_never_claim_the_same_letter(app, session, post_office):
    from app.kernel.db import db

    tell(session, makers.person(session), makers.person(session))
    session.commit()
    send(session, post_office, limit=1)
    with Session(db.engine) as other:
        assert send(other, post_office) == 1
        other.commit()
    session.commit()
    assert len({letter["To"] for letter in post_office.arrived}) == 2


def test_a_line_break_in_a_fact_forges_no_header(session, post_office):
    notify(
        session,
        [makers.person(session).id],
        kind=NoticeKind.DECISION,
        key="k",
        sentence="未批准：%(reason)s",
        facts={"reason": "x\r\nBcc: all@pilotshare.example"},
        path="",
        at=NOW,
    )
    send(session, post_office)
    assert post_office.arrived[0]["Bcc"] is None


def test_what_is_read_does_not_count_and_belongs_to_its_reader(session):
    mine, other = makers.person(session), makers.person(session)
    for key in "abc":
        tell(session, mine, other, key=key)
    first = session.scalars(select(Notice.id).where(Notice.person_id == mine.id).order_by(Notice.id)).first()
    mark_read(session, other.id, at=NOW, notice_id=first)
    assert unread_count(session, mine.id) == 3
    mark_read(session, mine.id, at=NOW, notice_id=first)
    assert unread_count(session, mine.id) == 2
    mark_read(session, mine.id, at=NOW)
    assert (unread_count(session, mine.id), unread_count(session, other.id)) == (0, 3)


def test_only_what_is_named_at_is_a_time():
    facts = {"a_at": NOW.isoformat(), "b_at": None, "c": "2026"}
    shown = told("%(a_at)s %(b_at)s %(c)s", facts, language=Language.CHINESE, moment=lambda at: "T")
    assert shown == "T None 2026"


@pytest.mark.parametrize(("language", "expected"), [(Language.CHINESE, "纺丝机"), (Language.ENGLISH, "Spinning line")])
def test_a_name_is_read_in_the_readers_language(language, expected):
    facts = {"equipment": names(Equipment(name_zh="纺丝机", name_en="Spinning line"))}
    assert told("%(equipment)s", facts, language=language, moment=str) == expected
    assert told("%(equipment)s", {"equipment": "纺丝机"}, language=language, moment=str) == "纺丝机"


def reserved(session: Session, starts_at: datetime, *, changed_at: datetime = makers.BEGINNING) -> Reservation:
    row = Reservation(
        equipment_id=makers.equipment(session).id,
        person_id=makers.person(session).id,
        organization_id=makers.organization(session).id,
        during=Interval(starts_at, starts_at + HOUR),
        created_at=makers.BEGINNING,
        changed_at=changed_at,
    )
    session.add(row)
    session.flush()
    return row


def keys(session: Session) -> list[str]:
    return [key.rsplit("-", 2)[0] for key in session.scalars(select(Notice.key).order_by(Notice.id))]


@pytest.mark.parametrize(
    ("hours_before", "expected"),
    [
        ([25], []),
        ([24, 23.99], ["reminder-24h"]),
        ([3], ["reminder-24h"]),  # the worker was away for most of a day
        ([24, 1], ["reminder-24h", "reminder-1h"]),
        ([0.5], ["reminder-1h"]),  # it was away until the last hour: one reminder, the nearer one
        ([0], []),
    ],
)
def test_a_reservation_is_reminded_of_a_day_and_an_hour_ahead(session, hours_before, expected):
    start = NOW + timedelta(days=2)
    reserved(session, start)
    for hours in hours_before:
        remind(session, at=start - timedelta(hours=hours), limit=10)
        assert remind(session, at=start - timedelta(hours=hours), limit=10) == 0
    assert keys(session) == expected


def test_who_booked_for_the_same_day_is_not_reminded_of_the_day_before(session):
    start = NOW + timedelta(hours=20)
    reserved(session, start, changed_at=NOW)
    remind(session, at=NOW + timedelta(minutes=1), limit=10)
    assert keys(session) == []
    remind(session, at=start - HOUR, limit=10)
    assert keys(session) == ["reminder-1h"]


def test_what_was_moved_is_reminded_of_again_and_what_was_cancelled_is_not(session):
    start = NOW + timedelta(days=2)
    row, cancelled = reserved(session, start), reserved(session, start)
    cancelled.state = ReservationState.CANCELLED
    remind(session, at=start - HOUR, limit=10)
    row.during = Interval(start + timedelta(days=1), start + timedelta(days=1, hours=1))
    session.flush()
    remind(session, at=start + timedelta(days=1) - HOUR, limit=10)
    assert keys(session) == ["reminder-1h", "reminder-1h"]


def test_a_portion_leaves_the_rest_for_the_next(session):
    for _ in range(5):
        reserved(session, NOW + HOUR)
    assert [remind(session, at=NOW, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_qualification_is_said_to_end_a_month_and_a_week_ahead(session):
    platform, firm = makers.platform(session), makers.organization(session)
    manager = makers.person(session, (firm, Role.FIRM_MANAGER))
    trainee = makers.person(session, (firm, Role.FIRM_MEMBER))

    def requirement(kind: RequirementKind) -> Requirement:
        made = Requirement(
            platform_id=platform.id, kind=kind, name_zh="培训", name_en="Training", how_zh="报名", how_en="Enrol"
        )
        session.add(made)
        session.flush()
        return made

    def granted(kind: RequirementKind, ends: date | None, **holder: int) -> Qualification:
        made = Qualification(
            requirement_id=wanted[kind].id,
            granted_on=date(2026, 1, 1),
            expires_on=ends,
            created_at=makers.BEGINNING,
            **holder,
        )
        session.add(made)
        session.flush()
        return made

    wanted = {kind: requirement(kind) for kind in (RequirementKind.TRAINING, RequirementKind.SAFETY_DOCUMENT)}
    ends = date(2027, 1, 31)
    of_person = granted(RequirementKind.TRAINING, ends, person_id=trainee.id)
    granted(RequirementKind.SAFETY_DOCUMENT, ends, organization_id=firm.id)
    month, week = datetime(2027, 1, 1, 4, tzinfo=UTC), datetime(2027, 1, 24, 4, tzinfo=UTC)
    assert remind_of_expiry(session, at=month - timedelta(days=1), limit=10) == 0
    assert [remind_of_expiry(session, at=month, limit=10) for _ in range(2)] == [2, 0]
    assert set(session.scalars(select(Notice.person_id))) == {manager.id, trainee.id}
    granted(RequirementKind.TRAINING, None, person_id=of_person.person_id)
    assert [remind_of_expiry(session, at=week, limit=10) for _ in range(2)] == [1, 0]


def test_who_did_it_themselves_is_not_told(session):
    row, colleague = reserved(session, NOW + HOUR), makers.person(session)
    assert tell_changed(session, row, by=row.person_id, at=NOW) == 0
    assert tell_changed(session, row, by=colleague.id, at=NOW) == 1
    row.state = ReservationState.CANCELLED
    assert tell_changed(session, row, by=colleague.id, at=NOW + HOUR) == 1
    assert session.scalar(select(func.count()).select_from(Notice)) == 2


def test_the_bell_counts_what_is_unread_and_a_notice_leads_to_its_page(app, session):
    person = makers.person(session, (makers.organization(session), Role.FIRM_MEMBER))
    tell(session, person)
    session.commit()
    notice = session.scalars(select(Notice)).one()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = str(person.id)
    page = client.get("/notices").text
    assert "1 条未读" in page
    assert "您预约的 示例熔融纺丝机 将于" in page
    answer = client.post("/notices/read", data={"notice_id": notice.id, "next": notice.path})
    assert answer.location == notice.path
    assert "0 条未读" in client.get("/notices").text
    assert client.post("/notices/choices", data={"page_reminder": "on"}).status_code == 302
    session.expire_all()
    assert notice.mail is MailState.UNWANTED
    assert 'name="mail_reminder">' in client.get("/notices/choices").text


def test_without_a_mail_server_everything_waits(app, session, post_office):
    from app.jobs import mailing

    tell(session, makers.person(session))
    app.config["MAIL_URL"] = None
    assert mailing(session, NOW) == 0
    assert session.scalars(select(Notice.mail)).all() == [MailState.WAITING]
    app.config["MAIL_URL"] = post_office.url
    assert [mailing(session, NOW), mailing(session, NOW)] == [1, 0]
