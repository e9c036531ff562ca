"""Commissioned work on pages: its file, its charge in the review, and the way back from the invoice line."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.booking.models import ServiceRequest
from app.booking.rules.words import RequestState
from app.kernel import clock
from billing.charging_services import charge_services
from billing.models import Charge, InvoiceLine
from billing.rules.words import ChargeKind, ChargeState
from tests.integration import page_world
from tests.integration.test_pages import client_of

STRANGERS = ("other firm", "other operator")


@pytest.fixture
def world(session) -> page_world.World:
    return page_world.build(session)


def test_a_result_is_downloaded_as_it_was_handed_over_and_by_no_stranger(app, world):
    here = f"/service-requests/{world.work.id}/results/{world.work.results[0].id}"
    answer = client_of(app, world, "member").get(here)
    assert answer.data == b"sample"
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for who in STRANGERS:
        assert client_of(app, world, who).get(here).status_code == 404


def test_a_stranger_can_do_nothing_with_a_request(app, session, world):
    here = f"/service-requests/{world.work.id}"
    for who, deeds in (
        ("other firm", ("accept", "withdraw", "return", "sign-off")),
        ("other operator", ("quote", "decline", "receive", "schedule", "results")),
    ):
        client = client_of(app, world, who)
        assert client.get(here).status_code == 404
        assert {client.post(f"{here}/{deed}").status_code for deed in deeds} == {404}
        assert world.work.title not in client.get("/service-requests?show=to_sign").text
    session.expire_all()
    assert session.get_one(ServiceRequest, world.work.id).state is RequestState.DELIVERED


def test_the_list_is_filtered_and_exported(app, world):
    client = client_of(app, world, "finance")
    assert world.work.title in client.get("/service-requests?show=to_sign").text
    assert world.work.title not in client.get("/service-requests?show=done").text
    assert world.work.title in client.get("/service-requests?show=to_sign&format=csv").text


def test_a_refused_quote_keeps_what_was_written(app, world):
    asked = {"platform_id": world.platform.id, "kind": "sample", "title": "示例送样"}
    there = client_of(app, world, "member").post("/service-requests", data=asked).location
    written = {
        "line_label": "示例内容", "line_quantity": "0", "line_unit": "run", "line_price": "1", "line_tax": "6",
        "valid_until": "2099-01-01",
    }  # fmt: skip
    answer = client_of(app, world, "operator").post(f"{there}/quote", data=written)
    assert answer.status_code == 422
    assert 'value="示例内容"' in answer.text
    assert "报价的数量应大于零" in answer.text


def test_signed_off_work_is_reviewed_invoiced_and_leads_back_to_its_request(app, session, world):
    here = f"/service-requests/{world.work.id}"
    assert client_of(app, world, "member").post(f"{here}/sign-off").status_code == 302
    assert charge_services(session, until=clock.now(), at=clock.now()) == 1
    session.commit()
    charge = session.scalars(select(Charge).where(Charge.kind == ChargeKind.SERVICE)).one()
    month, finance = f"{clock.local_date(charge.served_at):%Y-%m}", client_of(app, world, "finance")
    page = finance.get("/review", query_string={"month": month}).text
    assert f"{world.work.title} · 委托服务费" in page
    assert f'href="{here}"' in page
    waiting = session.scalars(select(Charge.id).where(Charge.state == ChargeState.PROPOSED)).all()
    finance.post("/review/approve", data={"month": month, "charge_id": list(waiting)})
    place = {"platform_id": world.platform.id, "organization_id": world.firm.id}
    assert "/invoices/" in finance.post("/review/issue", data={"month": month, **place}).location
    line = session.scalars(select(InvoiceLine).where(InvoiceLine.charge_id == charge.id)).one()
    shown = client_of(app, world, "manager").get(f"/invoices/lines/{line.id}").text
    assert set(re.findall(r'href="(/service-requests/\d+#?\w*)"', shown)) >= {here, f"{here}#charges", f"{here}#use"}
    assert "委托服务费" in client_of(app, world, "member").get(here).text
    assert client_of(app, world, "official").get(f"/invoices/lines/{line.id}").status_code == 200
