"""What exactly is hashed of a reading and what is signed of a seal: text, so that anybody can write it down again.

A verifier needs SHA-256 and Ed25519, no library of ours; docs/sealing.md has one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

READING_FORMAT = "pilotshare-reading-1"
SEAL_FORMAT = "pilotshare-seal-1"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_SEAL_BEFORE = bytes(32)
"""What the first seal names as the hash of the one before."""


class Leaf(NamedTuple):
    """One reading as it is sealed. ``message`` is :func:`message_digest` of what it came in.

    Units: microseconds since 1970 UTC, milliwatts, milliwatt-hours. What the meter did not say is ``None``;
    ``key_id`` is that of the device's key that signed it, ``None`` if none did.
    """

    meter: str
    boot: int
    seq: int
    taken_us: int
    power_mw: int | None
    energy_mwh: int | None
    running: bool | None
    count: int | None  # type: ignore[assignment]  # a tuple's own count is of no use here
    received_us: int
    key_id: int | None
    backfill: bool
    message: str


def leaf_of(reading: Leaf) -> bytes:
    """The bytes of a reading: the format's name and the fields in their order, with ``|`` between.

    Whole numbers are decimal, ``True`` is ``t``, ``False`` is ``f``, ``None`` is nothing at all. No field can
    contain ``|``. SQL writes the same in devices/sealing.py.
    """
    return "|".join([READING_FORMAT, *map(_word, reading)]).encode()


def message_digest(topic: str, payload: bytes) -> str:
    """SHA-256, in hexadecimal, of topic, a zero byte (which no topic contains) and payload."""
    return sha256(topic.encode() + b"\0" + payload).hexdigest()


def statement_of(*, previous_hash: bytes, leaf_count: int, root: bytes, sealed_at: datetime) -> bytes:
    """What a seal signs: five lines, the last without an end. Its SHA-256 is the seal's hash; the next one names it."""
    lines = [SEAL_FORMAT, previous_hash.hex(), str(leaf_count), root.hex(), str(microseconds(sealed_at))]
    return "\n".join(lines).encode()


def seal_hash(statement: bytes) -> bytes:
    return sha256(statement).digest()


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def _word(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "t" if value else "f"
    return str(value)
