"""Meters are put on the wire, changed and taken off; accounts follow; a page shows a password once."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.secrets import key_for
from devices.accounts import meter_password
from devices.certifying import fingerprint, make_authority
from devices.models import DeadLetter, DeviceKey, Meter
from devices.registering import (
    SUGGESTED,
    activate,
    change_meter,
    register_meter,
    renew_credentials,
    retire,
    revoke_credentials,
    wire_accounts,
)
from devices.rules.evidence import Dialect
from devices.rules.power import FailSafe
from devices.rules.topic import shard_of
from tests import makers
from tests.integration import page_world
from tests.integration.test_pages import client_of

KEY = b"k" * 32


@pytest.fixture
def by(session) -> int:
    return makers.person(session).id


@pytest.fixture
def machine(session):
    return makers.equipment(session)


@pytest.fixture
def register(session, by, machine):
    def done(code: str = "press-1", **given) -> Meter:
        wish = {"equipment_id": machine.id, "dialect": Dialect.TASMOTA, "profile": SUGGESTED, "by": by}
        return register_meter(session, code=code, at=clock.now(), **{**wish, **given})

    return done


def names(session) -> dict[str, str]:
    return {one.username: one.password for one in wire_accounts(session, KEY)}


def test_a_registered_meter_may_connect_with_the_password_that_its_page_shows(session, register):
    meter = register()
    assert meter.shard == shard_of("press-1")
    assert [one.version for one in meter.profiles] == [1]
    assert names(session)["press-1"] == meter_password(KEY, "press-1", 1)
    assert "registered_meter" in session.scalars(select(audit.AuditEntry.deed)).all()


@pytest.mark.parametrize("code", ["", "a b", "a/b", "+", "编号", "x" * 81, "listener", "Listener", "new", "a\nuser b"])
def test_a_code_that_is_no_name_in_a_topic_or_is_somebody_elses_is_refused(register, code):
    with pytest.raises(InvalidInput) as refused:
        register(code)
    assert refused.value.field == "code"


def test_two_meters_do_not_share_a_code_whatever_its_case(register):
    register("press-1")
    with pytest.raises(InvalidInput) as refused:
        register("PRESS-1")
    assert refused.value.field == "code"


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("run_on_w", 0, "run_on_w"), ("run_off_w", 201, "run_off_w"), ("lead_s", -1, "lead_s"), ("rated_w", 0, "rated_w")],
)
def test_a_profile_that_no_machine_has_is_refused_with_its_field(register, name, value, field):
    with pytest.raises(InvalidInput) as refused:
        register(profile={**SUGGESTED, name: value})
    assert refused.value.field == field


def test_a_carried_meter_has_no_account_and_falls_silent_with_its_carrier(session, register, by):
    bridge = register("bridge", dialect=Dialect.ZIGBEE2MQTT)
    plug = register("plug", dialect=Dialect.ZIGBEE2MQTT, carrier="bridge", channel=" hall/plug ")
    assert plug.channel == "hall/plug"
    assert "bridge" in names(session)
    assert "plug" not in names(session)
    with pytest.raises(Conflict, match="bridge"):
        renew_credentials(session, plug.id, by=by, at=clock.now())
    with pytest.raises(Conflict, match="bridge"):
        retire(session, bridge.id, by=by, at=clock.now())
    retire(session, plug.id, by=by, at=clock.now())
    retire(session, bridge.id, by=by, at=clock.now())
    with pytest.raises(Conflict, match="bridge"):
        activate(session, plug.id, by=by, at=clock.now())


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"carrier": "nobody", "channel": "x"}, "carrier"),
        ({"carrier": "other-house", "channel": "x"}, "carrier"),
        ({"carrier": "plug", "channel": "x"}, "carrier"),
        ({"carrier": "bridge", "channel": "x", "dialect": Dialect.SHELLY}, "carrier"),
        ({"carrier": "bridge", "channel": ""}, "channel"),
        ({"carrier": "bridge", "channel": "a#"}, "channel"),
        ({"carrier": "bridge", "channel": "hall"}, "channel"),
        ({"channel": "x"}, "channel"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_with_its_field(session, register, given, field):
    register("bridge", dialect=Dialect.ZIGBEE2MQTT)
    register("plug", dialect=Dialect.ZIGBEE2MQTT, carrier="bridge", channel="hall")
    makers.meter(session, code="other-house", dialect=Dialect.ZIGBEE2MQTT)
    with pytest.raises(InvalidInput) as refused:
        register("second", **{"dialect": Dialect.ZIGBEE2MQTT, **given})
    assert refused.value.field == field


def test_a_renewed_password_is_another_and_a_revoked_one_never_comes_back(session, register, by):
    meter, now = register(), clock.now()
    first = names(session)["press-1"]
    renew_credentials(session, meter.id, by=by, at=now)
    second = names(session)["press-1"]
    revoke_credentials(session, meter.id, by=by, at=now)
    assert "press-1" not in names(session)
    with pytest.raises(Conflict, match="press-1"):
        renew_credentials(session, meter.id, by=by, at=now)
    activate(session, meter.id, by=by, at=now)
    assert len({first, second, names(session)["press-1"]}) == 3


def test_a_retired_meter_comes_back_with_its_password(session, register, by):
    meter = register()
    before = names(session)["press-1"]
    retire(session, meter.id, by=by, at=clock.now())
    assert "press-1" not in names(session)
    activate(session, meter.id, by=by, at=clock.now())
    assert names(session)["press-1"] == before


def test_only_a_meter_with_a_registered_key_can_be_held_to_signing(session, register, by):
    plug, meter, now = register(), register("native-1", dialect=Dialect.NATIVE), clock.now()
    for one in (plug, meter):
        with pytest.raises(InvalidInput) as refused:
            change_meter(session, one.id, {"signed_only": True}, by=by, at=now)
        assert refused.value.field == "signed_only"
    session.add(
        DeviceKey(
            meter_id=meter.id, name="k1", public_key=b"p" * 32, owner="lab", valid_from=now, registered_at=now,
        )
    )  # fmt: skip
    session.flush()
    assert change_meter(session, meter.id, {"signed_only": True}, by=by, at=now)
    assert not change_meter(session, meter.id, {"signed_only": True}, by=by, at=now)


def test_a_meter_moves_behind_a_bridge_unless_others_speak_through_it(session, register, by):
    first, second = (register(code, dialect=Dialect.SHELLY) for code in ("strip", "plug"))
    now = clock.now()
    change_meter(session, second.id, {"carrier": "strip", "channel": "switch:1"}, by=by, at=now)
    assert second.carrier_id == first.id
    register("third", dialect=Dialect.SHELLY)
    with pytest.raises(Conflict, match="strip"):
        change_meter(session, first.id, {"carrier": "third", "channel": "switch:2"}, by=by, at=now)
    change_meter(session, second.id, {"carrier": None, "channel": "", "fail_safe": FailSafe.OFF}, by=by, at=now)
    assert "plug" in names(session)


def test_the_page_registers_and_shows_the_password_once_in_a_text_and_no_cache_keeps_it(app, session):
    world = page_world.build(session)
    client = client_of(app, world, "operator")
    form = {
        "code": "press-9", "equipment_id": world.equipment.id, "dialect": "shelly", "carrier": "", "channel": "",
        **SUGGESTED,
    }  # fmt: skip
    wrong = client.post("/meters/new", data={**form, "run_off_w": "300"})
    assert wrong.status_code == 422
    assert "停止阈值不能高于启动阈值" in wrong.text
    assert 'value="press-9"' in wrong.text
    done = client.post("/meters/new", data=form)
    password = meter_password(key_for("meters", master=app.config["MASTER_KEY"]), "press-9", 1)
    assert done.status_code == 200
    assert f'"pass": "{password}"' in html.unescape(done.text)
    assert done.headers["Cache-Control"] == "no-store"
    assert "<svg" in done.text
    again = client.get("/meters/press-9").text
    assert password not in again
    assert "status_ntf" in again
    renewed = client.post("/meters/press-9/credentials").text
    assert password not in renewed
    assert client.post("/meters/press-9/revoke").status_code == 302
    assert client.post("/meters/press-9/credentials").status_code == 409


def test_equipment_and_meters_of_others_cannot_be_reached_from_the_form(app, session):
    world = page_world.build(session)
    form = {"code": "thief", "equipment_id": world.equipment.id, "dialect": "native", **SUGGESTED}
    client = client_of(app, world, "other operator")
    assert client.post("/meters/new", data=form).status_code == 422
    assert client.post(f"/meters/{world.meter.code}/revoke").status_code == 404


def test_a_meters_page_shows_what_came_and_what_it_was_understood_as(app, session):
    world = page_world.build(session)
    session.add(
        DeadLetter(
            meter_id=world.meter.id, topic=f"m/0/{world.meter.code}/data", payload=b'{"v":1}', reason="unclear_unit",
            detail="energy has no unit", received_at=clock.now() - timedelta(minutes=1),
        )
    )  # fmt: skip
    session.commit()
    page = html.unescape(client_of(app, world, "operator").get(f"/meters/{world.meter.code}").text)
    assert re.search(r"\d+\.\d{3} kWh", page)
    assert '"readings"' in page
    assert "单位不明" in page
    assert "请在名称或 engUnit 中写明 Wh 或 kWh。" in page
    assert "读数按 boot 和 seq 编号" in page
    assert "PILOTSHARE_MQTT_HOST" in page


def test_anybody_may_load_the_authoritys_certificate_where_there_is_one(app, session, monkeypatch):
    folder = app.config["FOLDER"] / "broker" / "tls"
    made = make_authority(folder)
    monkeypatch.setitem(app.config, "MQTT_TLS_PORT", 8883)
    world = page_world.build(session)
    answer = client_of(app, world, None).get("/mqtt-ca.crt")
    assert answer.data == made.read_bytes()
    answer.close()
    page = client_of(app, world, "operator").get(f"/meters/{world.meter.code}").text
    assert fingerprint(made) in page
    assert "mqtts://" in page


def test_with_another_broker_the_page_says_how_accounts_get_there(app, session, monkeypatch):
    monkeypatch.setitem(app.config, "MQTT_URL", "mqtts://broker.example:8884")
    world = page_world.build(session)
    page = client_of(app, world, "operator").get(f"/meters/{world.meter.code}").text
    assert "broker.example:8884" in page
    assert "flask broker accounts" in page


def test_the_command_writes_files_for_another_mosquitto(app, session, register, tmp_path):
    register()
    session.commit()
    done = app.test_cli_runner().invoke(args=["broker", "accounts", str(tmp_path / "files")])
    assert done.exit_code == 0, done.output
    assert "user press-1\n" in (tmp_path / "files" / "acl").read_text()
    assert "press-1:$7$" in (tmp_path / "files" / "passwords").read_text()
    assert (tmp_path / "files" / "passwords").stat().st_mode & 0o077 == 0
