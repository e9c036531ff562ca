"""A row of a purchase list: what spreadsheets really hold is understood, and each wrong cell is named."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.money import Money
from billing.rules.asset_sheet import HEADS, AssetRow, read_row

ROW = {
    "no": "E-1", "name": "冷冻干燥机", "kind": "设备", "accepted_on": datetime.combine(date(2026, 6, 30), time()),
    "paid_on": "2026/6/5", "cost": 1130000, "cost_includes_tax": "是", "tax_rate": 0.13, "input_tax_creditable": "否",
}  # fmt: skip


def errors(**changes):
    row, found = read_row({**ROW, **changes})
    assert (row is None) is bool(found)
    return [one.field for one in found]


def test_a_row_as_a_spreadsheet_holds_it():
    row, found = read_row({**ROW, "no": 1001.0, "fiscal": " 1,000.5 ", "already_paid_under": "设备购置补助"})
    assert found == []
    assert row == AssetRow(
        no="1001", name="冷冻干燥机", kind="equipment", accepted_on=date(2026, 6, 30), paid_on=date(2026, 6, 5),
        cost=Money.of("1130000"), cost_includes_tax=True, tax_rate=Decimal("0.13"), input_tax_creditable=False,
        fiscal=Money.of("1000.50"), already_paid_under="P1",
    )  # fmt: skip


@pytest.mark.parametrize("given", ["13%", "13", 13, 0.13, "0.13", Decimal("0.13")])
def test_a_rate_is_understood_as_percent_or_share(given):
    row, _ = read_row({**ROW, "tax_rate": given})
    assert row is not None
    assert row.tax_rate == Decimal("0.13")


@pytest.mark.parametrize("given", ["2026-06-30", "2026.6.30", "2026年6月30日", date(2026, 6, 30)])
def test_a_day_is_understood_in_the_usual_ways(given):
    row, _ = read_row({**ROW, "accepted_on": given})
    assert row is not None
    assert row.accepted_on == date(2026, 6, 30)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("no", ""), ("no", "x" * 41), ("name", None), ("name", "一\n二"), ("kind", "机器"),
        ("accepted_on", "2026-02-30"),
        ("accepted_on", 46203), ("paid_on", "昨天"), ("cost", "一百"), ("cost", -1), ("cost", "0.001"), ("cost", True),
        ("cost", "NaN"), ("cost", 1e300), ("cost_includes_tax", "含"), ("tax_rate", "101%"), ("tax_rate", "0.12345"),
        ("fiscal", 1130000.01), ("already_paid_under", "P2"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_its_field(field, given):
    assert errors(**{field: given}) == [field]


def test_every_error_of_a_row_is_told_at_once():
    assert errors(kind="?", cost="?", paid_on=None) == ["kind", "paid_on", "cost"]


CELLS = (
    st.none()
    | st.text("0123456789.,-/%¥年月日是否设备E \n", max_size=12)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
)


# A busy machine is slow, not wrong.
@given(st.dictionaries(st.sampled_from(list(HEADS)), CELLS))
def test_whatever_stands_in_the_cells_it_is_a_row_or_errors_with_a_remedy(changes):
    row, found = read_row({**ROW, **changes})
    assert (row is None) is bool(found)
    for error in found:
        assert error.field in HEADS
        assert "%(" not in str(error)
