from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text

from app.identity.rules.permission import Role
from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.errors import Conflict, InvalidInput, NotFound
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.keying import end_key, key_in, keys_of, register_key, rotate_key
from devices.models import DeadLetter
from devices.registering import change_meter
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, topic_of
from tests import makers
from tests.integration import page_world
from tests.integration.test_pages import client_of
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(days=1)
HOUR = timedelta(hours=1)
PRIVATE, OTHER, THIRD = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def signed(code: str, seq: int, *, by: Ed25519PrivateKey = PRIVATE, key: str = "k1", at=NOW) -> WireMessage:
    """A message as a device makes it: the body as text, and its own signature over the bytes."""
    reading = {"seq": seq, "at_ms": int(BEGINNING.timestamp() * 1000) + seq, "power_w": 5}
    body = json.dumps({"v": 1, "boot": 1, "readings": [reading]})
    told = {"v": 1, "key": key, "sig": base64.b64encode(by.sign(body.encode())).decode(), "body": body}
    return WireMessage(topic_of(code, "signed"), json.dumps(told).encode(), at)


def reasons(session) -> list[str]:
    return list(session.scalars(select(DeadLetter.reason).order_by(DeadLetter.id)))


@pytest.fixture
def by(session) -> int:
    return makers.person(session).id


@pytest.fixture
def meter(session):
    return makers.meter(session, code="mt-one", shard=shard_of("mt-one"))


@pytest.fixture
def given(by):
    return {"owner": "示例厂家", "valid_from": BEGINNING, "by": by, "at": NOW}


def test_what_a_registered_key_signed_is_stored_with_it(session, meter, given):
    key = register_key(session, meter.id, name="k1", public_key=public(PRIVATE), **given)
    assert ingest(session, [signed("mt-one", 1)]).stored == 1
    assert session.scalar(text("SELECT key_id FROM reading")) == key.id


def test_another_meters_key_is_refused_and_the_refusal_is_kept(session, meter, given):
    other = makers.meter(session, code="mt-two", shard=shard_of("mt-two"))
    register_key(session, meter.id, name="k1", public_key=public(PRIVATE), **given)
    register_key(session, other.id, name="k2", public_key=public(OTHER), **given)
    forged = [signed("mt-one", 1, by=OTHER, key="k2"), signed("mt-one", 1, by=OTHER, key="k1")]
    result = ingest(session, forged)
    assert (result.stored, reasons(session)) == (0, ["unknown_key", "bad_signature"])
    assert set(session.scalars(select(DeadLetter.meter_id))) == {meter.id}


def test_after_rotation_the_new_key_is_believed_and_the_old_one_no_more(session, meter, given, by):
    old = register_key(session, meter.id, name="k1", public_key=public(PRIVATE), **given)
    new = rotate_key(session, meter.id, old.id, name="k2", public_key=public(OTHER), by=by, at=NOW + HOUR)
    assert (old.valid_until, new.valid_from, new.owner) == (NOW + HOUR, NOW + HOUR, old.owner)
    later = NOW + 2 * HOUR
    result = ingest(
        session,
        [
            signed("mt-one", 1, at=NOW),  # received while it was valid
            signed("mt-one", 2, at=later),
            signed("mt-one", 3, by=OTHER, key="k2", at=later),
        ],
    )
    assert (result.stored, reasons(session)) == (2, ["key_not_valid"])
    deeds = session.scalars(select(AuditEntry.deed).order_by(AuditEntry.id)).all()
    assert deeds == ["registered_key", "registered_key", "ended_key"]


