"""A firm cannot book before its training; an operator grants it, and the same form lets it through."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


def test_a_missing_training_is_asked_for_granted_and_then_no_obstacle(site):
    world, where = site.world, site.address
    operator = site.enter("operator")
    operator.goto(f"{where}/equipment/{world.equipment.code}/settings")
    operator.get_by_role("heading", name="审批、签到与资质").click()
    operator.get_by_label("示例上机培训").check()
    operator.get_by_role("button", name="保存审批、签到与资质").click()
    expect(operator.get_by_text("已保存。已有的预约不受影响。")).to_be_visible()

    firm = site.enter("other firm", size=PHONE)
    firm.goto(f"{where}/reservations/new?equipment_id={world.equipment.id}")
    expect(firm.get_by_text("联系平台报名")).to_be_visible()
    firm.goto(f"{where}/qualifications")
    expect(firm.get_by_text("缺少")).to_be_visible()
    assert firm.evaluate("document.documentElement.scrollWidth <= innerWidth")

    operator.goto(f"{where}/qualifications")
    operator.get_by_label("登录邮箱或单位全称").fill(world.people["other firm"].email)
    operator.get_by_role("button", name="登记", exact=True).click()
    expect(operator.get_by_text("已登记，持有人会收到通知。")).to_be_visible()

    firm.goto(f"{where}/reservations/new?equipment_id={world.equipment.id}")
    expect(firm.get_by_text("联系平台报名")).to_have_count(0)
    firm.get_by_role("button", name="预约这个时段").click()
    expect(firm.get_by_text("预约成功。")).to_be_visible()
