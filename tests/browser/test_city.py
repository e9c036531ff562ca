"""An official looks at the city, on a desk and on a phone, and takes a report away."""

from __future__ import annotations

import re

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PHONE

pytestmark = pytest.mark.browser
PAGES = ("/city", "/city/annex", "/city/recognitions", "/city/places", "/city/use", "/city/national")
PAINTED = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) if (data[at + 3]) colours.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
    return colours.size;
}"""  # noqa: E501


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_an_official_sees_the_city_its_charts_and_takes_the_report_by_town(site, size, tmp_path):
    page = site.enter("official", size=size)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda said: broken.append(said.text) if said.type == "error" else None)
    for path in PAGES:
        page.goto(f"{site.address}{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert fits(page), path

    page.goto(f"{site.address}/city")
    expect(page.get_by_text("还差 2 个").first).to_be_visible()
    page.get_by_role("link", name="使用情况").click()
    for chart in page.locator("[data-chart]").all():
        layers = chart.locator("canvas")
        expect(layers.first).to_be_visible()
        assert max(layer.evaluate(PAINTED) for layer in layers.all()) > 5
    page.locator("summary").filter(has_text="表格").click()
    expect(page.get_by_role("rowheader", name="09–10")).to_be_visible()
    page.get_by_label("领域", exact=True).select_option("纺织鞋服")
    expect(page).to_have_url(re.compile("field="))

    page.get_by_role("link", name="镇街与园区").click()
    expect(page.get_by_role("row").filter(has_text="未填写")).to_contain_text("¥")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Excel").click()
    there = tmp_path / "towns.xlsx"
    taken.value.save_as(there)
    rows = list(openpyxl.load_workbook(there).active.iter_rows(values_only=True))
    assert (rows[1][0], rows[-1][0]) == ("青阳街道", "合计")
    assert not broken
