"""The native dialect, version 1: counted readings, several to a message. See docs/metering-native.md."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from devices.payloads.fields import EPOCH, HIGHEST_W, HIGHEST_WH, content_hash, decoded, milli
from devices.payloads.heard import Heard, Packet
from devices.payloads.signature import signed_body
from devices.payloads.unreadable import Unreadable
from devices.rules.sample import Sample

SIGNED = "signed"
MOST_READINGS = 500

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Moment = Annotated[int, msgspec.Meta(ge=946_684_800_000, le=4_102_444_800_000)]  # the years 2000 to 2099


class Reading(msgspec.Struct, frozen=True):
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    at_ms: Moment
    power_w: Decimal | None = None
    energy_wh: Decimal | None = None
    running: bool | None = None
    count: Count | None = None


class Message(msgspec.Struct, frozen=True):
    v: Literal[1]
    boot: Count
    readings: Annotated[list[Reading], msgspec.Meta(min_length=1, max_length=MOST_READINGS)]
    backfill: bool = False


class Relay(msgspec.Struct, frozen=True):
    on: bool


class Status(msgspec.Struct, frozen=True):
    online: bool | None = None


_decoder = msgspec.json.Decoder(Message)
_relay = msgspec.json.Decoder(Relay)
_status = msgspec.json.Decoder(Status)


def read(packet: Packet) -> Heard:
    """The readings of one message. Errors: ``Unreadable`` naming the field."""
    match packet.suffix:
        case "data":
            return _read(packet.payload, key_id=None)
        case "signed":
            body, key_id = signed_body(packet)
            return _read(body, key_id=key_id)
        case "relay":
            return Heard(relays=[("", decoded(_relay, packet.payload).on)])
        case "status":
            return Heard(online=decoded(_status, packet.payload).online)
    raise Unreadable("wrong_topic", f"a native meter does not speak under {packet.suffix[:60]}")


def _read(payload: bytes, *, key_id: int | None) -> Heard:
    message = decoded(_decoder, payload)
    samples = [("", _sample(message.boot, reading)) for reading in message.readings]
    return Heard(samples, backfill=message.backfill, key_id=key_id)


def _sample(boot: int, reading: Reading) -> Sample:
    power = milli(reading.power_w, "power_w", highest=HIGHEST_W)
    energy = milli(reading.energy_wh, "energy_wh", highest=HIGHEST_WH)
    if power is None and energy is None and reading.running is None and reading.count is None:
        raise Unreadable("says_nothing", f"reading {reading.seq} has none of power_w, energy_wh, running, count")
    told = (reading.at_ms, power, energy, reading.running)
    return Sample(
        EPOCH + timedelta(milliseconds=reading.at_ms),
        boot,
        reading.seq,
        power,
        energy,
        reading.running,
        content_hash(*told) if reading.count is None else content_hash(*told, reading.count),
        reading.count,
    )
