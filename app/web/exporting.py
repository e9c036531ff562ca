"""A table as a file, where its address asks for one (``?format=csv`` or ``xlsx``)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter
from flask import Response, request

from app.kernel import clock
from app.kernel.money import Money

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def wants_export() -> bool:
    return request.args.get("format") in ("csv", "xlsx")


def exported(name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """The whole table, not only the page on screen. Times are the facility's, money is yuan."""
    kind = request.args["format"]
    content = _csv(heads, rows) if kind == "csv" else _xlsx(heads, rows)
    answer = Response(content, mimetype="text/csv; charset=utf-8" if kind == "csv" else XLSX)
    answer.headers["Content-Disposition"] = f"attachment; filename={name}.{kind}"
    return answer


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows([_harmless(_plain(value)) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()  # the mark tells spreadsheet programs that it is UTF-8


def _xlsx(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        sheet.write_row(0, 0, heads, bold)
        for number, row in enumerate(rows, start=1):
            sheet.write_row(number, 0, [_plain(value) for value in row])
        sheet.freeze_panes(1, 0)
        sheet.autofit()
    return target.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return float(value.yuan)
    if isinstance(value, datetime):
        return value.astimezone(clock.FACILITY_ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return value if value is None or isinstance(value, int | float) else str(value)


def _harmless(value: Any) -> Any:
    """A spreadsheet program must not take what somebody typed for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
