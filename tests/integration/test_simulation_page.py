from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.integration import page_world
from tests.integration.test_pages import client_of

SCENARIOS = json.loads((Path(__file__).parents[1] / "cases" / "subsidy" / "scenarios.json").read_text("utf-8"))[
    "scenarios"
]
FACTS = {
    "certified_on": "2026-01-01", "level": "provincial", "recognised_on": "2027-03-01",
    "revenue_0": "1,000,000", "revenue_1": "1000000", "bought_0": "1000000", "bought_1": "2000000",
}  # fmt: skip


@pytest.fixture
def official(app, session):
    return client_of(app, page_world.build(session), "official")


def sent(*scenarios: object) -> dict[str, object]:
    content = json.dumps({"format": 1, "scenarios": scenarios}, ensure_ascii=False).encode()
    return {"file": (io.BytesIO(content), "情形.json")}


def test_stated_facts_are_worked_out_under_two_readings(official):
    page = official.post("/simulation", data=FACTS | {"second": "A15=one_highest_per_platform_year"})
    assert page.status_code == 200
    # 2026: P2 and P1 of 300,000 each; with one programme a year the first of equals. 2027: 600,000, 300,000, 500,000.
    for figure in ("¥300,000.00", "¥600,000.00", "¥500,000.00", "−¥300,000.00", "−¥500,000.00"):
        assert figure in page.text
    assert "另一项补助更高" in page.text
    assert 'value="1,000,000"' in page.text
    same = official.post("/simulation", data=FACTS)
    assert "−¥" not in same.text


def test_a_scenario_file_gives_what_it_expects_and_its_own_readings_hold(official):
    chosen = [one for one in SCENARIOS if one["id"] in ("O01", "E06-gross", "K05-highest-only")]
    page = official.post("/simulation", data=sent(*chosen)).text
    for one in chosen:
        assert one["title_zh"] in page
        for grant in one["expect"]["grants"]:
            assert f"¥{float(grant['payable']):,.2f}" in page
    gross = [one for one in SCENARIOS if one["id"] == "E06"]
    page = official.post("/simulation", data=sent(*gross) | {"second": "A21=gross"}).text
    assert "¥300,000.00" in page
    assert "+¥39,000.00" in page


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "请填写日期"),
        (FACTS | {"certified_on": "1850-01-01"}, "2000 至 2100"),
        (FACTS | {"recognised_on": ""}, "请填写认定日期"),
        (FACTS | {"level": "galactic"}, "请从列出的级别中选择"),
        (FACTS | {"revenue_0": "很多"}, "请填写金额"),
        (FACTS | {"bought_1": "-5"}, "不小于零"),
        (FACTS | {"first": "A02=never"}, "请从列出的口径中选择"),
        (sent({"id": "O01"}), "O01"),
    ],
)
def test_what_cannot_be_meant_is_refused_beside_its_field(official, data, said):
    page = official.post("/simulation", data=data)
    assert page.status_code == 422
    assert said in page.text


def test_a_file_that_is_no_json_is_refused_by_name(official):
    page = official.post("/simulation", data={"file": (io.BytesIO(b"\xff\xfe"), "坏.json")})
    assert page.status_code == 422
    assert "坏.json" in page.text
