"""The city at a glance: platforms by stage against the targets of the policy, use and revenue of the year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment, Platform, RecognitionLevel
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.money import ZERO, Money
from app.web.access import requires
from app.web.exports import Column, download
from app.web.formats import said
from app.web.pages.subsidy import latest_assessments
from app.web.paging import wanted_file
from app.web.words import word_of
from billing.models import RevenueEntry
from devices.models import UsageSession

pages = Blueprint("city", __name__)

# 二 行动目标: year, platforms built, of which provincial.
TARGETS = ((2027, 3, 1), (2030, 8, 2))
STAGES = (
    RecognitionLevel.QUANZHOU,
    RecognitionLevel.PROVINCIAL,
    RecognitionLevel.NATIONAL,
    RecognitionLevel.NATIONAL_INNOVATION_CENTRE,
)


@dataclass(frozen=True, slots=True)
class PlatformRow:
    """One platform's year in figures. ``stage`` is its highest recognition, ``None`` while only listed."""

    platform: Platform
    stage: RecognitionLevel | None
    equipment: int
    running_s: int
    firms: int
    revenue: Money
    payable: Money


@pages.get("/city")
@requires(Permission.SEE_CITY)
def overview() -> Response | str:
    year = request.args.get("year", clock.local_date(clock.now()).year, type=int)
    if form := wanted_file():
        columns: list[Column[PlatformRow]] = [
            Column(gettext("平台"), lambda row: said(row.platform, "name")),
            Column(gettext("阶段"), lambda row: word_of(row.stage) if row.stage else ""),
            Column(gettext("设备"), lambda row: row.equipment, "number"),
            Column(gettext("运行小时"), lambda row: timedelta(seconds=row.running_s), "hours"),
            Column(gettext("服务企业"), lambda row: row.firms, "number"),
            Column(gettext("收入（不含税）"), lambda row: row.revenue, "money"),
            Column(gettext("应付补助"), lambda row: row.payable, "money"),
        ]
        return download(
            f"city-{year}", columns, _rows(year), form=form, is_sample=lambda row: row.platform.illustrative
        )
    return render_template("city.html", **city_figures(year))


def city_figures(year: int) -> dict[str, object]:
    rows = _rows(year)
    provincial = {RecognitionLevel.PROVINCIAL, RecognitionLevel.NATIONAL, RecognitionLevel.NATIONAL_INNOVATION_CENTRE}
    return {
        "year": year,
        "rows": rows,
        "targets": TARGETS,
        "stages": STAGES,
        "built": sum(row.stage is not None for row in rows),
        "provincial": sum(row.stage in provincial for row in rows),
        "running_s": sum(row.running_s for row in rows),
        "revenue": sum((row.revenue for row in rows), ZERO),
        "payable": sum((row.payable for row in rows), ZERO),
    }


def _rows(year: int) -> list[PlatformRow]:
    session = db.session()
    platforms = session.scalars(
        select(Platform)
        .options(selectinload(Platform.recognitions), selectinload(Platform.equipment))
        .order_by(Platform.id)
    ).all()
    first, after = (clock.local_midnight(date(each, 1, 1)) for each in (year, year + 1))
    used = {
        row.platform_id: row
        for row in session.execute(
            select(
                Equipment.platform_id,
                func.sum(UsageSession.running_s).label("running_s"),
                func.count(UsageSession.organization_id.distinct()).label("firms"),
            )
            .join(UsageSession, UsageSession.equipment_id == Equipment.id)
            .where(UsageSession.started_at >= first, UsageSession.started_at < after)
            .group_by(Equipment.platform_id)
        )
    }
    earned = {
        row.platform_id: row.net
        for row in session.execute(
            select(RevenueEntry.platform_id, func.sum(RevenueEntry.net_fen).label("net"))
            .where(func.extract("year", RevenueEntry.invoiced_on) == year)
            .group_by(RevenueEntry.platform_id)
        )
    }
    kept = latest_assessments([one.id for one in platforms])
    return [
        PlatformRow(
            platform=one,
            stage=max((each.level for each in one.recognitions), key=STAGES.index, default=None),
            equipment=len(one.equipment),
            running_s=used[one.id].running_s if one.id in used else 0,
            firms=used[one.id].firms if one.id in used else 0,
            revenue=earned.get(one.id, ZERO),
            payable=sum(
                (
                    Money.of(grant["payable"])
                    for grant in (kept[one.id].result["grants"] if one.id in kept else ())
                    if grant["year"] == year
                ),
                ZERO,
            ),
        )
        for one in platforms
    ]
