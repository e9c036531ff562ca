"""Tasmota's ``tele/SENSOR``: watts and a kilowatt-hour counter, device-local time, no numbering.

``Today`` and ``Yesterday`` start anew at the device's midnight and are not read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from app.kernel.clock import FACILITY_ZONE
from devices.payloads.fields import HIGHEST_W, HIGHEST_WH, content_hash, decoded, milli, moment_of
from devices.payloads.heard import NOTHING, Heard, Packet
from devices.payloads.unreadable import Unreadable
from devices.rules.sample import Sample

EARLIEST_YEAR = 2000
_TIME = re.compile(r"(\d{4})[-.](\d\d)[-.](\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?\Z", re.ASCII)
_RELAY = re.compile(r"POWER([1-9][0-9]?)?\Z", re.ASCII)


class Energy(msgspec.Struct, frozen=True, rename="pascal"):
    power: Decimal | list[Decimal] | None = None
    total: Decimal | list[Decimal] | None = None


class Sensor(msgspec.Struct, frozen=True):
    time: str | int = msgspec.field(name="Time")
    energy: Energy = msgspec.field(name="ENERGY")
    epoch: int | None = msgspec.field(name="Epoch", default=None)


_decoder = msgspec.json.Decoder(Sensor)
_said = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(packet: Packet) -> Heard:
    """The one reading of a message; the phases of a three-phase meter are added up. Errors: ``Unreadable``."""
    match packet.suffix.split("/"):
        case ["tele", "SENSOR"]:
            return Heard([("", _sample(decoded(_decoder, packet.payload)))])
        case ["tele", "LWT"]:
            return Heard(online=_either(packet.payload, b"Online", b"Offline"))
        case ["tele", "STATE"] | ["stat", "RESULT"]:
            return Heard(relays=_relays(decoded(_said, packet.payload)))
        case ["stat", word] if _RELAY.match(word):
            return Heard(relays=[(_relay(word), _either(packet.payload, b"ON", b"OFF"))])
        case ["tele" | "stat", _]:
            return NOTHING
    raise Unreadable("wrong_topic", f"a Tasmota meter does not speak under {packet.suffix[:60]}")


def _either(payload: bytes, yes: bytes, no: bytes) -> bool:
    if payload not in (yes, no):
        raise Unreadable("invalid_field", f"neither {yes.decode()} nor {no.decode()}")
    return payload == yes


def _relay(word: str) -> str:
    """The first relay is the device itself; others are channels of their own, ``POWER2``."""
    return "" if word in ("POWER", "POWER1") else word


def _relays(said: dict[str, msgspec.Raw]) -> list[tuple[str, bool]]:
    states = {b'"ON"': True, b'"OFF"': False}
    return [
        (_relay(word), states[bytes(raw)]) for word, raw in said.items() if _RELAY.match(word) and bytes(raw) in states
    ]


def _sample(sensor: Sensor) -> Sample:
    taken_at = _moment(sensor)
    power = milli(_summed(sensor.energy.power, "ENERGY.Power"), "ENERGY.Power", highest=HIGHEST_W)
    total = _summed(sensor.energy.total, "ENERGY.Total")
    energy = milli(total, "ENERGY.Total", highest=HIGHEST_WH, factor=1000)
    if power is None and energy is None:
        raise Unreadable("says_nothing", "ENERGY has neither Power nor Total")
    return Sample(taken_at.replace(microsecond=0), 0, 0, power, energy, None, content_hash(sensor.time, power, energy))


def _moment(sensor: Sensor) -> datetime:
    """By the setting ``Time 2`` or ``Time 3`` the device tells seconds since 1970, which no time zone can spoil."""
    seconds = sensor.epoch
    if isinstance(sensor.time, str):
        return _local_moment(sensor.time) if seconds is None else moment_of(seconds, "Epoch", per_second=1)
    return moment_of(sensor.time, "Time", per_second=1)


def _local_moment(time: str) -> datetime:
    """Of device-local time, which is the facility's unless an offset is given; very old ones write dots."""
    found = _TIME.match(time)
    if found is None:
        raise Unreadable("invalid_field", f"Time is no date and time: {time[:60]}")
    year, month, day, clock, fraction, offset = found.groups(default="")
    try:
        local = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{fraction}{offset}")
        taken_at = (local if local.tzinfo else local.replace(tzinfo=FACILITY_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable("invalid_field", f"Time is no date and time: {time[:60]}") from error
    if taken_at.year < EARLIEST_YEAR:
        raise Unreadable("clock_not_set", f"Time is before {EARLIEST_YEAR}: {time[:60]}")
    return taken_at


def _summed(value: Decimal | list[Decimal] | None, field: str) -> Decimal | None:
    """Over the phases, of which one may feed back. Judged before arithmetic, which raises at NaN and at 1e9999999."""
    if value is None:
        return None
    phases = value if isinstance(value, list) else [value]
    if not phases or not all(phase.is_finite() and -HIGHEST_WH <= phase <= HIGHEST_WH for phase in phases):
        raise Unreadable("out_of_range", f"{field} must be a number, or a list of one a phase")
    return sum(phases, Decimal())
