"""Which page lists what an indicator counts, for whoever may see it."""

from __future__ import annotations

from flask import url_for
from flask_login import current_user

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission


def evidence_of(platform: Platform, year: int) -> dict[str, str]:
    """Addresses by key of the indicator; those that the reader may not see are left out."""
    use = url_for("evaluation_use.listed", code=platform.code, year=year)
    income = url_for("subsidy.revenue", code=platform.code, year=year)
    asked = f"?platform_id={platform.id}&year={year}"
    pages = {
        "utilization": (Permission.SEE_EVALUATION, use),
        "sharing_rate": (Permission.SEE_EVALUATION, use),
        "firms": (Permission.SEE_EVALUATION, f"{use}#customers"),
        "orders": (Permission.SEE_EVALUATION, f"{use}#customers"),
        "metered": (Permission.SEE_USAGE, url_for("usage.list_usage", show="review")),
        "equipment_value": (Permission.BROWSE, url_for("platforms.platform", code=platform.code)),
        "satisfaction": (Permission.SEE_FEEDBACK, url_for("feedback.list_feedback") + asked),
        "documents": (Permission.SEE_QUALIFICATIONS, url_for("qualifications.list_qualifications")),
        "incidents": (Permission.SEE_INCIDENTS, url_for("incidents.list_incidents") + asked),
        "service_income": (Permission.SEE_SUBSIDY, income),
        "conversion_income": (Permission.SEE_SUBSIDY, income),
        "local_share": (Permission.SEE_SUBSIDY, income),
    }
    return {key: href for key, (permission, href) in pages.items() if current_user.may(permission)}
