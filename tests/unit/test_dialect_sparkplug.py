from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from devices.payloads import sparkplug
from devices.payloads import sparkplug_message as wire
from devices.payloads.heard import NOTHING, Packet
from devices.payloads.unreadable import Unreadable

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
AT_MS = int(NOW.timestamp() * 1000)


def message(seq, *metrics, at_ms=AT_MS):
    payload = wire.Payload(timestamp=at_ms, **({} if seq is None else {"seq": seq}))
    for metric in metrics:
        given = dict(metric)
        unit = given.pop("unit", None)
        made = payload.metrics.add(**given)
        if unit is not None:
            made.properties.keys.append(b"engUnit")
            made.properties.values.add(type=wire.STRING, string_value=unit)
    return payload.SerializeToString()


def born(bd, seq=0, *metrics):
    return message(seq, {"name": b"bdSeq", "datatype": wire.INT64, "long_value": bd}, *metrics)


def death(bd):
    return message(None, {"name": b"bdSeq", "datatype": wire.INT64, "long_value": bd})


def energy(wh, **also):
    return {"name": b"energy_wh", "datatype": wire.DOUBLE, "double_value": wh, **also}


def power(watts, **also):
    return {"name": b"Power", "datatype": wire.FLOAT, "float_value": watts, **also}


class Node:
    """A node as the listener sees it: its memory is stored as JSON between messages."""

    def __init__(self):
        self.memory = "{}"

    def says(self, suffix, payload, *, after_s=0, repeated=False):
        memory = json.loads(self.memory)
        packet = Packet(suffix, payload, NOW + timedelta(seconds=after_s), memory, repeated=repeated)
        try:
            return sparkplug.read(packet)
        finally:
            self.memory = json.dumps(memory)


@pytest.fixture
def node():
    node = Node()
    node.says("NBIRTH", born(4, 0, power(0, alias=1), energy(100, alias=2)))
    return node


def values(heard):
    return [(channel, sample.power_mw, sample.energy_mwh) for channel, sample in heard.samples]


def test_a_birth_tells_values_and_names_the_numbers_of_later_data():
    node = Node()
    heard = node.says("NBIRTH", born(0, 7, power(12.3, alias=1), energy(100.5, alias=2)))
    assert values(heard) == [("", 12_300, 100_500)]
    assert (heard.online, heard.answers, heard.missed) == (True, [], False)
    assert heard.samples[0][1].taken_at == NOW
    heard = node.says("NDATA", message(8, {"alias": 1, "float_value": 0.7}, {"alias": 2, "double_value": 101}))
    assert values(heard) == [("", 700, 101_000)]


def test_devices_behind_a_node_are_channels_with_numbers_of_their_own(node):
    node.says("DBIRTH/press", message(1, energy(5, alias=9), {"name": b"Running", "alias": 10, "boolean_value": False}))
    heard = node.says("DDATA/press", message(2, {"alias": 9, "double_value": 6}, {"alias": 10, "boolean_value": True}))
    ((channel, sample),) = heard.samples
    assert (channel, sample.energy_mwh, sample.running) == ("press", 6000, True)
    assert values(node.says("DDATA/other", message(3, {"alias": 9, "double_value": 7}))) == []
    assert node.says("DDEATH/press", message(4)).missed is False
    assert node.says("NDATA", message(5)).missed is False


def test_B8_the_numbering_goes_round_without_a_gap():
    node = Node()
    node.says("NBIRTH", born(1, 253))
    for seq in (254, 255, 0, 1):
        heard = node.says("NDATA", message(seq, power(5)))
        assert (heard.missed, heard.answers) == (False, [])


def test_B9_a_gap_asks_for_a_rebirth_and_until_then_only_counters_are_kept():
    node = Node()
    node.says("NBIRTH", born(1, 10, power(1, alias=1), energy(1, alias=2)))
    heard = node.says("NDATA", message(12, {"alias": 1, "float_value": 9}, {"alias": 2, "double_value": 2}))
    assert heard.missed is True
    assert values(heard) == [("", None, 2000)]
    ((suffix, asked),) = heard.answers
    (command,) = wire.Payload.FromString(asked).metrics
    assert (suffix, command.name, command.datatype) == ("NCMD", b"Node Control/Rebirth", wire.BOOLEAN)
    assert command.boolean_value is True
    heard = node.says("NDATA", message(13, {"alias": 1, "float_value": 9}), after_s=1)
    assert (values(heard), heard.missed, heard.answers) == ([], False, [])  # asked a second ago
    assert len(node.says("NDATA", message(14), after_s=31).answers) == 1
    node.says("NBIRTH", born(1, 0, power(3)), after_s=32)
    heard = node.says("NDATA", message(1, power(4)), after_s=33)
    assert (values(heard), heard.missed, heard.answers) == ([("", 4000, None)], False, [])


