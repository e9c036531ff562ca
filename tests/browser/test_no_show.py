"""Nobody comes, the slot is freed and written down; the firm sees it and the operator forgives it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from app import jobs
from app.booking.reserving import reserve
from app.booking.rules.request import next_on_grid
from app.kernel import clock
from app.kernel.interval import Interval

pytestmark = pytest.mark.browser


@pytest.fixture
def missed(app, site, session):
    """The number of a reservation that began an hour ago and that nobody came for."""
    world = site.world
    world.equipment.check_in = True
    start = next_on_grid(clock.now(), timedelta(minutes=5)) - timedelta(hours=1)
    one = reserve(
        session,
        equipment_id=world.equipment.id,
        when=Interval(start, start + timedelta(hours=3)),
        organization_id=world.firm.id,
        person_id=world.people["member"].id,
        at=start - timedelta(hours=1),
    )
    session.commit()
    jobs.run(app, next(job for job in jobs.TIMETABLE if job.name == "declaring no-shows"))
    return one.id


def test_a_no_show_is_seen_by_the_firm_and_forgiven_by_the_operator(site, missed):
    firm = site.enter("member")
    firm.goto(f"{site.address}/reservations/{missed}")
    expect(firm.get_by_text("爽约").first).to_be_visible()
    firm.goto(f"{site.address}/conduct")
    row = firm.get_by_role("row").filter(has_text=f"#{missed}")
    expect(row.get_by_text("未生效")).to_be_visible()

    operator = site.enter("operator")
    operator.goto(f"{site.address}/conduct?show=missteps")
    operator.get_by_text(f"豁免 #{missed}").click()
    row = operator.get_by_role("row").filter(has_text=f"豁免 #{missed}")
    row.get_by_label("理由").fill("上一用户超时")
    row.get_by_role("button", name="豁免这条记录").click()
    expect(operator.get_by_text("已豁免，不再计入信用。")).to_be_visible()

    firm.reload()
    row = firm.get_by_role("row").filter(has_text=f"#{missed}")
    expect(row.get_by_text("已豁免")).to_be_visible()
    expect(row.get_by_text("上一用户超时")).to_be_visible()


def test_an_operator_sets_the_rules_and_hears_what_is_wrong_beside_the_field(site):
    page = site.enter("operator")
    page.goto(f"{site.address}/platforms/{site.world.platform.code}/conduct")
    page.fill("input[name=block_days]", "14")
    page.fill("input[name=fee]", "80.005")
    page.locator("form").filter(has_text="爽约阶梯").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="保存").click()
    expect(page.locator("#fee-error")).to_be_visible()
    expect(page.locator("input[name=block_days]")).to_have_value("14")
    page.fill("input[name=fee]", "80.00")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存，立即生效。")).to_be_visible()
    expect(page.locator("input[name=block_days]")).to_have_value("14")
