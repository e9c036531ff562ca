"""Tables to take away: CSV that spreadsheets open right, and Excel with real numbers and dates."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import xlsxwriter
from werkzeug.wrappers import Response

from app.kernel import clock
from app.kernel.money import Money

Row = TypeVar("Row")
Kind = Literal["text", "number", "money", "hours", "time", "day"]
FORMATS: dict[Kind, str] = {
    "text": "@", "number": "General", "money": "#,##0.00", "hours": "0.00", "time": "yyyy-mm-dd hh:mm",
    "day": "yyyy-mm-dd",
}  # fmt: skip
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
SAMPLE = "示例 SAMPLE"
# Text stays text, also where it looks like a formula or an address.
OPTIONS = {"constant_memory": True, "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column. ``value`` gives what ``kind`` says: :class:`Money`, a duration, an aware moment, a date, text."""

    title: str
    value: Callable[[Row], Any]
    kind: Kind = "text"


def download(
    name: str,
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    *,
    form: Literal["csv", "xlsx"],
    is_sample: Callable[[Row], bool] | None = None,
) -> Response:
    """The table as a file ``name.csv`` or ``name.xlsx``. ``is_sample`` adds a column that marks sample data."""
    if is_sample is not None:
        marked = is_sample
        columns = [*columns, Column("示例", lambda row: SAMPLE if marked(row) else "")]
    if form == "csv":
        content, mimetype = csv_table(columns, rows), "text/csv"
    else:
        content = xlsx_table(columns, rows)
        mimetype = XLSX
    return attached(content, f"{name}.{form}", mimetype)


def attached(content: bytes, name: str, mimetype: str) -> Response:
    """A file to save."""
    response = Response(content, mimetype=mimetype)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def csv_table(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> bytes:
    """UTF-8 with a byte order mark, without which Excel garbles Chinese. Text never starts a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.title for column in columns])
    for row in rows:
        writer.writerow([_as_text(column.value(row), column.kind) for column in columns])
    return out.getvalue().encode("utf-8-sig")


def xlsx_table(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> bytes:
    """One sheet with a frozen heading. Times are the facility's; money is a number in yuan."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, OPTIONS) as book:
        sheet = book.add_worksheet()
        heading = book.add_format({"bold": True, "bottom": 1})
        looks = {kind: book.add_format({"num_format": look}) for kind, look in FORMATS.items()}
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, 40 if column.kind == "text" and place == 0 else 18)
            sheet.write_string(0, place, column.title, heading)
        for number, row in enumerate(rows, start=1):
            for place, column in enumerate(columns):
                value = _as_cell(column.value(row), column.kind)
                if value is not None:
                    sheet.write(number, place, value, looks[column.kind])
    return out.getvalue()


def _as_cell(value: Any, kind: Kind) -> Any:
    """What Excel keeps: text, a number, or a wall-clock time without a zone."""
    if isinstance(value, Money):
        return value.yuan
    if isinstance(value, timedelta):
        return Decimal(value // timedelta(seconds=1)) / 3600
    if isinstance(value, datetime):
        return value.astimezone(clock.FACILITY_ZONE).replace(tzinfo=None)
    if kind == "text" and value is not None:
        return str(value)
    return value


def _as_text(value: Any, kind: Kind) -> str:
    cell = _as_cell(value, kind)
    match cell:
        case None:
            return ""
        case datetime():
            return f"{cell:%Y-%m-%d %H:%M}"
        case date():
            return cell.isoformat()
        case Decimal() if kind in ("money", "hours"):
            return f"{cell:.2f}"
        case str() if cell.startswith(FORMULA):
            return f"'{cell}"
    return str(cell)
