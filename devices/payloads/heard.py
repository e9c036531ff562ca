"""What goes into the reader of a dialect and what comes out: the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from devices.rules.sample import Sample


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A registered key of a device. Valid from ``valid_from`` up to, but not at, ``valid_until``."""

    id: int
    public_key: bytes
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Packet:
    """One message for a reader. ``suffix`` is its topic behind the meter's code.

    ``memory`` belongs to this connection and is kept (as JSON) with what was read; a reader writes into it
    what it has to know next time. ``repeated`` if the broker says that it may have sent this before.
    """

    suffix: str
    payload: bytes
    received_at: datetime
    memory: dict[str, Any] = field(default_factory=dict)
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    repeated: bool = False


class Late(NamedTuple):
    """An earlier message of the same device, and what it said after all."""

    suffix: str
    payload: bytes
    received_at: datetime
    samples: Sequence[tuple[str, Sample]]
    backfill: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What one message said. A message may well say nothing that is kept.

    Shape: ``samples`` and ``relays`` by the channel that they are about, "" for the device itself;
    ``answers`` are (suffix, payload) to publish under the same device once this is stored;
    ``missed`` if the dialect's own numbering shows that messages before this one are lost; ``late`` are earlier
    ones of which only now it is known what they mean.
    """

    samples: Sequence[tuple[str, Sample]] = ()
    relays: Sequence[tuple[str, bool]] = ()
    answers: Sequence[tuple[str, bytes]] = ()
    online: bool | None = None
    backfill: bool = False
    key_id: int | None = None
    missed: bool = False
    late: Sequence[Late] = ()


NOTHING = Heard()
