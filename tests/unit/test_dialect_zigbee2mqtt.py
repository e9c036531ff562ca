from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from devices.payloads import zigbee2mqtt
from devices.payloads.heard import NOTHING, Packet
from devices.payloads.unreadable import Unreadable

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
SAID = {"state": "ON", "power": 12.3, "current": 0.05, "voltage": 230, "energy": 1.23, "linkquality": 120}


class Bridge:
    """A bridge as the listener sees it: its memory is stored as JSON between messages."""

    def __init__(self):
        self.memory = "{}"

    def hears(self, *, plug="press", after_s=0, repeated=False, **changes):
        memory = json.loads(self.memory)
        payload = json.dumps({**SAID, **changes}).encode()
        packet = Packet(plug, payload, NOW + timedelta(seconds=after_s), memory, repeated=repeated)
        try:
            return [sample for _, sample in zigbee2mqtt.read(packet).samples]
        finally:
            self.memory = json.dumps(memory)


def test_watts_and_kilowatt_hours_of_a_plug_by_its_friendly_name():
    heard = zigbee2mqtt.read(Packet("hall/press", json.dumps(SAID).encode(), NOW))
    ((channel, sample),) = heard.samples
    assert (channel, sample.power_mw, sample.energy_mwh, sample.taken_at) == ("hall/press", 12_300, 1_230_000, NOW)
    assert heard.relays == [("hall/press", True)]


def test_B7_what_the_cache_repeats_is_no_new_energy_and_no_fresh_measurement():
    bridge = Bridge()
    assert len(bridge.hears()) == 1
    assert bridge.hears(after_s=60, linkquality=99) == []
    (changed,) = bridge.hears(after_s=120, power=15)
    assert (changed.power_mw, changed.energy_mwh) == (15_000, 1_230_000)
    assert len(bridge.hears(after_s=120, plug="other")) == 1


def test_B7_with_last_seen_the_time_is_the_plugs_and_a_newer_one_confirms():
    bridge = Bridge()
    (first,) = bridge.hears(last_seen="2026-11-18T19:59:30.250+08:00")
    assert first.taken_at == datetime(2026, 11, 18, 11, 59, 30, 250_000, tzinfo=UTC)
    assert bridge.hears(after_s=60, last_seen="2026-11-18T11:59:30.250Z", linquality=1) == []
    assert bridge.hears(after_s=60, last_seen="2026-11-18T11:50:00Z") == []
    (confirmed,) = bridge.hears(after_s=90, last_seen=int(NOW.timestamp() * 1000))
    assert confirmed.taken_at == NOW
    assert bridge.hears(after_s=100, last_seen="2026-11-18T11:59:50Z") == []  # behind what is known


def test_a_message_that_the_broker_sends_again_is_not_measured_again():
    bridge = Bridge()
    bridge.hears(power=1)
    bridge.hears(power=2, after_s=1)
    assert bridge.hears(power=1, after_s=600, repeated=True) == []
    assert bridge.hears(power=2, after_s=601, repeated=True) == []
    assert len(bridge.hears(power=3, after_s=602, repeated=True)) == 1  # the first copy was never stored


def test_the_memory_of_a_bridge_stays_small():
    bridge = Bridge()
    for number in range(zigbee2mqtt.MOST_CHANNELS + 40):
        for power in range(zigbee2mqtt.MOST_DIGESTS + 2):
            bridge.hears(plug=f"plug {number}", after_s=number, power=power)
    assert len(json.loads(bridge.memory)["channels"]) == zigbee2mqtt.MOST_CHANNELS
    assert "plug 0" not in bridge.memory
    assert len(bridge.memory) < 64 * 1024


@pytest.mark.parametrize(
    ("suffix", "payload", "online"),
    [
        ("bridge/state", b'{"state":"online"}', True),
        ("bridge/state", b'{"state":"offline"}', False),
        ("bridge/state", b"offline", False),
        ("bridge/devices", b"[]", None),
        ("bridge/logging", b"text", None),
        ("press/availability", b'{"state":"offline"}', None),
        ("thermometer", b'{"temperature":21.5,"state":null}', None),
        ("press", b'{"power":null,"energy":null}', None),
    ],
)
def test_what_a_bridge_says_of_itself_is_no_reading(suffix, payload, online):
    heard = zigbee2mqtt.read(Packet(suffix, payload, NOW))
    assert (heard.samples, heard.online) == (NOTHING.samples, online)


@pytest.mark.parametrize(
    "changes",
    [
        {"power": -1},
        {"energy": 1e300},
        {"energy": "1e9999999"},
        {"energy": "NaN"},
        {"last_seen": "yesterday"},
        {"last_seen": "2026-11-18T11:59:30"},  # where?
        {"last_seen": "2026-11-18"},
        {"last_seen": 12},
        {"last_seen": 10**30},
        {"last_seen": True},
    ],
)
def test_what_no_plug_can_mean_is_kept_aside_and_not_remembered(changes):
    bridge = Bridge()
    with pytest.raises(Unreadable):
        bridge.hears(**changes)
    assert len(bridge.hears()) == 1


def test_a_name_that_no_plug_can_have_is_kept_aside():
    for name in ("a\0b", "x" * 121):
        with pytest.raises(Unreadable):
            Bridge().hears(plug=name)
