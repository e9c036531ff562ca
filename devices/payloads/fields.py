"""What the readers of all dialects do with a field."""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b
from typing import TypeVar

import msgspec

from devices.payloads.unreadable import Unreadable

HIGHEST_W = Decimal(10**9)
HIGHEST_WH = Decimal(10**12)

Kind = TypeVar("Kind")


def decoded(decoder: msgspec.json.Decoder[Kind], payload: bytes | str) -> Kind:
    """The JSON of ``payload`` in its shape. Errors: ``Unreadable`` naming the field."""
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Unreadable("invalid_field", str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable("not_json", str(error)) from error


def milli(value: Decimal | None, field: str, *, highest: Decimal) -> int | None:
    """Thousandths, exactly or cut off: a meter does not know its last digit. Errors: ``Unreadable``."""
    if value is None:
        return None
    if not value.is_finite() or not 0 <= value <= highest:
        raise Unreadable("out_of_range", f"{field} must be from 0 to {highest:f}, not {value}")
    return int(value * 1000)


def content_hash(*told: object) -> bytes:
    """Sixteen bytes that differ when what a reading says differs."""
    return blake2b(repr(told).encode(), digest_size=16).digest()
