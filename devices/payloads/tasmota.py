"""Tasmota's ``tele/SENSOR``: watts and a kilowatt-hour counter, device-local time, no numbering."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from app.kernel.clock import FACILITY_ZONE
from devices.payloads.fields import HIGHEST_W, HIGHEST_WH, content_hash, decoded, milli
from devices.payloads.heard import NOTHING, Heard, Packet
from devices.payloads.unreadable import Unreadable
from devices.rules.sample import Sample

EARLIEST_YEAR = 2000


class Energy(msgspec.Struct, frozen=True, rename="pascal"):
    power: Decimal | list[Decimal]
    total: Decimal | list[Decimal] | None = None


class Sensor(msgspec.Struct, frozen=True):
    time: str = msgspec.field(name="Time")
    energy: Energy = msgspec.field(name="ENERGY")


_decoder = msgspec.json.Decoder(Sensor)


def read(packet: Packet) -> Heard:
    """The one reading of a message; the phases of a three-phase meter are added up. Errors: ``Unreadable``."""
    match packet.suffix:
        case "tele/SENSOR":
            return Heard([("", _sample(decoded(_decoder, packet.payload)))])
        case "tele/LWT":
            return Heard(online=packet.payload == b"Online")
        case "stat/POWER":
            return Heard(relays=[("", packet.payload == b"ON")])
        case "tele/STATE" | "tele/INFO1" | "tele/INFO2" | "tele/INFO3" | "stat/RESULT":
            return NOTHING
    raise Unreadable("wrong_topic", f"a Tasmota meter does not speak under {packet.suffix[:60]}")


def _sample(sensor: Sensor) -> Sample:
    try:
        local = datetime.fromisoformat(sensor.time)
        taken_at = (local if local.tzinfo else local.replace(tzinfo=FACILITY_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable("invalid_field", f"Time is no ISO time: {sensor.time[:60]}") from error
    if taken_at.year < EARLIEST_YEAR:
        raise Unreadable("clock_not_set", f"Time is before {EARLIEST_YEAR}: {sensor.time[:60]}")
    power = milli(_summed(sensor.energy.power, "ENERGY.Power"), "ENERGY.Power", highest=HIGHEST_W)
    total = _summed(sensor.energy.total, "ENERGY.Total")
    energy = milli(None if total is None else total * 1000, "ENERGY.Total", highest=HIGHEST_WH)
    return Sample(taken_at.replace(microsecond=0), 0, 0, power, energy, None, content_hash(sensor.time, power, energy))


def _summed(value: Decimal | list[Decimal] | None, field: str) -> Decimal | None:
    """Over the phases, of which one may feed back. Judged before arithmetic, which raises at NaN and at 1e9999999."""
    if value is None:
        return None
    phases = value if isinstance(value, list) else [value]
    if not phases or not all(phase.is_finite() and -HIGHEST_WH <= phase <= HIGHEST_WH for phase in phases):
        raise Unreadable("out_of_range", f"{field} must be a number, or a list of one a phase")
    return sum(phases, Decimal())
