"""Zigbee2MQTT: one topic for each plug behind a bridge, its last known values, and seldom a time.

The bridge repeats from its cache what did not change, also when only the radio's strength did. So a message is
a measurement only if a value differs from the one before or ``last_seen`` is newer. Watts and kilowatt-hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from devices.payloads.fields import EPOCH, HIGHEST_W, HIGHEST_WH, content_hash, decoded, milli, moment_of
from devices.payloads.heard import NOTHING, Heard, Packet
from devices.payloads.unreadable import Unreadable
from devices.rules.sample import Sample

MOST_CHANNELS = 128
MOST_DIGESTS = 8
LONGEST_NAME = 120


class Device(msgspec.Struct, frozen=True):
    power: Decimal | None = None
    energy: Decimal | None = None
    last_seen: int | str | None = None
    state: Any = None


class Bridge(msgspec.Struct, frozen=True):
    state: str


@dataclass(frozen=True, slots=True)
class Told:
    """One message of one plug: milliwatts, milliwatt-hours, and milliseconds since 1970 if it said when."""

    power: int | None
    energy: int | None
    seen: int | None
    digest: str


_device = msgspec.json.Decoder(Device)
_bridge = msgspec.json.Decoder(Bridge)


def read(packet: Packet) -> Heard:
    """The sample of one plug, if it measured anew. Errors: ``Unreadable``."""
    name = packet.suffix
    if name == "bridge/state":
        return Heard(online=_online(packet.payload))
    if name.startswith("bridge/") or name.endswith("/availability"):
        return NOTHING
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise Unreadable("wrong_topic", f"no plug has a name like {name[:60]!r}")
    device = decoded(_device, packet.payload)
    relays = [(name, device.state == "ON")] if device.state in ("ON", "OFF") else []
    told = Told(
        milli(device.power, "power", highest=HIGHEST_W),
        milli(device.energy, "energy", highest=HIGHEST_WH, factor=1000),
        _last_seen(device.last_seen),
        content_hash(packet.payload).hex()[:16],
    )
    if told.power is None and told.energy is None:
        return Heard(relays=relays)
    channels: dict[str, dict[str, Any]] = packet.memory.setdefault("channels", {})
    before = channels.get(name)
    if before is not None and packet.repeated and told.digest in before["digests"]:
        return NOTHING
    _remember(channels, name, told, packet.received_at)
    if not _is_news(told, before):
        return Heard(relays=relays)
    taken_at = packet.received_at if told.seen is None else moment_of(told.seen, "last_seen", per_second=1000)
    hashed = content_hash(taken_at.timestamp(), told.power, told.energy)
    return Heard([(name, Sample(taken_at, 0, 0, told.power, told.energy, None, hashed))], relays)


def _is_news(told: Told, before: dict[str, Any] | None) -> bool:
    if before is None or (told.power, told.energy) != (before["power"], before["energy"]):
        return True
    return told.seen is not None and (before["seen"] is None or told.seen > before["seen"])


def _remember(channels: dict[str, dict[str, Any]], name: str, told: Told, received_at: datetime) -> None:
    """The last values, and what was heard lately, of as many plugs as a bridge may well have."""
    before = channels.get(name, {})
    channels[name] = {
        "power": told.power,
        "energy": told.energy,
        "seen": max((seen for seen in (told.seen, before.get("seen")) if seen is not None), default=None),
        "digests": [*before.get("digests", ()), told.digest][-MOST_DIGESTS:],
        "heard": int(received_at.timestamp()),
    }
    if len(channels) > MOST_CHANNELS:
        del channels[min(channels, key=lambda one: channels[one]["heard"])]


def _last_seen(value: int | str | None) -> int | None:
    """Milliseconds since 1970 of an ISO time with its offset, or of the number itself."""
    if value is None or isinstance(value, int):
        return None if value is None else _checked(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise Unreadable("invalid_field", f"last_seen is no ISO time: {value[:60]}") from error
    if moment.tzinfo is None:
        raise Unreadable("invalid_field", f"last_seen has no offset from UTC: {value[:60]}")
    return _checked(int((moment.astimezone(UTC) - EPOCH).total_seconds() * 1000))


def _checked(milliseconds: int) -> int:
    moment_of(milliseconds, "last_seen", per_second=1000)
    return milliseconds


def _online(payload: bytes) -> bool:
    said = payload.decode(errors="replace") if payload in (b"online", b"offline") else decoded(_bridge, payload).state
    return said == "online"
