"""What the readers of all dialects do with a field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import TypeVar

import msgspec

from devices.payloads.unreadable import Unreadable

HIGHEST_W = Decimal(10**9)
HIGHEST_WH = Decimal(10**12)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_2000_S, YEAR_2100_S = 946_684_800, 4_102_444_800

Kind = TypeVar("Kind")


def decoded(decoder: msgspec.json.Decoder[Kind], payload: bytes | str) -> Kind:
    """The JSON of ``payload`` in its shape. Errors: ``Unreadable`` naming the field."""
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Unreadable("invalid_field", str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable("not_json", str(error)) from error


def milli(value: Decimal | None, field: str, *, highest: Decimal, factor: int = 1) -> int | None:
    """Thousandths of ``value`` × ``factor``, exactly or cut off: a meter does not know its last digit.

    ``highest`` bounds the product. Judged before arithmetic, which raises at 1e9999999. Errors: ``Unreadable``.
    """
    if value is None:
        return None
    if not value.is_finite() or not 0 <= value <= highest / factor:
        raise Unreadable("out_of_range", f"{field} must be from 0 to {highest / factor:f}, not {str(value)[:60]}")
    return int(value * factor * 1000)


def moment_of(value: Decimal | int, field: str, *, per_second: int) -> datetime:
    """The moment that ``value`` is since 1970, to the microsecond. Errors: ``Unreadable`` outside 2000 to 2099."""
    if not (Decimal(value).is_finite() and YEAR_2000_S * per_second <= value < YEAR_2100_S * per_second):
        raise Unreadable("clock_not_set", f"{field} is no time from 2000 to 2099: {str(value)[:40]}")
    return EPOCH + timedelta(microseconds=int(value * 1_000_000 // per_second))


def content_hash(*told: object) -> bytes:
    """Sixteen bytes that differ when what a reading says differs."""
    return blake2b(repr(told).encode(), digest_size=16).digest()
