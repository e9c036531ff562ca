"""Sparkplug B: births that give metrics their numbers, data by number, deaths; one node with devices behind it.

Messages count from 0 to 255 and around. A number that is left out, or data of a node whose birth was not heard,
makes the node stale: a birth may be among what is lost, and numbers may mean something else since. It is asked to
be born again, and until it is only its cumulative counters are kept, since a counter is right whatever was lost
before it. The rest is withheld: if the birth gives the same meanings as before, it is read after all.

A message that was heard lately is no gap: whoever gets no receipt sends again, and of that a broker tells nobody.
MQTT keeps one publisher's order, so nothing waits to be put in order. Names and units are read as
devices/payloads/sparkplug_names.py says.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.message import DecodeError

from devices.payloads import sparkplug_message as wire
from devices.payloads.fields import EPOCH, HIGHEST_W, HIGHEST_WH, content_hash, milli, moment_of
from devices.payloads.heard import NOTHING, Heard, Late, Packet
from devices.payloads.sparkplug_names import Meaning, Unclear, meaning_of, spelled
from devices.payloads.unreadable import Unreadable
from devices.rules.sample import Sample

NODE_KINDS = frozenset({"NBIRTH", "NDATA", "NDEATH"})
DEVICE_KINDS = frozenset({"DBIRTH", "DDATA", "DDEATH"})
BIRTHS = frozenset({"NBIRTH", "DBIRTH"})
NUMBERS = 256
ASKED_AGAIN_AFTER_S = 30
HEARD_LATELY = 32  # well below 256, after which numbers come again
WITHHELD_FOR = timedelta(minutes=30)  # who has not been born by then does not hear us
MOST_WITHHELD = 64 * 1024
MICROSECOND = timedelta(microseconds=1)
MOST_DEVICES, MOST_NAMES, LONGEST_NAME, MOST_METRICS = 128, 64, 120, 5000
HIGHEST_COUNT = 2**62
COUNTERS = frozenset({"energy", "count"})
VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value")


def read(packet: Packet) -> Heard:
    """The samples of a birth or of data, one for each moment told; "" is the node. Errors: ``Unreadable``."""
    kind, _, device = packet.suffix.partition("/")
    if kind not in (DEVICE_KINDS if device else NODE_KINDS) or len(device) > LONGEST_NAME or not device.isprintable():
        raise Unreadable("wrong_topic", f"a Sparkplug node does not speak under {packet.suffix[:60]}")
    payload = _decoded(packet.payload)
    if kind == "NDEATH":
        return _death(packet.memory, _birth_number(payload))
    if not payload.HasField("seq") or payload.seq >= NUMBERS:
        raise Unreadable("invalid_field", "seq is not from 0 to 255")
    heard_before = _heard_before(packet, kind, payload)
    missed = not heard_before and _count(packet, kind, payload)
    is_new_birth = kind in BIRTHS and not heard_before
    if is_new_birth:
        _learn(packet.memory, device, payload)
    answers = _answers(packet)
    if kind == "DDEATH":
        return Heard(answers=answers, missed=missed)
    meanings, stale = packet.memory["known"].get(device, {}), packet.memory["stale"]
    if stale and heard_before:
        return Heard(answers=answers)  # what could be kept of it was kept when it came first
    if stale and kind not in BIRTHS:
        _withhold(packet, device, payload, meanings)
    samples, historical = _samples(payload, meanings, only_counters=stale)
    online = True if kind == "NBIRTH" else None
    told = [(device, sample) for sample in samples]
    late = _given_back(packet.memory, device) if is_new_birth else []
    return Heard(told, answers=answers, online=online, backfill=historical, missed=missed, late=late)


def rebirth(at_ms: int) -> bytes:
    """The command that asks a node for its births."""
    payload = wire.Payload(timestamp=at_ms)
    payload.metrics.add(name=b"Node Control/Rebirth", datatype=wire.BOOLEAN, boolean_value=True)
    return bytes(payload.SerializeToString())


def _decoded(data: bytes) -> Any:
    try:
        payload = wire.Payload.FromString(data)
    except DecodeError as error:
        raise Unreadable("not_protobuf", str(error)) from error
    if len(payload.metrics) > MOST_METRICS:
        raise Unreadable("too_large", f"{len(payload.metrics)} metrics, at most {MOST_METRICS}")
    return payload


def _birth_number(payload: Any) -> int | None:
    for metric in payload.metrics:
        if metric.name == b"bdSeq":
            return int(metric.long_value if metric.HasField("long_value") else metric.int_value)
    return None


def _death(memory: dict[str, Any], number: int | None) -> Heard:
    """A will carries the number of the birth that it ends; one of an earlier connection says nothing."""
    if number is None:
        raise Unreadable("invalid_field", "NDEATH has no bdSeq")
    if memory.get("birth") not in (None, number):
        return NOTHING
    memory.update({"stale": True, "seq": None, "known": memory.get("known", {})})
    return Heard(online=False)


def _heard_before(packet: Packet, kind: str, payload: Any) -> bool:
    """Whether this very message came lately, or is an old birth that the broker repeats. Notes that it came.

    One without a time may well say the same twice.
    """
    memory = packet.memory
    memory.setdefault("known", {})
    memory.setdefault("stale", True)
    if _is_old_birth(packet, kind, payload):
        return True
    if not payload.timestamp:
        return False
    digest = content_hash(packet.suffix, packet.payload).hex()[:16]
    lately = memory.get("lately", [])
    if digest in lately:
        return True
    memory["lately"] = [*lately, digest][-HEARD_LATELY:]
    return False


def _is_old_birth(packet: Packet, kind: str, payload: Any) -> bool:
    """A node that is asked for its births gives the same number again, so the time tells a new one."""
    return (
        kind == "NBIRTH"
        and packet.repeated
        and _birth_number(payload) == packet.memory.get("birth")
        and payload.timestamp <= packet.memory.get("born", payload.timestamp)
    )


def _count(packet: Packet, kind: str, payload: Any) -> bool:
    """Note the message's number. True if others were lost before it."""
    memory, seq = packet.memory, payload.seq
    if kind == "NBIRTH":
        for name in memory.keys() - {"lately", "withheld", "meant"}:
            del memory[name]
        memory.update({"birth": _birth_number(payload), "born": payload.timestamp})
        memory.update({"seq": seq, "stale": False, "known": {}})
        return False
    last = memory.get("seq")
    follows = last is None or seq == (last + 1) % NUMBERS
    if packet.repeated and not follows:
        return False  # heard before, most likely
    memory["seq"] = seq
    memory["stale"] = memory["stale"] or not follows
    return not follows