def test_B10_a_death_of_an_earlier_connection_is_ignored(node):
    assert node.says("NDEATH", death(3)) == NOTHING
    heard = node.says("NDATA", message(1, {"alias": 1, "float_value": 5}))
    assert (values(heard), heard.answers) == ([("", 5000, None)], [])
    assert node.says("NDEATH", death(4)).online is False
    heard = node.says("NDATA", message(2, {"alias": 1, "float_value": 5}))
    assert (values(heard), heard.missed, len(heard.answers)) == ([], False, 1)


def test_a_birth_forgets_the_numbers_of_the_one_before(node):
    node.says("NBIRTH", born(5, 0, {"name": b"Temperature", "alias": 2, "double_value": 21}))
    assert values(node.says("NDATA", message(1, {"alias": 2, "double_value": 21.5}))) == []


def test_data_before_any_birth_keeps_named_counters_and_asks():
    node = Node()
    heard = node.says("DDATA/press", message(57, power(5), energy(6), {"alias": 3, "double_value": 8}))
    assert values(heard) == [("press", None, 6000)]
    assert (heard.missed, len(heard.answers)) == (False, 1)


def test_what_was_stored_at_the_node_comes_as_backfill_each_at_its_time(node):
    old = [energy(10 + n, timestamp=AT_MS - 1000 * n, is_historical=True) for n in (1, 2)]
    heard = node.says("NDATA", message(1, *old, at_ms=AT_MS))
    assert heard.backfill is True
    told = {sample.taken_at: sample.energy_mwh for _, sample in heard.samples}
    assert told == {NOW - timedelta(seconds=1): 11_000, NOW - timedelta(seconds=2): 12_000}


def test_a_repeated_message_is_no_gap_and_the_same_readings(node):
    first = node.says("NDATA", message(1, energy(101)))
    node.says("NDATA", message(2, energy(102)))
    again = node.says("NDATA", message(1, energy(101)), repeated=True)
    assert (again.samples, again.missed) == (first.samples, False)
    assert node.says("NDATA", message(3, energy(103))).missed is False
    assert node.says("NDATA", message(4, energy(104)), repeated=True).missed is False
    assert node.says("NDATA", message(5, energy(105))).missed is False


def at(seq, *metrics, s=0):
    return message(seq, *metrics, at_ms=AT_MS + 1000 * s)


def both(watts, wh):
    return {"alias": 1, "float_value": watts}, {"alias": 2, "double_value": wh}


def test_what_is_sent_again_for_want_of_a_receipt_is_no_gap(node):
    sent = [at(seq, *both(seq, 100 + seq), s=seq) for seq in (1, 2, 3)]
    first = [node.says("NDATA", one) for one in sent]
    again = [node.says("NDATA", one) for one in sent]
    assert [one.samples for one in again] == [one.samples for one in first]
    assert not any(one.missed or one.answers for one in again)
    assert node.says("NDATA", at(4, *both(4, 104), s=4)).missed is False


def test_a_birth_that_is_sent_again_does_not_turn_the_numbering_back():
    node = Node()
    birth = born(1, 0, power(0, alias=1), energy(100, alias=2))
    node.says("NBIRTH", birth)
    node.says("NDATA", at(1, *both(1, 101), s=1))
    node.says("NBIRTH", birth)
    heard = node.says("NDATA", at(2, *both(2, 102), s=2))
    assert (values(heard), heard.missed, heard.answers) == ([("", 2000, 102_000)], False, [])


def test_a_message_without_a_time_may_say_the_same_twice():
    node = Node()
    timed = born(1, 0, power(3, timestamp=AT_MS), energy(1, timestamp=AT_MS))
    birth = wire.Payload.FromString(timed)
    birth.ClearField("timestamp")
    node.says("NBIRTH", birth.SerializeToString())
    assert node.says("NDATA", at(2, power(4))).missed is True
    node.says("NBIRTH", birth.SerializeToString())
    assert values(node.says("NDATA", at(1, power(5)))) == [("", 5000, None)]


def test_a_birth_that_the_broker_repeats_and_nobody_heard_is_one():
    node = Node()
    node.says("NBIRTH", born(1, 0, power(0, alias=1), energy(100, alias=2)))
    assert node.says("NDATA", at(2, *both(2, 102), s=2)).missed is True
    birth = wire.Payload.FromString(born(1, 0, power(3, alias=1), energy(103, alias=2)))
    birth.timestamp += 3000
    node.says("NBIRTH", birth.SerializeToString(), repeated=True)
    heard = node.says("NDATA", at(1, *both(4, 104), s=4))
    assert (values(heard), heard.missed, heard.answers) == ([("", 4000, 104_000)], False, [])


