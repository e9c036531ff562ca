"""The form of ``readings/NNNNNN.gz``: the readings of some spans of use, with what proves them.

Unpacked, a portion is text lines of JSON, some of them followed by bytes whose number they state:

- ``{"spans": […], "seals": n}`` once, then for each seal ``{"seal", "leaves", "blocks", "others"}``: how many leaves
  it has, how many of its blocks follow, and the roots of other blocks that lead from these to the seal's root;
- for each block ``{"block", "readings", "messages", "rows", "payloads", "others"}`` and then the places of the readings
  in the block (two bytes each, big-endian), the first four bytes of what was sealed of each, their content hashes
  (sixteen bytes each), their rows, the payloads of their messages one behind the other, and the hashes that lead to
  the block's root. ``messages`` are [topic, readings, bytes].

A row is what is sealed of a reading without the format before and the message's digest behind it.
The first bytes of what was sealed prove nothing: they tell which reading of a block is another one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from typing import IO, Any

from billing.rules.dossier.wrong import DoesNotHold
from devices.rules import merkle
from devices.rules.sealed import MARK, Block, Message, SealPart

CONTENT = 16
LONGEST_LINE = 64 << 20
MOST_BYTES = 512 << 20


def packed(spans: Sequence[dict[str, Any]], parts: Sequence[SealPart]) -> Iterator[bytes]:
    """A portion as bytes, piece by piece."""
    yield _line({"spans": list(spans), "seals": len(parts)})
    for part in parts:
        others = b"".join(part.others).hex()
        yield _line({"seal": part.seal_id, "leaves": part.leaves, "blocks": len(part.blocks), "others": others})
        for block in part.blocks:
            rows = b"\n".join(block.rows)
            payloads = b"".join(one.payload for one in block.messages)
            yield _line(
                {
                    "block": block.number,
                    "readings": len(block.places),
                    "messages": [[one.topic, one.readings, len(one.payload)] for one in block.messages],
                    "rows": len(rows),
                    "payloads": len(payloads),
                    "others": len(block.others),
                }
            )
            yield struct.pack(f">{len(block.places)}H", *block.places)
            yield from (block.marks, block.contents, rows, payloads, *block.others)


class Reader:
    """Reads an unpacked portion from ``source``. Errors: ``DoesNotHold`` where it has not this form."""

    def __init__(self, name: str, source: IO[bytes]) -> None:
        self._name, self._source = name, source
        opening = self._told()
        self.spans: list[dict[str, Any]] = opening["spans"]
        self._seals = int(opening["seals"])

    def parts(self) -> Iterator[SealPart]:
        """Seal by seal; a block is in memory at a time, those of a seal together."""
        for _ in range(self._seals):
            told = self._told()
            others = merkle.split(bytes.fromhex(told["others"]))
            blocks = [self._block() for _ in range(int(told["blocks"]))]
            yield SealPart(int(told["seal"]), int(told["leaves"]), blocks, others)
        if self._source.read(1):
            raise self._malformed("nothing after the last seal", "more bytes")

    def _block(self) -> Block:
        told = self._told()
        count = int(told["readings"])
        places = struct.unpack(f">{count}H", self._bytes(2 * count))
        marks, contents = self._bytes(MARK * count), self._bytes(CONTENT * count)
        rows = self._bytes(int(told["rows"])).split(b"\n")
        payloads = self._bytes(int(told["payloads"]))
        messages, at = [], 0
        for topic, readings, length in told["messages"]:
            messages.append(Message(topic, payloads[at : at + length], readings))
            at += length
        others = merkle.split(self._bytes(merkle.SIZE * int(told["others"])))
        if len(rows) != count or sum(one.readings for one in messages) != count or at != len(payloads):
            raise self._malformed(f"{count} readings in block {told['block']}", "another number")
        return Block(int(told["block"]), places, marks, contents, rows, messages, others)

    def _told(self) -> dict[str, Any]:
        line = self._source.readline(LONGEST_LINE)
        try:
            told = json.loads(line)
        except ValueError:
            raise self._malformed("a line of JSON", repr(line[:80])) from None
        if not isinstance(told, dict):
            raise self._malformed("a JSON object", repr(line[:80]))
        return told

    def _bytes(self, count: int) -> bytes:
        found = self._source.read(count) if 0 <= count <= MOST_BYTES else b""
        if len(found) != count:
            raise self._malformed(f"{count} bytes", len(found))
        return found

    def _malformed(self, expected: object, found: object) -> DoesNotHold:
        return DoesNotHold(self._name, "its form", expected=expected, found=found)


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
