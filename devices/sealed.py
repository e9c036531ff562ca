"""The door to evidence: the readings behind sessions, with their messages, and what proves that they were sealed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from app.kernel.errors import Conflict
from app.kernel.interval import Interval
from devices.models import Seal, SealedBlock
from devices.proving import seal_as_json
from devices.rules import merkle
from devices.rules.leaf import READING_FORMAT
from devices.rules.sealed import MARK, Block, Message, SealPart

LEAF = f"\0{READING_FORMAT}|".encode()
# A message comes along with its first reading only. Planned by the key: some spans of some meters.
ROWS = text(
    """
    SELECT batch.seal_id, found.batch_id, found.message_id, found.content_hash, convert_to(concat(
               meter.code, '|', boot, '|', seq, '|', CAST(extract(epoch FROM taken_at) * 1000000 AS bigint), '|',
               power_mw, '|', energy_mwh, '|', running, '|', count, '|',
               CAST(extract(epoch FROM found.received_at) * 1000000 AS bigint), '|', key_id, '|', backfill
           ), 'UTF8') AS told, raw_message.topic, raw_message.payload, found.first
    FROM (
        SELECT reading.*, row_number() OVER (
                   PARTITION BY batch_id, message_id ORDER BY meter_id, taken_at, boot, seq, content_hash
               ) = 1 AS first
        FROM unnest(CAST(:meters AS int[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
                    CAST(:until AS timestamptz[])) AS wanted (meter, start, finish, until)
        CROSS JOIN LATERAL (
            SELECT * FROM reading
            WHERE meter_id = wanted.meter AND taken_at >= wanted.start AND taken_at <= wanted.finish
              AND received_at <= wanted.until
            OFFSET 0 -- by the index, span by span
        ) AS reading
    ) AS found
    JOIN meter ON meter.id = found.meter_id
    LEFT JOIN reading_batch AS batch ON batch.id = found.batch_id
    LEFT JOIN raw_message ON found.first AND raw_message.id = found.message_id
        AND raw_message.received_at = found.received_at
    ORDER BY batch.seal_id, found.batch_id, found.message_id, found.meter_id, taken_at, boot, seq, content_hash
    """
)
STREAMED = {"stream_results": True, "max_row_buffer": 5000}


class Wanted(NamedTuple):
    """The readings of one meter from the first to the last moment of ``when`` that had come by ``until``."""

    meter_id: int
    when: Interval
    until: datetime


def sealed_parts(session: Session, wanted: Sequence[Wanted]) -> Iterator[SealPart]:
    """These readings by seal and block, in the order of their leaves. Memory of the readings of one seal.

    Errors: ``Conflict`` where some are not sealed yet, or are not what was sealed.
    """
    # Enough to sort a hundred thousand readings with their messages.
    session.execute(text("SET LOCAL work_mem = '96MB'"))
    rows = session.execute(
        ROWS,
        {
            "meters": [one.meter_id for one in wanted],
            "starts": [one.when.start for one in wanted],
            "ends": [one.when.end for one in wanted],
            "until": [one.until for one in wanted],
        },
        execution_options=STREAMED,
    )
    seal: _OfSeal | None = None
    for row in rows:
        if row.seal_id is None:
            raise Conflict("还有读数没有封存（每五分钟封存一次），请稍后再试。")
        if seal is None or seal.id != row.seal_id:
            if seal is not None:
                yield seal.part()
            seal = _OfSeal(session, row.seal_id)
        seal.take(row)
    if seal is not None:
        yield seal.part()


def seals_told(session: Session, ids: Collection[int]) -> Iterator[dict[str, Any]]:
    """Every seal from the first to the last of these, as handed out."""
    if not ids:
        return
    wanted = select(Seal).where(Seal.id.between(min(ids), max(ids))).order_by(Seal.id)
    for seal in session.scalars(wanted.execution_options(yield_per=1000)):
        yield seal_as_json(seal)


@dataclass(slots=True)
class _Growing:
    """A block whose readings are still being found."""

    number: int
    hashes: Sequence[bytes]
    place_of: dict[bytes, int]
    places: list[int]
    rows: list[bytes]
    contents: list[bytes]
    messages: list[list[Any]]

    def block(self) -> Block:
        marks = b"".join(self.hashes[place][:MARK] for place in self.places)
        messages = [Message(*one) for one in self.messages]
        others = merkle.others_of(self.hashes, self.places)
        return Block(self.number, self.places, marks, b"".join(self.contents), self.rows, messages, others)


class _OfSeal:
    """The readings of one seal as they come, put into its blocks."""

    def __init__(self, session: Session, seal_id: int) -> None:
        self.id, self._session = seal_id, session
        self._leaves = session.get_one(Seal, seal_id).leaf_count
        known = session.execute(
            select(SealedBlock.batch_id, SealedBlock.message_id, SealedBlock.root)
            .where(SealedBlock.seal_id == seal_id)
            .order_by(SealedBlock.first_leaf)
        ).all()
        self._firsts = [(one.batch_id, one.message_id) for one in known]
        self._roots = [bytes(one.root) for one in known]
        self._done: list[Block] = []
        self._open: dict[int, _Growing] = {}
        self._message: tuple[str, bytes, bytes] = ("", b"", b"|")

    def take(self, row: Row[Any]) -> None:
        if row.first:
            topic, payload = row.topic or "", bytes(row.payload or b"")
            digest = "" if row.topic is None else sha256(topic.encode() + b"\0" + payload).hexdigest()
            self._message = topic, payload, b"|" + digest.encode()
        topic, payload, end = self._message
        told = bytes(row.told)
        block, place = self._find(sha256(LEAF + told + end).digest(), (row.batch_id, row.message_id), told)
        if block.places and block.places[-1] == place:
            return  # the last of one span and the first of the next
        if row.first or not block.messages:  # a message that goes on in the next block comes there again
            block.messages.append([topic, payload, 0])
        block.messages[-1][2] += 1
        block.places.append(place)
        block.rows.append(told)
        block.contents.append(bytes(row.content_hash))

    def part(self) -> SealPart:
        for number in sorted(self._open):
            self._close(number)
        blocks = [one.number for one in self._done]
        return SealPart(self.id, self._leaves, self._done, merkle.others_of(self._roots, blocks))

    def _find(self, leaf: bytes, key: tuple[int, int], told: bytes) -> tuple[_Growing, int]:
        """Its block and place. A message begins in one block and may end in a later one."""
        last = bisect_right(self._firsts, key) - 1
        first = last
        while first > 0 and self._firsts[first] == key:
            first -= 1
        for number in sorted(one for one in self._open if one < first):
            self._close(number)
        for number in range(max(first, 0), last + 1):
            block = self._open.get(number) or self._opened(number)
            place = block.place_of.get(leaf)
            if place is not None:
                return block, place
        meter, boot, seq = told.decode().split("|", 3)[:3]
        raise Conflict(
            "表计 %(meter)s 启动 %(boot)s 序号 %(seq)s 的读数与封存时不同。请管理员运行 flask verify seals 查明。",
            meter=meter,
            boot=boot,
            seq=seq,
        )

    def _opened(self, number: int) -> _Growing:
        packed = self._session.scalar(
            select(SealedBlock.hashes).where(
                SealedBlock.seal_id == self.id, SealedBlock.first_leaf == number * merkle.BLOCK
            )
        )
        hashes = merkle.split(bytes(packed or b""))
        place_of = {one: place for place, one in enumerate(hashes)}
        self._open[number] = _Growing(number, hashes, place_of, [], [], [], [])
        return self._open[number]

    def _close(self, number: int) -> None:
        block = self._open.pop(number)
        if block.places:
            self._done.append(block.block())


def counts_by(session: Session, wanted: Iterable[tuple[int, Wanted]]) -> dict[int, tuple[int, int]]:
    """By number, how many such readings had come by then, and how many there are now. One query."""
    asked = list(wanted)
    rows = session.execute(
        COUNTS,
        {
            "numbers": [number for number, _ in asked],
            "meters": [one.meter_id for _, one in asked],
            "starts": [one.when.start for _, one in asked],
            "ends": [one.when.end for _, one in asked],
            "until": [one.until for _, one in asked],
        },
    )
    return {row.number: (row.by_then, row.now) for row in rows}


COUNTS = text(
    """
    SELECT wanted.number, counted.by_then, counted.now
    FROM unnest(CAST(:numbers AS bigint[]), CAST(:meters AS int[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:until AS timestamptz[]))
        AS wanted (number, meter, start, finish, until)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE received_at <= wanted.until) AS by_then, count(*) AS now FROM reading
        WHERE meter_id = wanted.meter AND taken_at >= wanted.start AND taken_at <= wanted.finish
    ) AS counted
    """
)
