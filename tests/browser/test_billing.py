"""Money as both sides see it: review and issue, objection and credit, the bank's file, the month's end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.jobs import long_work
from app.kernel import clock
from app.kernel.db import in_transaction
from app.kernel.money import Money
from app.web.exports import XLSX
from tests.browser.books import DYER, LAB, SOLES, WEAVER, complaints_of
from tests.browser.conftest import PHONE
from tests.integration.tax_template import rows_of, template

pytestmark = pytest.mark.browser


def note(page: Page):
    return page.get_by_role("status").first


def test_a_firm_objects_and_what_is_corrected_is_issued_and_credited(books_site):
    firm, operator = books_site.enter("firm"), books_site.enter("finance")
    firm.goto(f"{books_site.address}/charges?month={books_site.books.month:%Y-%m}")
    firm.get_by_role("link", name="为什么是这个价").first.click()
    expect(firm.get_by_text("2 h × ¥600.00/h")).to_be_visible()
    here = firm.url
    firm.get_by_label("哪里不对").fill("示例：当天停电半小时")
    firm.get_by_role("button", name=re.compile("^对 ¥[0-9,.]+ 提出异议$")).click()
    expect(note(firm)).to_contain_text("平台答复前不会开具")

    operator.goto(f"{books_site.address}/review?month={books_site.books.month:%Y-%m}")
    group = operator.get_by_label(WEAVER, exact=True)
    group.get_by_role("button", name=re.compile("审核全部 1 笔")).click()
    expect(group).to_contain_text("1 笔有异议，答复后才能开具")
    group.get_by_role("row", name="有异议").get_by_role("link", name="答复异议").click()
    operator.get_by_label("答复").fill("示例：属实，减半小时")
    operator.get_by_role("button", name="成立，去更正").click()
    operator.get_by_label("更正后的金额").fill("900")
    operator.get_by_label("原因").fill("示例：停电")
    operator.get_by_role("button", name=re.compile("^把 ¥[0-9,.]+ 改为所填金额$")).click()
    expect(note(operator)).to_contain_text("已更正为 ¥900.00")

    operator.goto(f"{books_site.address}/review?month={books_site.books.month:%Y-%m}")
    group.get_by_role("button", name="审核全部 1 笔，¥900.00").click()
    group.get_by_role("button", name=re.compile("开具结算单：2 行")).click()
    operator.wait_for_url(re.compile(r"/invoices/\d+$"))
    statement = operator.url

    firm.goto(here)
    expect(firm.locator("#disputes")).to_contain_text("示例：属实，减半小时")
    firm.get_by_role("link", name=re.compile(r"-\d{6}$")).click()
    expect(firm.get_by_role("row", name="¥900.00").first).to_contain_text("（示例：停电）")
    firm.get_by_role("link", name="示例冻干机").first.click()
    expect(firm.get_by_role("dialog")).to_contain_text("怎样算出来的")

    operator.locator("summary", has_text="开具红字通知单").click()
    operator.get_by_label("示例冻干机").first.fill("5000")
    operator.get_by_label("原因").fill("示例：再减 100 元")
    operator.get_by_role("button", name=re.compile("开具红字通知单")).click()
    expect(operator.get_by_role("alert").first).to_be_visible()
    operator.get_by_label("示例冻干机").first.fill("100")
    operator.get_by_role("button", name=re.compile("开具红字通知单")).click()
    expect(operator.get_by_role("status").first).to_contain_text("−¥100.00")
    firm.goto(statement)
    expect(firm.get_by_role("main")).to_contain_text("−¥100.00")


def test_a_bank_file_pays_an_invoice_and_what_is_too_much_becomes_a_deposit(books_site):
    exact, beyond = books_site.books.invoices[SOLES], books_site.books.invoices[DYER]
    today, more = f"{clock.local_date(clock.now()):%Y%m%d}", beyond.gross + Money.of("500")
    rows = (
        "交易日期,收入金额,支出金额,对方户名,摘要",
        f"{today},{exact.gross},,{SOLES},服务费",
        f"{today},{more},,{DYER},结算单 {beyond.label[-11:]}",
        f"{today},,88.00,示例供电局,电费",
    )
    page = books_site.enter("finance")
    page.goto(f"{books_site.address}/bank")
    content = "\n".join(rows).encode("gbk")
    page.set_input_files("#file", {"name": "示例流水.csv", "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="预览文件").click()
    expect(page.get_by_text("新的收款 2 笔；以前已导入 0 笔；支出 1 笔不导入。")).to_be_visible()
    page.get_by_role("button", name=re.compile("^导入 2 笔，合计")).click()
    page.get_by_role("button", name=f"确认全部 1 笔有把握的，合计 ¥{exact.gross.yuan:,.2f}").click()
    expect(note(page)).to_contain_text("已确认 1 笔")
    row = page.get_by_role("row").filter(has_text=DYER)
    row.get_by_role("button", name=f"¥{more.yuan:,.2f} 付 {beyond.label}，多出的 ¥500.00 记入预存款").click()
    expect(note(page)).to_contain_text("已认领这笔流水")
    page.goto(f"{books_site.address}/invoices?state=paid")
    for paid in (exact.label, beyond.label):
        expect(page.get_by_role("row").filter(has_text=paid)).to_contain_text("已付清")
    page.goto(f"{books_site.address}/payments/invoices/{beyond.id}")
    expect(page.get_by_role("definition").filter(has_text="¥500.00")).to_be_visible()
    page.goto(f"{books_site.address}/deposits")
    page.get_by_role("link", name=DYER).click()
    expect(page.get_by_role("row").filter(has_text=beyond.label)).to_contain_text("¥500.00")


def test_the_tax_bureaus_workbook_is_filled_as_often_as_one_wants(books_site):
    page = books_site.enter("finance")
    page.goto(f"{books_site.address}/tax-workbook?month={books_site.books.month:%Y-%m}")
    page.get_by_label("发票类型", exact=True).select_option("ordinary")
    for _ in range(2):
        page.set_input_files("#workbook", {"name": "模板.xlsx", "mimeType": XLSX, "buffer": template()})
        with page.expect_download() as filled:
            page.get_by_role("button", name=re.compile("^填入 [0-9]+ 张发票")).click()
        rows = rows_of(Path(filled.value.path()).read_bytes(), "1-发票基本信息")
        assert {row["*购买方名称（100字以内）"] for row in rows} >= {SOLES, DYER, LAB}


def test_a_month_is_closed_while_one_watches_and_comes_back(books_site):
    page = books_site.enter("finance")
    here = f"{books_site.address}/closing?month={books_site.books.to_close:%Y-%m}"
    page.goto(here)
    page.get_by_role("button", name=re.compile("^月结并开具 120 张结算单，120 笔，合计")).click()
    progress = page.get_by_role("status").filter(has_text="月结")
    expect(progress).to_contain_text("0 / 120")
    with books_site.house():
        in_transaction(lambda session: long_work(session, clock.now()))
        expect(progress).to_contain_text("50 / 120")
        page.goto(f"{books_site.address}/payments")
        page.goto(here)
        expect(progress).to_contain_text("50 / 120")
        while in_transaction(lambda session: long_work(session, clock.now())):
            pass
    expect(progress).to_contain_text("开具 120 张结算单")
    page.goto(here)
    page.get_by_role("link", name="查看这个月的结算单").click()
    expect(page.get_by_text("共 3 页，120 项")).to_be_visible()


PAGES = {
    "firm": ["/charges?month={month}", "/invoices", "/deposits"],
    "finance": [
        "/review?month={month}", "/charges?month={month}", "/invoices", "/invoices/{invoice}", "/payments",
        "/payments/invoices/{invoice}", "/bank", "/deposits", "/closing?month={month}", "/tariffs",
        "/tariffs/edit?platform_id={platform}&equipment_id={equipment}",
    ],
}  # fmt: skip


@pytest.mark.parametrize("who", PAGES)
def test_every_page_of_money_fits_a_phone_and_its_console_is_silent(books_site, who):
    page = books_site.enter(who, size=PHONE)
    said = complaints_of(page)
    for place in PAGES[who]:
        given = {
            "platform": books_site.books.platform_id,
            "equipment": books_site.books.equipment_id,
            "invoice": books_site.books.invoices[LAB].id,
        }
        page.goto(books_site.address + place.format(month=f"{books_site.books.month:%Y-%m}", **given))
        over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{place} is {over} px too wide"
        assert not said, f"{place}: {said}"
