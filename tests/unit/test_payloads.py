from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.payloads import native, tasmota
from devices.payloads.heard import Packet
from devices.payloads.unreadable import Unreadable

GOOD = {
    "v": 1,
    "boot": 7,
    "readings": [{"seq": 1, "at_ms": 1_795_000_000_000, "power_w": 1234.5, "energy_wh": 12.3456}],
}


NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)


SUFFIXES = {native: "data", tasmota: "tele/SENSOR"}


def samples_of(dialect, suffix, payload):
    return [sample for _, sample in dialect.read(Packet(suffix, payload, NOW)).samples]


def native_bytes(**changes) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_a_native_message_is_read_in_thousandths():
    (sample,) = samples_of(native, "data", native_bytes())
    assert (sample.boot, sample.seq, sample.power_mw, sample.energy_mwh) == (7, 1, 1_234_500, 12_345)
    assert sample.taken_at == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "reason", "named"),
    [
        (b"", "not_json", ""),
        (b"\xff\xfe", "not_json", ""),
        (b"[" * 5000, "invalid_field", ""),
        (native_bytes(v=2), "invalid_field", "$.v"),
        (native_bytes(boot="x"), "invalid_field", "$.boot"),
        (native_bytes(readings=[]), "invalid_field", "$.readings"),
        (native_bytes(readings=[{"seq": 0, "at_ms": 1_795_000_000_000}]), "invalid_field", "seq"),
        (native_bytes(readings=[{"seq": 1, "at_ms": 5}]), "invalid_field", "at_ms"),
        (native_bytes(readings=[{"seq": 1, "at_ms": 1_795_000_000_000, "power_w": -1}]), "out_of_range", "power_w"),
        (native_bytes(readings=[{"seq": 1, "at_ms": 1_795_000_000_000}]), "says_nothing", "power_w"),
    ],
)
def test_what_cannot_be_read_says_which_field(payload, reason, named):
    with pytest.raises(Unreadable) as caught:
        samples_of(native, "data", payload)
    assert caught.value.reason == reason
    assert named in str(caught.value)


def test_tasmota_speaks_local_time_kilowatt_hours_and_phases():
    said = {"Time": "2026-10-26T17:28:45", "ENERGY": {"Total": [1.5, 0.25], "Power": [100, 20], "Today": 0.1}}
    (sample,) = samples_of(tasmota, "tele/SENSOR", json.dumps(said).encode())
    assert sample.taken_at == datetime(2026, 10, 26, 9, 28, 45, tzinfo=UTC)
    assert (sample.power_mw, sample.energy_mwh) == (120_000, 1_750_000)


@pytest.mark.parametrize(
    ("energy", "named"),
    [
        (b'"Power":1,"Total":1e999999', "ENERGY.Total"),
        (b'"Power":1,"Total":1e9999999', "ENERGY.Total"),
        (b'"Power":1,"Total":-1', "ENERGY.Total"),
        (b'"Power":["sNaN",1],"Total":1', "ENERGY.Power"),
        (b'"Power":["Infinity","-Infinity"],"Total":1', "ENERGY.Power"),
        (b'"Power":[],"Total":1', "ENERGY.Power"),
        (b'"Power":true,"Total":1', "ENERGY.Power"),
    ],
)
def test_a_number_that_no_plug_can_mean_is_named(energy, named):
    with pytest.raises(Unreadable, match=named):
        samples_of(tasmota, "tele/SENSOR", b'{"Time":"2026-01-02T03:04:05","ENERGY":{' + energy + b"}}")


def test_B4_the_counter_of_today_is_not_read():
    said = [
        {"Time": f"2026-10-26T{clock}", "ENERGY": {"Total": 9.5, "Today": today, "Yesterday": 3.2, "Power": 0}}
        for clock, today in (("23:59:00", 3.2), ("00:01:00", 0.0))
    ]
    assert [samples_of(tasmota, "tele/SENSOR", json.dumps(one).encode())[0].energy_mwh for one in said] == [
        9_500_000
    ] * 2


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2018.02.04 23:17:01", datetime(2018, 2, 4, 15, 17, 1, tzinfo=UTC)),
        ("2026-10-26T17:28:45", datetime(2026, 10, 26, 9, 28, 45, tzinfo=UTC)),
        ("2026-10-26T17:28:45+02:00", datetime(2026, 10, 26, 15, 28, 45, tzinfo=UTC)),
        (1_793_006_925, datetime(2026, 10, 26, 9, 28, 45, tzinfo=UTC)),
        (12, None),
        ("2026-10-26", None),
        ("1970-01-01T00:00:12", None),
        ("0001-01-01T00:00:00", None),
        ("2026-13-01T00:00:00", None),
        ("20261026T172845", None),
    ],
)
def test_the_time_of_a_tasmota_is_local_and_whole(time, expected):
    said = json.dumps({"Time": time, "ENERGY": {"Total": 1, "Power": 1}}).encode()
    if expected is None:
        with pytest.raises(Unreadable, match="Time"):
            samples_of(tasmota, "tele/SENSOR", said)
    else:
        assert samples_of(tasmota, "tele/SENSOR", said)[0].taken_at == expected


