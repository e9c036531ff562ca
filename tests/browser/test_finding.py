"""A free slot is found by one sentence and booked in place; a conflict leads to other machines."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app.web.formats import input_time

pytestmark = pytest.mark.browser


def test_a_slot_is_found_and_booked_in_place(site):
    page = site.enter("member")
    page.goto(f"{site.address}/find")
    page.get_by_label("我要用").fill(site.world.equipment.name_zh)
    page.get_by_label("用多久").select_option("4")
    page.get_by_label("什么时候").select_option("next_week")
    page.get_by_role("button", name="查找").click()
    expect(page).to_have_url(re.compile("hours=4&when=next_week"))
    row = page.get_by_role("row").filter(has_text=site.world.equipment.name_zh)
    expect(row).to_contain_text("¥")
    row.get_by_role("button", name="预约").first.click()
    expect(page.get_by_text("预约成功。")).to_be_visible()


def test_nothing_found_says_what_to_loosen(site):
    page = site.enter("member")
    page.goto(f"{site.address}/find?q=没有的设备&when=today")
    page.get_by_role("link", name="不限设备").click()
    page.get_by_role("link", name="看今后 14 天").or_(page.get_by_role("table")).first.wait_for()
    expect(page).to_have_url(re.compile("find[?]when=today"))


def test_a_conflict_offers_other_machines(site):
    taken, page = site.world.coming.during, site.enter("other firm")
    page.goto(f"{site.address}/reservations/new?equipment_id={site.world.equipment.id}")
    page.fill("input[name=starts_at]", input_time(taken.start))
    page.fill("input[name=ends_at]", input_time(taken.end))
    page.get_by_role("button", name="预约这个时段").click()
    page.get_by_role("link", name="在其他设备上找").click()
    expect(page.get_by_role("heading", name="找时段")).to_be_visible()
