"""What the tariff editor says of a price that does not hold, and where."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask_babel import Babel

from app.kernel.errors import InvalidInput
from app.web.tariff_form import field_of, terms_in
from app.web.tariff_refusals import told_in_the_editor
from billing.rules.pricing.terms import terms_of

GOOD = {
    "charge_mode": "usage", "unit": "hour", "rate": "600", "increment_minutes": "6", "increment_rounding": "up",
    "vat_percent": "6", "price_includes_vat": "1",
}  # fmt: skip
BAND = {"band_0_from": "18:00", "band_0_to": "24:00", "band_0_percent_off": "20"}
STEPS = {"rate": "", "tiers_kind": "graduated", "step_0_up_to": "10", "step_0_rate": "600", "step_2_rate": "500"}
EXTRA = {"extra_1_kind": "material", "extra_1_unit": "kg", "extra_1_rate": "5", "extra_1_name_zh": "氮气"}
WORDS_OF_THE_FILE = re.compile(r"[a-z]{3,}|\d\.[a-z]")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"rate": "很多"}, "rate"),
        ({"rate": ""}, "rate"),
        ({"setup_fee": "1.005"}, "setup_fee"),
        ({"minimum_charge": "-1"}, "minimum_charge"),
        ({"increment_minutes": "0"}, "increment_minutes"),
        ({"lead_minutes": "半小时"}, "lead_minutes"),
        ({"free_quantity": "2"}, "free_quantity"),
        ({"unit": "kg", "increment_minutes": "", "days": "mon", **BAND}, "band_0_days"),
        ({"charge_mode": "reservation", "lead_minutes": "10"}, "lead_minutes"),
        ({"vat_percent": "600"}, "vat_percent"),
        (BAND, "band_0_days"),
        ({**BAND, "days": "mon", "band_0_from": "晚上"}, "band_0_from"),
        ({**BAND, "days": "mon", "band_0_to": "06:00"}, "band_0_to"),
        ({**BAND, "days": "mon", "band_0_percent_off": "120"}, "band_0_percent_off"),
        ({**STEPS, "step_0_up_to": ""}, "step_2_up_to"),
        ({**STEPS, "step_2_up_to": "8"}, "step_2_up_to"),
        ({**STEPS, "step_0_flat": "很多"}, "step_0_flat"),
        ({"rate": "", "tiers_kind": "volume"}, "tiers_kind"),
        ({"rate": "", "tiers_kind": "package", "package_size": "0", "package_price": "100"}, "package_size"),
        ({**EXTRA, "extra_1_rate": ""}, "extra_1_rate"),
        ({**EXTRA, "extra_1_unit": "hour"}, "extra_1_unit"),
        ({**EXTRA, "extra_1_vat_percent": "很多"}, "extra_1_vat_percent"),
        ({"urgent_hours": "", "urgent_percent": "30"}, "urgent_hours"),
        ({"cancel_hours": "一天", "cancel_fee": "100"}, "cancel_hours"),
        ({"no_show_minutes": "", "no_show_fee": "100"}, "no_show_minutes"),
        ({"no_show_minutes": "15", "no_show_percent": "很多"}, "no_show_percent"),
    ],
)  # fmt: skip
def test_a_price_that_does_not_hold_is_refused_at_its_field_in_the_words_of_the_page(changed, field):
    form = {**GOOD, **changed}
    app = Flask(__name__)
    Babel(app, default_locale="zh_CN")
    with app.test_request_context(), pytest.raises(InvalidInput) as refused:
        terms_of(terms_in(form, {0: form.pop("days", "").split()}))
    with app.test_request_context():
        said = told_in_the_editor(refused.value)
    assert field_of(refused.value.field or "", form) == field
    assert not WORDS_OF_THE_FILE.search(said), said