def test_a_tasmota_that_tells_the_epoch_needs_no_time_zone():
    said = {"Time": "2026-10-26T05:28:45", "Epoch": 1_793_006_925, "ENERGY": {"Total": 1, "Power": 1}}
    (sample,) = samples_of(tasmota, "tele/SENSOR", json.dumps(said).encode())
    assert sample.taken_at == datetime(2026, 10, 26, 9, 28, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("suffix", "payload", "relays"),
    [
        ("stat/POWER", b"ON", [("", True)]),
        ("stat/POWER1", b"OFF", [("", False)]),
        ("stat/POWER2", b"ON", [("POWER2", True)]),
        ("stat/RESULT", b'{"POWER":"OFF"}', [("", False)]),
        ("tele/STATE", b'{"Time":"x","POWER1":"ON","POWER2":"OFF","Wifi":{}}', [("", True), ("POWER2", False)]),
        ("stat/RESULT", b'{"TelePeriod":10}', []),
        ("tele/INFO1", b"text", []),
        ("stat/STATUS8", b"{}", []),
    ],
)
def test_what_a_tasmota_says_of_its_relays(suffix, payload, relays):
    heard = tasmota.read(Packet(suffix, payload, NOW))
    assert (list(heard.relays), list(heard.samples)) == (relays, [])


def test_what_a_tasmota_cannot_mean_is_kept_aside():
    for suffix, payload in [
        ("stat/POWER", b"TOGGLE"),
        ("tele/LWT", b"online"),
        ("stat/RESULT", b"[]"),
        ("tele/SENSOR", b'{"Time":"2026-10-26T17:28:45","AM2301":{"Temperature":20}}'),
        ("tele/SENSOR", b'{"Time":"2026-10-26T17:28:45","ENERGY":{"Today":1}}'),
        ("cmnd/POWER", b"ON"),
        ("data", b"{}"),
    ]:
        with pytest.raises(Unreadable):
            tasmota.read(Packet(suffix, payload, NOW))
    assert tasmota.read(Packet("tele/LWT", b"Offline", NOW)).online is False


def test_a_native_device_tells_state_counts_relay_status_and_backfill():
    reading = {"seq": 1, "at_ms": 1_795_000_000_000, "running": True, "count": 12}
    heard = native.read(Packet("data", native_bytes(readings=[reading], backfill=True), NOW))
    ((channel, sample),) = heard.samples
    assert (channel, sample.running, sample.count, sample.power_mw, heard.backfill) == ("", True, 12, None, True)
    assert native.read(Packet("relay", b'{"on":true}', NOW)).relays == [("", True)]
    assert native.read(Packet("status", b'{"online":false}', NOW)).online is False
    assert native.read(Packet("status", b'{"firmware":"1.2"}', NOW)).online is None
    with pytest.raises(Unreadable):
        native.read(Packet("relay", b'{"on":"yes"}', NOW))


NUMBERS = st.decimals(allow_nan=True, allow_infinity=True).map(str) | st.from_regex(
    r"-?[0-9]{1,40}(\.[0-9]{1,40})?(e-?[0-9]{1,7})?", fullmatch=True
)


@given(NUMBERS, NUMBERS, st.booleans())
def test_no_number_however_odd_does_anything_but_be_read_or_kept_aside(power, total, quoted):
    mark = '"' if quoted else ""
    power, total = f"{mark}{power}{mark}", f"{mark}{total}{mark}"
    told = [
        (tasmota, f'{{"Time":"2026-01-02T03:04:05","ENERGY":{{"Power":[{power},1],"Total":{total}}}}}'),
        (native, f'{{"v":1,"boot":0,"readings":[{{"seq":1,"at_ms":1795000000000,"power_w":{power}}}]}}'),
    ]
    for dialect, said in told:
        try:
            (sample,) = samples_of(dialect, SUFFIXES[dialect], said.encode())
            assert 0 <= sample.power_mw < 2**63
        except Unreadable:
            continue
