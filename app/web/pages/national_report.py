"""The year in the field names of the national instrument network: checked here, handed in by a person."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import xlsxwriter
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import Refusal
from app.web.access import requires
from app.web.errors import sentence
from app.web.exports import SAMPLE, XLSX, attached
from app.web.pages.city import added_up, asked_year
from app.web.prices import headline
from billing.national_check import check_report
from billing.national_report import NationalReport, national_report
from billing.rules import national
from billing.rules.national import Fault, Row
from billing.tariffs import prices_of

pages = Blueprint("national_report", __name__)
SHEETS = (("instruments", national.INSTRUMENT), ("records", national.SERVICE), ("units", national.UNIT))
LEFT_OUT = ("contact", "phone", "email", "subjectName", "applicant")
SHOWN = 100


@pages.get("/city/national")
@requires(Permission.SEE_CITY)
def report() -> Response | str:
    year, form = asked_year(), request.args.get("format", "")
    platforms = db.session.scalars(select(Platform).order_by(Platform.id)).all()
    chosen = request.args.get("platform", "")
    among = [one for one in platforms if one.code == chosen] or platforms
    if form not in ("json", "xlsx"):
        return _page(year, platforms, chosen, among)
    try:
        made = _made(year, among)
    except Refusal as refusal:
        flash(sentence(refusal), "error")
        return redirect(url_for(".report", year=year))
    name = f"national-{year}{f'-{chosen}' if chosen else ''}"
    sample = any(one.illustrative for one in among)
    if form == "json":
        return attached(_as_json(made, is_sample=sample), f"{name}.json", "application/json")
    return attached(_as_workbook(made, is_sample=sample), f"{name}.xlsx", XLSX)


def _page(year: int, platforms: Sequence[Platform], chosen: str, among: Sequence[Platform]) -> str:
    as_of = added_up(year)
    check, refused = None, ""
    try:
        check = check_report(db.session(), year, platform_ids=[one.id for one in among])
    except Refusal as refusal:
        refused = sentence(refusal)
    return render_template(
        "city_national.html",
        year=year,
        as_of=as_of,
        platforms=platforms,
        chosen=chosen,
        check=check,
        refused=refused,
        shown=SHOWN,
        fault_word=fault_word,
        left_out=LEFT_OUT,
        empty_fields=[f"{sheet}.{name}" for sheet, names in SHEETS for name in names if name not in national.KNOWN],
    )


def fault_word(fault: Fault) -> str:
    return {
        Fault.SERVICE_OVER_RUNNING: gettext("服务机时大于运行机时"),
        Fault.EXTERNAL_OVER_SERVICE: gettext("对外机时大于服务机时"),
        Fault.LONGER_THAN_THE_YEAR: gettext("运行机时超过全年小时数"),
        Fault.TOO_LONG: gettext("内容超过允许长度"),
        Fault.NO_UNIT_CODE: gettext("依托单位没有统一社会信用代码"),
    }[fault]


def _made(year: int, platforms: Sequence[Platform]) -> NationalReport:
    equipment = [one for platform in platforms for one in platform.equipment]
    prices = prices_of(db.session(), equipment, on=clock.local_date(clock.now()))
    return national_report(
        db.session(),
        year,
        platform_ids=[one.id for one in platforms],
        fees={number: headline(tariff) for number, tariff in prices.items()},
        addresses={one.id: url_for("equipment.equipment", code=one.code, _external=True) for one in equipment},
    )


def _rows_of(made: NationalReport) -> dict[str, Sequence[Row]]:
    return {"instruments": made.instruments, "records": made.records, "units": made.units}


def _as_json(made: NationalReport, *, is_sample: bool) -> bytes:
    told: dict[str, Any] = {"year": made.year, **_rows_of(made)}
    if is_sample:
        told["sample"] = SAMPLE
    return json.dumps(told, ensure_ascii=False, indent=1, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Exact decimals as numbers that read back the same."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is no value of a report")


def _as_workbook(made: NationalReport, *, is_sample: bool) -> bytes:
    """Three sheets with the fields' names in the first row. Text is written as text, whatever it begins with."""
    out, rows = io.BytesIO(), _rows_of(made)
    with xlsxwriter.Workbook(out, {"constant_memory": True, "in_memory": True}) as book:
        heading = book.add_format({"bold": True, "bottom": 1})
        for sheet_name, names in SHEETS:
            sheet = book.add_worksheet(sheet_name)
            sheet.freeze_panes(1, 0)
            told = [*names, "示例"] if is_sample else names
            for column, name in enumerate(told):
                sheet.write_string(0, column, name, heading)
            for number, row in enumerate(rows[sheet_name], start=1):
                for column, name in enumerate(names):
                    _write(sheet, number, column, row[name])
                if is_sample:
                    sheet.write_string(number, len(names), SAMPLE)
    return out.getvalue()


def _write(sheet: Any, row: int, column: int, value: str | Decimal | int | None) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value)
    elif value is not None:
        sheet.write_number(row, column, value)
