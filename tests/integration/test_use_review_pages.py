"""The operator enters use, accepts what may be doubted and settles late changes, from the pages."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from app.kernel import clock
from app.web.formats import input_time
from devices.models import LateChange, UsageSession
from devices.rules.evidence import Evidence
from tests.integration import page_world
from tests.integration.test_pages import client_of


def test_use_is_entered_shown_and_accepted_from_the_page(app, session):
    world = page_world.build(session)
    client = client_of(app, world, "operator")
    ends = clock.now().replace(second=0, microsecond=0) - timedelta(hours=20)
    form = {
        "equipment_id": world.equipment.id,
        "starts_at": input_time(ends - timedelta(hours=2)),
        "ends_at": input_time(ends),
        "organization_id": world.firm.id,
        "energy_kwh": "1.25",
        "reason": "",
    }
    refused = client.post("/usage", data=form)
    assert refused.status_code == 422
    assert 'id="reason-error"' in refused.text
    assert 'value="1.25"' in refused.text
    made = client.post("/usage", data=form | {"reason": "电表送检"})
    assert made.status_code == 302
    row = session.scalars(select(UsageSession).where(UsageSession.evidence == Evidence.ENTERED)).one()
    assert row.energy_mwh == 1_250_000
    assert "电表送检" in client.get(made.location).text
    waiting = client.get("/usage", query_string={"show": "review"}).text
    assert f"/usage/{row.id}" in waiting
    assert client.post(f"/usage/{row.id}/review", data={"deed": "refuse", "reason": ""}).status_code == 422
    assert client.post(f"/usage/{row.id}/review", data={"deed": "accept"}).status_code == 302
    session.expire_all()
    assert session.get_one(UsageSession, row.id).reviewed_by == world.people["operator"].id
    assert client.post(f"/usage/{row.id}/review", data={"deed": "refuse", "reason": "录错"}).status_code == 302
    session.expire_all()
    assert session.get(UsageSession, row.id) is None


def test_another_operators_equipment_and_firms_cannot_be_named(app, session):
    world = page_world.build(session)
    client = client_of(app, world, "other operator")
    assert client.post("/usage", data={"equipment_id": world.equipment.id}).status_code == 422
    assert world.firm.name not in client.get("/usage/new").text


def test_a_late_change_shows_old_new_and_cause_and_is_settled_from_the_page(app, session):
    world = page_world.build(session)
    client = client_of(app, world, "finance")
    address = f"/usage/{world.usage.id}"
    page = client.get(address).text
    assert "补传读数" in page
    assert "没有这次使用" in page
    assert client.post(f"{address}/late/{world.late.id}", data={"resolution": ""}).status_code == 422
    assert client.post(f"{address}/late/{world.late.id}", data={"resolution": "开红字"}).status_code == 302
    session.expire_all()
    assert session.get_one(LateChange, world.late.id).resolved_by == world.people["finance"].id
    assert "开红字" in client.get(address).text
