from __future__ import annotations

from datetime import timedelta

import pytest

from app.catalogue.models import Equipment
from app.identity.passwords import hashed
from app.identity.rules.permission import Role
from app.kernel import clock
from tests import makers

PASSWORD = "示例密码-2026"
START = clock.local_midnight(clock.local_date(clock.now()) + timedelta(days=3)) + timedelta(hours=10)


def slot(hours_later: float = 0, hours: float = 1) -> dict[str, str]:
    start = START + timedelta(hours=hours_later)
    return {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=hours)).isoformat()}


@pytest.fixture
def world(session):
    """Two firms and one piece of equipment."""
    thing = makers.equipment(session)
    firms = [makers.organization(session) for _ in range(2)]
    for number, firm in enumerate(firms):
        makers.person(
            session, (firm, Role.FIRM_MEMBER), email=f"api{number}@pilotshare.example", password_hash=hashed(PASSWORD)
        )
    session.commit()
    return thing.id


@pytest.fixture
def sign_in(app):
    def signed_in(number: int):
        client = app.test_client()
        answer = client.post("/api/v1/session", json={"email": f"API{number}@pilotshare.example", "password": PASSWORD})
        assert answer.status_code == 201, answer.json
        return client

    return signed_in


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(app, world):
    answers = [
        app.test_client().post("/api/v1/session", json={"email": email, "password": "wrong"})
        for email in ("api0@pilotshare.example", "nobody@pilotshare.example")
    ]
    assert [one.status_code for one in answers] == [422, 422]
    assert answers[0].json == answers[1].json


def test_a_slot_is_booked_moved_and_given_back(sign_in, world):
    client = sign_in(0)
    made = client.post("/api/v1/reservations", json={"equipment_id": world, **slot()})
    assert made.status_code == 201
    address = f"/api/v1/reservations/{made.json['id']}"
    assert client.patch(address, json=slot(2)).status_code == 200
    assert client.get(address).json["starts_at"].startswith((START + timedelta(hours=2)).isoformat()[:13])
    assert client.delete(address).json["state"] == "cancelled"
    assert client.post("/api/v1/reservations", json={"equipment_id": world, **slot(2)}).status_code == 201


def test_who_comes_second_hears_the_nearest_free_slots_and_can_book_them(sign_in, world):
    first, second = sign_in(0), sign_in(1)
    assert first.post("/api/v1/reservations", json={"equipment_id": world, **slot()}).status_code == 201
    refused = second.post("/api/v1/reservations", json={"equipment_id": world, **slot(0.5)})
    assert refused.status_code == 409
    assert refused.mimetype == "application/problem+json"
    assert refused.json["code"] == "slot_taken"
    assert len(refused.json["alternatives"]) >= 3
    offered = refused.json["alternatives"][0]
    assert second.post("/api/v1/reservations", json={"equipment_id": world, **offered}).status_code == 201


def test_the_same_idempotency_key_is_the_same_reservation(sign_in, world):
    client = sign_in(0)
    asked = {"json": {"equipment_id": world, **slot()}, "headers": {"Idempotency-Key": "once"}}
    ids = {client.post("/api/v1/reservations", **asked).json["id"] for _ in range(3)}
    assert len(ids) == 1
    other = client.post(
        "/api/v1/reservations", json={"equipment_id": world, **slot(5)}, headers={"Idempotency-Key": "once"}
    )
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ends_at": slot()["starts_at"]}, "ends_at"),
        ({"starts_at": (START - timedelta(days=9)).isoformat()}, "starts_at"),
        (slot(hours=0.01), "starts_at"),
        (slot(hours=24 * 9), "ends_at"),
        (slot(24 * 400), "starts_at"),
    ],
)
def test_what_cannot_be_booked_names_the_field(sign_in, world, change, field):
    answer = sign_in(0).post("/api/v1/reservations", json={"equipment_id": world, **slot(), **change})
    assert answer.status_code == 422
    assert answer.json["field"] == field


def test_a_missing_or_wrong_field_is_named(sign_in, world):
    answer = sign_in(0).post("/api/v1/reservations", json={"equipment_id": "x"})
    assert answer.status_code == 422
    assert {"equipment_id", "starts_at", "ends_at"} <= answer.json["errors"]["json"].keys()


def test_strangers_and_other_firms_are_refused(app, sign_in, world):
    made = sign_in(0).post("/api/v1/reservations", json={"equipment_id": world, **slot()})
    address = f"/api/v1/reservations/{made.json['id']}"
    stranger, other = app.test_client(), sign_in(1)
    for ask in (
        lambda who: who.get(address),
        lambda who: who.patch(address, json=slot(3)),
        lambda who: who.delete(address),
    ):
        assert ask(stranger).status_code == 401
        assert ask(other).status_code == 404
    assert other.get("/api/v1/reservations").json == []
    taken = stranger.get(f"/api/v1/equipment/{world}/slots", query_string=slot(-1, 5)).json
    assert taken == [{"starts_at": taken[0]["starts_at"], "ends_at": taken[0]["ends_at"]}]


