from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.dossier.raw import meter_of, said_by
from devices.payloads import native
from devices.payloads.heard import Packet
from devices.payloads.unreadable import Unreadable
from devices.rules.leaf import READING_FORMAT, Leaf, leaf_of, microseconds

AT = datetime(2026, 6, 1, tzinfo=UTC)
FRACTION = st.integers(0, 10**13).map(lambda one: f"{one // 10**5}.{one % 10**5:05}")
AMOUNT = st.none() | st.integers(0, 10**9) | FRACTION | FRACTION.map(lambda one: f'"{one}"')
READING = st.fixed_dictionaries(
    {"at_ms": st.integers(946_684_800_000, 4_102_444_800_000), "power_w": AMOUNT, "energy_wh": AMOUNT},
    optional={"running": st.booleans(), "count": st.integers(1, 2**62)},
)


def as_json(reading: dict, seq: int) -> str:
    """As a meter writes it: numbers with their digits, what it does not know left out."""
    parts = [f'"seq": {seq}']
    for name, value in reading.items():
        if value is not None:
            parts.append(f'"{name}": {value if isinstance(value, str) else json.dumps(value)}')
    return "{" + ", ".join(parts) + "}"


@given(st.lists(READING, min_size=1, max_size=5), st.integers(0, 2**62), st.booleans())
def test_a_message_is_read_as_it_was_when_it_came(readings, boot, backfill):
    told = [{**one, "power_w": one["power_w"] or "1.5"} for one in readings]  # a reading says something
    written = ", ".join(as_json(one, seq) for seq, one in enumerate(told, start=1))
    payload = f'{{"v": 1, "boot": {boot}, "backfill": {json.dumps(backfill)}, "readings": [{written}]}}'.encode()
    heard = native.read(Packet("data", payload, AT))
    leaves = [
        Leaf(
            "mt-one", one.boot, one.seq, microseconds(one.taken_at), one.power_mw, one.energy_mwh, one.running,
            one.count, microseconds(AT), None, heard.backfill, "",
        )
        for _, one in heard.samples
    ]  # fmt: skip
    rows = [leaf_of(leaf).removeprefix(f"{READING_FORMAT}|".encode()).removesuffix(b"|") for leaf in leaves]
    said = said_by("m/3/mt-one/data", payload, like=rows[0])
    assert said.rows == rows
    some = said.only(rows[1:])
    for one, part, reading in zip(some.rows, zip(*some.columns, strict=True), readings[1:], strict=True):
        assert one == rows[part[0] - 1]
        assert part[1] == reading["at_ms"]
    with pytest.raises(KeyError):
        said.only([*rows, b"another"])


@pytest.mark.parametrize("seq", ['"1"', "1.5", "true", "null"])
def test_a_number_that_a_meter_may_not_write_so_is_no_reading(seq):
    payload = f'{{"v": 1, "boot": 1, "readings": [{{"seq": {seq}, "at_ms": 1780000000000, "power_w": 1}}]}}'.encode()
    with pytest.raises(Unreadable):
        native.read(Packet("data", payload, AT))
    with pytest.raises(ValueError, match="not whole"):
        said_by("m/3/mt-one/data", payload, like=b"mt-one|1|1|1780000000000000|1000||||0||f")


def test_only_native_topics_have_a_meter():
    assert meter_of("m/3/mt-one/signed") == "mt-one"
    assert meter_of("m/3/plug/tele/SENSOR") == ""
    assert meter_of("spBv1.0/ps3/NDATA/node") == ""
