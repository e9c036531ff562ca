"""Fill the tax bureau's own batch-import workbook, as the operator downloaded it, by the names of its columns.

Columns and sheets that we do not know stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.worksheet.worksheet import Worksheet

from app.kernel.errors import Conflict, InvalidInput
from billing.rules.tax_sheet import (
    MOST_LINES,
    SHEETS,
    Found,
    Head,
    Item,
    TaxSheet,
    find_header,
    head_row,
    item_row,
)
from billing.workbooks import open_workbook

HEADER_WITHIN = 30
"""The header row is looked for in so many rows."""


def fill(workbook: bytes, sheets: Sequence[TaxSheet]) -> bytes:
    """The same workbook with these invoices below what stands there already. All or nothing.

    Errors: ``InvalidInput`` for a file that is no such workbook, names the sheet and column that it lacks, or for an
    invoice that the tax bureau would refuse; ``Conflict`` for too many lines or an invoice that is in it already.
    """
    if not sheets:
        raise InvalidInput("请至少选择一张结算单。", field="invoices")
    lines = sum(len(one.lines) for one in sheets)
    if lines > MOST_LINES:
        raise Conflict("共 %(lines)s 行，税务系统一次最多导入 %(most)s 行，请分批选择。", lines=lines, most=MOST_LINES)
    heads: list[Mapping[StrEnum, str]] = [head_row(one) for one in sheets]
    items: list[Mapping[StrEnum, str]] = [item_row(one, line) for one in sheets for line in one.lines]
    book = open_workbook(workbook, formulas=True)
    places = [_place(book, name, columns) for name, columns in SHEETS]
    for place, rows in zip(places, (heads, items), strict=True):
        place.refuse_twice({row[Head.SERIAL] for row in rows})
    for place, rows in zip(places, (heads, items), strict=True):
        place.write(rows)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Place:
    sheet: Worksheet
    found: Found

    def serials(self) -> list[tuple[int, str]]:
        """Rows below the header that have a serial number, and it."""
        column = self.found.columns[Item.SERIAL]
        rows = self.sheet.iter_rows(min_row=self.found.row + 1, min_col=column, max_col=column)
        return [(cell.row, str(cell.value)) for (cell,) in rows if cell.value not in (None, "")]

    def refuse_twice(self, ours: set[str]) -> None:
        twice = sorted(ours & {serial for _, serial in self.serials()})
        if twice:
            raise Conflict("模板里已有流水号 %(serial)s，请用没有填过这些结算单的模板。", serial=twice[0])

    def write(self, rows: Sequence[Mapping[StrEnum, str]]) -> None:
        first = max([self.found.row, *(row for row, _ in self.serials())]) + 1
        for number, row in enumerate(rows, start=first):
            for column, place in self.found.columns.items():
                if row.get(column):
                    cell = self.sheet.cell(number, place)
                    if not isinstance(cell, Cell):
                        raise InvalidInput(
                            "工作表「%(sheet)s」的数据区有合并单元格，请使用税务局原始模板。",
                            field="workbook",
                            sheet=self.sheet.title,
                        )
                    cell.value = ILLEGAL_CHARACTERS_RE.sub("", row[column])
                    cell.data_type = "s"  # never a formula, whatever a name begins with
                    cell.number_format = "@"


def _place(book: Any, name: str, columns: type[StrEnum]) -> _Place:
    sheet = next((one for one in book.worksheets if name in one.title), None)
    if sheet is None:
        raise InvalidInput(
            "没有找到工作表「%(sheet)s」。请上传电子税务局的批量开票模板。", field="workbook", sheet=name
        )
    top = list(sheet.iter_rows(min_row=1, max_row=HEADER_WITHIN, values_only=True))
    return _Place(sheet, find_header(top, columns, sheet=sheet.title))
