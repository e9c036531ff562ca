from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from devices.payloads import shelly
from devices.payloads.heard import NOTHING, Packet
from devices.payloads.unreadable import Unreadable

TS = 1_795_000_000.25
TAKEN = datetime(2026, 11, 18, 11, 6, 40, 250_000, tzinfo=UTC)
NOW = TAKEN + timedelta(seconds=1)


def notified(method="NotifyStatus", ts=TS, **components):
    params = {
        **({} if ts is None else {"ts": ts}),
        **{name.replace("_", ":"): said for name, said in components.items()},
    }
    payload = json.dumps({"src": "shellyplus1pm-a8", "dst": "plug/events", "method": method, "params": params})
    return shelly.read(Packet("events/rpc", payload.encode(), NOW))


def state(component, said, *, received_at=NOW, repeated=False):
    return shelly.read(Packet(f"status/{component}", json.dumps(said).encode(), received_at, repeated=repeated))


def test_B5_only_apower_is_a_sample_of_power_and_says_nothing_of_the_counter():
    ((channel, sample),) = notified(switch_0={"id": 0, "apower": 2.7}).samples
    assert (channel, sample.power_mw, sample.energy_mwh, sample.taken_at) == ("", 2700, None, TAKEN)
    assert (sample.boot, sample.seq) == (0, 0)


def test_B6_the_total_is_in_watt_hours():
    counter = {"by_minute": [34.786, 45.552, 45.552], "minute_ts": 1_795_000_000, "total": 7258.589}
    ((_, sample),) = notified(switch_0={"id": 0, "aenergy": counter, "apower": 2.7}).samples
    assert sample.energy_mwh == 7_258_589


@pytest.mark.parametrize(
    "said",
    [
        {"switch_0": {"id": 0, "temperature": {"tC": 41.5, "tF": 106.7}}},
        {"switch_0": {"id": 0, "voltage": 229.9, "current": 0.1}},
        {"switch_0": {"id": 0, "apower": None}},
        {"wifi": {"rssi": -60}, "sys": {"unixtime": 1_795_000_000}},
        {"input_0": {"id": 0, "state": True}, "switch": {"apower": 3}, "switch_x": {"apower": 3}},
        {},
    ],
)
def test_what_did_not_change_is_no_reading(said):
    heard = notified(**said)
    assert [*heard.samples, *heard.relays] == []


def test_a_full_status_tells_each_channel_and_each_relay():
    heard = notified(
        "NotifyFullStatus",
        switch_0={"id": 0, "output": True, "apower": 100.0, "aenergy": {"total": 5.0}},
        switch_1={"id": 1, "output": False, "apower": 0.0, "aenergy": {"total": 6.5}, "ret_aenergy": {"total": 9.0}},
        sys={"unixtime": 1},
    )
    told = {channel: (sample.power_mw, sample.energy_mwh) for channel, sample in heard.samples}
    assert told == {"": (100_000, 5000), "switch:1": (0, 6500)}
    assert heard.relays == [("", True), ("switch:1", False)]


def test_power_and_counter_of_one_channel_in_two_components_are_one_sample():
    heard = notified(em1_1={"id": 1, "act_power": 10}, em1data_1={"id": 1, "total_act_energy": 20})
    ((channel, sample),) = heard.samples
    assert (channel, sample.power_mw, sample.energy_mwh) == ("em1:1", 10_000, 20_000)
    ((channel, sample),) = notified(em_0={"total_act_power": 3}, emdata_0={"total_act": 4}).samples
    assert (channel, sample.power_mw, sample.energy_mwh) == ("", 3000, 4000)
    with pytest.raises(Unreadable, match="two components"):
        notified(switch_0={"apower": 1}, pm1_0={"apower": 2})


@pytest.mark.parametrize("ts", [None, 12.5, 4_200_000_000, 10**400])
def test_a_device_without_a_clock_is_named(ts):
    with pytest.raises(Unreadable) as caught:
        notified(ts=ts, pm1_0={"apower": 5})
    assert caught.value.reason == "clock_not_set"
    assert notified(ts=ts, pm1_0={"output": True}).relays == [("", True)]  # which asks for no time


@pytest.mark.parametrize("said", [{"apower": -5}, {"apower": 1e300}, {"aenergy": {"total": -1}}, {"apower": "much"}])
def test_numbers_that_no_plug_can_mean_are_kept_aside(said):
    with pytest.raises(Unreadable):
        notified(switch_0=said)


def test_a_state_holds_from_its_receipt():
    heard = state("switch:1", {"id": 1, "output": True, "apower": 9.1, "aenergy": {"total": 3.25}})
    ((channel, sample),) = heard.samples
    assert (channel, sample.power_mw, sample.energy_mwh, sample.taken_at) == ("switch:1", 9100, 3250, NOW)
    assert heard.relays == [("switch:1", True)]


def test_a_state_that_was_held_up_holds_from_the_end_of_its_minute_and_only_once():
    said = {"id": 0, "apower": 9, "aenergy": {"total": 3, "minute_ts": 1_795_000_000}}
    late = [state("pm1:0", said, received_at=NOW + timedelta(hours=hours), repeated=hours > 1) for hours in (1, 2)]
    assert late[0] == late[1]
    assert late[0].samples[0][1].taken_at == datetime(2026, 11, 18, 11, 7, 40, tzinfo=UTC)


def test_a_state_that_the_broker_repeats_gets_no_new_moment():
    assert state("switch:0", {"apower": 9, "aenergy": {"total": 3}}, repeated=True) == NOTHING


def test_what_else_a_shelly_says_is_no_reading():
    event = b'{"src":"x","method":"NotifyEvent","params":{"ts":1795000000.1,"events":[{"event":"single_push"}]}}'
    answer = b'{"id":7,"src":"shelly","dst":"us","result":{"was_on":false}}'
    for suffix, payload in [
        ("events/rpc", event),
        ("events/rpc", answer),
        ("us/rpc", answer),
        ("status/wifi", b'{"rssi":-60}'),
        ("status/switch:0", b'{"id":0,"temperature":{"tC":40.1}}'),
        ("debug/log", b"text"),
        ("announce", b"{}"),
    ]:
        heard = shelly.read(Packet(suffix, payload, NOW))
        assert [*heard.samples, *heard.relays, *heard.answers] == []
    assert shelly.read(Packet("online", b"true", NOW)).online is True
    assert shelly.read(Packet("online", b"false", NOW)).online is False
    for suffix in ("data", "tele/SENSOR"):
        with pytest.raises(Unreadable):
            shelly.read(Packet(suffix, b"{}", NOW))
