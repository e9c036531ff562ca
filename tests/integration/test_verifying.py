from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.kernel.secrets import key_for
from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, topic_of
from devices.sealing import seal_readings
from devices.verifying import public_key_of, readings_to_verify, verify_seals
from tests import makers
from tests.integration.test_sealing import AT, KEY, said

NAMED = "电表 mt-one 启动 1 序号 4（2026-01-01 00:00:04.004Z）的读数"


@pytest.fixture
def meter(session):
    """Five seals, each of two messages of three readings."""
    made = makers.meter(session, code="mt-one", shard=shard_of("mt-one"))
    for first in range(1, 31, 6):
        ingest(session, [said(made, range(first, first + 3)), said(made, range(first + 3, first + 6))])
        seal_readings(session, at=AT + timedelta(minutes=first), key=KEY)
    session.commit()
    return made


def tampered(session, table: str, deed: str) -> None:
    """What a superuser can do who takes the guard away first."""
    session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    session.execute(text(deed))
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
    session.expire_all()


def found(session, **given) -> list[str]:
    findings = verify_seals(session, **{"trusted": [public_key_of(KEY)], **given})
    return [str(finding) for finding in findings]


def test_what_was_sealed_holds(session, meter):
    looked_at = []
    assert found(session, told=looked_at.append) == []
    assert sum(looked_at) == readings_to_verify(session) == 30


def test_a_changed_power_is_named_with_what_was_sealed(session, meter):
    tampered(session, "reading", "UPDATE reading SET power_mw = 999 WHERE seq = 4")
    assert found(session) == [f"{NAMED}与封存时不同：power_mw 100500 → 999。"]


def test_a_changed_time_or_number_is_named(session, meter):
    tampered(session, "reading", "UPDATE reading SET taken_at = taken_at + interval '2 hours' WHERE seq = 4")
    assert found(session) == [f"{NAMED}与封存时不同：taken_us 1767225604004000 → 1767232804004000。"]


def test_a_removed_reading_is_named_from_its_message(session, meter):
    tampered(session, "reading", "DELETE FROM reading WHERE seq = 4")
    assert found(session) == [f"{NAMED}被删除：封存时功率 100500 mW、电量 4000 mWh。"]


def test_a_reading_that_was_added_is_named(session, meter):
    session.execute(
        text(
            "INSERT INTO reading SELECT meter_id, taken_at + interval '1 ms', boot, 99, content_hash, received_at,"
            " message_id, power_mw, energy_mwh, running, backfill, batch_id FROM reading WHERE seq = 4"
        )
    )
    assert [one for one in found(session) if "序号 99" in one and "封存后加入" in one]
    assert len(found(session)) == 1


def test_a_reading_of_no_batch_is_named(session, meter):
    session.execute(
        text(
            "INSERT INTO reading SELECT meter_id, taken_at + interval '1 ms', boot, 99, content_hash, received_at,"
            " message_id, power_mw, energy_mwh, running, backfill, 12345 FROM reading WHERE seq = 4"
        )
    )
    assert "序号 99" in found(session)[0]
    assert "不属于任何批次" in found(session)[0]


def test_a_changed_message_names_its_readings(session, meter):
    tampered(session, "raw_message", "UPDATE raw_message SET payload = payload || ' ' WHERE id = 2")
    said_so = found(session)
    assert len(said_so) == 3
    assert all("原始报文 #2 被改动过" in one for one in said_so)
    assert "启动 1 序号 4" in said_so[0]


def test_a_removed_message_names_its_readings(session, meter):
    tampered(session, "raw_message", "DELETE FROM raw_message WHERE id = 2")
    assert ["原始报文 #2 被删除" in one for one in found(session)] == [True] * 3


def test_a_reading_that_left_with_its_message_is_missed(session, meter):
    tampered(session, "reading", "DELETE FROM reading WHERE seq BETWEEN 4 AND 6")
    tampered(session, "raw_message", "DELETE FROM raw_message WHERE id = 2")
    assert "序号 3" in found(session)[0]
    assert "少了 3 条封存过的读数" in found(session)[0]


def test_a_changed_seal_and_a_broken_chain_are_named(session, meter):
    tampered(session, "seal", "UPDATE seal SET root = sha256(root) WHERE id = 3")
    said_so = found(session)
    assert any("封存 3 的签名不符" in one for one in said_so)
    assert any("封存 4 与前一次封存接不上" in one for one in said_so)


def test_a_seal_by_another_key_is_not_ours(session, meter):
    assert len(found(session, trusted=[public_key_of(bytes(32))])) == 5


def test_a_removed_seal_is_missed(session, meter):
    tampered(session, "reading_batch", "UPDATE reading_batch SET seal_id = NULL WHERE seal_id = 2")
    tampered(session, "sealed_block", "DELETE FROM sealed_block WHERE seal_id = 2")
    tampered(session, "seal", "UPDATE seal SET previous_id = NULL WHERE id = 3")
    tampered(session, "seal", "DELETE FROM seal WHERE id = 2")
    assert found(session) == ["封存 3 与前一次封存接不上：其间的封存被删除或改动过。"]


def test_changed_hashes_are_told_although_they_prove_nothing(session, meter):
    tampered(session, "sealed_block", "UPDATE sealed_block SET hashes = sha256(hashes) WHERE seal_id = 2")
    assert found(session) == ["封存 2 留存的散列被改动过，被改动的读数可能无法逐条指出。"]


def test_what_was_sealed_before_is_not_looked_at(session, meter):
    tampered(session, "reading", "UPDATE reading SET power_mw = 999 WHERE seq = 4")
    assert found(session, since=AT + timedelta(minutes=10)) == []


def test_a_reading_through_a_carrier_is_named(session):
    bridge = makers.meter(session, code="bridge", shard=shard_of("bridge"), dialect=Dialect.SHELLY)
    told = b'{"id":1,"output":true,"apower":12.5,"aenergy":{"total":7.0,"minute_ts":1767225600}}'
    makers.meter(
        session, code="plug", shard=shard_of("plug"), dialect=Dialect.SHELLY, carrier_id=bridge.id, channel="switch:1"
    )
    ingest(session, [WireMessage(topic_of("bridge", "status/switch:1"), told, AT)])
    assert seal_readings(session, at=AT, key=KEY) == 1
    tampered(session, "reading", "UPDATE reading SET energy_mwh = 1")
    (one,) = found(session)
    assert "电表 plug" in one
    assert "energy_mwh 7000 → 1" in one


def test_the_command_says_so_and_ends_with_one(app, session, meter):
    key = key_for("seals", master=app.config["MASTER_KEY"])
    ingest(session, [said(meter, [31])])
    seal_readings(session, at=AT, key=key)
    session.commit()
    runner = app.test_cli_runner()
    ok = runner.invoke(args=["verify", "seals", "--trust", public_key_of(KEY).hex()])
    assert ok.exit_code == 0, ok.output
    assert "31" in ok.output
    tampered(session, "reading", "UPDATE reading SET power_mw = 999 WHERE seq = 4")
    session.commit()
    bad = runner.invoke(args=["verify", "seals", "--trust", public_key_of(KEY).hex()])
    assert bad.exit_code == 1
    assert f"{NAMED}与封存时不同：power_mw 100500 → 999。" in bad.output
