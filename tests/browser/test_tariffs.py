"""A price is changed while its effect is seen, and the new version stands beside the old one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from app.kernel import clock

pytestmark = pytest.mark.browser


def test_a_price_is_edited_with_its_live_preview(books_site):
    page = books_site.enter("finance")
    page.goto(f"{books_site.address}/tariffs")
    page.get_by_role("row").filter(has_text="示例冻干机").get_by_role("link", name="查看与修改").click()
    page.evaluate("window.stayed = true")
    first = page.locator("[data-examples] tbody tr").first
    expect(first).to_contain_text("¥2,400.00")
    page.get_by_label("单价（元）").first.fill("1500")
    page.keyboard.press("Tab")
    expect(first).to_contain_text("¥2,700.00")
    page.get_by_label("最低收费（元）").fill("很多")
    page.keyboard.press("Tab")
    expect(page.locator("#preview").get_by_role("alert")).to_contain_text("“最低收费”应是金额")
    beside = page.locator("#minimum_charge-error")
    expect(beside).to_contain_text("“最低收费”应是金额")
    page.get_by_label("最低收费（元）").fill("1200")
    page.keyboard.press("Tab")
    expect(beside).to_be_empty()
    page.get_by_label("最低收费（元）").fill("很多")
    page.keyboard.press("Tab")
    expect(beside).to_contain_text("“最低收费”应是金额")
    assert page.evaluate("window.stayed")

    page.get_by_role("button", name="保存为新版本").click()
    expect(page.locator("#minimum_charge-error")).to_contain_text("“最低收费”应是金额")
    assert page.input_value("#rate") == "1500"
    page.get_by_label("最低收费（元）").fill("1200")
    page.get_by_label("生效日").fill((clock.local_date(clock.now()) + timedelta(days=7)).isoformat())
    page.get_by_role("button", name="保存为新版本").click()
    expect(page.get_by_role("status").first).to_contain_text("新价格自")
    page.get_by_role("link", name="价格").first.click()
    rows = page.get_by_role("row").filter(has_text="示例冻干机")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="未生效")).to_contain_text("¥1,500.00")
    expect(rows.filter(has_not_text="未生效")).to_contain_text("¥600.00")