def _learn(memory: dict[str, Any], device: str, payload: Any) -> None:
    """Keep what the names and numbers of a birth mean, of those metrics only that are read here."""
    names: dict[str, Meaning] = {}
    for metric in payload.metrics:
        meaning = meaning_of(metric)
        if isinstance(meaning, Meaning) and len(names) < MOST_NAMES:
            names[spelled(metric.name)] = meaning
            if metric.HasField("alias"):
                names[f"#{metric.alias}"] = meaning
    known = memory["known"]
    if device in known or len(known) < MOST_DEVICES:
        known[device] = {name: list(meaning) for name, meaning in names.items()}


def _withhold(packet: Packet, device: str, payload: Any, meanings: dict[str, list[Any]]) -> None:
    """Keep the message aside, if a learnt number in it tells more than a counter. What is too much or old is left."""
    memory = packet.memory
    learnt = [_learnt(metric, meanings) for metric in payload.metrics if not metric.is_null]
    if all(meaning is None or meaning.quantity in COUNTERS for meaning in learnt):
        return
    meant, withheld = memory.setdefault("meant", {}), memory.get("withheld", [])
    if meant.setdefault(device, meanings) != meanings:
        withheld = [one for one in withheld if one[0] != device]
        meant[device] = meanings
    received = (packet.received_at - EPOCH) // MICROSECOND
    withheld = [*withheld, [device, packet.suffix, received, b64encode(packet.payload).decode()]]
    size = sum(len(one[3]) for one in withheld)
    oldest = received - WITHHELD_FOR // MICROSECOND
    while withheld and (size > MOST_WITHHELD or withheld[0][2] < oldest):
        size -= len(withheld.pop(0)[3])
    memory["withheld"] = withheld


def _given_back(memory: dict[str, Any], device: str) -> list[Late]:
    """What was withheld of this device, if its numbers mean at this birth what they meant before."""
    withheld = memory.get("withheld", [])
    mine = [one for one in withheld if one[0] == device]
    if not mine:
        return []
    memory["withheld"] = [one for one in withheld if one[0] != device]
    meant, meanings = memory["meant"].pop(device), memory["known"].get(device)
    if meant != meanings:
        return []
    found = []
    for _, suffix, received, told in mine:
        payload = b64decode(told)
        try:
            samples, historical = _samples(_decoded(payload), meanings, only_counters=False)
        except Unreadable:
            continue  # its counters were kept when it came
        whole = [(device, one) for one in samples if one.power_mw is not None or one.running is not None]
        if whole:
            found.append(Late(suffix, payload, EPOCH + received * MICROSECOND, whole, historical))
    return found


