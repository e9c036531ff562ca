from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.proving import Proof, as_json, prove
from devices.rules.topic import shard_of, topic_of
from devices.sealing import seal_readings
from devices.verifying import public_key_of
from tests import makers
from tests.integration.test_sealing import AT, KEY, said
from tests.integration.test_verifying import tampered

VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "verify_proof.py"


@pytest.fixture
def meter(session):
    """9,000 sealed readings in messages of 45, one of them with everything that a meter may say; one more unsealed."""
    made = makers.meter(session, code="mt-one", shard=shard_of("mt-one"))
    ingest(session, [said(made, range(first, first + 45)) for first in range(1, 9001, 45)])
    ingest(session, [said(made, [9001], running=True, count=3, power_w=None)])
    seal_readings(session, at=AT, key=KEY)
    ingest(session, [said(made, [9002])])
    return made


def proof(session, meter, seq: int) -> Proof:
    row = session.execute(text("SELECT * FROM reading WHERE seq = :seq"), {"seq": seq}).one()
    found = prove(
        session, meter_id=meter.id, taken_at=row.taken_at, boot=row.boot, seq=seq, content_hash=row.content_hash
    )
    assert found is not None
    return found


@pytest.mark.parametrize("seq", [1, 2, 4096, 4097, 8192, 8193, 9000, 9001])
def test_every_sealed_reading_is_proved_also_across_blocks(session, meter, seq):
    found = proof(session, meter, seq)
    assert found.holds
    assert found.index == seq - 1


def test_what_is_not_sealed_or_was_changed_is_not_proved(session, meter):
    assert proof(session, meter, 9002).seal is None
    assert not proof(session, meter, 9002).holds
    tampered(session, "reading", "UPDATE reading SET power_mw = 1 WHERE seq = 7")
    found = proof(session, meter, 7)
    assert (found.seal is None, found.index, found.holds) == (False, None, False)
    assert proof(session, meter, 8).holds


def by_stranger(told: dict, folder: Path, key: bytes = public_key_of(KEY)) -> tuple[int, str]:
    """The verifier that anybody may take along: an isolated Python without a single package."""
    file = folder / "proof.json"
    file.write_text(json.dumps(told))
    run = subprocess.run(
        [sys.executable, "-I", "-S", VERIFIER, file, key.hex()], capture_output=True, text=True, check=False
    )
    assert not run.stderr, run.stderr
    return run.returncode, run.stdout


def test_a_stranger_checks_the_proof_with_the_standard_library_alone(session, meter, tmp_path):
    for seq in (1, 5000, 9001):
        found = proof(session, meter, seq)
        code, said_so = by_stranger(as_json(found, found.seal), tmp_path)
        assert (code, said_so.partition(":")[0]) == (0, "holds"), said_so
        assert f"number {seq}" in said_so


def test_a_stranger_finds_every_forgery(session, meter, tmp_path):
    found = proof(session, meter, 5000)
    told = as_json(found, found.seal)

    def forged(part: str, name: str, value: object) -> dict:
        other = copy.deepcopy(told)
        other[part][name] = value
        return other

    forgeries = [
        forged("leaf", "power_mw", 1),
        forged("leaf", "seq", 4999),
        forged("leaf", "meter", "mt-two"),
        forged("leaf", "key_id", 1),
        forged("message", "topic", topic_of("mt-two", "data")),
        forged("message", "payload_base64", ""),
        forged("seal", "root", "00" * 32),
        forged("seal", "leaf_count", 9000),
        forged("seal", "sealed_us", 0),
        forged("seal", "previous_hash", "11" * 32),
        forged("seal", "signature", "00" * 64),
        {**told, "index": 0},
        {**told, "path": told["path"][:-1]},
        {**told, "path": [*told["path"], "00" * 32]},
    ]
    for forgery in forgeries:
        code, said_so = by_stranger(forgery, tmp_path)
        assert (code, said_so.partition(":")[0]) == (1, "does not hold"), said_so
    assert by_stranger(told, tmp_path, key=public_key_of(bytes(32)))[0] == 1


def test_readings_that_do_not_count_are_proved_by_what_they_say(session):
    plug = makers.meter(session, code="plug", shard=shard_of("plug"), dialect="tasmota")
    payload = b'{"Time":"2026-01-01T12:00:00","ENERGY":{"Total":1.5,"Power":3}}'
    ingest(session, [WireMessage(topic_of("plug", "tele/SENSOR"), payload, AT)])
    seal_readings(session, at=AT, key=KEY)
    assert proof(session, plug, 0).holds
