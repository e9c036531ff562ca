from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from app.kernel.money import Money
from app.web.exports import Column, csv_table, download, xlsx_table

COLUMNS = [
    Column("企业", lambda row: row["firm"]),
    Column("金额", lambda row: row["gross"], "money"),
    Column("时长", lambda row: timedelta(hours=2, minutes=15), "hours"),
    Column("开始", lambda row: datetime(2026, 6, 30, 16, 30, tzinfo=UTC), "time"),
    Column("开具", lambda row: date(2026, 7, 2), "day"),
    Column("备注", lambda row: None),
]
ROWS = [{"firm": "示例企业", "gross": Money.of("2640.00")}, {"firm": "=1+1", "gross": Money.of("-12.50")}]


def test_a_csv_opens_in_chinese_and_starts_no_formula():
    content = csv_table(COLUMNS, ROWS)
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").splitlines() == [
        "企业,金额,时长,开始,开具,备注",
        "示例企业,2640.00,2.25,2026-07-01 00:30,2026-07-02,",
        "'=1+1,-12.50,2.25,2026-07-01 00:30,2026-07-02,",
    ]


def test_excel_gets_numbers_and_the_facilitys_time():
    sheet = load_workbook(io.BytesIO(xlsx_table(COLUMNS, ROWS))).active
    assert [str(cell.value) for cell in sheet[2]] == [
        "示例企业", "2640.0", "2.25", "2026-07-01 00:30:00", "2026-07-02 00:00:00", "None",
    ]  # fmt: skip
    assert sheet["A3"].value == "=1+1"
    assert sheet["A3"].data_type == "s"
    assert Decimal(str(sheet["B3"].value)) == Decimal("-12.5")
    assert sheet["B2"].number_format == "#,##0.00"


@pytest.mark.parametrize("text", ["https://example.com/a", "external:\\\\evil\\share\\a.xlsx", "mailto:a@example.com"])
def test_text_like_an_address_is_no_link(text):
    sheet = load_workbook(io.BytesIO(xlsx_table(COLUMNS[:1], [{"firm": text}]))).active
    assert (sheet["A2"].value, sheet["A2"].hyperlink) == (text, None)


def test_sample_rows_are_marked():
    answer = download("六月", COLUMNS[:1], ROWS, form="csv", is_sample=lambda row: row["firm"] == "示例企业")
    assert answer.get_data().decode("utf-8-sig").splitlines() == ["企业,示例", "示例企业,示例 SAMPLE", "'=1+1,"]
    assert "attachment" in answer.headers["Content-Disposition"]
