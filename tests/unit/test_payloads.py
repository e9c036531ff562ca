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


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "v",
                            "boot",
                            "readings",
                            "seq",
                            "at_ms",
                            "power_w",
                            "energy_wh",
                            "Time",
                            "ENERGY",
                            "Power",
                            "Total",
                        ]
                    ),
                    inner,
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_bytes_do_anything_but_be_read_or_kept_aside(payload):
    for dialect in (native, tasmota):
        try:
            samples_of(dialect, SUFFIXES[dialect], payload)
        except Unreadable:
            continue
