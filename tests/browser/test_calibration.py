"""An operator moves a threshold on a recorded day, sees the use change at once, and keeps it as a version."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app.kernel import clock
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser


def test_a_threshold_is_moved_the_sessions_follow_and_a_version_is_kept(site):
    world = site.world
    page = site.enter("operator")
    defects = []
    page.on("pageerror", lambda error: defects.append(str(error)))
    page.on("console", lambda message: defects.append(message.text) if message.type == "error" else None)
    page.goto(f"{site.address}/meters/{world.meter.code}/calibration")
    day = clock.local_date(world.usage.started_at).isoformat()
    page.get_by_label("看记录的一天").fill(day)
    page.wait_for_url(lambda url: f"day={day}" in url)
    count = page.locator("[data-total=count]").get_by_role("cell")
    found = int(count.nth(2).inner_text())
    assert found > 0

    slider = page.get_by_label("滑块：启动阈值（W）")
    slider.press("End")
    expect(count.nth(2)).to_have_text("0")
    expect(count.nth(1)).to_have_text(str(found))
    expect(page.locator("[data-sessions]").get_by_text("不再有")).to_have_count(found)
    number = page.get_by_label("启动阈值（W）", exact=True)
    assert int(number.input_value()) > 1500

    number.fill("50")  # the other one, at 100, may not be above it
    expect(page.get_by_text("停止阈值不能高于启动阈值")).to_be_visible()
    number.fill("321")
    expect(count.nth(2)).to_have_text(str(found))

    across, line = _upper_line(page)
    page.mouse.move(across, line)
    page.mouse.down()
    page.mouse.move(across, line - 40, steps=4)
    page.mouse.up()
    expect(number).not_to_have_value("321")
    dragged = int(number.input_value())
    assert dragged > 321
    assert slider.input_value() == str(dragged)

    page.get_by_label("理由").fill("示例：换了样机")
    page.get_by_role("button", name="的新版本").click()
    expect(page.get_by_text("版本 2 已保存")).to_be_visible()
    newest = page.locator("[data-versions] tbody tr").first
    expect(newest).to_contain_text("示例：换了样机")
    expect(newest).to_contain_text(re.compile(rf"{dragged}(\.0)? W|kW"))
    assert [defect for defect in defects if "422" not in defect] == []


def test_the_calibration_fits_a_phone(site):
    page = site.enter("operator", size=PHONE)
    page.goto(f"{site.address}/meters/{site.world.meter.code}/calibration")
    expect(page.get_by_role("heading", name="试算结果")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _upper_line(page) -> tuple[float, float]:
    """Where the start threshold is drawn: the first place from the top where the pointer can take hold."""
    chart = page.locator("[data-chart] canvas").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    across = box["x"] + box["width"] / 2
    for down in range(30, int(box["height"]) - 30, 4):
        page.mouse.move(across, box["y"] + down)
        if chart.evaluate("canvas => getComputedStyle(canvas.parentElement).cursor") == "ns-resize":
            return across, box["y"] + down
    raise AssertionError("no line can be held")
