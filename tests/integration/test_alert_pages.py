"""The queue of alerts as a page: who sees it, who settles, and what it says."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.kernel import clock
from devices.models import DeadLetter, MeterAlert
from devices.rules.alert import AlertKind, AlertState
from devices.watching import watch
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session):
    return page_world.build(session)


def one_of(session, kind: AlertKind) -> MeterAlert:
    query = select(MeterAlert).where(MeterAlert.kind == kind).execution_options(populate_existing=True)
    return session.scalars(query).one()


def test_an_operator_filters_settles_and_exports_the_queue(app, session, world):
    client = client_of(app, world, "operator")
    page = client.get("/alerts").text
    for said in ("读数矛盾", "报文不能读懂", "没有信号", world.meter.code):
        assert said in page
    dispute, garbage = one_of(session, AlertKind.DISPUTE), one_of(session, AlertKind.UNREADABLE)
    assert f"/alerts/{garbage.id}" not in client.get("/alerts?kind=dispute").text
    assert "没有这样的告警" in client.get("/alerts?q=nowhere").text
    refused = client.post("/alerts/settle", data={"alert_id": garbage.id, "state": "waived", "reason": " "})
    assert refused.status_code == 422
    assert "请填写原因" in refused.text
    assert client.post("/alerts/settle", data={"state": "waived", "reason": "x"}).status_code == 422
    told = {"alert_id": [garbage.id], "state": "waived", "reason": "示例：调试", "next": "/alerts?kind=silent"}
    assert client.post("/alerts/settle", data=told).location == "/alerts?kind=silent"
    told = {"alert_id": dispute.id, "state": "resolved", "verdict": "first", "reason": "示例：重复编号"}
    assert client.post("/alerts/settle", data=told).status_code == 302
    assert one_of(session, AlertKind.UNREADABLE).state is AlertState.WAIVED
    assert one_of(session, AlertKind.DISPUTE).facts["verdict"] == "first"
    assert "先到的一条正确" in client.get(f"/alerts/{dispute.id}").text
    assert "示例：调试" in client.get("/alerts?state=all&format=csv").text
    assert client.get("/alerts?format=xlsx").data[:2] == b"PK"


def test_both_contents_of_a_dispute_stand_side_by_side(app, session, world):
    dispute = one_of(session, AlertKind.DISPUTE)
    page = client_of(app, world, "operator").get(f"/alerts/{dispute.id}").text
    assert "先到的一条，有效" in page
    assert "没有找到先到的一条" not in page
    assert page.count("power_w") >= 2


@pytest.mark.parametrize("who", ["member", "manager", "other firm", "official"])
def test_firms_and_officials_are_refused(app, session, world, who):
    client = client_of(app, world, who)
    assert client.get("/alerts").status_code == 403
    assert client.post("/alerts/settle", data={}).status_code == 403


@pytest.mark.parametrize("who", ["other operator", "finance", "administrator"])
def test_nobody_but_the_platforms_own_operator_settles(app, session, world, who):
    client, dispute = client_of(app, world, who), one_of(session, AlertKind.DISPUTE)
    seen = client.get(f"/alerts/{dispute.id}").status_code
    assert seen == (404 if who == "other operator" else 200)
    told = {"alert_id": dispute.id, "state": "waived", "reason": "x"}
    assert client.post("/alerts/settle", data=told).status_code == (422 if who == "other operator" else 403)
    assert one_of(session, AlertKind.DISPUTE).state is AlertState.OPEN


def test_what_nobody_registered_is_the_administrators_to_see(app, session, world):
    now = clock.now()
    session.add(
        DeadLetter(
            meter_id=None, topic="m/1/ghost-7/data", payload=b"", reason="unknown_meter", detail="no", received_at=now
        )
    )
    session.flush()
    watch(session, at=now)
    session.commit()
    assert "ghost-7" in client_of(app, world, "administrator").get("/alerts").text
    assert "ghost-7" not in client_of(app, world, "operator").get("/alerts").text
