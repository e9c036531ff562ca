"""The timeline: a drag books, an edge resizes, and what is forbidden says why."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.catalogue.models import Closure
from app.catalogue.rules.words import ClosureKind
from app.kernel import clock
from app.kernel.interval import Interval

pytestmark = pytest.mark.browser


def calendar_of(site, page, day):
    with page.expect_response(lambda answer: "calendar.json" in answer.url):
        page.goto(f"{site.address}/platforms/{site.world.platform.code}/calendar?day={day.isoformat()}")
    page.locator(".calendar-row .state").first.wait_for()


def place(page, hour: float, row: int = 0):
    """The point of ``hour`` on a row of the day view, scrolled into sight."""
    lines = page.locator(".ec-day")
    box = lines.nth(row).bounding_box()
    return box["x"] + box["width"] * hour / 24, box["y"] + box["height"] * 0.5


def drag(page, start, end):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, end[1], steps=8)
    page.mouse.move(*end, steps=8)
    page.mouse.up()


def test_a_drag_over_free_time_books(site):
    page = site.enter("member", size={"width": 1600, "height": 900})
    calendar_of(site, page, clock.local_date(site.world.coming.during.start) + timedelta(days=2))
    drag(page, place(page, 13), place(page, 15))
    page.wait_for_url("**/reservations/new?**")
    page.get_by_role("button", name="预约这个时段").click()
    expect(page.get_by_text("预约成功。")).to_be_visible()


def test_an_edge_that_is_dragged_gives_a_new_end(site, session):
    day = clock.local_date(site.world.coming.during.start) + timedelta(days=2)
    noon = clock.local_midnight(day) + timedelta(hours=12)
    mine = reserve(
        session, equipment_id=site.world.equipment.id, when=Interval(noon, noon + timedelta(hours=2)),
        organization_id=site.world.firm.id, person_id=site.world.people["member"].id, at=clock.now(),
    )  # fmt: skip
    number, before = mine.id, mine.during
    session.commit()
    page = site.enter("member", size={"width": 1600, "height": 900})
    calendar_of(site, page, day)
    bar = page.locator(".ec-event.calendar-booked").first
    box = bar.bounding_box()
    hour = page.locator(".ec-day").first.bounding_box()["width"] / 24
    bar.hover()
    edge = box["x"] + box["width"] - 2, box["y"] + box["height"] / 2
    drag(page, edge, (edge[0] + hour, edge[1]))
    expect(page.locator("#calendar-says")).to_contain_text("已改期。")
    session.expire_all()
    after = session.get_one(Reservation, number).during
    assert after.start == before.start
    assert after.end > before.end


def test_a_closed_stretch_refuses_with_its_reason_and_a_way_on(site, session):
    day = clock.local_date(site.world.coming.during.start) + timedelta(days=3)
    start = clock.local_midnight(day) + timedelta(hours=12)
    session.add(
        Closure(
            equipment_id=site.world.equipment.id, during=Interval(start, start + timedelta(hours=6)),
            kind=ClosureKind.MAINTENANCE, reason="示例检修", created_at=clock.now(),
        )
    )  # fmt: skip
    session.commit()
    page = site.enter("member", size={"width": 1600, "height": 900})
    calendar_of(site, page, day)
    drag(page, place(page, 13), place(page, 15))
    says = page.locator("#calendar-says")
    expect(says).to_contain_text("示例检修")
    says.get_by_role("link", name="在其他设备上找").click()
    expect(page.get_by_role("heading", name="找时段")).to_be_visible()


def test_the_bars_are_walked_along_with_the_keyboard(site):
    page = site.enter("member")
    calendar_of(site, page, clock.local_date(site.world.coming.during.start))
    bar = page.locator(".ec-event[role=link]").first
    bar.focus()
    expect(bar).to_have_attribute("aria-label", re.compile(f"{site.world.equipment.name_zh}.*已预约"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/reservations/*")