def _answers(packet: Packet) -> list[tuple[str, bytes]]:
    memory, now = packet.memory, packet.received_at.timestamp()
    if not memory["stale"] or now - memory.get("asked", 0) < ASKED_AGAIN_AFTER_S:
        return []
    memory["asked"] = int(now)
    return [("NCMD", rebirth(int(now * 1000)))]


def _samples(payload: Any, known: dict[str, list[Any]], *, only_counters: bool) -> tuple[list[Sample], bool]:
    moments: dict[int, dict[str, Any]] = {}
    historical, unclear = False, ""
    for metric, meaning in _read_here(payload, known):
        if isinstance(meaning, Unclear):
            unclear = unclear or meaning.why
            continue
        if only_counters and meaning.quantity not in COUNTERS:
            continue
        told = moments.setdefault(metric.timestamp or payload.timestamp, {})
        value = _value(metric, meaning)
        if told.setdefault(meaning.quantity, value) != value:
            raise Unreadable("ambiguous", f"two metrics tell {meaning.quantity} at the same moment")
        historical = historical or metric.is_historical
    if unclear and not any("energy" in told for told in moments.values()):
        raise Unreadable("unclear_unit", unclear)
    return [_sample(moment, told) for moment, told in moments.items()], historical


def _read_here(payload: Any, known: dict[str, list[Any]]) -> Iterator[tuple[Any, Meaning | Unclear]]:
    for metric in payload.metrics:
        if metric.is_null or not (metric.name or metric.HasField("alias")):
            continue
        meaning = _learnt(metric, known) or meaning_of(metric)
        if meaning is not None:
            yield metric, meaning


def _learnt(metric: Any, known: dict[str, list[Any]]) -> Meaning | None:
    """What a birth said that this metric means, unless it says so itself."""
    key = spelled(metric.name) if metric.name else f"#{metric.alias}"
    learnt = known.get(key) if not metric.HasField("properties") else None
    return Meaning(*learnt) if learnt else None


def _value(metric: Any, meaning: Meaning) -> int | bool | None:
    """In the units of a sample."""
    fields = [field for field in VALUES if metric.HasField(field)]
    if len(fields) != 1:
        raise Unreadable("invalid_field", f"{meaning.quantity} has {len(fields)} values")
    (field,) = fields
    if meaning.quantity == "running":
        if field != "boolean_value":
            raise Unreadable("invalid_field", "running is no boolean")
        return bool(metric.boolean_value)
    number = _number(metric, field, meaning.quantity)
    if meaning.quantity == "count":
        if not (number.is_finite() and 0 <= number <= HIGHEST_COUNT and number == int(number)):
            raise Unreadable("out_of_range", f"count must be a whole number from 0 to 2^62, not {number}")
        return int(number)
    highest = HIGHEST_W if meaning.quantity == "power" else HIGHEST_WH
    return milli(number, meaning.quantity, highest=highest, factor=meaning.factor)


def _number(metric: Any, field: str, quantity: str) -> Decimal:
    """Signed and unsigned whole numbers share their fields: one that may be negative is not read as a huge one."""
    match field:
        case "int_value" if metric.int_value < 2**31 or metric.datatype in (wire.UINT32, wire.UINT64):
            return Decimal(metric.int_value)
        case "long_value" if metric.long_value < 2**63 or metric.datatype == wire.UINT64:
            return Decimal(metric.long_value)
        case "float_value":
            return _shortest(metric.float_value)
        case "double_value":
            return Decimal(repr(metric.double_value))
    raise Unreadable("out_of_range", f"{quantity} is no number of 0 or more")


def _shortest(value: float) -> Decimal:
    """The shortest decimal that is this 32-bit float: 0.7, as the meter meant it, and not 0.699999988."""
    told = struct.pack("<f", value)
    for digits in range(6, 10):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == told:
                return Decimal(text)
        except OverflowError:
            continue
    return Decimal(repr(value))


def _sample(moment: int, told: dict[str, Any]) -> Sample:
    taken_at = moment_of(moment, "timestamp", per_second=1000)
    power, energy, running, count = (told.get(name) for name in ("power", "energy", "running", "count"))
    hashed = content_hash(moment, power, energy, running, count)
    return Sample(taken_at, 0, 0, power, energy, running, hashed, count)
