"""No bytes make a reader of any dialect do anything but read or refuse, and none makes it invent a number."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from devices.payloads import native, shelly, sparkplug, tasmota, zigbee2mqtt
from devices.payloads import sparkplug_message as wire
from devices.payloads.heard import Packet, PublicKey
from devices.payloads.unreadable import Unreadable

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
AT_MS = 1_795_000_000_000
MOST = 10**18
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"k1": PublicKey(1, PRIVATE.public_key().public_bytes_raw(), NOW - timedelta(days=1), None)}
BODY = '{"v":1,"boot":7,"readings":[{"seq":1,"at_ms":1795000000000,"power_w":1234.5,"energy_wh":12.3456,"count":3}]}'
ENVELOPE = {"v": 1, "key": "k1", "sig": base64.b64encode(PRIVATE.sign(BODY.encode())).decode(), "body": BODY}

SPOKEN = {
    native: {
        "data": BODY,
        "signed": json.dumps(ENVELOPE),
        "relay": '{"on":true}',
        "status": '{"online":true}',
    },
    tasmota: {
        "tele/SENSOR": '{"Time":"2026-10-26T17:28:45","ENERGY":{"Total":[1.5,0.25],"Power":[100,20],"Today":0.1}}',
        "tele/STATE": '{"Time":"2026-10-26T17:28:45","POWER1":"ON","POWER2":"OFF"}',
        "stat/POWER": "ON",
    },
    shelly: {
        "events/rpc": '{"src":"a","method":"NotifyStatus","params":{"ts":1795000000.2,"switch:0":{"id":0,"output":true,'
        '"aenergy":{"by_minute":[34.7,45.5,45.5],"minute_ts":1795000000,"total":7258.589},"apower":2.7},'
        '"em1:1":{"act_power":5},"em1data:1":{"total_act_energy":6}}}',
        "status/switch:1": '{"id":1,"output":false,"apower":9.5,"aenergy":{"total":3.25,"minute_ts":1795000000}}',
        "online": "true",
    },
    zigbee2mqtt: {
        "press": '{"state":"ON","power":12.3,"energy":1.23,"linkquality":120,"last_seen":"2026-11-18T11:59:30.25Z"}',
        "bridge/state": '{"state":"online"}',
    },
}
WORDS = re.findall(
    r"\S+",
    "v boot readings seq at_ms power_w energy_wh running count backfill key sig body on online "
    "Time ENERGY Power Total Today POWER POWER1 POWER2 "
    "method params ts switch:0 switch:1 pm1:0 em1:0 em1data:0 id output apower act_power aenergy total minute_ts "
    "state power energy last_seen NotifyStatus NotifyFullStatus ON OFF 2026-10-26T17:28:45 sNaN 1e9999999",
)
WORD = st.sampled_from(WORDS)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | WORD | st.text(max_size=8)
NUMBER = st.floats(0, 1e9) | st.integers(0, 10**13) | st.sampled_from([AT_MS, AT_MS // 1000, 1e308, -1, 10**400])
JSON = st.recursive(
    LEAF | NUMBER, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=6), max_leaves=25
)
EDIT = st.tuples(
    st.floats(0, 1),
    st.integers(0, 6),
    st.binary(max_size=4) | st.from_regex(r'[-0-9.eE"\[\]{},:]{0,12}', fullmatch=True).map(str.encode),
)


def mutated(good: bytes, edits) -> bytes:
    for place, removed, put in edits:
        start = int(place * len(good))
        good = good[:start] + put + good[start + removed :]
    return good


def edited(good: bytes):
    return st.lists(EDIT, max_size=3).map(lambda edits: mutated(good, edits))


def numbers_in(payload: bytes) -> set[Decimal]:
    """Every number that a JSON text tells, quoted or not, and the sums of its lists."""
    found: set[Decimal] = set()

    def number(told):
        try:
            value = Decimal(told)
        except (InvalidOperation, TypeError, ValueError):
            return None
        return value if value.is_finite() and -MOST <= value <= MOST else None

    def walk(told):
        if isinstance(told, list):
            for one in told:
                walk(one[1] if isinstance(one, tuple) else one)
            phases = [number(one) for one in told if not isinstance(one, list | tuple)]
            found.add(sum((one for one in phases if one is not None), Decimal()))
        elif not isinstance(told, bool) and (value := number(told)) is not None:
            found.add(value)
        if isinstance(told, str) and told.startswith("{"):
            found.update(numbers_in(told.encode()))

    text = payload.decode(errors="replace")
    walk(json.loads(text, strict=False, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=list))
    return found


def numbers_of(payload: bytes) -> set[Decimal]:
    """Every number that a Sparkplug message tells."""
    found = set()
    for metric in wire.Payload.FromString(payload).metrics:
        found |= {Decimal(metric.int_value), Decimal(metric.long_value), Decimal(metric.double_value)}
        found |= {Decimal(f"{metric.float_value:.{digits}g}") for digits in range(6, 10)}
        found.add(Decimal(repr(metric.double_value)))
    return {value for value in found if value.is_finite() and -MOST <= value <= MOST}


def read(dialect, suffix, payload, *, memory=None, repeated=False):
    """What was heard, having checked that it lies within what the table holds; ``None`` if it was refused."""
    packet = Packet(suffix, payload, NOW, {} if memory is None else memory, KEYS, repeated=repeated)
    try:
        heard = dialect.read(packet)
    except Unreadable:
        return None
    finally:
        assert "\0" not in json.dumps(packet.memory)
    for _, sample in heard.samples:
        told = (sample.power_mw, sample.energy_mwh, sample.count, sample.seq, sample.boot)
        assert all(0 <= value < 2**63 for value in told if value is not None)
        assert (sample.power_mw, sample.energy_mwh, sample.running, sample.count) != (None,) * 4
        assert 2000 <= sample.taken_at.year < 2100
        assert sample.taken_at.utcoffset() == timedelta()
    assert all(type(on) is bool for _, on in heard.relays)
    return heard


def none_is_invented(heard, told: set[Decimal]) -> None:
    for _, sample in heard.samples:
        if sample.power_mw is not None:
            assert any(int(value * factor) == sample.power_mw for value in told for factor in (1000, 10**6))
        if sample.energy_mwh is not None:
            assert any(int(value * factor) == sample.energy_mwh for value in told for factor in (1000, 10**6))


@given(st.data())
@pytest.mark.parametrize(("dialect", "suffix"), [(one, suffix) for one, spoken in SPOKEN.items() for suffix in spoken])
def test_what_a_reader_tells_was_in_the_message(dialect, suffix, data):
    good = SPOKEN[dialect][suffix].encode()
    payload = data.draw(st.binary(max_size=100) | JSON.map(lambda said: json.dumps(said).encode()) | edited(good))
    heard = read(dialect, suffix, payload)
    if heard is not None and heard.samples:
        none_is_invented(heard, numbers_in(payload))


@given(JSON, NUMBER | LEAF, NUMBER | LEAF, st.sampled_from([AT_MS, AT_MS / 1000, "2026-10-26T17:28:45", None]))
def test_good_frames_with_any_value_are_read_or_refused(said, power, energy, when):
    for dialect, suffix, frame in [
        (
            native,
            "data",
            {"v": 1, "boot": 1, "readings": [{"seq": 1, "at_ms": when, "power_w": power, "count": energy}]},
        ),
        (tasmota, "tele/SENSOR", {"Time": when, "ENERGY": {"Power": power, "Total": energy, "Today": said}}),
        (
            shelly,
            "events/rpc",
            {
                "method": "NotifyStatus",
                "params": {"ts": when, "switch:0": {"apower": power, "aenergy": {"total": energy}}, "wifi": said},
            },
        ),
        (zigbee2mqtt, "press", {"power": power, "energy": energy, "last_seen": when, "state": said}),
    ]:
        payload = json.dumps(frame).encode()
        heard = read(dialect, suffix, payload)
        if heard is not None and heard.samples:
            none_is_invented(heard, numbers_in(payload))


@given(st.binary(max_size=60), st.text(max_size=12))
def test_no_topic_makes_a_reader_stumble(payload, suffix):
    for dialect in (native, tasmota, shelly, zigbee2mqtt, sparkplug):
        for one in (suffix, f"stat/{suffix}", f"status/{suffix}", f"{suffix}/rpc", f"DDATA/{suffix}"):
            read(dialect, one, payload)


NAME = st.sampled_from([b"power_w", b"Power", b"energy_wh", b"energy_kwh", b"running", b"count"])
WHEN = st.sampled_from([AT_MS, AT_MS + 1])
GOOD = st.one_of(
    [
        st.fixed_dictionaries({"name": NAME, "timestamp": WHEN, field: value}, optional={"alias": st.integers(0, 4)})
        for field, value in [
            ("int_value", st.integers(0, 2**31 - 1)),
            ("long_value", st.integers(0, 10**12)),
            ("float_value", st.floats(0, 2**30, width=32)),
            ("double_value", st.floats(0, 10**9)),
            ("boolean_value", st.booleans()),
        ]
    ]
)
WILD = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([b"bdSeq", b"power_w", b"Power", b"energy_wh", b"energy_kwh", b"Energy", b"running"])
        | st.binary(max_size=6),
        "alias": st.integers(0, 4),
        "timestamp": st.integers(0, 2**64 - 1) | st.just(AT_MS),
        "datatype": st.integers(0, 14),
        "is_null": st.booleans(),
        "is_historical": st.booleans(),
        "int_value": st.integers(0, 2**32 - 1),
        "long_value": st.integers(0, 2**64 - 1),
        "float_value": st.floats(width=32),
        "double_value": st.floats(),
        "boolean_value": st.booleans(),
        "string_value": st.binary(max_size=4),
    },
)
KIND = st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH/press", "DDATA/press", "DDEATH/press"])


def sparkplug_bytes(seq, metrics) -> bytes:
    payload = wire.Payload(timestamp=AT_MS, seq=seq)
    for metric in metrics:
        payload.metrics.add(**metric)
    return payload.SerializeToString()


SPARKPLUG = st.builds(
    sparkplug_bytes, st.integers(0, 260), st.lists(GOOD | WILD, max_size=3) | GOOD.map(lambda one: [one])
)
HEARD_OF_A_NODE = st.tuples(
    KIND, st.one_of(SPARKPLUG, SPARKPLUG.flatmap(edited), st.binary(max_size=60)), st.booleans()
)


@given(st.lists(HEARD_OF_A_NODE, min_size=1, max_size=6))
def test_whatever_a_node_says_nothing_is_invented_and_its_memory_can_be_kept(said):
    kept = "{}"
    for suffix, payload, repeated in said:
        memory = json.loads(kept)
        heard = read(sparkplug, suffix, payload, memory=memory, repeated=repeated)
        kept = json.dumps(memory)
        if heard is not None and heard.samples:
            none_is_invented(heard, numbers_of(payload))
