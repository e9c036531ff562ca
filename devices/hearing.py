"""Find out who says what in a batch of messages; what cannot be read is kept aside with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from devices.models import DeviceKey, Meter, WireMemory
from devices.payloads import native, shelly, sparkplug, tasmota, zigbee2mqtt
from devices.payloads.heard import Heard, Packet, PublicKey
from devices.payloads.unreadable import Unreadable
from devices.rules.evidence import Dialect
from devices.rules.sample import Sample
from devices.rules.topic import MeterTopic, read_topic, sparkplug_topic, topic_of

LARGEST_MESSAGE = 256 * 1024
KEPT_OF_OVERSIZED = 4096
CLOCK_AHEAD = timedelta(minutes=5)

READERS = {
    Dialect.NATIVE: native.read,
    Dialect.TASMOTA: tasmota.read,
    Dialect.SHELLY: shelly.read,
    Dialect.ZIGBEE2MQTT: zigbee2mqtt.read,
    Dialect.SPARKPLUG: sparkplug.read,
}
REMEMBERING = frozenset({Dialect.ZIGBEE2MQTT, Dialect.SPARKPLUG})


class WireMessage(NamedTuple):
    """One message as it came from the broker. ``repeated`` if the broker says it may have sent it before."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool = False
    repeated: bool = False


class Told(NamedTuple):
    """One reading of one message, on its way into the table."""

    meter_id: int
    sample: Sample
    message: WireMessage
    backfill: bool
    key_id: int | None
    counted: bool


@dataclass(slots=True)
class Batch:
    """What a batch of messages said. ``relays`` by meter; ``answers`` are (topic, payload) to publish once stored.

    ``missing`` are devices whose dialect has numbers of its own: whether messages of theirs are lost, as last known.
    """

    told: list[Told] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)
    relays: dict[int, tuple[bool, datetime]] = field(default_factory=dict)
    answers: list[tuple[str, bytes]] = field(default_factory=list)
    missing: dict[int, bool] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Device:
    """A meter with a connection of its own, and the meters that speak through it, by channel."""

    id: int
    code: str
    dialect: Dialect
    active: bool
    signed_only: bool
    channels: dict[str, tuple[int, str, bool]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, PublicKey] = field(default_factory=dict)


def hear(session: Session, messages: Sequence[WireMessage]) -> Batch:
    """Read every message of a batch. A fixed number of queries; O(batch)."""
    topics = {topic: read_topic(topic) for topic in {message.topic for message in messages}}
    devices = _devices(session, {topic.code for topic in topics.values() if topic is not None})
    before = _remember(session, devices)
    if any(topic is not None and topic.suffix == native.SIGNED for topic in topics.values()):
        _give_keys(session, devices)
    ours = {name for name, topic in topics.items() if topic is not None and topic.downlink}
    batch = Batch()
    for message in messages:
        topic = topics[message.topic]
        if message.topic in ours or (topic is not None and message.retained):
            continue  # our own words to the meter, or an old reading that the broker repeats
        device = None if topic is None else devices.get(topic.code)
        try:
            _hear_one(batch, message, topic, device)
        except Unreadable as unreadable:
            batch.aside.append(_aside(message, unreadable, device.id if device else None))
    _keep_memory(session, devices, before)
    return batch


def _hear_one(batch: Batch, message: WireMessage, topic: MeterTopic | None, device: _Device | None) -> None:
    if topic is None:
        raise Unreadable("wrong_topic", "the topic is not m/<shard>/<meter>/<what>, or names another shard")
    if device is None:
        raise Unreadable("unknown_meter", f"there is no meter {topic.code}")
    if not device.active:
        raise Unreadable("inactive_meter", f"meter {device.code} is switched off")
    if len(message.payload) > LARGEST_MESSAGE:
        raise Unreadable("too_large", f"{len(message.payload)} bytes, at most {LARGEST_MESSAGE}")
    packet = Packet(
        topic.suffix, message.payload, message.received_at, device.memory, device.keys, repeated=message.repeated
    )
    heard = READERS[device.dialect](packet)
    if device.signed_only and heard.samples and heard.key_id is None:
        raise Unreadable("unsigned", f"meter {device.code} has to sign what it says")
    for late in heard.late:
        earlier = WireMessage(_topic(device, late.suffix), late.payload, late.received_at)
        _take_in(batch, earlier, device, Heard(late.samples, backfill=late.backfill))  # it was refused then, if at all
    refused = _take_in(batch, message, device, heard)
    if heard.missed or heard.online:
        batch.missing[device.id] = heard.missed
    if heard.answers:
        batch.answers += [(_topic(device, suffix), payload) for suffix, payload in heard.answers]
    if refused is not None:
        raise refused


def _topic(device: _Device, suffix: str) -> str:
    return (sparkplug_topic if device.dialect is Dialect.SPARKPLUG else topic_of)(device.code, suffix)


