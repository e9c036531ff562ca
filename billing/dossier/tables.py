"""The tables of a dossier as files: row by row from what is told already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from billing.rules.dossier.tables import NUMBERS, Table, csv_of

Json = dict[str, Any]


def told(*parts: Path) -> Iterator[Json]:
    """The objects of files of JSON lines."""
    for part in parts:
        with part.open("rb") as source:
            yield from map(json.loads, source)


def write_csv(table: Table, to: Path) -> None:
    with to.open("wb") as out:
        out.writelines(csv_of(table))


def write_xlsx(tables: Iterable[Table], to: Path) -> None:
    """One sheet for each table; a row is in memory at a time."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(to), options) as book:
        heading, money = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "#,##0.00"})
        for table in tables:
            sheet = book.add_worksheet(table.title)
            sheet.freeze_panes(1, 0)
            for place, title in enumerate(table.columns.values()):
                sheet.set_column(place, place, 18)
                sheet.write_string(0, place, title, heading)
            for number, row in enumerate(table.rows(), start=1):
                for place, key in enumerate(table.columns):
                    value = row.get(key)
                    if value is None:
                        continue
                    if key in NUMBERS:
                        sheet.write_number(number, place, float(Decimal(value)), money)
                    elif isinstance(value, int) and not isinstance(value, bool):
                        sheet.write_number(number, place, value)
                    else:
                        sheet.write_string(number, place, str(value))