def test_who_has_to_sign_is_not_heard_without_and_keeps_a_key(session, meter, given, by):
    with pytest.raises(InvalidInput) as refused:
        change_meter(session, meter.id, {"signed_only": True}, by=by, at=NOW)
    assert refused.value.field == "signed_only"
    key = register_key(session, meter.id, name="k1", public_key=public(PRIVATE), **given)
    change_meter(session, meter.id, {"signed_only": True}, by=by, at=NOW)
    unsigned = WireMessage(topic_of("mt-one", "data"), json.dumps(
        {"v": 1, "boot": 1, "readings": [{"seq": 9, "at_ms": int(BEGINNING.timestamp() * 1000), "power_w": 5}]}
    ).encode(), NOW)  # fmt: skip
    assert ingest(session, [unsigned, signed("mt-one", 1)]).stored == 1
    assert reasons(session) == ["unsigned"]
    with pytest.raises(Conflict):
        end_key(session, meter.id, key.id, by=by, at=NOW)
    rotate_key(session, meter.id, key.id, name="k2", public_key=public(OTHER), by=by, at=NOW + HOUR)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "k1"}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"owner": ""}, "owner"),
        ({"public_key": "ab"}, "public_key"),
        ({"public_key": "zz" * 32}, "public_key"),
        ({"public_key": public(PRIVATE)}, "public_key"),
        ({"valid_until": BEGINNING}, "valid_until"),
    ],
)
def test_a_refused_key_names_its_field(session, meter, given, changes, field):
    register_key(session, meter.id, name="k1", public_key=public(PRIVATE), **given)
    with pytest.raises(InvalidInput) as refused:
        register_key(session, meter.id, **{"name": "k2", "public_key": public(OTHER), **given, **changes})
    assert refused.value.field == field


def test_a_key_is_read_in_hexadecimal_and_base64():
    raw = PRIVATE.public_key().public_bytes_raw()
    assert key_in(raw.hex()) == key_in(f" {base64.b64encode(raw).decode()}\n") == raw


def test_only_what_can_sign_has_keys_and_only_its_own(session, meter, given, by):
    plug = makers.meter(session, code="plug", shard=shard_of("plug"), dialect=Dialect.TASMOTA)
    with pytest.raises(Conflict):
        register_key(session, plug.id, name="k1", public_key=public(PRIVATE), **given)
    key = register_key(session, meter.id, name="k1", public_key=public(PRIVATE), **given)
    with pytest.raises(NotFound):
        end_key(session, plug.id, key.id, by=by, at=NOW)
    future = {**given, "valid_from": NOW + 9 * HOUR}
    wrong = register_key(session, meter.id, name="k2", public_key=public(OTHER), **future)
    end_key(session, meter.id, wrong.id, by=by, at=NOW + HOUR)
    assert wrong.valid_until > wrong.valid_from
    end_key(session, meter.id, key.id, by=by, at=NOW)
    with pytest.raises(Conflict):
        end_key(session, meter.id, key.id, by=by, at=NOW)
    assert [one.name for one in keys_of(session, meter.id)] == ["k2", "k1"]


def test_the_page_registers_refuses_beside_the_field_and_replaces(app, session):
    world = page_world.build(session)
    client, here = client_of(app, world, "operator"), f"/meters/{world.meter.code}/keys"
    told = {"name": "k9", "public_key": "nonsense", "owner": "示例厂家"}
    refused = client.post(here, data=told)
    assert refused.status_code == 422
    assert "public_key-error" in refused.text
    assert 'value="k9"' in refused.text
    assert client.post(here, data={**told, "public_key": public(THIRD)}).status_code == 302
    assert "k9" in client.get(here).text
    assert "登记密钥" not in client_of(app, world, "administrator").get(here).text
    outsider = makers.person(session, (makers.organization(session), Role.OPERATOR))
    world.people["stranger"] = outsider
    session.commit()
    for who in ("other operator", "stranger"):
        assert client_of(app, world, who).post(here, data=told).status_code == 404
        assert client_of(app, world, who).get(here).status_code == 404
    key = keys_of(session, world.meter.id)[0]
    body = {"name": "k10", "public_key": base64.b64encode(bytes.fromhex(public(OTHER))).decode()}
    assert client.post(f"{here}/{key.id}/rotate", data=body).status_code == 302
    assert client.post(f"{here}/signed-only", data={"signed_only": "on"}).status_code == 302
    session.expire_all()
    assert world.meter.signed_only
    assert clock.now() - keys_of(session, world.meter.id)[0].valid_from < HOUR
