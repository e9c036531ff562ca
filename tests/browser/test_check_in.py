"""A firm's person scans the code on the machine, checks in with a phone, works, and gives the rest back."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
import zxingcpp
from playwright.sync_api import expect
from sqlalchemy import select

from app.booking.models import Occupancy, Reservation
from app.booking.reserving import reserve
from app.booking.rules.request import next_on_grid
from app.booking.rules.reservation import ReservationState
from app.kernel import clock
from app.kernel.interval import Interval
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.browser
STEP = timedelta(minutes=5)
GREY = """async (picture) => {
  const bitmap = await createImageBitmap(await (await fetch("data:image/png;base64," + picture)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  let grey = "";
  for (let i = 0; i < rgba.length; i += 4) grey += String.fromCharCode((rgba[i] + rgba[i + 1] + rgba[i + 2]) / 3);
  return [bitmap.width, btoa(grey)];
}"""


@pytest.fixture
def begins_now(site, session):
    """A reservation of the member that begins within five minutes, on equipment that wants check-in."""
    world = site.world
    start = next_on_grid(clock.now(), STEP)
    world.equipment.check_in = True
    one = reserve(
        session,
        equipment_id=world.equipment.id,
        when=Interval(start, start + timedelta(hours=2)),
        organization_id=world.firm.id,
        person_id=world.people["member"].id,
        at=clock.now(),
    )
    session.commit()
    return one


def scanned(page) -> str:
    """What a camera reads off the page: its picture as grey pixels, taken apart by a blank page."""
    picture = base64.b64encode(page.screenshot(full_page=True)).decode()
    blank = page.context.browser.new_page()
    width, pixels = blank.evaluate(GREY, picture)
    blank.close()
    grey = base64.b64decode(pixels)
    codes = zxingcpp.read_barcodes(memoryview(grey).cast("B", (len(grey) // width, width)))
    assert len(codes) == 1
    return codes[0].text


def test_the_printed_code_leads_to_check_in_extension_and_finish(site, session, begins_now):
    operator = site.enter("operator")
    operator.goto(f"{site.address}/equipment/{site.world.equipment.code}/qr")
    operator.emulate_media(media="print")
    address = scanned(operator)
    assert address == f"{site.address}/check-in/{site.world.equipment.code}"

    phone = site.enter("member", size=PHONE)
    phone.goto(address)
    phone.get_by_role("button", name="签到，开始使用").click()
    expect(phone.get_by_text("已签到，可以开始使用。")).to_be_visible()
    expect(phone.get_by_text("使用中").first).to_be_visible()
    phone.get_by_role("button", name="延长 30 分钟").click()
    expect(phone.get_by_text("已延长。")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.get_by_role("button", name="结束使用").click()
    expect(phone.get_by_text("已结束使用，剩余时段已释放。")).to_be_visible()
    expect(phone.get_by_role("link", name="现在预约")).to_be_visible()

    session.expire_all()
    one = session.get_one(Reservation, begins_now.id)
    assert one.state is ReservationState.FINISHED
    assert one.during.duration == timedelta(hours=2, minutes=30)
    held = session.scalars(select(Occupancy.blocked).where(Occupancy.reservation_id == one.id)).all()
    assert all(blocked.end <= clock.now() for blocked in held)


def test_the_screen_beside_the_machine_tells_times_and_no_names(site, begins_now):
    operator = site.enter("operator")
    operator.goto(f"{site.address}/equipment/{site.world.equipment.code}/qr")
    screen = operator.get_by_role("link", name="打开屏幕").get_attribute("href")
    visitor = operator.context.browser.new_context(viewport={"width": 1024, "height": 768}).new_page()
    assert visitor.goto(f"{site.address}/kiosk/{site.world.equipment.code}?token=guess").status == 404
    visitor.goto(screen)
    expect(visitor.get_by_role("heading", level=1)).to_contain_text(site.world.equipment.name_zh)
    expect(visitor.get_by_role("listitem")).to_have_count(1)
    shown = visitor.content()
    assert site.world.firm.name not in shown
    assert site.world.people["member"].name not in shown
