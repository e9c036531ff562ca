"""Somebody waits for a taken slot, is offered it when it is given back, and takes it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from app import jobs
from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.web.formats import input_time
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


def run(app, name: str) -> None:
    jobs.run(app, next(job for job in jobs.TIMETABLE if job.name == name))


def test_a_slot_that_is_given_back_is_offered_and_taken(app, site, session):
    coming = site.world.coming
    coming_id, when = coming.id, coming.during
    page = site.enter("other firm", size=PHONE)
    page.goto(f"{site.address}/reservations/new?equipment_id={site.world.equipment.id}")
    page.fill("input[name=starts_at]", input_time(when.start))
    page.fill("input[name=ends_at]", input_time(when.end))
    page.get_by_role("button", name="预约这个时段").click()
    page.get_by_role("button", name="加入候补").click()
    expect(page.get_by_text("已加入候补。")).to_be_visible()
    expect(page.get_by_text("前面还有 0 位")).to_be_visible()

    holder = site.enter("member")
    holder.goto(f"{site.address}/reservations/{coming_id}")
    holder.get_by_text("取消预约").click()
    holder.get_by_role("button", name="取消").click()
    expect(holder.get_by_text("已取消，时段已释放。")).to_be_visible()
    run(app, "offering")

    page.reload()
    expect(page.get_by_text("候补待确认")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="确认预约").click()
    expect(page.get_by_text("预约成功。")).to_be_visible()
    session.expire_all()
    firm_id = session.get_one(Reservation, coming_id).organization_id
    taken = session.scalars(
        select(Reservation).where(Reservation.during == when, Reservation.organization_id != firm_id)
    ).one()
    assert taken.state is ReservationState.BOOKED
