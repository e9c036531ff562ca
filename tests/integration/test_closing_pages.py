"""Closing, sharing, revenue and the certificate from their pages."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from app.identity.models import Membership
from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.db import in_transaction
from app.kernel.long_work import advance
from app.kernel.money import Money
from billing.closing import KIND, close_portion
from billing.models import Invoice, PeriodClose, SharingProposal
from billing.recognizing import recognize_revenue
from billing.rules.period import PeriodState, month_back
from billing.rules.sharing import ProposalState
from tests import makers
from tests.conftest import FreshClient
from tests.integration.close_world import CloseWorld


@pytest.fixture
def last_month() -> date:
    return month_back(clock.local_date(clock.now()), 1)


@pytest.fixture
def world(session, last_month) -> CloseWorld:
    made = CloseWorld(session, firms=3, at=clock.now() - timedelta(days=40))
    made.add(session, 9, month=last_month)
    session.commit()
    return made


def signed_in(app, person_id: int) -> FreshClient:
    client = app.test_client()
    with client.session_transaction() as told:
        told["_user_id"], told["_fresh"] = str(person_id), True
    return client


def work_off(session) -> None:
    session.rollback()
    while in_transaction(lambda own: advance(own, {KIND: close_portion}, at=clock.now())):
        pass


def test_a_month_is_closed_from_the_page_with_its_progress(app, session, world, last_month):
    world.add(session, 1, month=last_month, state="proposed", first=100)
    session.commit()
    client, told = signed_in(app, world.finance), {"month": f"{last_month:%Y-%m}", "platform_id": world.platform}
    page = client.get("/closing", query_string=told).text
    assert "月结并开具 3 张结算单，9 笔" in page
    assert "待审核" in page
    refused = client.post("/closing", data=told)
    assert refused.status_code == 409
    assert "还有 1 笔费用待审核" in refused.text
    assert client.post("/closing", data={**told, "carry_over": "on"}).status_code == 302
    waiting = client.get("/closing", query_string=told).text
    assert "排队中" in waiting
    assert "月结并开具" not in waiting
    row = session.scalars(select(PeriodClose)).one()
    polled = client.get(f"/work/{row.long_work_id}", headers={"HX-Request": "true"})
    assert "0 / 3" in polled.text
    assert "<html" not in polled.text
    work_off(session)
    done = client.get(f"/work/{row.long_work_id}", headers={"HX-Request": "true"}).text
    assert "已月结：开具 3 张结算单，结转 1 项" in done
    assert "hx-trigger" not in done
    assert client.get(f"/work/{row.long_work_id}").status_code == 200
    assert "已月结" in client.get("/closing", query_string=told).text
    assert client.get("/ageing?format=xlsx").data[:2] == b"PK"
    assert "示例企业" in client.get("/ageing?format=csv").text


def test_a_month_of_which_nothing_is_left_to_invoice_is_closed_from_the_page_too(app, session, world, last_month):
    before = month_back(last_month, 1)
    client, told = signed_in(app, world.finance), {"month": f"{before:%Y-%m}", "platform_id": world.platform}
    assert "不开具结算单" in client.get("/closing", query_string=told).text
    assert client.post("/closing", data=told).status_code == 302
    work_off(session)
    assert session.scalars(select(PeriodClose.state)).one() is PeriodState.CLOSED
    session.expire_all()
    assert session.scalars(select(PeriodClose.state)).one() is PeriodState.CLOSED


def test_revenue_and_shares_of_a_closed_month_are_shown_confirmed_and_exported(app, session, world, last_month):
    client, told = signed_in(app, world.finance), {"month": f"{last_month:%Y-%m}", "platform_id": world.platform}
    client.post("/closing", data=told)
    work_off(session)
    in_transaction(lambda own: recognize_revenue(own, at=clock.now()))
    parties = [makers.organization(session, name=f"示例共建方{number}") for number in range(2)]
    session.commit()
    form = {
        "platform_id": world.platform, "title": "示例协议", "document_no": "示例1号", "first_day": "2020-01-01",
        "party_0": parties[0].name, "percent_0": "60", "party_1": parties[1].name, "percent_1": "41", "remainder": "1",
    }  # fmt: skip
    refused = client.post("/sharing", data=form)
    assert refused.status_code == 422
    assert "101" in refused.text
    assert client.post("/sharing", data={**form, "percent_1": "40"}).status_code == 302
    proposal = session.scalars(select(SharingProposal)).one()
    net = Money(sum(one.net_fen.fen for one in session.scalars(select(Invoice))))
    assert proposal.base_fen == net
    assert client.get("/sharing?format=csv").text.count("示例共建方") == 2
    here = f"/sharing/proposals/{proposal.id}/confirm"
    assert client.post(here, data={"seen": "1.00", "platform_id": world.platform}).status_code == 409
    assert client.post(here, data={"seen": str(net), "platform_id": world.platform}).status_code == 302
    session.expire_all()
    assert session.scalars(select(SharingProposal.state)).one() is ProposalState.CONFIRMED
    year = clock.local_date(clock.now()).year
    for by in ("month", "category", "customer", "relation", "region", "exclusion"):
        for basis in ("invoice_date", "service_date", "cash_date"):
            assert client.get(f"/revenue?by={by}&basis={basis}&year={year}").status_code == 200
    page = client.get(f"/revenue?year={year}&by=customer").text
    assert f"{Money(sum(one.gross_fen.fen for one in session.scalars(select(Invoice)))).yuan:,.2f}" in page
    assert client.get(f"/revenue?year={year}&format=xlsx").data[:2] == b"PK"


def test_a_firms_manager_takes_the_certificate_of_their_own_firm_alone(app, session, world, last_month):
    client, told = signed_in(app, world.finance), {"month": f"{last_month:%Y-%m}", "platform_id": world.platform}
    client.post("/closing", data=told)
    work_off(session)
    manager = makers.person(session)
    session.add(Membership(person_id=manager.id, organization_id=world.firms[0], role=Role.FIRM_MANAGER))
    session.commit()
    firm = signed_in(app, manager.id)
    page = firm.get("/certificate", query_string={"organization_id": world.firms[1]}).text
    asked = session.scalars(select(Invoice.id).where(Invoice.organization_id == world.firms[1])).one()
    own = session.scalars(select(Invoice.id).where(Invoice.organization_id == world.firms[0])).one()
    assert f"/invoices/{own}" in page
    assert f"/invoices/{asked}" not in page
    year = clock.local_date(clock.now()).year
    assert firm.get(f"/certificate/{world.firms[0]}/{year}.pdf").data[:4] == b"%PDF"
    assert firm.get(f"/certificate/{world.firms[0]}/{year}.xlsx").data[:2] == b"PK"
    assert firm.get(f"/certificate/{world.firms[1]}/{year}.pdf").status_code == 404
    assert client.get("/certificate").status_code == 403


def test_from_any_line_of_a_long_invoice_one_comes_back_to_it(app, session, world, last_month):
    world.add(session, 351, month=last_month, first=9)
    session.commit()
    client, told = signed_in(app, world.finance), {"month": f"{last_month:%Y-%m}", "platform_id": world.platform}
    client.post("/closing", data=told)
    work_off(session)
    in_transaction(lambda own: recognize_revenue(own, at=clock.now()))
    one = session.scalars(select(Invoice).order_by(Invoice.id)).first()
    assert len(one.lines) == 120
    first = client.get(f"/invoices/{one.id}").text
    assert first.count('<tr id="line-') == 50
    assert first.count("第 1 页，共 3 页，120 项") == 1
    for line in (one.lines[0], one.lines[49], one.lines[50], one.lines[119]):
        for evidence in (f"/invoices/lines/{line.id}", f"/charges/{line.charge_id}"):
            ways = re.findall(rf'href="([^"]*)#line-{line.id}"', client.get(evidence).text)
            assert {way.split("?")[0].split("/")[1] for way in ways} == {"invoices", "subsidy"}
            for way in ways:
                assert client.get(html.unescape(way)).text.count(f'<tr id="line-{line.id}"') == 1
    assert client.get(f"/invoices/{one.id}?line=x&page=99").text.count('<tr id="line-') == 20
