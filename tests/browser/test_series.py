"""A weekly series whose second date is taken: one date is skipped, one moved, the rest booked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from app.kernel import clock

pytestmark = pytest.mark.browser


def local(moment) -> str:
    return moment.astimezone(clock.FACILITY_ZONE).strftime("%Y-%m-%dT%H:%M")


def test_a_series_is_looked_at_and_booked_without_the_dates_that_clash(site):
    taken = site.world.coming.during  # tomorrow, and the series of the world holds the same hour a week later
    page = site.enter("other firm")
    page.goto(f"{site.address}/series/new?equipment_id={site.world.equipment.id}")
    page.fill("input[name=starts_at]", local(taken.start))
    page.fill("input[name=ends_at]", local(taken.start + timedelta(hours=1)))
    page.select_option("select[name=every]", "day")
    page.fill("input[name=times]", "4")
    page.get_by_role("button", name="逐日查看").click()
    expect(page.get_by_role("heading", name="共 4 次，3 次可约")).to_be_visible()
    choices = page.get_by_role("combobox").filter(has_text="跳过这次")
    expect(choices).to_have_count(4)
    choices.nth(0).select_option(index=1)  # the first is taken: its first alternative
    cost = page.get_by_role("region", name="费用估算", exact=True)
    expect(cost).to_contain_text("选中 4 次")
    choices.nth(2).select_option(label="跳过这次")
    expect(cost).to_contain_text("选中 3 次")
    page.get_by_role("button", name="预约选中的日期").click()
    expect(page.get_by_text("已预约 3 次。")).to_be_visible()
    expect(page.get_by_role("table").get_by_role("link")).to_have_count(3)

    page.get_by_text("取消预约").click()
    form = page.locator("form").filter(has_text="按范围取消")
    form.get_by_label("全部尚未开始的").check()
    form.get_by_role("button", name="按范围取消").click()
    expect(page.get_by_text("已取消 3 次预约，时段已释放。")).to_be_visible()
    expect(page.get_by_role("table").get_by_text("已取消")).to_have_count(3)
