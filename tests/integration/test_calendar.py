"""The timeline's feed: bars with their state in words, and why a stretch cannot be booked."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from app.catalogue.models import Closure
from app.catalogue.rules.words import ClosureKind
from app.kernel import clock
from app.kernel.interval import Interval, local_days
from app.web.paging import PER_PAGE
from tests import makers
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session):
    return page_world.build(session)


def feed(app, world, who, when, **more):
    asked = {"from": when.start.isoformat(), "to": when.end.isoformat(), **more}
    answer = client_of(app, world, who).get(f"/platforms/{world.platform.code}/calendar.json", query_string=asked)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_bar_says_its_state_in_words_and_moves_only_for_its_firm(app, world):
    when, name = world.coming.during, f"r{world.coming.id}"

    def bar(who):
        return next(one for one in feed(app, world, who, when)["events"] if one["id"] == name)

    assert "已预约" in bar("member")["title"]
    assert bar("member")["move"]
    assert bar("operator")["kind"] == "booked"
    assert not bar("operator")["move"]
    stranger = bar("other firm")
    assert stranger["kind"] == bar(None)["kind"] == "busy"
    assert "href" not in stranger
    assert world.firm.name not in str(stranger)


def test_what_cannot_be_booked_is_hatched_with_its_reason(app, session, world):
    day = clock.local_date(world.coming.during.start) + timedelta(days=3)
    noon = clock.local_midnight(day) + timedelta(hours=12)
    shut = Interval(noon, noon + timedelta(hours=2))
    session.add(
        Closure(
            equipment_id=world.equipment.id, during=shut, kind=ClosureKind.MAINTENANCE, reason="示例检修",
            created_at=clock.now(),
        )
    )  # fmt: skip
    session.commit()
    told = [one for one in feed(app, world, "member", local_days(day, 1))["events"] if one.get("why") == "closed"]
    assert [(one["start"], one["end"]) for one in told] == [(shut.start.isoformat(), shut.end.isoformat())]
    assert "示例检修" in told[0]["title"]


def test_a_taken_stretch_is_hatched_with_the_time_to_set_up_and_clean(app, session, world):
    world.equipment.cleanup_minutes = 30
    session.commit()
    when = world.coming.during
    around = when.padded(before=timedelta(hours=3), after=timedelta(hours=3))
    taken = [one for one in feed(app, world, "member", around)["events"] if one.get("why") == "taken"]
    assert any(one["start"] == (when.start - timedelta(minutes=30)).isoformat() for one in taken)


def test_the_feed_asks_as_often_for_many_machines_as_for_one(app, session, world):
    from sqlalchemy import event

    from app.kernel.db import db

    counted = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: counted.append(told[2]))

    def queries():
        counted.clear()
        feed(app, world, "member", local_days(clock.local_date(clock.now()), 7))
        return len(counted)

    def with_more(machines):
        for _ in range(machines):
            makers.equipment(session, of=world.platform)
        session.commit()
        queries()
        return queries()

    assert with_more(2) == with_more(10)


def test_rows_are_found_by_name(app, session, world):
    makers.equipment(session, of=world.platform, name_zh="示例别的设备")
    session.commit()
    page = client_of(app, world, "member").get(f"/platforms/{world.platform.code}/calendar?q=别的").text
    assert "示例别的设备" in page
    assert world.equipment.name_zh not in page


def test_a_slot_is_found_with_its_price_on_page_and_api(app, world):
    client = client_of(app, world, "member")
    page = client.get("/find", query_string={"q": world.equipment.name_zh, "hours": "2"})
    assert page.status_code == 200
    assert "¥" in page.text
    assert client.get("/find?hours=nought").status_code == 422
    assert client.get("/find?when=days&first=2030-01-02&last=2030-01-01").status_code == 422
    window = local_days(clock.local_date(clock.now()), 14)
    asked = {"starts_at": window.start.isoformat(), "ends_at": window.end.isoformat(), "minutes": 120}
    found = client.get("/api/v1/slots", query_string=asked).json
    assert world.equipment.code in [one["equipment"]["code"] for one in found]
    assert all(one["slots"] for one in found)


def test_hundreds_of_machines_come_in_pages_that_the_feed_keeps_to(app, session, world):
    made = {makers.equipment(session, of=world.platform).id for _ in range(2 * PER_PAGE)}
    session.commit()
    seen: list[set[int]] = []
    for number in (1, 2, 3):
        told = feed(app, world, "member", world.coming.during, page=number)
        seen.append({int(one) for one in told["live"]} | {int(bar["resourceIds"][0]) for bar in told["events"]})
        page = client_of(app, world, "member").get(f"/platforms/{world.platform.code}/calendar?page={number}")
        settings = json.loads(re.search(r'id="calendar-settings">(.*?)</script>', page.text, re.S).group(1))
        assert seen[-1] <= {int(one["id"]) for one in settings["resources"]}
        assert len(settings["resources"]) <= PER_PAGE
        assert f"page={number}" in settings["feed"]
    assert made <= set().union(*seen)
    assert not seen[0] & seen[1]
