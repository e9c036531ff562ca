"""Sealed readings with what leads from them to the signed root: many of them share one proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MARK = 4
"""So many first bytes of what was sealed tell which reading of a block is another one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came, and how many of the readings that follow came in it."""

    topic: str
    payload: bytes
    readings: int


@dataclass(frozen=True, slots=True)
class Block:
    """Some readings of one block of a seal by their places, and the hashes that lead from them to the block's root.

    A row is what is sealed of a reading without the format before and the message's digest behind it. ``marks`` are
    the first bytes of what was sealed of each, ``contents`` the content hashes.
    """

    number: int
    places: Sequence[int]
    marks: bytes
    contents: bytes
    rows: Sequence[bytes]
    messages: Sequence[Message]
    others: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class SealPart:
    """Blocks of one seal of so many ``leaves``, and the roots of other blocks that lead from theirs to its root."""

    seal_id: int
    leaves: int
    blocks: Sequence[Block]
    others: Sequence[bytes]
