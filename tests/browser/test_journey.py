"""One yuan, from a booked slot to the subsidy and back to the meter's message, in a real Chromium."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pypdf import PdfReader

from app.demo import DEMO_PASSWORD
from app.kernel import clock
from app.kernel.postgres import PrivatePostgres
from tests.integration.test_private_broker import brokers

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "test-artifacts"
EQUIPMENT = "HX-TEXTILE-SPIN"
RUN_LIMIT_MS = 400_000
pytestmark = pytest.mark.browser


@contextmanager
def house(folder: Path) -> Iterator[str]:
    """Everything that ``make run`` starts, on ports of its own."""
    port = brokers._free_port()
    environment = os.environ | {
        "PILOTSHARE_FOLDER": str(folder),
        "PILOTSHARE_PORT": str(port),
        "PILOTSHARE_MQTT_PORT": str(brokers._free_port()),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "app", "up"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        try:
            said = ""
            while "make reset" not in said:
                line = up.stdout.readline()
                assert line, said
                said += line
            yield f"http://127.0.0.1:{port}"
        finally:
            up.terminate()
            up.communicate(timeout=60)


def sign_in(browser: Browser, address: str, who: str) -> Page:
    page = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 860}).new_page()
    page.goto(f"{address}/sign-in")
    page.fill("input[name=email]", f"{who}@pilotshare.example")
    page.fill("input[name=password]", DEMO_PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    return page


def picture(page: Page, name: str) -> None:
    """What the page looks like, on a desk and on a phone, in both languages."""
    PICTURES.mkdir(exist_ok=True)
    here = page.url
    for language in ("zh", "en"):
        page.goto(f"{here.split('/', 3)[0]}//{here.split('/', 3)[2]}/language/{'zh_CN' if language == 'zh' else 'en'}")
        for size, width in (("desk", 1280), ("phone", 390)):
            page.set_viewport_size({"width": width, "height": 860})
            page.goto(here)
            page.screenshot(path=PICTURES / f"{name}-{language}-{size}.png")
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0, f"{name} is {overflow} px too wide in {language} on a {size}"
    page.goto(f"{here.split('/', 3)[0]}//{here.split('/', 3)[2]}/language/zh_CN")
    page.set_viewport_size({"width": 1280, "height": 860})
    page.goto(here)


def wish_for(page: Page, address: str, start, end) -> None:
    page.goto(f"{address}/reservations/new?equipment={EQUIPMENT}")
    for name, moment in (("starts_at", start), ("ends_at", end)):
        page.fill(f"input[name={name}]", moment.astimezone(clock.FACILITY_ZONE).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="预约这个时段").click()


def test_a_yuan_of_subsidy_is_followed_back_to_the_meters_message(browser, open_folder):
    with house(open_folder / "house") as address:
        allow_short_slots(open_folder / "house")
        firm = sign_in(browser, address, "firm")
        firm.goto(f"{address}/platforms/hx-textile/calendar")
        expect(firm.get_by_text("熔融纺丝中试机").first).to_be_visible()
        picture(firm, "calendar")
        start = clock.now().replace(second=0, microsecond=0) + timedelta(minutes=2)
        wish_for(firm, address, start, start + timedelta(minutes=2))
        firm.wait_for_url(re.compile(r"/reservations/\d+$"))

        other = sign_in(browser, address, "firm2")
        wish_for(other, address, start, start + timedelta(minutes=2))
        expect(other.get_by_role("heading", name="最近的空闲时段")).to_be_visible()
        assert other.get_by_role("button", name="改约这个时段").count() >= 3

        expect(firm.get_by_text("合计（含税）")).to_be_visible(timeout=RUN_LIMIT_MS)
        expect(firm.get_by_text("电量")).to_be_visible()
        picture(firm, "reservation")
        used = firm.locator("a[href^='/usage/']").first.get_attribute("href")

        operator = sign_in(browser, address, "operator")
        operator.goto(f"{address}/review?month={start.astimezone(clock.FACILITY_ZONE):%Y-%m}")
        picture(operator, "review")
        group = operator.locator("section").filter(has=operator.locator(f"a[href='{used}']"))
        expect(group.get_by_text("按使用时间计费").first).to_be_visible()
        group.get_by_role("button", name="审核全部").click()
        group.get_by_role("button", name="开具结算单").click()
        operator.wait_for_url(re.compile(r"/invoices/\d+$"))
        picture(operator, "invoice")
        number = re.search(r"HX-TEXTILE-\d{4}-\d{6}", operator.locator("article").inner_text()).group()
        printed = operator.request.get(f"{operator.url}.pdf").body()
        said = "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(printed)).pages).split())
        assert "人民币" in said
        assert "元" in said
        assert "6%" in said

        official = sign_in(browser, address, "official")
        official.goto(f"{address}/subsidy/hx-textile/{start.astimezone(clock.FACILITY_ZONE).year}")
        expect(official.get_by_text("泉州承担").first).to_be_visible()
        expect(official.get_by_text("六(二)").first).to_be_visible()
        picture(official, "subsidy")
        follow(official, "/revenue")
        year = official.url
        entries = official.get_by_role("row").filter(has_text=number).filter(has_text="计入")
        for place in range(entries.count()):  # the invoice has a line for each use of the month
            follow(official, "/invoices/lines/", within=entries.nth(place))
            if official.locator(f"main a[href='{used}']").count():
                break
            official.goto(year)
        follow(official, used)
        follow(official, f"{used}/readings")
        follow(official, f"{used}/messages/")
        expect(official.get_by_text('"readings"').first).to_be_visible()
        expect(official.get_by_text(EQUIPMENT.lower()).first).to_be_visible()
        picture(official, "message")


def follow(page: Page, step: str, *, within: Locator | None = None) -> None:
    """Click the first link of the page's own content (or of a part) that leads one step down the river."""
    link = (within or page.locator("main")).locator(f"a[href*='{step}']").first
    expect(link).to_be_visible()
    target = link.get_attribute("href")
    link.click()
    page.wait_for_load_state()
    if step.strip("/") not in page.url:  # a side panel opened instead of a page
        page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + target)


def allow_short_slots(folder: Path) -> None:
    """Two minutes are enough to see a run; the sample equipment asks for five."""
    server = PrivatePostgres(folder / "postgres")
    with psycopg.connect(host=str(server.sockets), user="pilotshare", dbname="pilotshare") as connection:
        connection.execute("UPDATE equipment SET step_minutes = 1, least_minutes = 1 WHERE code = %s", (EQUIPMENT,))
