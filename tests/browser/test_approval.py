"""A request for hazardous work: one operator agrees in the queue, another declines with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from app.booking.reserving import reserve
from app.catalogue.models import Approval, Equipment
from app.kernel import clock
from app.kernel.db import db
from app.kernel.interval import Interval
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


def test_a_request_is_decided_in_the_queue_with_a_reason(site):
    session, world = db.session(), site.world
    equipment = session.get_one(Equipment, world.equipment.id)
    equipment.approval = Approval.TWO_STEPS
    start = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    for hour in (0, 3):
        reserve(
            session,
            equipment_id=equipment.id,
            when=Interval(start + timedelta(hours=hour), start + timedelta(hours=hour + 2)),
            organization_id=world.firm.id,
            person_id=world.people["member"].id,
            at=clock.now(),
            purpose="高温试样",
        )
    session.commit()

    page = site.enter("operator")
    page.goto(f"{site.address}/approvals")
    expect(page.get_by_text("高温试样")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    expect(page.get_by_text("已批准第一步，还需另一位运营人员批准。")).to_be_visible()
    expect(page.get_by_text("已批准 1 / 2")).to_be_visible()
    second = page.get_by_role("row").filter(has_text="已批准 0 / 2")
    second.get_by_role("button", name="不批准").click()
    expect(page.get_by_text("请写明不批准的原因，申请人会看到。")).to_be_visible()
    second.get_by_label("不批准的原因").fill("缺少安全评估")
    second.get_by_role("button", name="不批准").click()
    expect(page.get_by_text("已告知申请人未获批准，时段已释放。")).to_be_visible()
    expect(page.get_by_text("高温试样")).to_have_count(1)

    phone = site.enter("operator", size=PHONE)
    phone.goto(f"{site.address}/approvals")
    expect(phone.get_by_role("button", name="不批准")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
