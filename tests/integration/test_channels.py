"""Several meters that share one connection, each heard as itself."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from devices.hearing import WireMessage
from devices.ingesting import ingest
from devices.models import DeadLetter, RelayState, WireMemory
from devices.payloads import sparkplug_message as wire
from devices.rules.evidence import Dialect
from devices.rules.topic import shard_of, sparkplug_topic, topic_of
from tests import makers
from tests.makers import BEGINNING

AT = BEGINNING + timedelta(days=1)
AT_MS = int(AT.timestamp() * 1000)


def carrier(session, code, dialect):
    return makers.meter(session, code=code, shard=shard_of(code), dialect=dialect)


def carried(session, by, channel, **given):
    code = f"{by.code}-{channel.replace(':', '-')}"
    return makers.meter(
        session, code=code, shard=by.shard, dialect=by.dialect, carrier_id=by.id, channel=channel, **given
    )


def readings(session, meter):
    told = text("SELECT power_mw, energy_mwh FROM reading WHERE meter_id = :meter ORDER BY taken_at, energy_mwh")
    return [tuple(row) for row in session.execute(told, {"meter": meter.id})]


def aside(session):
    return session.execute(
        select(DeadLetter.meter_id, DeadLetter.reason, DeadLetter.detail).order_by(DeadLetter.id)
    ).all()


def relays(session):
    return {row.meter_id: row.on for row in session.execute(select(RelayState.meter_id, RelayState.on))}


def shelly(meter, *, after_s=0, **components):
    params = {"ts": AT.timestamp() + after_s} | {name.replace("_", ":"): said for name, said in components.items()}
    payload = json.dumps({"src": "shellypro2pm", "method": "NotifyStatus", "params": params}).encode()
    return WireMessage(topic_of(meter.code, "events/rpc"), payload, AT + timedelta(seconds=after_s))


def zigbee(meter, name, *, after_s=0, repeated=False, **said):
    payload = json.dumps({"linkquality": 100, **said}).encode()
    return WireMessage(topic_of(meter.code, name), payload, AT + timedelta(seconds=after_s), repeated=repeated)


def sparkplug(meter, suffix, seq, *metrics, after_s=0):
    payload = wire.Payload(timestamp=AT_MS + after_s * 1000, seq=seq)
    for metric in metrics:
        payload.metrics.add(**metric)
    return WireMessage(
        sparkplug_topic(meter.code, suffix), payload.SerializeToString(), AT + timedelta(seconds=after_s)
    )


@pytest.fixture
def two_channels(session):
    first = carrier(session, "shelly-a", Dialect.SHELLY)
    return first, carried(session, first, "switch:1")


def test_the_two_channels_of_a_shelly_are_two_meters(session, two_channels):
    first, second = two_channels
    both = {
        "switch_0": {"id": 0, "output": True, "apower": 10.0, "aenergy": {"total": 100.5}},
        "switch_1": {"id": 1, "output": False, "apower": 0.0, "aenergy": {"total": 7.0}},
    }
    result = ingest(session, [shelly(first, **both), shelly(first, after_s=9, switch_1={"id": 1, "apower": 3.5})])
    assert (result.stored, result.kept_aside) == (3, 0)
    assert readings(session, first) == [(10_000, 100_500)]
    assert readings(session, second) == [(0, 7000), (3500, None)]
    assert relays(session) == {first.id: True, second.id: False}
    assert ingest(session, [shelly(first, **both)]).known == 2
    assert result.acknowledgements == []


def test_a_channel_that_nobody_registered_is_kept_aside_and_the_others_are_stored(session, two_channels):
    first, _ = two_channels
    said = {"switch_0": {"apower": 1}, "switch_2": {"apower": 2, "output": True}}
    assert ingest(session, [shelly(first, **said)]).stored == 1
    ((meter_id, reason, detail),) = aside(session)
    assert (meter_id, reason) == (first.id, "unknown_channel")
    assert "switch:2" in detail


def test_a_channel_that_is_switched_off_is_kept_aside(session):
    first = carrier(session, "shelly-b", Dialect.SHELLY)
    carried(session, first, "switch:1", active=False)
    assert ingest(session, [shelly(first, switch_1={"apower": 2})]).stored == 0
    assert [reason for _, reason, _ in aside(session)] == ["inactive_meter"]


def test_plugs_behind_a_zigbee_bridge_are_meters_by_their_friendly_names(session):
    bridge = carrier(session, "zb-1", Dialect.ZIGBEE2MQTT)
    press, oven = carried(session, bridge, "press"), carried(session, bridge, "oven")
    result = ingest(
        session,
        [
            zigbee(bridge, "press", power=12, energy=1.5, state="ON"),
            zigbee(bridge, "oven", power=900, energy=3),
            zigbee(bridge, "press", after_s=5, power=12, energy=1.5, state="ON"),  # from the cache
            zigbee(bridge, "lamp", state="ON"),
            zigbee(bridge, "bridge/devices"),
        ],
    )
    assert (result.stored, result.kept_aside) == (2, 0)
    assert (readings(session, press), readings(session, oven)) == ([(12_000, 1_500_000)], [(900_000, 3_000_000)])
    assert relays(session) == {press.id: True}


def test_the_memory_of_a_bridge_outlives_the_batch(session):
    bridge = carrier(session, "zb-2", Dialect.ZIGBEE2MQTT)
    press = carried(session, bridge, "press")
    for after_s, repeated, watts in [(0, False, 12), (60, False, 12), (70, False, 15), (600, True, 12)]:
        ingest(session, [zigbee(bridge, "press", after_s=after_s, repeated=repeated, power=watts, energy=1.5)])
    assert readings(session, press) == [(12_000, 1_500_000), (15_000, 1_500_000)]
    assert "press" in session.scalar(select(WireMemory.memory).where(WireMemory.meter_id == bridge.id))["channels"]


def test_a_plug_that_nobody_registered_is_kept_aside(session):
    bridge = carrier(session, "zb-3", Dialect.ZIGBEE2MQTT)
    assert ingest(session, [zigbee(bridge, "kettle", power=900, energy=3)]).stored == 0
    ((meter_id, reason, detail),) = aside(session)
    assert (meter_id, reason) == (bridge.id, "unknown_channel")
    assert "kettle" in detail


def test_a_sparkplug_node_and_the_devices_behind_it(session):
    node = carrier(session, "node-1", Dialect.SPARKPLUG)
    press = carried(session, node, "press")
    power = {"name": b"power_w", "alias": 1, "double_value": 5.0}
    energy = {"name": b"energy_wh", "alias": 2, "double_value": 100.0}
    result = ingest(
        session,
        [
            sparkplug(node, "NBIRTH", 0, {"name": b"bdSeq", "int_value": 0}, power),
            sparkplug(node, "DBIRTH/press", 1, energy),
            sparkplug(node, "DDATA/press", 2, {"alias": 2, "double_value": 101.0}, after_s=10),
            sparkplug(node, "NDATA", 3, {"alias": 1, "double_value": 6.0}, after_s=11),
        ],
    )
    assert (result.stored, result.kept_aside, result.answers) == (4, 0, [])
    assert readings(session, node) == [(5000, None), (6000, None)]
    assert readings(session, press) == [(None, 100_000), (None, 101_000)]
    # The next batch knows what the first one learnt, and a number that is left out is asked for.
    result = ingest(session, [sparkplug(node, "DDATA/press", 5, {"alias": 2, "double_value": 103.0}, after_s=20)])
    ((topic, payload),) = result.answers
    assert topic == sparkplug_topic("node-1", "NCMD")
    assert b"Node Control/Rebirth" in payload
    assert readings(session, press)[-1] == (None, 103_000)
    # Our own command comes back from the broker, and is no reading.
    assert ingest(session, [WireMessage(topic, payload, AT)]).kept_aside == 0


def test_what_a_stale_node_said_becomes_a_reading_at_its_birth_with_the_message_that_says_it(session):
    node = carrier(session, "node-3", Dialect.SPARKPLUG)
    metrics = [
        {"name": b"power_w", "alias": 1, "double_value": 5.0},
        {"name": b"energy_wh", "alias": 2, "double_value": 100.0},
    ]
    said = [{"alias": 1, "double_value": 6.0}, {"alias": 2, "double_value": 102.0}]
    stale = sparkplug(node, "NDATA", 2, *said, after_s=20)
    assert len(ingest(session, [sparkplug(node, "NBIRTH", 0, *metrics), stale]).answers) == 1
    assert readings(session, node) == [(5000, 100_000), (None, 102_000)]
    birth = sparkplug(node, "NBIRTH", 0, *metrics, after_s=50)
    assert ingest(session, [birth]).stored == 2
    assert sorted(readings(session, node), key=str) == sorted(
        [(5000, 100_000), (None, 102_000), (6000, 102_000), (5000, 100_000)], key=str
    )
    told = text(
        "SELECT reading.taken_at, reading.received_at, payload FROM reading JOIN raw_message"
        " ON raw_message.id = message_id AND raw_message.received_at = reading.received_at WHERE power_mw = 6000"
    )
    ((taken_at, received_at, payload),) = session.execute(told).all()
    assert (taken_at, received_at, bytes(payload)) == (stale.received_at, stale.received_at, stale.payload)
    assert ingest(session, [birth, stale]).stored == 0


def test_a_rebirth_is_asked_for_even_where_the_device_is_nobodys(session):
    node = carrier(session, "node-2", Dialect.SPARKPLUG)
    energy = {"name": b"energy_wh", "double_value": 100.0}
    result = ingest(session, [sparkplug(node, "DDATA/kiln", 9, energy)])
    assert (result.stored, len(result.answers)) == (0, 1)
    assert [reason for _, reason, _ in aside(session)] == ["unknown_channel"]