def test_what_a_stale_node_said_is_read_when_its_birth_gives_the_same_meanings(node):
    lost = [at(seq, *both(seq, 100 + seq), s=seq) for seq in (2, 3)]
    for seq, one in zip((2, 3), lost, strict=True):
        assert values(node.says("NDATA", one, after_s=seq)) == [("", None, 1000 * (100 + seq))]
    node.says("NDATA", at(4, {"alias": 2, "double_value": 104}, s=4), after_s=4)  # nothing of it is withheld
    birth = born(4, 0, power(5, alias=1), energy(105, alias=2))
    late = node.says("NBIRTH", birth, after_s=600).late
    assert [(one.suffix, one.payload, one.received_at) for one in late] == [
        ("NDATA", payload, NOW + timedelta(seconds=seq)) for seq, payload in zip((2, 3), lost, strict=True)
    ]
    assert [values(one) for one in late] == [[("", 2000, 102_000)], [("", 3000, 103_000)]]
    assert [one.samples[0][1].taken_at for one in late] == [NOW + timedelta(seconds=seq) for seq in (2, 3)]
    assert node.says("NBIRTH", birth, after_s=601).late == []


@pytest.mark.parametrize(
    "metrics",
    [
        (power(5, alias=1), energy(105, alias=3)),
        (energy(105, alias=1), power(5, alias=2)),
        ({"name": b"Temperature", "alias": 1, "double_value": 21}, energy(105, alias=2)),
        (power(5, alias=1, unit=b"kW"), energy(105, alias=2)),
    ],
)
def test_what_a_stale_node_said_is_left_when_its_numbers_mean_something_else_now(node, metrics):
    node.says("NDATA", at(2, *both(2, 102), s=2))
    assert node.says("NBIRTH", born(4, 0, *metrics)).late == []
    assert node.says("NBIRTH", born(5, 0, power(5, alias=1), energy(105, alias=2))).late == []


def test_what_a_device_behind_a_stale_node_said_waits_for_its_own_birth(node):
    metrics = ({"name": b"Running", "alias": 9, "boolean_value": False}, energy(5, alias=10))
    node.says("DBIRTH/press", message(1, *metrics))
    node.says("DDATA/press", at(3, {"alias": 9, "boolean_value": True}, s=3))
    assert node.says("NBIRTH", born(4, 0, power(3, alias=1), energy(103, alias=2))).late == []
    (late,) = node.says("DBIRTH/press", at(1, *metrics, s=4)).late
    ((channel, sample),) = late.samples
    assert (late.suffix, channel, sample.running) == ("DDATA/press", "press", True)


def test_what_is_withheld_outlasts_a_birth_that_cannot_be_read(node):
    node.says("NDATA", at(2, *both(2, 102), s=2))
    with pytest.raises(Unreadable):
        node.says("NBIRTH", born(4, 0, power(-1, alias=1), energy(105, alias=2)))
    (late,) = node.says("NBIRTH", born(4, 0, power(5, alias=1), energy(105, alias=2))).late
    assert values(late) == [("", 2000, 102_000)]


def test_a_node_that_is_never_born_again_is_not_remembered_for_ever(node):
    for number in range(2000):
        node.says("NDATA", at(number % 250 + 3, *both(number, 100), s=number), after_s=number)
    assert len(node.memory) < 2 * sparkplug.MOST_WITHHELD
    late = node.says("NBIRTH", born(4, 0, power(0, alias=1), energy(100, alias=2)), after_s=2000).late
    assert 0 < len(late) <= sparkplug.WITHHELD_FOR.total_seconds() + 1


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        (b"Power", None, (5000, None)),
        (b"Active Power (W)", None, (5000, None)),
        (b"active_power_kw", None, (5_000_000, None)),
        (b"Power", b"kW", (5_000_000, None)),
        (b"Energy kWh", None, (None, 5_000_000)),
        (b"Energy", b"Wh", (None, 5000)),
        (b"Total/Energy", b"kWh", (None, 5_000_000)),
        (b"Energy_Wh", b"wh", (None, 5000)),
    ],
)
def test_the_unit_is_in_the_name_or_in_the_properties(name, unit, expected):
    metric = {"name": name, "alias": 3, "int_value": 5, "datatype": wire.UINT32, **({"unit": unit} if unit else {})}
    node = Node()
    assert values(node.says("NBIRTH", born(0, 0, metric))) == [("", *expected)]
    assert values(node.says("NDATA", message(1, {"alias": 3, "int_value": 5}))) == [("", *expected)]
    assert values(node.says("NDATA", message(2, {"name": name, "int_value": 5}))) == [("", *expected)]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        (b"Energy", None),
        (b"energy_mwh", None),
        (b"Energy", b"MWh"),
        (b"energy_wh", b"kWh"),
        (b"Power", b"hp"),
        (b"power_w", b"Wh"),
    ],
)
def test_a_metric_without_a_clear_unit_is_refused_and_named(name, unit):
    metric = {"name": name, "double_value": 5, **({"unit": unit} if unit else {})}
    with pytest.raises(Unreadable, match=name.decode().replace("_", "").lower()) as caught:
        Node().says("NBIRTH", born(0, 0, metric))
    assert caught.value.reason == "unclear_unit"


