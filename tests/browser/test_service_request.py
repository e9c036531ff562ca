"""Commissioned work as both sides live it: ask, quote, accept, receive, schedule, deliver, return, sign off."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from app.kernel import clock
from app.web.formats import input_time
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_a_firm_has_work_done_and_signs_it_off(site, tmp_path):
    firm, operator = site.enter("manager", size=PHONE), site.enter("operator")
    firm.goto(f"{site.address}/equipment/{site.world.equipment.code}")
    firm.get_by_role("link", name="提交委托").click()
    firm.fill("#title", "示例长丝批次")
    firm.select_option("#kind", "contract_processing")
    firm.get_by_label("名称").first.fill("示例切片")
    firm.get_by_label("数量").first.fill("25")
    firm.get_by_role("button", name="提交委托").click()
    expect(firm.get_by_role("alert").first).to_contain_text("名称和单位")
    assert firm.input_value("#title") == "示例长丝批次"
    firm.get_by_label("单位").first.fill("kg")
    fits(firm)
    firm.get_by_role("button", name="提交委托").click()
    expect(firm.locator("h1")).to_have_text("示例长丝批次")
    here = firm.url

    operator.goto(f"{site.address}/service-requests?show=to_quote")
    operator.get_by_role("link", name="示例长丝批次").click()
    operator.get_by_label("内容").first.fill("纺丝")
    operator.get_by_label("数量").first.fill("2")
    operator.get_by_label("单位").first.select_option("batch")
    operator.get_by_label("单价（含税）").first.fill("1500")
    operator.get_by_role("button", name="发出报价").click()
    expect(operator.get_by_role("status")).to_have_text("报价已发出。")

    firm.goto(here)
    firm.get_by_role("button", name="接受第 1 版报价：¥3,000.00").click()
    expect(firm.get_by_role("status")).to_contain_text("已接受")

    operator.goto(here)
    operator.get_by_label("示例切片").check()
    operator.get_by_role("button", name="登记收到").click()
    starts_at = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    operator.locator("summary", has_text="安排设备").click()
    operator.fill("#starts_at", input_time(starts_at))
    operator.fill("#ends_at", input_time(starts_at + timedelta(hours=2)))
    operator.get_by_role("button", name="为这项委托预约").click()
    expect(operator.get_by_label("设备预约与使用")).to_contain_text(site.world.equipment.name_zh)
    report = tmp_path / "报告.pdf"
    report.write_bytes(bytes(6 * 1024 * 1024))
    operator.locator("summary", has_text="交付成果").click()
    operator.set_input_files("#files", report)
    operator.get_by_role("button", name=re.compile("^交付给")).click()
    expect(operator.get_by_label("成果", exact=True)).to_contain_text("SHA-256")

    firm.goto(here)
    with firm.expect_download() as taken:
        firm.get_by_role("link", name="报告.pdf").click()
    assert taken.value.path().stat().st_size == 6 * 1024 * 1024
    fits(firm)
    firm.locator("summary", has_text="退回成果").click()
    firm.fill("#reason", "缺少检测曲线")
    firm.get_by_role("button", name="退回给平台").click()
    expect(firm.get_by_label("进展")).to_contain_text("缺少检测曲线")
    firm.get_by_role("button", name="验收“示例长丝批次”").click()
    expect(firm.get_by_role("status")).to_contain_text("已验收")
    expect(firm.get_by_label("进展").get_by_role("listitem")).to_have_count(8)
    assert site.enter("other firm").goto(here).status == 404
