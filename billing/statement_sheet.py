"""The statement as Excel: numbers are numbers, days are days, and sums are formulas that already show their result."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import xlsxwriter

from app.kernel.money import Money
from billing.documents import TITLES, Around, by_rate, equipment_code, percent, period_of, used, words_now
from billing.models import Invoice, InvoiceLine
from billing.rules.numerals import capital_numerals

HEADS = (
    ("序号 #", 6), ("项目 item", 44), ("Item", 36), ("设备编号 equipment", 16), ("依据 based on", 44),
    ("服务日期 day", 12), ("数量 quantity", 11), ("单位 unit", 8), ("单价 unit price", 13), ("不含税 net", 13),
    ("税率 VAT", 8), ("税额 tax", 12), ("价税合计 gross", 14), ("税收编码 tax code", 22), ("计算 how", 60),
)  # fmt: skip
NET, RATE, TAX, GROSS = 9, 10, 11, 12
SUMMED = (NET, TAX, GROSS)


def statement_xlsx(invoice: Invoice, around: Around | None = None) -> bytes:
    """An issued invoice as a workbook of one sheet; the same invoice gives the same bytes."""
    out, around = io.BytesIO(), around or Around()
    words = around.words or words_now(invoice)
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        made = invoice.issued_at or invoice.created_at
        book.set_properties(
            {"title": words["label"], "author": words["seller"]["name"], "created": made.replace(tzinfo=None)}
        )
        sheet = book.add_worksheet("结算单")
        looks = _looks(book)
        first = _head(sheet, looks, invoice, words, around.contract_no)
        last = _lines(sheet, looks, invoice, words["equipment"], first)
        _sums(sheet, looks, invoice, first, last, around)
        sheet.freeze_panes(first, 2)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(first - 1)
        sheet.set_footer("&L&A&C第 &P / &N 页")
    return out.getvalue()


def _looks(book: Any) -> dict[str, Any]:
    money = "#,##0.00"
    return {
        "title": book.add_format({"bold": True, "font_size": 16}),
        "bold": book.add_format({"bold": True}),
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "vcenter"}),
        "text": book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd", "valign": "top"}),
        "day left": book.add_format({"num_format": "yyyy-mm-dd", "align": "left"}),
        "number": book.add_format({"num_format": "General", "valign": "top"}),
        "price": book.add_format({"num_format": "#,##0.00##", "valign": "top"}),
        "money": book.add_format({"num_format": money, "valign": "top"}),
        "percent": book.add_format({"num_format": "0.##%", "valign": "top"}),
        "sum": book.add_format({"num_format": money, "bold": True, "top": 1}),
        "sum word": book.add_format({"bold": True, "top": 1}),
    }


def _head(sheet: Any, looks: dict[str, Any], invoice: Invoice, words: Mapping[str, Any], contract_no: str) -> int:
    """Who, whom and when, then the heads of the columns. Returns the row of the first line."""
    title_zh, title_en = TITLES[invoice.kind]
    sample = "  示例 SAMPLE" if words["platform"]["sample"] else ""
    sheet.write_string(0, 0, f"{title_zh} {title_en}{sample}", looks["title"])
    facts: list[tuple[str, str | date | None]] = [
        ("编号 No.", words["label"]),
        ("平台 platform", words["platform"]["zh"]),
        ("开具日期 issued on", invoice.issued_on),
        ("服务月份 month", f"{invoice.month:%Y-%m}"),
        ("服务期间 period", period_of(invoice)),
        ("销售方 seller", _party(words["seller"])),
        ("购买方 buyer", _party(words["buyer"])),
        ("合同编号 contract No.", contract_no),
        ("冲减 credits", words["credits"]),
        ("原因 reason", invoice.reason),
    ]
    row = 1
    for word, fact in facts:
        if fact:
            sheet.write_string(row, 1, word, looks["bold"])
            if isinstance(fact, str):
                sheet.write_string(row, 2, fact)
            else:
                sheet.write_datetime(row, 2, fact, looks["day left"])
            row += 1
    for place, (word, width) in enumerate(HEADS):
        sheet.set_column(place, place, width)
        sheet.write_string(row + 1, place, word, looks["head"])
    return row + 2


def _party(body: Mapping[str, str]) -> str:
    return f"{body['name']}（{body['uscc'] or '—'}）"


def _lines(sheet: Any, looks: dict[str, Any], invoice: Invoice, codes: Mapping[str, str], first: int) -> int:
    """One row a line; net, tax and gross as they were issued. Returns the last row."""
    row = first
    for row, line in enumerate(invoice.lines, start=first):
        for place, (value, look) in enumerate(_cells(line, codes)):
            if look == "text":
                sheet.write_string(row, place, value, looks[look])
            elif look == "day":
                sheet.write_datetime(row, place, value, looks[look])
            else:
                sheet.write_number(row, place, value, looks[look])
    return row


def _cells(line: InvoiceLine, codes: Mapping[str, str]) -> list[tuple[Any, str]]:
    return [
        (line.position, "number"),
        (line.description_zh, "text"),
        (line.description_en, "text"),
        (equipment_code(line, codes), "text"),
        (used(line), "text"),
        (line.served_on, "day"),
        (line.quantity, "number"),
        (line.unit, "text"),
        (line.unit_price, "price"),
        (line.net_fen.yuan, "money"),
        (line.tax_rate, "percent"),
        (line.tax_fen.yuan, "money"),
        (line.gross_fen.yuan, "money"),
        (line.tax_code, "text"),
        (line.explanation_zh, "text"),
    ]


def _sums(sheet: Any, looks: dict[str, Any], invoice: Invoice, first: int, last: int, around: Around) -> None:
    """Totals, by VAT rate where there are several, in capital numerals, and who pays what."""
    row = last + 1
    sheet.write_string(row, 1, "合计 total", looks["sum word"])
    for place, amount in zip(SUMMED, (invoice.net_fen, invoice.tax_fen, invoice.gross_fen), strict=True):
        letter = chr(ord("A") + place)
        sheet.write_formula(row, place, f"=SUM({letter}{first + 1}:{letter}{last + 1})", looks["sum"], _number(amount))
    for rate, lines in by_rate(invoice) if len(by_rate(invoice)) > 1 else []:
        row += 1
        sheet.write_string(row, 1, f"其中税率 at VAT rate {percent(rate)}")
        for place, part in zip(SUMMED, ("net_fen", "tax_fen", "gross_fen"), strict=True):
            _sum_at_rate(
                sheet, looks, row, place, rate, Money(sum(getattr(one, part).fen for one in lines)), first, last
            )
    row += 2
    sheet.write_string(row, 1, "价税合计（大写） in words", looks["bold"])
    sheet.write_string(row, 2, f"人民币{capital_numerals(invoice.gross_fen)}")
    for one in around.shares:
        row += 1
        sheet.write_string(row, 1, f"付款方 payer：{one.payer}")
        for place, amount in zip(SUMMED, (one.net, one.tax, one.gross), strict=True):
            sheet.write_number(row, place, _number(amount), looks["money"])
    if around.dispute_until is not None:
        sheet.write_string(row + 1, 1, "异议截止 objections until", looks["bold"])
        sheet.write_datetime(row + 1, 2, around.dispute_until, looks["day"])


def _sum_at_rate(
    sheet: Any, looks: dict[str, Any], row: int, place: int, rate: Decimal, amount: Money, first: int, last: int
) -> None:
    rates, summed = (f"{letter}{first + 1}:{letter}{last + 1}" for letter in ("K", chr(ord("A") + place)))
    sheet.write_formula(row, place, f"=SUMIF({rates},{rate:f},{summed})", looks["money"], _number(amount))


def _number(amount: Money) -> float:
    return float(amount.yuan)
