"""What operators look at and set beside a machine: its waitlist, its screen, its quotas."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from app.booking.changing import cancel
from app.booking.models import Reservation
from app.booking.waiting import offer_freed
from app.catalogue.models import Quota
from app.kernel import clock
from app.kernel.audit import AuditEntry
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session) -> page_world.World:
    return page_world.build(session)


def test_operators_see_who_waits_and_until_when_an_offer_is_held_and_no_stranger_does(app, session, world):
    operator = client_of(app, world, "operator")
    page = operator.get("/waitlist/queue").text
    assert all(words in page for words in (world.firm.name, "第 1 位", "候补中"))
    held = session.scalars(select(Reservation).where(Reservation.during == world.waiting.during)).one()
    cancel(session, held.id, by=held.person_id, at=clock.now(), reason="")
    assert offer_freed(session, at=clock.now(), limit=10) == 1
    session.commit()
    assert "保留至" in operator.get("/waitlist/queue").text
    assert world.firm.name in operator.get("/waitlist/queue?format=csv").text
    assert "没有人在候补" in operator.get("/waitlist/queue?equipment=elsewhere").text
    stranger = client_of(app, world, "other operator")
    assert "没有人在候补" in stranger.get("/waitlist/queue", query_string={"equipment": world.equipment.code}).text
    assert "/waitlist/queue" in operator.get("/reservations").text
    assert "/waitlist/queue" in operator.get(f"/equipment/{world.equipment.code}").text


def test_a_renewed_screen_has_a_new_address_and_the_old_one_shows_nothing(app, session, world):
    operator, visitor = client_of(app, world, "operator"), client_of(app, world, None)
    here = f"/equipment/{world.equipment.code}"

    def address() -> str:
        found = re.search(r"/kiosk/[^\s\"<]+", operator.get(f"{here}/qr").text)
        return found.group()

    old = address()
    assert visitor.get(old).status_code == 200
    assert client_of(app, world, "other operator").post(f"{here}/screen").status_code == 404
    assert visitor.get(old).status_code == 200
    assert operator.post(f"{here}/screen").status_code == 302
    assert visitor.get(old).status_code == 404
    assert visitor.get(address()).status_code == 200
    noted = session.scalars(select(AuditEntry).where(AuditEntry.deed == "settings changed")).one()
    assert (noted.person_id, noted.detail["after"]) == (world.people["operator"].id, {"screen_version": 2})


def test_a_quota_is_set_for_one_firm_and_some_weekdays_from_the_form(app, session, world):
    operator, here = client_of(app, world, "operator"), f"/equipment/{world.equipment.code}/settings"
    form = {"section": "quota", "limit": "2", "measure": "hours", "period": "week", "weekdays": ["5", "6"]}
    refused = operator.post(here, data={**form, "organization_id": "0"})
    assert refused.status_code == 422
    assert refused.text.count("checked") >= 2
    assert operator.post(here, data={**form, "organization_id": str(world.firm.id)}).status_code == 302
    quota = session.scalars(select(Quota)).one()
    assert (quota.organization_id, quota.weekdays) == (world.firm.id, [5, 6])
    assert f"{world.firm.name} · 周六 周日" in operator.get(here).text
