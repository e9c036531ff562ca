"""What every page is drawn with: assets, navigation, words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, get_flashed_messages, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from app.identity.reading_notices import unread_count
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.web import language, paging, words
from app.web.formats import is_english


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation, shown to whoever has the permission."""

    endpoint: str
    permission: Permission
    word: Any
    icon: str


GROUPS = (
    (
        "",
        (
            Place("home.start", Permission.BROWSE, _l("首页"), "home"),
            Place("platforms.list_platforms", Permission.BROWSE, _l("平台与设备"), "building-factory-2"),
            Place("finding.find", Permission.BROWSE, _l("找时段"), "search"),
            Place("reservations.list_reservations", Permission.SEE_RESERVATIONS, _l("预约"), "calendar"),
            Place("service_requests.list_requests", Permission.SEE_SERVICE, _l("委托"), "microscope"),
            Place("approvals.list_requests", Permission.DECIDE_RESERVATIONS, _l("审批"), "circle-check"),
            Place("feedback.list_feedback", Permission.SEE_FEEDBACK, _l("用户评价"), "flag"),
            Place("incidents.list_incidents", Permission.SEE_INCIDENTS, _l("安全事件"), "alert-triangle"),
            Place("qualifications.list_qualifications", Permission.SEE_QUALIFICATIONS, _l("资质"), "certificate"),
            Place("conduct.log", Permission.SEE_CONDUCT, _l("信用"), "circle-check"),
            Place("usage.list_usage", Permission.SEE_USAGE, _l("使用记录"), "bolt"),
        ),
    ),
    (
        _l("结算与补助"),
        (
            Place("charges.list_charges", Permission.OBJECT_TO_CHARGES, _l("费用"), "coin"),
            Place("review.month", Permission.REVIEW_CHARGES, _l("月度审核"), "list-check"),
            Place("closing.months", Permission.CLOSE_MONTHS, _l("月结"), "calendar-event"),
            Place("invoices.list_invoices", Permission.SEE_INVOICES, _l("结算单"), "file-invoice"),
            Place("payments.list_payments", Permission.RECORD_PAYMENTS, _l("收款"), "coin"),
            Place("deposits.list_accounts", Permission.SEE_DEPOSITS, _l("预存款"), "coin"),
            Place("tariffs.list_tariffs", Permission.MANAGE_TARIFFS, _l("价格"), "tag"),
            Place("revenue.table", Permission.SEE_REVENUE, _l("收入"), "chart-bar"),
            Place("sharing.agreements", Permission.SHARE_REVENUE, _l("分成"), "coin"),
            Place("certificates.year", Permission.SEE_CERTIFICATES, _l("年度证明"), "certificate"),
            Place("subsidy.list_years", Permission.SEE_SUBSIDY, _l("补助"), "coin"),
            Place("claims.list_claims", Permission.SEE_CLAIMS, _l("补助申报"), "file-invoice"),
            Place("evaluation.ranking_list", Permission.SEE_EVALUATION, _l("管理评价"), "chart-bar"),
            Place("assets.list_assets", Permission.SEE_ASSETS, _l("资产登记"), "list-check"),
            Place("simulation.form", Permission.SIMULATE, _l("补助测算"), "list-check"),
            Place("policy.questions", Permission.SEE_POLICY, _l("政策口径"), "certificate"),
            Place("city.overview", Permission.SEE_CITY, _l("全市"), "chart-bar"),
            Place("organizations.list_organizations", Permission.PLACE_ORGANIZATIONS, _l("单位所在地"), "flag"),
        ),
    ),
    (
        _l("计量与系统"),
        (
            Place("alerts.list_alerts", Permission.SEE_METERS, _l("计量告警"), "alert-triangle"),
            Place("meters.list_meters", Permission.SEE_METERS, _l("电表"), "plug"),
            Place("evaluation_weights.form", Permission.SET_WEIGHTS, _l("评价权重"), "settings"),
            Place("special_days.list_days", Permission.MANAGE_CALENDAR, _l("节假日"), "calendar-event"),
            Place("admin.health", Permission.SEE_HEALTH, _l("运行状况"), "heartbeat"),
            Place("admin.audit", Permission.SEE_AUDIT, _l("操作记录"), "history"),
        ),
    ),
)


def places() -> Iterator[tuple[Any, list[tuple[Place, bool]]]]:
    """The navigation of the present reader by groups, and which entry they are in."""
    for word, group in GROUPS:
        shown = [place for place in group if _may_see(place)]
        if shown:
            yield word, [(place, place.endpoint == request.endpoint or _same_part(place.endpoint)) for place in shown]


def _may_see(place: Place) -> bool:
    if place.permission is Permission.BROWSE:
        return True
    return bool(current_user.is_authenticated and current_user.may(place.permission))


def _same_part(endpoint: str) -> bool:
    blueprint = endpoint.split(".")[0]
    here = {
        "calendar": "platforms",
        "meter_settings": "meters",
        "bank": "payments",
        "ageing": "payments",
        "ledger": "payments",
        "billing_settings": "payments",
        "evaluation_entries": "evaluation",
        "evaluation_use": "evaluation",
        "city_places": "city",
        "city_use": "city",
        "national_report": "city",
        "recognitions": "city",
    }.get(request.blueprint or "", request.blueprint)
    return here == blueprint and blueprint not in ("home", "admin")


@cache
def _manifest(folder: str) -> dict[str, str]:
    path = Path(folder) / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def register(app: Flask) -> None:
    def asset(name: str) -> str:
        """The address of a built file; its own name while nothing was built (in tests)."""
        return url_for("static", filename=_manifest(str(app.static_folder)).get(name, name))

    @app.context_processor
    def every_page() -> dict[str, Any]:
        return {
            "asset": asset,
            "places": places,
            "unread": lambda: unread_count(db.session(), current_user.id),
            "now": clock.now(),
            "locale": "en" if is_english() else "zh-CN",
            "languages": language.LANGUAGES,
            "here_with": paging.here_with,
            "state_of": words.state_of,
            "word_of": words.word_of,
            "field_said": words.field_said,
            "unit_said": words.unit_said,
            "Permission": Permission,
            "messages": lambda: get_flashed_messages(with_categories=True),
            "part": request.headers.get("HX-Request") == "true",
        }
