"""The pages that people see. One file a subject."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

SUBJECTS = (
    "account", "home", "platforms", "calendar", "finding", "equipment", "reservations", "series",
    "check_in", "waitlist", "conduct", "meter_settings", "power",
    "service_requests", "usage", "use_review", "review", "invoices",
    "subsidy", "claims", "claim_deeds", "other_grants", "dossiers", "forecast", "simulation", "policy", "assets",
    "evaluation", "evaluation_entries", "evaluation_use", "evaluation_weights", "feedback", "incidents",
    "city", "city_places", "city_use", "national_report", "recognitions", "organizations",
    "meters", "admin", "approvals",
    "qualifications", "special_days", "closures", "equipment_settings", "notices",
    "payments", "bank", "deposits", "ageing", "ledger", "billing_settings",
    "tax_invoices", "red_letters", "payers", "invoice_files",
    "feeds", "alerts", "calibration", "seals", "device_keys", "long_work", "certificates", "sharing", "revenue",
    "closing", "tariffs", "charges",
)  # fmt: skip


def register(app: Flask) -> None:
    """Hang every page on the application."""
    for subject in SUBJECTS:
        app.register_blueprint(import_module(f"app.web.pages.{subject}").pages)