def _take_in(batch: Batch, message: WireMessage, device: _Device, heard: Heard) -> Unreadable | None:
    """Each channel is taken whole or not at all. Returns why one was not, if one was not.

    What relays of nobody's channels do (lamps behind a bridge) is no business of ours.
    """
    refused: Unreadable | None = None
    by_channel: dict[str, list[Sample]] = {}
    for channel, sample in heard.samples:
        by_channel.setdefault(channel, []).append(sample)
    for channel, samples in by_channel.items():
        try:
            meter_id = _meter_of(device, channel, samples, message)
        except Unreadable as unreadable:
            refused = unreadable
            continue
        batch.told += [
            Told(meter_id, sample, message, heard.backfill, heard.key_id, sample.seq > 0) for sample in samples
        ]
        batch.codes[meter_id] = device.code
    for channel, on in heard.relays:
        if (found := _known_channel(device, channel)) is not None:
            batch.relays[found[0]] = (on, message.received_at)
    return refused


def _meter_of(device: _Device, channel: str, samples: Sequence[Sample], message: WireMessage) -> int:
    """The meter that a channel of this device is. Errors: ``Unreadable`` where it may not say this."""
    found = _known_channel(device, channel)
    if found is None:
        raise Unreadable("unknown_channel", f"{device.code} has no meter registered for {channel[:60] or 'itself'}")
    meter_id, code, active = found
    if not active:
        raise Unreadable("inactive_meter", f"meter {code} is switched off")
    latest = max(sample.taken_at for sample in samples)
    if latest > message.received_at + CLOCK_AHEAD:
        raise Unreadable("clock_ahead", f"a reading of {latest.isoformat()} lies in the future: set the meter's clock")
    return meter_id


def _known_channel(device: _Device, channel: str) -> tuple[int, str, bool] | None:
    """The device itself has its own code as a name, too."""
    return device.channels.get(channel) or (device.channels.get("") if channel == device.code else None)


def _devices(session: Session, codes: set[str]) -> dict[str, _Device]:
    if not codes:
        return {}
    carriers = select(Meter.id).where(Meter.code.in_(codes), Meter.carrier_id.is_(None))
    rows = session.execute(
        select(
            Meter.id, Meter.code, Meter.dialect, Meter.active, Meter.signed_only, Meter.carrier_id, Meter.channel
        ).where(or_(Meter.id.in_(carriers), Meter.carrier_id.in_(carriers)))
    ).all()
    devices = {
        row.id: _Device(row.id, row.code, row.dialect, row.active, row.signed_only)
        for row in rows
        if row.carrier_id is None
    }
    for row in rows:
        devices[row.carrier_id or row.id].channels[row.channel] = (row.id, row.code, row.active)
    return {device.code: device for device in devices.values()}


def _remember(session: Session, devices: Mapping[str, _Device]) -> dict[int, str]:
    """Give the devices that need it their memory, locked in order. Returns how it was before."""
    ids = sorted(device.id for device in devices.values() if device.dialect in REMEMBERING)
    if not ids:
        return {}
    session.execute(insert(WireMemory).on_conflict_do_nothing(), [{"meter_id": number, "memory": {}} for number in ids])
    rows = session.execute(
        select(WireMemory.meter_id, WireMemory.memory)
        .where(WireMemory.meter_id.in_(ids))
        .order_by(WireMemory.meter_id)
        .with_for_update()
    )
    kept: dict[int, dict[str, Any]] = {row.meter_id: row.memory for row in rows}
    for device in devices.values():
        device.memory = kept.get(device.id, {})
    return {number: json.dumps(memory, sort_keys=True) for number, memory in kept.items()}


def _keep_memory(session: Session, devices: Mapping[str, _Device], before: Mapping[int, str]) -> None:
    changed = [
        {"meter_id": device.id, "memory": device.memory}
        for device in devices.values()
        if device.id in before and before[device.id] != json.dumps(device.memory, sort_keys=True)
    ]
    if changed:
        session.execute(update(WireMemory), changed)  # by their keys, which were locked when they were read


def _give_keys(session: Session, devices: Mapping[str, _Device]) -> None:
    by_id = {device.id: device for device in devices.values()}
    for row in session.scalars(select(DeviceKey).where(DeviceKey.meter_id.in_(by_id))):
        by_id[row.meter_id].keys[row.name] = PublicKey(row.id, row.public_key, row.valid_from, row.valid_until)


def _aside(message: WireMessage, unreadable: Unreadable, meter_id: int | None) -> dict[str, Any]:
    oversized = len(message.payload) > LARGEST_MESSAGE
    return {
        "meter_id": meter_id,
        "topic": message.topic.replace("\0", "�"),
        "payload": message.payload[:KEPT_OF_OVERSIZED] if oversized else message.payload,
        "reason": unreadable.reason,
        "detail": str(unreadable).replace("\0", "�"),
        "received_at": message.received_at,
    }
