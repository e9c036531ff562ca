"""A claim from the official's desk: locked, asked about, answered, reduced, approved, paid, adjusted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from app.kernel import clock
from app.kernel.money import Money
from billing.assets import record_asset
from billing.claims.asking import ask
from billing.claims.filing import file_claim
from billing.rules.asset_sheet import AssetRow
from tests.browser.conftest import DESK, PHONE, Site

pytestmark = pytest.mark.browser


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def filed(session, site: Site) -> None:
    """The claim of a purchase in the year before, with a question that waits for its operator."""
    platform, people, at = site.world.platform.id, site.world.people, clock.now()
    bought = AssetRow(
        no="示例-001", name="示例设备", kind="equipment", accepted_on=date(2025, 12, 10), paid_on=date(2025, 12, 10),
        cost=Money.of("1160000"), cost_includes_tax=False, tax_rate=Decimal("0.13"), input_tax_creditable=True,
        fiscal=Money(0), already_paid_under=None, document="示例合同",
    )  # fmt: skip
    record_asset(session, platform, bought, by=people["finance"].id, at=at)
    claim = file_claim(session, platform, 2025, by=people["finance"].id, at=at)
    ask(session, claim.id, "示例：验收单缺盖章页，请补。", by=people["official"].id, at=at)
    session.commit()


def test_a_claim_is_reviewed_decided_and_paid(site, session):
    filed(session, site)
    official, operator = site.enter("official", size=DESK), site.enter("operator", size=PHONE)
    official.goto(f"{site.address}/claims")
    row = official.get_by_role("row").filter(has_text="已申报")
    expect(row).to_contain_text("1 个问题待答复")
    row.get_by_role("link").click()
    address = official.url
    official.get_by_role("button", name="锁定 2025 年申报").click()
    expect(official.get_by_text("已锁定。此后发生的事情不再改变这份申报的依据。")).to_be_visible()

    # While a question is open nothing is decided, and the page says so.
    official.get_by_label("核定文件文号").fill("示例核〔2026〕2号")
    official.get_by_role("button", name="核定 ¥348,000.00").click()
    expect(official.get_by_role("alert")).to_contain_text("还有问题没有答复")
    assert official.get_by_label("核定文件文号").input_value() == "示例核〔2026〕2号"

    operator.goto(address)
    assert fits(operator)
    operator.get_by_label("答复内容").fill("示例：盖章页已补。")
    operator.get_by_role("button", name="答复").click()
    expect(operator.get_by_text("示例：盖章页已补。")).to_be_visible()
    expect(operator.get_by_role("button", name="核定")).to_have_count(0)

    official.goto(address)
    official.get_by_label("核减金额").fill("0.01")
    official.get_by_label("理由", exact=True).fill("示例：尾差")
    official.get_by_role("button", name="核减 P1").click()
    official.get_by_label("核定文件文号").fill("示例核〔2026〕2号")
    official.get_by_role("button", name="核定 ¥347,999.99").click()
    expect(official.get_by_text("已核定 ¥347,999.99。")).to_be_visible()

    # The odd fen is Jinjiang's.
    for bearer, amount in (("泉州", "173999.99"), ("晋江", "174000.00")):
        form = official.locator("form").filter(has=official.get_by_role("button", name=f"登记{bearer}拨付"))
        expect(form.get_by_label("金额")).to_have_value(amount)
        form.get_by_label("凭证号").fill("示例凭证")
        form.get_by_role("button").click()
    expect(official.get_by_text("已全部结清。")).to_be_visible()
    expect(official.get_by_text("已拨付", exact=True).first).to_be_visible()

    official.get_by_text("登记一笔调整").click()
    form = official.locator("form").filter(has=official.get_by_role("button", name="调整 P1"))
    form.get_by_label("金额（减少填负数）").fill("-1000")
    form.get_by_label("理由").fill("示例：设备转让")
    form.get_by_label("文号").fill("示例调〔2026〕1号")
    form.get_by_role("button").click()
    expect(official.get_by_text("应收回").first).to_be_visible()
    for page in (official, operator):
        page.goto(address)
        assert fits(page)
        expect(page.get_by_text("已调整", exact=True).first).to_be_visible()
    printed = official.request.get(f"{address}.pdf")
    assert printed.ok
    assert printed.body().startswith(b"%PDF")


def test_the_operator_sees_what_a_year_yields_before_it_is_over(site):
    operator = site.enter("operator", size=PHONE)
    operator.goto(f"{site.address}/claims")
    assert fits(operator)
    operator.goto(f"{site.address}/claims/new?year={site.world.year}")
    assert fits(operator)
    expect(operator.get_by_text("P2 运行补助")).to_be_visible()
    expect(operator.get_by_text("年尚未结束")).to_be_visible()
    expect(operator.get_by_role("button", name="提交")).to_have_count(0)
