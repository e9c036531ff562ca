"""The native dialect, version 1: counted readings, several to a message. See docs/metering-native.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from devices.payloads.unreadable import Unreadable, content_hash
from devices.rules.sample import Sample

SUFFIXES = frozenset({"data"})
MOST_READINGS = 500
HIGHEST_W = Decimal(10**9)
HIGHEST_WH = Decimal(10**12)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Moment = Annotated[int, msgspec.Meta(ge=946_684_800_000, le=4_102_444_800_000)]  # the years 2000 to 2099


class Reading(msgspec.Struct, frozen=True):
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    at_ms: Moment
    power_w: Decimal | None = None
    energy_wh: Decimal | None = None
    running: bool | None = None


class Message(msgspec.Struct, frozen=True):
    v: Literal[1]
    boot: Count
    readings: Annotated[list[Reading], msgspec.Meta(min_length=1, max_length=MOST_READINGS)]
    backfill: bool = False


_decoder = msgspec.json.Decoder(Message)


def read(payload: bytes) -> list[Sample]:
    """The readings of one message. Errors: ``Unreadable`` naming the field."""
    try:
        message = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Unreadable("invalid_field", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("not_json", str(error)) from error
    return [_sample(message.boot, reading) for reading in message.readings]


def _sample(boot: int, reading: Reading) -> Sample:
    power = milli(reading.power_w, "power_w", highest=HIGHEST_W)
    energy = milli(reading.energy_wh, "energy_wh", highest=HIGHEST_WH)
    if power is None and energy is None and reading.running is None:
        raise Unreadable("says_nothing", f"reading {reading.seq} has none of power_w, energy_wh, running")
    taken_at = EPOCH + timedelta(milliseconds=reading.at_ms)
    return Sample(
        taken_at,
        boot,
        reading.seq,
        power,
        energy,
        reading.running,
        content_hash(reading.at_ms, power, energy, reading.running),
    )


def milli(value: Decimal | None, field: str, *, highest: Decimal) -> int | None:
    """Thousandths, exactly or cut off: a meter does not know its last digit. Errors: ``Unreadable``."""
    if value is None:
        return None
    if not value.is_finite() or not 0 <= value <= highest:
        raise Unreadable("out_of_range", f"{field} must be from 0 to {highest:f}, not {value}")
    return int(value * 1000)
