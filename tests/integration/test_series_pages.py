"""What the form of a series says before anything is reserved: dates, accessories, cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.booking.models import Reservation
from app.web.formats import input_time
from tests import makers
from tests.integration import page_world
from tests.integration.test_pages import client_of


@pytest.fixture
def world(session):
    return page_world.build(session)


@pytest.fixture
def wish(world):
    """The day after the first of the world's own slots, so that every date near by is free."""
    first = world.coming.during.start + timedelta(days=1)
    return {
        "equipment_id": world.equipment.id,
        "starts_at": input_time(first),
        "ends_at": input_time(first + timedelta(hours=1)),
        "every": "day",
        "interval": "1",
        "look": "1",
    }


@pytest.fixture
def client(app, world):
    return client_of(app, world, "other firm")


def written(when) -> str:
    return f"{when.start.isoformat()}/{when.end.isoformat()}"


def test_a_series_is_priced_by_date_and_by_what_is_chosen(client, world, wish):
    seen = client.get("/series/new", query_string={**wish, "times": "3"}).text
    assert seen.count("¥2,400.00") == 3
    assert "¥7,200.00" in seen
    whens = [world.coming.during.shifted(timedelta(days=day)) for day in (1, 2)]
    chosen = {"equipment_id": wish["equipment_id"], "choice": [written(whens[0]), "", written(whens[1])]}
    assert "¥4,800.00" in client.post("/series/estimate", data=chosen).text
    assert "至少保留一个" in client.post("/series/estimate", data={**chosen, "choice": ["", ""]}).text


def test_the_form_says_how_many_dates_came_of_how_many_and_why(client, wish):
    ended = client.get(
        "/series/new", query_string={**wish, "every": "week", "interval": "50", "until": wish["starts_at"][:10]}
    ).text
    assert "为止共 1 次" in ended
    beyond = client.get("/series/new", query_string={**wish, "every": "week", "interval": "5", "times": "5"}).text
    assert "所要的 5 次中，3 次在可预约期内；其余 2 次" in beyond
    absurd = client.get("/series/new", query_string={**wish, "every": "week", "interval": "99999", "times": "9"})
    assert absurd.status_code == 422
    assert "间隔过大" in absurd.text


def test_accessories_are_looked_at_and_taken_along(client, session, world, wish):
    probe = makers.accessory(session, of=world.platform, stock=2)
    field = f"accessory_{probe.id}"
    session.commit()
    many = client.get("/series/new", query_string={**wish, "times": "2", field: "3"}).text
    assert many.count("该时段仅剩 2 件") == 2
    wrong = client.get("/series/new", query_string={**wish, "times": "2", field: "few"})
    assert (wrong.status_code, "附件数量须为整数" in wrong.text) == (422, True)
    whens = [world.coming.during.shifted(timedelta(days=day)) for day in (1, 2)]
    told = {**wish, "times": "2", "choice": [written(when) for when in whens]}
    refused = client.post("/series", data={**told, field: "3"})
    assert refused.status_code == 409
    assert client.post("/series", data={**told, field: "2"}).status_code == 302
    made = session.scalars(select(Reservation).where(Reservation.during.in_(whens))).all()
    assert [[row.quantity for row in one.accessories] for one in made] == [[2], [2]]