def test_who_booked_finds_the_own_reservation_among_what_is_taken(app, sign_in, world):
    client = sign_in(0)
    made = client.post("/api/v1/reservations", json={"equipment_id": world, **slot()}).json
    address = f"/api/v1/equipment/{world}/slots"
    assert client.get(address, query_string=slot(-1, 5)).json[0]["reservation_id"] == made["id"]
    assert "reservation_id" not in sign_in(1).get(address, query_string=slot(-1, 5)).json[0]


def test_an_operator_sees_the_reservations_of_its_platforms_alone(session, sign_in, world):
    operator = session.get_one(Equipment, world).platform.operators[0].organization
    makers.person(session, (operator, Role.OPERATOR), email="api2@pilotshare.example", password_hash=hashed(PASSWORD))
    elsewhere = makers.equipment(session).id
    session.commit()
    firm = sign_in(0)
    here, _ = (
        firm.post("/api/v1/reservations", json={"equipment_id": one, **slot()}).json for one in (world, elsewhere)
    )
    seen = sign_in(2).get("/api/v1/reservations").json
    assert [one["id"] for one in seen] == [here["id"]]
    assert len(firm.get("/api/v1/reservations").json) == 2
    assert firm.get("/api/v1/reservations", query_string={"equipment_id": elsewhere, "before": here["id"]}).json == []


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "2026-01-01T00:00:00"])
def test_a_time_outside_the_calendar_or_without_a_zone_is_refused(sign_in, world, date):
    answer = sign_in(0).post("/api/v1/reservations", json={"equipment_id": world, **slot(), "starts_at": date})
    assert answer.status_code == 422


def test_a_key_that_is_too_long_is_refused_and_not_cut(sign_in, world):
    answer = sign_in(0).post(
        "/api/v1/reservations", json={"equipment_id": world, **slot()}, headers={"Idempotency-Key": "k" * 81}
    )
    assert (answer.status_code, answer.json["field"]) == (422, "Idempotency-Key")


def test_the_description_covers_every_route(app):
    told = app.test_client().get("/api/v1/openapi.json").json
    assert told["openapi"] == "3.1.0"
    assert {"/api/v1/reservations", "/api/v1/equipment/{equipment_id}/slots", "/api/v1/session"} <= told["paths"].keys()


def test_a_series_is_looked_at_reserved_once_and_given_back(sign_in, world):
    client, other = sign_in(0), sign_in(1)
    assert other.post("/api/v1/reservations", json={"equipment_id": world, **slot(24)}).status_code == 201
    wish = {"equipment_id": world, **slot(), "every": "day", "times": 3}
    seen = client.post("/api/v1/series/preview", json=wish)
    assert [one["free"] for one in seen.json] == [True, False, True]
    assert seen.json[1]["alternatives"]
    assert client.post("/api/v1/series", json=wish).status_code == 409
    key = {"Idempotency-Key": "series-1"}
    made = [client.post("/api/v1/series", json={**wish, "skip_conflicts": True}, headers=key).json for _ in range(2)]
    assert made[0]["id"] == made[1]["id"]
    assert len(made[0]["reservations"]) == 2
    assert [one["free"] for one in made[0]["left_out"]] == [False]
    address = f"/api/v1/series/{made[0]['id']}"
    for method in ("get", "delete"):
        assert getattr(other, method)(address).status_code == 404
    gone = client.delete(address)
    assert [one["state"] for one in gone.json["reservations"]] == ["cancelled", "cancelled"]
    assert client.delete(address).status_code == 409


def test_every_date_of_a_series_takes_accessories_along(sign_in, world, session):
    probe = makers.accessory(session, of=session.get_one(Equipment, world).platform, stock=2).id
    session.commit()
    client = sign_in(0)
    wish = {"equipment_id": world, **slot(), "every": "day", "times": 2}

    def with_probes(quantity: int, path: str = ""):
        body = {**wish, "accessories": [{"accessory_id": probe, "quantity": quantity}]}
        return client.post(f"/api/v1/series{path}", json=body)

    assert [one["free"] for one in with_probes(3, "/preview").json] == [False, False]
    assert with_probes(3).json["field"] == "accessories"
    made = with_probes(2).json
    assert [one["accessories"] for one in made["reservations"]] == [[{"accessory_id": probe, "quantity": 2}]] * 2
