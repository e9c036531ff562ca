from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.models import DeadLetter, DisputedReading, ReceivedSequence
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, topic_of
from tests import makers
from tests.makers import BEGINNING

AT = BEGINNING + timedelta(days=1)


def native(meter, seqs, *, boot: int = 1, power: int = 100, suffix: str = "data") -> WireMessage:
    readings = [
        {"seq": seq, "at_ms": int(BEGINNING.timestamp() * 1000) + seq * 1000, "power_w": power, "energy_wh": seq}
        for seq in seqs
    ]
    payload = json.dumps({"v": 1, "boot": boot, "readings": readings}).encode()
    return WireMessage(topic_of(meter.code, suffix), payload, AT)


def count(session) -> int:
    return session.scalar(text("SELECT count(*) FROM reading"))


@pytest.fixture
def meter(session):
    return makers.meter(session, code="mt-one", shard=shard_of("mt-one"))


def test_a_message_that_comes_twice_is_stored_once(session, meter):
    first = ingest(session, [native(meter, range(1, 11))])
    again = ingest(session, [native(meter, range(1, 11)), native(meter, range(5, 16)), native(meter, range(5, 16))])
    assert (first.stored, again.stored, again.known) == (10, 5, 27)
    assert count(session) == 15
    assert session.scalar(text("SELECT count(*) FROM raw_message")) == 2
    assert [one.upto for one in again.acknowledgements] == [15]


def test_a_gap_holds_the_acknowledgement_until_it_is_filled(session, meter):
    assert ingest(session, [native(meter, [1, 2, 5])]).acknowledgements[0].upto == 2
    assert ingest(session, [native(meter, [3, 4])]).acknowledgements[0].upto == 5
    assert len(session.scalars(select(ReceivedSequence.numbers)).one()) == 1


def test_a_number_with_other_content_is_disputed_and_the_first_stands(session, meter):
    ingest(session, [native(meter, [1, 2])])
    for _ in range(2):
        assert ingest(session, [native(meter, [2, 3], power=999)]).disputed == 1
    assert session.scalar(select(func.count()).select_from(DisputedReading)) == 1
    assert session.scalar(text("SELECT power_mw FROM reading WHERE seq = 2")) == 100_000


def test_another_boot_counts_anew(session, meter):
    result = ingest(session, [native(meter, [1, 2]), native(meter, [1, 2], boot=2)])
    assert (result.stored, count(session)) == (4, 4)


def test_a_tasmota_reading_is_known_by_what_it_says(session):
    plug = makers.meter(session, code="plug", shard=shard_of("plug"), dialect=Dialect.TASMOTA)
    said = json.dumps({"Time": "2026-01-01T12:00:00", "ENERGY": {"Total": 1.5, "Power": 100}}).encode()
    message = WireMessage(topic_of(plug.code, "tele/SENSOR"), said, AT)
    assert ingest(session, [message, message]).stored == 1
    assert ingest(session, [message]).stored == 0
    assert count(session) == 1
    assert ingest(session, [WireMessage(topic_of(plug.code, "tele/LWT"), b"Online", AT)]).kept_aside == 0


def test_a_reading_of_the_first_hours_of_a_local_month_finds_its_place(session):
    plug = makers.meter(session, code="plug", shard=shard_of("plug"), dialect=Dialect.TASMOTA)
    said = json.dumps({"Time": "2025-12-01T03:00:00", "ENERGY": {"Total": 1.5, "Power": 100}}).encode()
    assert ingest(session, [WireMessage(topic_of(plug.code, "tele/SENSOR"), said, AT)]).stored == 1
    assert session.scalar(text("SELECT taken_at FROM reading")).month == 11


def test_what_cannot_be_read_is_kept_aside_with_its_reason_and_the_rest_is_stored(session, meter):
    bad = [
        WireMessage("elsewhere", b"x", AT),
        WireMessage(topic_of("nobody", "data"), b"x", AT),
        native(meter, [1], suffix="date"),
        WireMessage(topic_of(meter.code, "data"), b"{" * 10, AT),
        WireMessage(topic_of(meter.code, "data"), b"x" * 300_000, AT),
        WireMessage(f"m/{(meter.shard + 1) % 16}/{meter.code}/data", b"{}", AT),
        WireMessage(topic_of(meter.code, "data"), native(meter, [1]).payload, BEGINNING - timedelta(hours=1)),
    ]
    result = ingest(session, [*bad, native(meter, [1, 2, 3]), WireMessage(topic_of(meter.code, "ack"), b"{}", AT)])
    assert (result.kept_aside, result.stored) == (7, 3)
    assert session.scalars(select(DeadLetter.reason).order_by(DeadLetter.id)).all() == [
        "wrong_topic", "unknown_meter", "wrong_topic", "not_json", "too_large", "wrong_topic", "clock_ahead",
    ]  # fmt: skip
    assert all(session.scalars(select(DeadLetter.detail)))
