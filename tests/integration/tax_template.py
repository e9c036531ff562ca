"""A workbook like the tax bureau's batch import, in as many dresses as its versions have. Sample only."""

from __future__ import annotations

import io
from collections.abc import Sequence

import openpyxl

HEADS = (
    "*发票流水号\n（20字以内）",
    "*发票类型",
    "特定业务类型",
    "*是否含税",
    "受票方自然人标识",
    "*购买方名称（100字以内）",
    "购买方纳税人识别号",
    "购买方地址",
    "购买方电话",
    "购买方开户银行",
    "购买方银行账号",
    "备注",
    "是否展示购买方银行账号",
    "购买方邮箱",
)
ITEMS = (
    "*发票流水号",
    "*项目名称",
    "*商品和服务税收编码",
    "规格型号",
    "单位",
    "数量",
    "单价",
    "*金额",
    "* 税率",
    "折扣金额",
    "是否使用优惠政策",
)


def template(
    *,
    heads: Sequence[str] = HEADS,
    items: Sequence[str] = ITEMS,
    header_row: int = 3,
    names: Sequence[str] = ("1-发票基本信息", "2-发票明细信息", "3-特定业务信息", "4-附加要素信息"),
) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, columns in zip(names, (heads, items, ("*发票流水号", "业务"), ("*发票流水号", "附加")), strict=False):
        sheet = book.create_sheet(name)
        sheet.cell(1, 1, "填写说明：示例模板，金额必填，税率必填")
        for place, column in enumerate(columns, start=1):
            sheet.cell(header_row, place, column)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rows_of(workbook: bytes, name: str, *, below: int = 3) -> list[dict[str, str | None]]:
    """The filled rows by the header as it stands there."""
    sheet = openpyxl.load_workbook(io.BytesIO(workbook))[name]
    heads = [cell.value for cell in sheet[below]]
    rows = [dict(zip(heads, [cell.value for cell in row], strict=True)) for row in sheet.iter_rows(min_row=below + 1)]
    return [row for row in rows if any(row.values())]