def test_an_unclear_metric_beside_a_clear_one_is_left_out(node):
    heard = node.says("NDATA", message(1, energy(7), {"name": b"Total Energy", "double_value": 7}))
    assert values(heard) == [("", None, 7000)]


@pytest.mark.parametrize(
    "metric",
    [
        {"name": b"power_w", "double_value": float("nan")},
        {"name": b"power_w", "float_value": float("inf")},
        {"name": b"power_w", "double_value": -1.0},
        {"name": b"power_w", "int_value": 2**32 - 5},  # minus five, unless it is said to be unsigned
        {"name": b"energy_wh", "long_value": 2**64 - 5, "datatype": wire.INT64},
        {"name": b"energy_wh", "long_value": 2**64 - 5, "datatype": wire.UINT64},
        {"name": b"energy_kwh", "double_value": 1e300},
        {"name": b"energy_wh", "string_value": b"5"},
        {"name": b"energy_wh", "boolean_value": True},
        {"name": b"energy_wh"},
        {"name": b"energy_wh", "int_value": 1, "double_value": 2},
        {"name": b"running", "int_value": 1},
        {"name": b"count", "double_value": 1.5},
        {"name": b"energy_wh", "double_value": 1, "timestamp": 5},
    ],
)
def test_what_no_meter_can_mean_is_kept_aside_without_breaking_the_numbering(node, metric):
    with pytest.raises(Unreadable):
        node.says("NDATA", message(1, metric))
    assert node.says("NDATA", message(2, power(5))).missed is False


def test_nothing_is_read_of_a_null_or_of_other_metrics(node):
    others = [
        {"name": b"energy_wh", "is_null": True},
        {"name": b"Energy Today", "double_value": 3},
        {"name": "无功power".encode(), "double_value": 3},
        {"name": b"power\0", "double_value": 3},
        {"double_value": 3},
        {"alias": 77, "double_value": 3},
    ]
    assert values(node.says("NDATA", message(1, *others))) == []


def test_two_values_of_one_moment_are_ambiguous(node):
    with pytest.raises(Unreadable, match="same moment"):
        node.says("NDATA", message(1, energy(7), {"name": b"Total Energy Wh", "double_value": 8}))


def test_counts_and_big_unsigned_counters_are_read(node):
    told = [
        {"name": b"Run Count", "int_value": 12},
        {"name": b"energy_wh", "int_value": 3_000_000_000, "datatype": wire.UINT32},
    ]
    ((_, sample),) = node.says("NDATA", message(1, *told)).samples
    assert (sample.count, sample.energy_mwh) == (12, 3_000_000_000_000)


@pytest.mark.parametrize(
    ("suffix", "payload"),
    [
        ("NDATA", b"{}"),
        ("NDATA", message(None)),
        ("NDATA", message(256)),
        ("NDEATH", message(None)),
        ("NDATA/press", message(1)),
        ("DDATA", message(1)),
        ("DDATA/a\0b", message(1)),
        ("STATE", b"{}"),
        ("NDATA", b"\x12\x00" * 6000),
    ],
)
def test_what_is_no_sparkplug_message_is_kept_aside(suffix, payload):
    with pytest.raises(Unreadable):
        Node().says(suffix, payload)


def test_the_memory_of_a_node_stays_small():
    node = Node()
    node.says("NBIRTH", born(0, 0))
    names = [{"name": b"Power" + b" " * n, "alias": n, "double_value": 1} for n in range(200)]
    for number in range(sparkplug.MOST_DEVICES + 20):
        node.says(f"DBIRTH/{number}", message((number + 1) % 256, *names))
    assert len(node.memory) < 256 * 1024
